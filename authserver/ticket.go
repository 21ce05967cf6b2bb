package authserver

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

type resetStore interface {
	AddReset(ctx context.Context, t store.Ticket, check func(store.Person) error) error
}

// Links that work once. This server sends no mail: whoever makes a link hands it out.

type ticketStore interface {
	AddTicket(ctx context.Context, t store.Ticket) error
	Ticket(ctx context.Context, h store.Hash, p store.Purpose, now time.Time) (store.Ticket, error)
	Tickets(ctx context.Context, p store.Purpose, now time.Time) ([]store.Ticket, error)
}

type ticketUse interface {
	SignUp(ctx context.Context, t store.Ticket, u store.User, now time.Time) error
	ResetPassword(ctx context.Context, t store.Ticket, passwordHash string, here store.Place, now time.Time) error
	RemoveTicket(ctx context.Context, h store.Hash) error
}

// How long the links are good.
const (
	InvitationLife = 7 * 24 * time.Hour
	ResetLife      = 24 * time.Hour
)

const (
	signUpPath = "/sign-up"
	resetPath  = "/reset"
)

// Invitation lets somebody create an account.
type Invitation struct {
	Email string   // to whom it goes, becomes the account's address, not verified; or ""
	Roles []string // the account gets
	By    string   // who makes it, for the record

	Operator bool // whoever makes it has the machine: then it may also be where sign-up is closed
}

// ErrSignUpClosed says that nobody but the operator of the machine invites.
var ErrSignUpClosed = errors.New("sign-up is closed (authserver.sign_up): only the operator of the machine makes invitations")

// Invite makes a link to create one account with, good for InvitationLife.
// ErrSignUpClosed where that is so.
func (s *Server) Invite(ctx context.Context, i Invitation) (link string, err error) {
	if !i.Operator && (s.config.SignUp == SignUpClosed || s.config.SignUp == "") {
		return "", ErrSignUpClosed
	}
	if err := s.knownRoles(i.Roles); err != nil {
		return "", err
	}
	if err := checkEmail(i.Email); err != nil {
		return "", err
	}
	t, secret := s.newTicket(store.Ticket{Purpose: store.Invitation, Email: i.Email, Roles: i.Roles, CreatedBy: i.By}, InvitationLife)
	if err := s.store.AddTicket(ctx, t); err != nil {
		return "", err
	}
	return s.ticketLink(ctx, t, secret, signUpPath), nil
}

// Invited is an invitation that nobody has used yet.
type Invited struct {
	ID    string // names it, and opens nothing
	Email string
	Roles []string
	By    string
	Since time.Time
	Until time.Time
}

// Invitations are those that are still good, the latest first.
func (s *Server) Invitations(ctx context.Context) ([]Invited, error) {
	tickets, err := s.store.Tickets(ctx, store.Invitation, s.config.Now())
	if err != nil {
		return nil, err
	}
	var all []Invited
	for _, t := range tickets {
		all = append(all, Invited{ID: base64.RawURLEncoding.EncodeToString(t.Hash[:]), Email: t.Email, Roles: t.Roles, By: t.CreatedBy, Since: t.CreatedAt, Until: t.ExpiresAt})
	}
	return all, nil
}

// CancelInvitation makes one worth nothing; ErrUnknown when there is none.
func (s *Server) CancelInvitation(ctx context.Context, id string) error {
	raw, err := base64.RawURLEncoding.DecodeString(id)
	var h store.Hash
	if err != nil || len(raw) != len(h) {
		return ErrUnknown
	}
	copy(h[:], raw)
	err = s.store.RemoveTicket(ctx, h)
	if errors.Is(err, store.ErrNotFound) {
		return ErrUnknown
	}
	return err
}

// ResetLink makes a link with which a person, by name, chooses a new password,
// good for ResetLife; the links of theirs before end. Second factors stay.
// ErrUnknown when there is nobody of that name.
func (s *Server) ResetLink(ctx context.Context, username, by string) (link string, err error) {
	u, err := s.store.User(ctx, username)
	if errors.Is(err, store.ErrNotFound) {
		return "", ErrUnknown
	}
	if err != nil {
		return "", err
	}
	return s.resetLink(ctx, u.ID, by, func(store.Person) error { return nil })
}

// resetLink is ResetLink for whoever may make it when check has seen the person
// as they are then.
func (s *Server) resetLink(ctx context.Context, userID, by string, check func(store.Person) error) (link string, err error) {
	t, secret := s.newTicket(store.Ticket{Purpose: store.PasswordReset, UserID: userID, CreatedBy: by}, ResetLife)
	if err := s.store.AddReset(ctx, t, check); err != nil {
		return "", err
	}
	return s.ticketLink(ctx, t, secret, resetPath), nil
}

func (s *Server) newTicket(t store.Ticket, life time.Duration) (made store.Ticket, secret string) {
	secret, now := newSecret(""), s.config.Now()
	t.Hash, t.CreatedAt, t.ExpiresAt = hashOf(secret), now, now.Add(life)
	return t, secret
}

func (s *Server) ticketLink(ctx context.Context, t store.Ticket, secret, path string) string {
	s.report(ctx, slog.LevelInfo, "ticket.made", "purpose", string(t.Purpose), "subject", t.UserID, "roles", t.Roles, "by", t.CreatedBy)
	return s.site.url(path) + "?" + url.Values{"ticket": {secret}}.Encode()
}

// ticketOf finds the ticket of a link, if whoever made it could make it now. Links have 256 bits: the limit bounds the work.
func (s *Server) ticketOf(r *http.Request, secret string, p store.Purpose) (store.Ticket, error) {
	giveBack, err := s.limits.tickets.try(s.network(r))
	if err != nil {
		return store.Ticket{}, err
	}
	t, err := s.store.Ticket(r.Context(), hashOf(secret), p, s.config.Now())
	if errors.Is(err, store.ErrNotFound) {
		return store.Ticket{}, refuse(BadTicket)
	}
	if err == nil {
		err = s.stillGiven(r.Context(), t)
	}
	if reasonOf(err) == BadTicket {
		return store.Ticket{}, err
	}
	giveBack()
	return t, err
}

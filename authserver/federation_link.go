package authserver

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/upstream"
)

type identityStore interface {
	Identity(ctx context.Context, issuer, subject string) (store.Identity, error)
	UserByAddress(ctx context.Context, email string) (store.User, error)
	Link(ctx context.Context, v store.Identity) error
}

type ownIdentities interface {
	Identities(ctx context.Context, user string) ([]store.Identity, error)
	Unlink(ctx context.Context, user string, era int64, issuer, subject string, issuers []string) error
}

type departures interface {
	Depart(ctx context.Context, h store.Hash, sealed []byte, expires time.Time) error
	Return(ctx context.Context, h store.Hash, now time.Time) ([]byte, error)
}

// welcome takes somebody who has not been here with this identity: the account
// that has their address, or one of their own. An account that somebody can
// sign in to is linked by whoever does, whatever a provider decides about: that
// its address is theirs is what an administrator says.
func (s *Server) welcome(w http.ResponseWriter, r *http.Request, p *provider, e errand, who upstream.Identity) error {
	owner, err := s.ownerOf(r.Context(), p, who)
	switch {
	case err == nil && owner.waiting:
		return s.enter(w, r, p, e.To, owner.ID, who, true)
	case err == nil:
		return s.offerLink(w, r, p, e.To, owner, who)
	case !errors.Is(err, store.ErrNotFound):
		return err
	case !p.Create:
		return refuse(NotLinked)
	}
	return s.enterNew(w, r, p, e.To, who)
}

// owner is who has an address.
type owner struct {
	store.User
	waiting bool // an administrator made the account, and nobody has come in yet
	guarded bool // by a second factor
}

// ownerOf is who has a verified address here: an address that only one of the
// two sides has seen proves nothing.
func (s *Server) ownerOf(ctx context.Context, p *provider, who upstream.Identity) (owner, error) {
	if !p.Link || !who.EmailVerified {
		return owner{}, store.ErrNotFound
	}
	u, err := s.store.UserByAddress(ctx, who.Email)
	if err != nil {
		return owner{}, err
	}
	f, err := s.factorsOf(ctx, u.ID)
	if err != nil || u.PasswordHash != "" {
		return owner{User: u, guarded: f.any()}, err
	}
	linked, err := s.store.Identities(ctx, u.ID)
	return owner{User: u, guarded: f.any(), waiting: !f.any() && len(linked) == 0}, err
}

// link makes an identity one of the person's of a session.
func (s *Server) link(r *http.Request, p *provider, v store.Session, issuer, subject, email string) error {
	now := s.config.Now()
	linked := store.Identity{Issuer: issuer, Subject: subject, Provider: p.Name, UserID: v.UserID, Era: v.Era, Email: email, LinkedAt: now, UsedAt: now}
	if err := admitted(s.store.Link(r.Context(), linked)); err != nil {
		return err
	}
	s.audit(r, "identity.linked", "provider", p.Name, "subject", v.UserID)
	return nil
}

// offer is an identity that waits for the owner of an account to prove that it
// is theirs, by signing in to it.
type offer struct {
	To      pending  `json:"to"`
	UserID  string   `json:"user_id"`
	Issuer  string   `json:"issuer"`
	Subject string   `json:"subject"`
	Email   string   `json:"email"`
	Roles   []string `json:"roles,omitzero"`
	At      int64    `json:"at"` // in milliseconds
}

func offerOf(p *provider, browser string) string {
	return "offer " + p.Name + " " + contextOf(hashOf(browser))
}

// offerLink asks for a sign-in to the account that has the address, after
// which the browser comes to linkOffered. What the provider says may count as a
// second factor from then on: an account that has one takes it first.
func (s *Server) offerLink(w http.ResponseWriter, r *http.Request, p *provider, to pending, owner owner, who upstream.Identity) error {
	name, browser, now := newSecret(""), s.cookie(r, browserCookie), s.config.Now()
	doc, err := json.Marshal(offer{To: to, UserID: owner.ID, Issuer: who.Issuer, Subject: who.Subject, Email: who.Email, Roles: p.roles(who), At: now.UnixMilli()})
	if err != nil {
		return err
	}
	if err := s.store.Depart(r.Context(), hashOf(name), s.seals.errands.close(doc, offerOf(p, browser)), now.Add(requestLife)); err != nil {
		return err
	}
	next := pending{ID: newSecret(""), Next: withPrefix + p.Name + "/link?" + url.Values{"offer": {name}}.Encode(), SignedIn: now.UnixMilli(), Expires: now.Add(requestLife).Unix()}
	if owner.guarded {
		next.Level = levelMulti
	}
	return s.showLogin(w, http.StatusOK, client{}, next, browser, pages.Login{Linking: p.Label, Address: who.Email, Without: p.Name})
}

// linkOffered links what was offered to the account that was signed in to since.
func (s *Server) linkOffered(w http.ResponseWriter, r *http.Request, p *provider) error {
	if err := s.admitNetwork(r); err != nil {
		return err
	}
	v, signedIn, err := s.session(r)
	if err != nil {
		return err
	}
	o, err := s.takeOffer(r, p, r.URL.Query().Get("offer"))
	if err != nil {
		return err
	}
	if !signedIn || v.CreatedAt.UnixMilli() < o.At {
		return refuse(BadRequestState)
	}
	if v.UserID != o.UserID {
		return refuse(OtherAccount)
	}
	f, err := s.factorsOf(r.Context(), v.UserID)
	if err != nil {
		return err
	}
	if f.any() && !levelOf(v.Methods).meets(levelMulti) {
		return refuse(UnmetLevel)
	}
	if err := s.link(r, p, v, o.Issuer, o.Subject, o.Email); err != nil {
		return err
	}
	if err := s.give(r.Context(), p, v.UserID, o.Roles); err != nil {
		return err
	}
	return s.goOn(w, o.To, s.cookie(r, browserCookie))
}

func (s *Server) takeOffer(r *http.Request, p *provider, name string) (offer, error) {
	sealed, err := s.store.Return(r.Context(), hashOf(name), s.config.Now())
	if errors.Is(err, store.ErrNotFound) {
		return offer{}, refuse(BadRequestState)
	}
	if err != nil {
		return offer{}, err
	}
	doc, err := s.seals.errands.open(sealed, offerOf(p, s.cookie(r, browserCookie)))
	if err != nil {
		return offer{}, refuseFor(BadRequestState, err)
	}
	var o offer
	return o, json.Unmarshal(doc, &o)
}

// linkAsked links an identity to the account whose owner asked for it.
func (s *Server) linkAsked(w http.ResponseWriter, r *http.Request, p *provider, e errand, who upstream.Identity) error {
	v, ok, err := s.session(r)
	if err != nil {
		return err
	}
	if !ok || v.UserID != e.Link {
		return refuse(OtherAccount)
	}
	known, err := s.store.Identity(r.Context(), who.Issuer, who.Subject)
	if err == nil && known.UserID == v.UserID {
		return s.goOn(w, e.To, s.cookie(r, browserCookie))
	}
	if err := s.link(r, p, v, who.Issuer, who.Subject, who.Email); err != nil {
		return err
	}
	if err := s.give(r.Context(), p, v.UserID, p.roles(who)); err != nil {
		return err
	}
	return s.goOn(w, e.To, s.cookie(r, browserCookie))
}

// usernameOf is a name for somebody new: their verified address with a dot for
// the @, which is the form of names that people choose and says whose it is, or
// one that says nothing.
func usernameOf(p *provider, who upstream.Identity) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + ('a' - 'A')
		case r == '@':
			return '.'
		case isNameByte(r):
			return r
		}
		return '-'
	}, who.Email)
	if !who.EmailVerified || checkChosenName(numbered(name, maxNames)) != nil {
		sum := sha256.Sum256([]byte(who.Issuer + "\x00" + who.Subject))
		name = p.Name + "-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
	}
	return name
}

// numbered is a name for the second who would have it, and so on.
func numbered(name string, try int) string {
	if try == 0 {
		return name
	}
	return name + "-" + strconv.Itoa(try+1)
}

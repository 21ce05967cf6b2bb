package authserver

import (
	"context"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/store"
)

type grantLists interface {
	GrantsOf(ctx context.Context, w store.Whose, before time.Time, id string, now time.Time, limit int) ([]store.GrantOf, error)
	TokensOf(ctx context.Context, w store.Whose, below uint64, after time.Time, limit int) ([]store.Token, error)
}

type sessionLists interface {
	AllSessions(ctx context.Context, user string, before time.Time, hash []byte, now time.Time, limit int) ([]store.Session, error)
	EndSessions(ctx context.Context, user string, but store.Hash) (ended int64, err error)
}

var errPlace = &admin.Error{Reason: admin.BadParameter, Member: "after", Detail: "after must be the next of a page of the same list."}

// atTime is a place in a list that goes back in time, and timePlace reads it.
func atTime(at time.Time, id string) []string {
	return []string{strconv.FormatInt(at.UnixMilli(), 10), id}
}

func timePlace(p admin.Paging) (before time.Time, id string, err error) {
	at, err := p.Place(2)
	if err != nil || at == nil {
		return time.Time{}, "", err
	}
	ms, err := strconv.ParseInt(at[0], 10, 64)
	if err != nil {
		return time.Time{}, "", errPlace
	}
	return time.UnixMilli(ms), at[1], nil
}

// numberPlace reads the place in a list by number, 0 at its beginning.
func numberPlace(p admin.Paging) (int64, error) {
	at, err := p.Place(1)
	if err != nil || at == nil {
		return 0, err
	}
	n, err := strconv.ParseInt(at[0], 10, 64)
	if err != nil || n < 1 {
		return 0, errPlace
	}
	return n, nil
}

// whose is one person, one client, or one person's of one client.
func whose(w admin.Whose) (store.Whose, error) {
	if w.User == "" && w.Client == "" {
		return store.Whose{}, &admin.Error{Reason: admin.BadParameter, Member: "user", Detail: "Give user or client, or both."}
	}
	return store.Whose{User: w.User, Client: w.Client}, nil
}

// Grants are what a person allowed, a client was allowed, or a person allowed a client.
func (d desk) Grants(ctx context.Context, _ admin.Actor, q admin.GrantQuery) (admin.Page[admin.Grant], error) {
	w, err := whose(q.Whose)
	if err != nil {
		return admin.Page[admin.Grant]{}, err
	}
	before, id, err := timePlace(q.Paging)
	if err != nil {
		return admin.Page[admin.Grant]{}, err
	}
	found, err := d.s.store.GrantsOf(ctx, w, before, id, d.s.config.Now(), q.Size()+1)
	if err != nil {
		return admin.Page[admin.Grant]{}, err
	}
	var all []admin.Grant
	names := clientNames{}
	for _, g := range found {
		name, err := names.of(ctx, d, g.ClientID)
		if err != nil {
			return admin.Page[admin.Grant]{}, err
		}
		all = append(all, admin.Grant{ID: g.ID, UserID: g.UserID, UserName: g.UserName, ClientID: g.ClientID, ClientName: name, Resource: g.Resource, Scopes: g.Scope,
			Methods: g.Methods, AuthTime: g.AuthTime, CreatedAt: g.CreatedAt, ExpiresAt: g.ExpiresAt})
	}
	return admin.Cut(all, q.Size(), func(g admin.Grant) []string { return atTime(g.CreatedAt, g.ID) }), nil
}

// RevokeGrant ends a grant with all its tokens.
func (d desk) RevokeGrant(ctx context.Context, by admin.Actor, q admin.GrantRef) (admin.None, error) {
	if err := d.s.store.RevokeGrant(acting(ctx, by), q.ID, d.s.config.Now()); err != nil {
		return admin.None{}, said(err, "grant")
	}
	d.note(ctx, by, "grant.revoked", "grant", q.ID)
	return admin.None{}, nil
}

// Tokens are the access tokens of a person, a client or both that are good.
func (d desk) Tokens(ctx context.Context, _ admin.Actor, q admin.TokenQuery) (admin.Page[admin.Token], error) {
	w, err := whose(q.Whose)
	if err != nil {
		return admin.Page[admin.Token]{}, err
	}
	below, err := numberPlace(q.Paging)
	if err != nil {
		return admin.Page[admin.Token]{}, err
	}
	found, err := d.s.store.TokensOf(ctx, w, uint64(below), d.s.config.Now().Add(slowClocks), q.Size()+1)
	page := admin.Cut(found, q.Size(), func(t store.Token) []string { return []string{strconv.FormatUint(t.Place, 10)} })
	out := admin.Page[admin.Token]{Next: page.Next}
	for _, t := range page.Items {
		out.Items = append(out.Items, admin.Token{ID: t.ID, ClientID: t.ClientID, Subject: t.Subject, GrantID: t.GrantID,
			Resource: t.Resource, Scopes: t.Scope, ExpiresAt: t.ExpiresAt.Add(-slowClocks)})
	}
	return out, err
}

// RevokeToken revokes an access token.
func (d desk) RevokeToken(ctx context.Context, by admin.Actor, q admin.TokenRef) (admin.None, error) {
	if err := d.s.store.RevokeToken(acting(ctx, by), q.ID); err != nil {
		return admin.None{}, said(err, "token")
	}
	d.note(ctx, by, "token.revoked", "token_id", q.ID)
	return admin.None{}, nil
}

const sessionPrefix = "session_"

// sessionName is what a session is called: not its secret, but the hash of it.
func sessionName(h store.Hash) string {
	return sessionPrefix + base64.RawURLEncoding.EncodeToString(h[:])
}

func sessionHash(name string) (h store.Hash, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(name[min(len(name), len(sessionPrefix)):])
	copy(h[:], raw)
	return h, err == nil && len(raw) == len(h) && sessionName(h) == name
}

// Sessions are browsers in which a person, or anybody, is signed in.
func (d desk) Sessions(ctx context.Context, _ admin.Actor, q admin.SessionQuery) (admin.Page[admin.Session], error) {
	before, id, err := timePlace(q.Paging)
	if err != nil {
		return admin.Page[admin.Session]{}, err
	}
	h, ok := sessionHash(id)
	if id != "" && !ok {
		return admin.Page[admin.Session]{}, errPlace
	}
	found, err := d.s.store.AllSessions(ctx, q.User, before, h[:], d.s.config.Now(), q.Size()+1)
	var all []admin.Session
	for _, v := range found {
		all = append(all, sessionOf(v))
	}
	return admin.Cut(all, q.Size(), func(v admin.Session) []string { return atTime(v.CreatedAt, v.ID) }), err
}

func sessionOf(v store.Session) admin.Session {
	return admin.Session{ID: sessionName(v.Hash), UserID: v.UserID, UserName: v.UserName, Methods: v.Methods, AuthTime: v.AuthTime,
		CreatedAt: v.CreatedAt, SeenAt: v.SeenAt, ExpiresAt: v.ExpiresAt, Address: v.Address, Agent: v.Agent}
}

// EndSession signs one browser out.
func (d desk) EndSession(ctx context.Context, by admin.Actor, q admin.SessionRef) (admin.None, error) {
	h, ok := sessionHash(q.ID)
	if !ok {
		return admin.None{}, nil // nobody has it
	}
	if err := d.s.store.EndSession(acting(ctx, by), h, d.s.config.Now().Add(sessionLife)); err != nil {
		return admin.None{}, said(err, "session")
	}
	d.note(ctx, by, "session.ended", "session", q.ID)
	return admin.None{}, nil
}

// EndSessions signs a person out everywhere.
func (d desk) EndSessions(ctx context.Context, by admin.Actor, q admin.UserRef) (admin.None, error) {
	n, err := d.s.store.EndSessions(acting(ctx, by), q.ID, store.Hash{})
	if err != nil {
		return admin.None{}, said(err, "user")
	}
	d.note(ctx, by, "session.ended", "subject", q.ID, "sessions", n)
	return admin.None{}, nil
}

package authserver

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/token"
)

// presented is a token of ours that someone asks about, alive at this moment.
// Exactly one of its two forms is set.
type presented struct {
	access  *token.Claims
	refresh *store.RefreshToken
	grant   store.Grant // of a refresh token
	family  string      // the grant's id, "" for a machine's token
}

var errDead = errors.New("not a live token of this server")

// present finds a live token: errDead for anything unknown, expired, revoked,
// cut short or changed. Other errors are failures.
func (s *Server) present(ctx context.Context, raw string) (presented, error) {
	if strings.Count(raw, ".") == 2 {
		return s.presentAccess(ctx, raw)
	}
	t, err := s.presentRefresh(ctx, raw)
	if err == nil && !t.refresh.UsedAt.IsZero() {
		return presented{}, errDead
	}
	return t, err
}

// presentRefresh also gives a refresh token that was used, as long as its
// grant lives.
func (s *Server) presentRefresh(ctx context.Context, raw string) (presented, error) {
	t, err := s.store.Refresh(ctx, hashOf(raw))
	if errors.Is(err, store.ErrNotFound) {
		return presented{}, errDead
	}
	if err != nil {
		return presented{}, err
	}
	g, err := s.store.Grant(ctx, t.GrantID)
	if err != nil {
		return presented{}, err
	}
	if g.Revoked || !s.config.Now().Before(t.ExpiresAt) {
		return presented{}, errDead
	}
	return presented{refresh: &t, grant: g, family: g.ID}, nil
}

func (s *Server) presentAccess(ctx context.Context, raw string) (presented, error) {
	u, err := token.Parse(raw)
	if err != nil {
		return presented{}, errDead
	}
	a, err := u.Verify(s.config.Now(), s.rules, s.keys.Published())
	if err != nil {
		return presented{}, errDead
	}
	c := a.Claims()
	kept, err := s.store.AccessToken(ctx, c.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && kept.Revoked {
		return presented{}, errDead
	}
	if err != nil {
		return presented{}, err
	}
	return presented{access: &c, family: kept.GrantID}, nil
}

func (p presented) clientID() string {
	if p.access != nil {
		return p.access.ClientID
	}
	return p.grant.ClientID
}

// askAbout reads a request about a token: who asks, and for which.
func (s *Server) askAbout(w http.ResponseWriter, r *http.Request) (client, string, error) {
	giveBack, err := s.limits.guess.try(s.network(r))
	if err != nil {
		return client{}, "", err
	}
	p, err := readForm(w, r)
	if err != nil {
		return client{}, "", err
	}
	c, err := s.authenticate(r, p)
	if err != nil {
		return client{}, "", err
	}
	giveBack()
	if p["token"] == "" {
		return client{}, "", missing("token")
	}
	return c, p["token"], nil
}

// revoke: RFC 7009. A dead token is no error; a live one of another client is.
// A refresh token takes its whole family along, also one that was used: who
// never got the answer has no other to sign out with.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) error {
	c, raw, err := s.askAbout(w, r)
	if err != nil {
		return err
	}
	t, err := s.present(r.Context(), raw)
	if errors.Is(err, errDead) {
		t, err = s.presentRefresh(r.Context(), raw)
	}
	if errors.Is(err, errDead) {
		return writeJSON(w, http.StatusOK, struct{}{})
	}
	if err != nil {
		return err
	}
	if t.clientID() != c.ID {
		return refuse(ForeignToken)
	}
	if err := s.end(r.Context(), t); err != nil {
		return err
	}
	s.audit(r, "token.revoked", "client_id", c.ID, "grant", t.family, "whole_grant", t.refresh != nil)
	return writeJSON(w, http.StatusOK, struct{}{})
}

func (s *Server) end(ctx context.Context, t presented) error {
	if t.refresh != nil {
		return s.store.RevokeGrant(ctx, t.grant.ID, s.config.Now())
	}
	return s.store.RevokeToken(ctx, t.access.ID)
}

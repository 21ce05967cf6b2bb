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
	if g.Revoked || !t.UsedAt.IsZero() || !s.config.Now().Before(t.ExpiresAt) {
		return presented{}, errDead
	}
	return presented{refresh: &t, grant: g, family: g.ID}, nil
}

func (s *Server) presentAccess(ctx context.Context, raw string) (presented, error) {
	u, err := token.Parse(raw)
	if err != nil {
		return presented{}, errDead
	}
	a, err := u.Verify(s.config.Now(), s.rules, s.keys.published())
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
		return client{}, "", refuse(MissingParameter)
	}
	return c, p["token"], nil
}

// revoke: RFC 7009. A dead token is no error; a live one of another client is.
// A refresh token takes its whole family along.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) error {
	c, raw, err := s.askAbout(w, r)
	if err != nil {
		return err
	}
	t, err := s.present(r.Context(), raw)
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

// introspection is RFC 7662 §2.2; an inactive token has nothing but that.
type introspection struct {
	Active    bool          `json:"active"`
	Scope     string        `json:"scope,omitzero"`
	ClientID  string        `json:"client_id,omitzero"`
	TokenType string        `json:"token_type,omitzero"`
	Expiry    int64         `json:"exp,omitzero"`
	IssuedAt  int64         `json:"iat,omitzero"`
	Subject   string        `json:"sub,omitzero"`
	Audience  []string      `json:"aud,omitempty"`
	Issuer    string        `json:"iss,omitzero"`
	ID        string        `json:"jti,omitzero"`
	AuthTime  int64         `json:"auth_time,omitzero"`
	ACR       string        `json:"acr,omitzero"`
	AMR       []string      `json:"amr,omitempty"`
	Confirm   *confirmation `json:"cnf,omitzero"`
}

type confirmation struct {
	Thumbprint  string `json:"jkt,omitzero"`
	Certificate string `json:"x5t#S256,omitzero"` // RFC 8705 §3.2
}

// introspect: RFC 7662. Only a client with a secret may ask, and hears only of
// its own tokens and, as a resource server, of access tokens for its resources.
func (s *Server) introspect(w http.ResponseWriter, r *http.Request) error {
	c, raw, err := s.askAbout(w, r)
	if err != nil {
		return err
	}
	if c.public() {
		return refuse(PublicNotAllowed)
	}
	t, err := s.present(r.Context(), raw)
	if errors.Is(err, errDead) || err == nil && !t.visibleTo(c) {
		return writeJSON(w, http.StatusOK, introspection{})
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.describeToken(t))
}

func (p presented) visibleTo(c client) bool {
	if p.clientID() == c.ID {
		return true
	}
	return p.access != nil && len(intersect(p.access.Audience, c.Resources)) > 0
}

func (s *Server) describeToken(p presented) introspection {
	if p.access == nil {
		return introspection{
			Active: true, Scope: strings.Join(p.grant.Scope, " "), ClientID: p.grant.ClientID, Subject: p.grant.UserID,
			Expiry: p.refresh.ExpiresAt.Unix(), Issuer: s.config.Issuer, Confirm: confirm(p.refresh.Thumbprint, ""),
		}
	}
	c := p.access
	i := introspection{
		Active: true, Scope: strings.Join(c.Scope, " "), ClientID: c.ClientID, TokenType: "Bearer", Subject: c.Subject,
		Expiry: c.Expiry.Unix(), IssuedAt: c.IssuedAt.Unix(), Audience: c.Audience, Issuer: c.Issuer, ID: c.ID,
		Confirm: confirm(c.Thumbprint, c.Certificate), ACR: c.ACR, AMR: c.AMR,
	}
	if !c.AuthTime.IsZero() {
		i.AuthTime = c.AuthTime.Unix()
	}
	if c.Thumbprint != "" {
		i.TokenType = "DPoP" // RFC 9449 §6.2
	}
	return i
}

func confirm(thumbprint, certificate string) *confirmation {
	if thumbprint == "" && certificate == "" {
		return nil
	}
	return &confirmation{thumbprint, certificate}
}

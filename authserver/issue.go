package authserver

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/token"
)

// slowClocks is how long after its expiry a resource server may still accept a
// token: until then its revocation is remembered and told.
const slowClocks = 5 * time.Minute

const (
	longestToken = time.Hour                 // nothing that is signed here lives longer
	keptSigned   = longestToken + slowClocks // how long a key stays published that signs no more
)

// draft completes the claims of a new access token (RFC 9068), bound to the
// proof's key when there was a proof, and to the client's certificate when it
// registered for that. It lacks its place in the status list,
// which the store gives.
func (s *Server) draft(req tokenRequest, c token.Claims) token.Claims {
	now := s.config.Now().Truncate(time.Second)
	c.Issuer, c.ClientID, c.ID = s.config.Issuer, req.client.ID, newID("")
	c.IssuedAt, c.Expiry = now, now.Add(s.config.AccessTokenLife)
	c.Thumbprint, c.Certificate = req.key, req.certificate
	return c
}

// claimsOf drafts an access token of a grant: of what may still be issued of
// it, the scope that is asked for, "" for all.
func (s *Server) claimsOf(ctx context.Context, req tokenRequest, g store.Grant, asked string) (token.Claims, error) {
	now, err := s.standing(ctx, req.client, g)
	if err != nil {
		return token.Claims{}, err
	}
	scope, err := narrowed(asked, g.Scope, now.Scope)
	if err != nil {
		return token.Claims{}, err
	}
	return detailed(req, now, s.draft(req, token.Claims{
		Subject: g.UserID, Audience: []string{g.Resource}, Scope: scope,
		AuthTime: g.AuthTime, ACR: string(levelOf(g.Methods)), AMR: g.Methods,
	}))
}

// wanted is what a refresh asks for: all that was granted, unless it says less.
func (p params) wanted(granted []string) []string {
	if names, err := scopeTokens(p["scope"]); err == nil && len(names) > 0 {
		return names
	}
	return granted
}

// record is what the store keeps of a token.
func record(c token.Claims, grant string) store.AccessToken {
	return store.AccessToken{
		ID: c.ID, GrantID: grant, ClientID: c.ClientID, Subject: c.Subject, ExpiresAt: c.Expiry.Add(slowClocks),
	}
}

// kept is an access token that the store has, not signed yet.
type kept struct {
	claims token.Claims
	place  uint64
	again  func() (kept, error) // another, of what may be issued now
}

// keptOf is the token of a grant, which asked for this scope.
func (s *Server) keptOf(ctx context.Context, req tokenRequest, g store.Grant, asked string, c token.Claims, place uint64) kept {
	return kept{c, place, func() (kept, error) {
		c, err := s.claimsOf(ctx, req, g, asked)
		if err != nil {
			return kept{}, err
		}
		place, err := s.store.Issue(ctx, record(c, g.ID))
		if err != nil {
			return kept{}, gone(err)
		}
		return s.keptOf(ctx, req, g, asked, c, place), nil
	}}
}

// issue signs an access token. wanted is the scope it would have if nothing had
// been taken away.
func (s *Server) issue(r *http.Request, req tokenRequest, wanted []string, k kept, refresh string) (tokenAnswer, error) {
	k, err := s.stillTheirs(r.Context(), k)
	if err != nil {
		return tokenAnswer{}, err
	}
	c := k.claims
	c.Status = s.statusOf(k.place)
	signed, err := token.Sign(s.keys.Signer(), c)
	if err != nil {
		return tokenAnswer{}, fmt.Errorf("sign an access token: %w", err)
	}
	a := tokenAnswer{
		AccessToken: signed, TokenType: "Bearer", Scope: strings.Join(c.Scope, " "),
		ExpiresIn: int64(s.config.AccessTokenLife / time.Second), RefreshToken: refresh,
		Details: c.Details,
	}
	if req.key != "" {
		a.TokenType = "DPoP"
	}
	s.audit(r, "token.issued", "client_id", c.ClientID, "subject", c.Subject, "grant_type", req.params["grant_type"],
		"resource", c.Audience[0], "scope", a.Scope, "left_out", strings.Join(without(wanted, c.Scope), " "), "token_id", c.ID, "bound", req.key != "" || req.certificate != "")
	return a, nil
}

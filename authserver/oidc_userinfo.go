package authserver

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/token"
)

type personStore interface {
	UserName(ctx context.Context, id string) (string, error)
}

// userInfo is OpenID Connect Core §5.3.2.
type userInfo struct {
	Subject string `json:"sub"`
	Name    string `json:"preferred_username,omitzero"`
}

// userinfo: OpenID Connect Core §5.3. Any live access token of a person with
// scope openid opens it, shown as it is bound.
func (s *Server) userinfo(w http.ResponseWriter, r *http.Request) error {
	giveBack, err := s.limits.guess.try(s.network(r))
	if err != nil {
		return err
	}
	c, err := s.bearer(r, s.userinfoAt)
	if err != nil {
		return err
	}
	giveBack()
	s.nextNonce(w, r)
	if !identity(c.Scope) {
		return refuse(TokenWithoutOpenID)
	}
	name, err := s.store.UserName(r.Context(), c.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return refuse(DeadAccessToken) // a machine's, or of a person who is gone
	}
	if err != nil {
		return err
	}
	info := userInfo{Subject: c.Subject}
	if slices.Contains(c.Scope, scopeProfile) {
		info.Name = name
	}
	return writeJSON(w, http.StatusOK, info)
}

// bearer reads the access token of a request to this server as a resource, at
// this address.
func (s *Server) bearer(r *http.Request, at dpop.Target) (token.Claims, error) {
	fields := r.Header.Values("Authorization")
	if len(fields) != 1 {
		return token.Claims{}, refuse(NoAccessToken)
	}
	scheme, raw, _ := strings.Cut(fields[0], " ")
	bound := strings.EqualFold(scheme, "DPoP")
	if !bound && !strings.EqualFold(scheme, "Bearer") {
		return token.Claims{}, refuse(NoAccessToken)
	}
	t, err := s.presentAccess(r.Context(), raw)
	if errors.Is(err, errDead) {
		return token.Claims{}, refuse(DeadAccessToken)
	}
	if err != nil {
		return token.Claims{}, err
	}
	if !s.profile.takes(*t.access) {
		return token.Claims{}, refuse(DeadAccessToken)
	}
	// RFC 9449 §7.2: a bound token is no bearer token.
	if bound != (t.access.Thumbprint != "") {
		return token.Claims{}, refuse(DeadAccessToken)
	}
	if err := holdsCertificate(r, *t.access); err != nil {
		return token.Claims{}, err
	}
	if !bound {
		return *t.access, nil
	}
	return *t.access, s.proofOf(r, at, raw, *t.access)
}

// holdsCertificate: RFC 8705 §3.
func holdsCertificate(r *http.Request, c token.Claims) error {
	if c.Certificate == "" {
		return nil
	}
	chain := shown(r)
	if len(chain) == 0 {
		return refuse(DeadAccessToken)
	}
	digest := sha256.Sum256(chain[0].Raw)
	if base64.RawURLEncoding.EncodeToString(digest[:]) != c.Certificate {
		return refuse(DeadAccessToken)
	}
	return nil
}

// proofOf: RFC 9449 §7.1.
func (s *Server) proofOf(r *http.Request, at dpop.Target, raw string, c token.Claims) error {
	now, fields := s.config.Now(), r.Header.Values("DPoP")
	p, err := dpop.Verify(now, fields, dpop.AtResource(r.Method, at, raw, s.profile.proofs))
	if err != nil {
		return refuseFor(BadResourceProof, err)
	}
	if err := s.profile.permits(fields[0]); err != nil {
		return refuseFor(BadResourceProof, err)
	}
	if !p.BoundTo(c.Thumbprint) {
		return refuse(BadResourceProof)
	}
	err = s.spend(r, p, now)
	switch reasonOf(err) {
	case ProofReplayed:
		return refuseFor(BadResourceProof, err)
	case NonceNeeded:
		return refuseFor(ResourceNonce, err)
	}
	return err
}

package authserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

// redeemCode: OAuth 2.1 §4.1.3. Everything but the use is checked first, so
// that only who could have redeemed the code finds out that it was used. The
// use, and that the grant is not revoked, are the store's one transaction.
func (s *Server) redeemCode(r *http.Request, req tokenRequest) (tokenAnswer, error) {
	code, g, err := s.findCode(r, req)
	if err != nil {
		return tokenAnswer{}, err
	}
	if err := s.checkCode(req, code, g); err != nil {
		return tokenAnswer{}, err
	}
	claims, err := s.claimsOf(r.Context(), req, g, "")
	if err != nil {
		return tokenAnswer{}, err
	}
	next, refresh := s.firstRefresh(req, g)
	place, err := s.store.Redeem(r.Context(), code, next, record(claims, g.ID), s.config.Now(), s.keepUntil(req.client))
	if errors.Is(err, store.ErrSpent) {
		return tokenAnswer{}, s.codeReused(r, g)
	}
	if errors.Is(err, store.ErrNotFound) {
		return tokenAnswer{}, refuse(BadCode)
	}
	if err != nil {
		return tokenAnswer{}, err
	}
	a, err := s.issue(r, req, g.Scope, s.keptOf(r.Context(), req, g, "", claims, place), refresh)
	if err != nil {
		return tokenAnswer{}, err
	}
	return s.identify(a, claims, code.Nonce)
}

func (s *Server) findCode(r *http.Request, req tokenRequest) (store.Code, store.Grant, error) {
	for _, name := range []string{"code", "code_verifier"} {
		if req.params[name] == "" {
			return store.Code{}, store.Grant{}, missing(name)
		}
	}
	if s.mustPush(req.client) && !strings.HasPrefix(req.params["code"], pushedCode) {
		return store.Code{}, store.Grant{}, refuse(BadCode)
	}
	code, err := s.store.Code(r.Context(), hashOf(req.params["code"]))
	if errors.Is(err, store.ErrNotFound) {
		return store.Code{}, store.Grant{}, refuse(BadCode)
	}
	if err != nil {
		return store.Code{}, store.Grant{}, err
	}
	g, err := s.store.Grant(r.Context(), code.GrantID)
	if errors.Is(err, store.ErrNotFound) { // its approval failed, or was swept since
		return store.Code{}, store.Grant{}, refuse(BadCode)
	}
	return code, g, err
}

func (s *Server) checkCode(req tokenRequest, code store.Code, g store.Grant) error {
	// OAuth 2.1 §4.1.3 (B3)
	if g.ClientID != req.client.ID {
		return refuse(BadCode)
	}
	if !s.config.Now().Before(code.ExpiresAt) {
		return refuse(BadCode)
	}
	if !verifies(req.params["code_verifier"], code.Challenge) {
		return refuse(BadVerifier)
	}
	// RFC 9449 §10
	if code.Thumbprint != "" && code.Thumbprint != req.key {
		return refuse(WrongKey)
	}
	// RFC 6749 §4.1.3; OAuth 2.1 clients leave it out. Who has come here could
	// redeem the code, and may hear what is wrong.
	if u := req.params["redirect_uri"]; u != "" && u != code.RedirectURI {
		return refuse(OtherRedirect)
	}
	return s.sameResource(req, g)
}

// sameResource: RFC 8707 §2.2: a token request may name the granted resource, and no other.
// One that is served no longer gets no tokens, whoever may use them.
func (s *Server) sameResource(req tokenRequest, g store.Grant) error {
	if _, ok := s.catalogue.byURL[g.Resource]; !ok {
		return refuse(BadTarget)
	}
	if req.params["resource"] == "" {
		return nil
	}
	res, err := s.catalogue.find(req.params["resource"])
	if err != nil {
		return err
	}
	if res.URL != g.Resource {
		return refuse(OtherResource)
	}
	return nil
}

// verifies: RFC 7636 §4.6, S256 only.
func verifies(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// codeReused: a second valid use means that two have the code (B3).
func (s *Server) codeReused(r *http.Request, g store.Grant) error {
	if err := s.store.RevokeGrant(r.Context(), g.ID, s.config.Now()); err != nil {
		return err
	}
	s.audit(r, "code.reuse", "client_id", g.ClientID, "subject", g.UserID, "grant", g.ID)
	return refuse(CodeReused)
}

// firstRefresh is the first refresh token of a grant, for clients registered for them.
func (s *Server) firstRefresh(req tokenRequest, g store.Grant) (*store.RefreshToken, string) {
	if !req.client.mayUse(grantRefresh) {
		return nil, ""
	}
	t, secret := s.newRefresh(req, g)
	return &t, secret
}

// newRefresh: RFC 9449 §5 (D32): a public client's is bound to the proof's
// key; a confidential client's is bound by its authentication.
func (s *Server) newRefresh(req tokenRequest, g store.Grant) (store.RefreshToken, string) {
	secret := newSecret("prt_")
	t := store.RefreshToken{Hash: hashOf(secret), GrantID: g.ID, ExpiresAt: s.config.Now().Add(s.config.RefreshTokenLife)}
	if req.client.public() {
		t.Thumbprint = req.key
	}
	return t, secret
}

// keepUntil is when the last token that can come of what c gets now has expired.
func (s *Server) keepUntil(c client) time.Time {
	if !c.mayUse(grantRefresh) {
		return s.config.Now().Add(s.config.AccessTokenLife)
	}
	return s.config.Now().Add(max(s.config.RefreshTokenLife, s.config.AccessTokenLife))
}

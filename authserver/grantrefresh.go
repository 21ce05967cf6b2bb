package authserver

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/token"
)

// How long a rotated token still gets its successor again: for a client that
// never received the answer. Who shows the token's key has time to run into a
// timeout and to try again; a token without a key may be a thief's as well.
const (
	rotationGrace = 10 * time.Second
	boundGrace    = 2 * time.Minute
)

// refresh: OAuth 2.1 §4.3. Tokens of public clients are rotated at every use;
// those of confidential clients stay, with a new expiry.
func (s *Server) refresh(r *http.Request, req tokenRequest) (tokenAnswer, error) {
	t, g, err := s.findRefresh(r, req)
	if err != nil {
		return tokenAnswer{}, err
	}
	if err := s.checkRefresh(req, t, g); err != nil {
		return tokenAnswer{}, err
	}
	claims, err := s.claimsOf(r.Context(), req, g, req.params["scope"])
	if err != nil {
		return tokenAnswer{}, err
	}
	giveBack, err := s.limits.refresh.try(g.ID)
	if err != nil {
		return tokenAnswer{}, err
	}
	n := renewal{tokenRequest: req, old: t, grant: g, claims: claims}
	next, place, err := s.renew(r, n)
	if err != nil {
		giveBack()
		return tokenAnswer{}, err
	}
	return s.issue(r, req, req.params.wanted(g.Scope), s.keptOf(r.Context(), req, g, req.params["scope"], claims, place), next)
}

// renewal is a refresh that may go ahead, with the access token it is for.
type renewal struct {
	tokenRequest
	old    store.RefreshToken
	grant  store.Grant
	claims token.Claims
}

func (n renewal) access() store.AccessToken { return record(n.claims, n.grant.ID) }

func (s *Server) findRefresh(r *http.Request, req tokenRequest) (store.RefreshToken, store.Grant, error) {
	if req.params["refresh_token"] == "" {
		return store.RefreshToken{}, store.Grant{}, missing("refresh_token")
	}
	t, err := s.store.Refresh(r.Context(), hashOf(req.params["refresh_token"]))
	if errors.Is(err, store.ErrNotFound) {
		return store.RefreshToken{}, store.Grant{}, refuse(BadRefreshToken)
	}
	if err != nil {
		return store.RefreshToken{}, store.Grant{}, err
	}
	g, err := s.store.Grant(r.Context(), t.GrantID)
	return t, g, gone(err)
}

func (s *Server) checkRefresh(req tokenRequest, t store.RefreshToken, g store.Grant) error {
	if g.ClientID != req.client.ID {
		return refuse(BadRefreshToken)
	}
	if g.Revoked {
		return refuse(BadRefreshToken)
	}
	if !s.config.Now().Before(t.ExpiresAt) {
		return refuse(BadRefreshToken)
	}
	// RFC 9449 §5 (D32)
	if t.Thumbprint != "" && t.Thumbprint != req.key {
		return refuse(WrongKey)
	}
	wanted, now := stepUpKey{g.ClientID, g.UserID, g.Resource}, s.config.Now()
	if s.stepUps.unmet(wanted, g, now) {
		return refuse(StepUpPending)
	}
	return s.sameResource(req, g)
}

// narrowed: RFC 6749 §6: a refresh asks for the granted scope or less. What of
// that is allowed no more is left out (§3.3), unless nothing else was asked for.
func narrowed(asked string, granted, allowed []string) ([]string, error) {
	names, err := scopeTokens(asked)
	if err != nil || len(names) == 0 {
		return allowed, err
	}
	for _, n := range names {
		if !slices.Contains(granted, n) {
			return nil, refuseScope(n)
		}
	}
	left := intersect(names, allowed)
	if len(left) == 0 {
		return nil, refuseScope(names[0])
	}
	return left, nil
}

// renew keeps the new access token, and gives its place and the refresh token
// to answer with: "" when the old one stays.
func (s *Server) renew(r *http.Request, n renewal) (refresh string, place uint64, err error) {
	if !n.client.public() {
		n.old.ExpiresAt = s.config.Now().Add(s.config.RefreshTokenLife)
		place, err = s.store.Extend(r.Context(), n.old, n.access(), s.keepUntil(n.client))
		return "", place, gone(err)
	}
	if !n.old.UsedAt.IsZero() {
		return s.repeat(r, n)
	}
	next, secret := s.newRefresh(n.tokenRequest, n.grant)
	sealed := s.seals.successors.close([]byte(secret), contextOf(n.old.Hash))
	place, err = s.store.Rotate(r.Context(), n.old.Hash, sealed, next, n.access(), s.config.Now(), s.keepUntil(n.client))
	if errors.Is(err, store.ErrSpent) {
		return s.lostRace(r, n)
	}
	return secret, place, gone(err)
}

// gone: the grant was revoked, or its person deleted, since the look before, or
// it has too many tokens.
func gone(err error) error {
	if errors.Is(err, store.ErrFull) {
		return &Error{Reason: TooManyTokens, RetryAfter: time.Minute}
	}
	if errors.Is(err, store.ErrNotFound) {
		return refuse(BadRefreshToken)
	}
	return err
}

// lostRace: another request rotated the token first; this one is a repetition.
func (s *Server) lostRace(r *http.Request, n renewal) (refresh string, place uint64, err error) {
	if n.old, err = s.store.Refresh(r.Context(), n.old.Hash); err != nil {
		return "", 0, gone(err)
	}
	return s.repeat(r, n)
}

// repeat answers the repetition of a refresh: within the grace and while
// nobody has used the successor, with the same one; else two have the token,
// and the whole family ends (RFC 9700 §4.14.2).
func (s *Server) repeat(r *http.Request, n renewal) (refresh string, place uint64, err error) {
	secret, err := s.seals.successors.open(n.old.Successor, contextOf(n.old.Hash))
	if err != nil {
		return "", 0, err
	}
	next, err := s.store.Refresh(r.Context(), hashOf(string(secret)))
	if err != nil {
		return "", 0, gone(err)
	}
	late := s.config.Now().Sub(n.old.UsedAt) > graceOf(n.old)
	if late || !next.UsedAt.IsZero() || next.Thumbprint != "" && next.Thumbprint != n.key {
		return "", 0, s.refreshReused(r, n.grant)
	}
	place, err = s.store.Issue(r.Context(), n.access())
	return string(secret), place, gone(err)
}

func graceOf(t store.RefreshToken) time.Duration {
	if t.Thumbprint != "" {
		return boundGrace
	}
	return rotationGrace
}

func (s *Server) refreshReused(r *http.Request, g store.Grant) error {
	if err := s.store.RevokeGrant(r.Context(), g.ID, s.config.Now()); err != nil {
		return err
	}
	s.audit(r, "refresh.reuse", "client_id", g.ClientID, "subject", g.UserID, "grant", g.ID)
	return refuse(RefreshReused)
}

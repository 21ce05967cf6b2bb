package proxy

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/postern-mcp/postern/authserver/token"
)

// grant is a verified access token. It is shared by requests and does not
// change, but for what the issuer was told about it.
type grant struct {
	claims token.Claims
	issuer *issuer
	keys   *keySet   // that verified it, nil when the issuer's word alone did: a newer set means to verify again
	until  time.Time // for how long the issuer's word counts, zero when it was not asked
	mode   Mode
	told   atomic.Pointer[told]
}

// current: not expired, the keys that verified it are still the issuer's, and
// what the issuer said about it is fresh.
func (g *grant) current(now time.Time) bool {
	if g.keys != nil && (g.issuer.known.Load() != g.keys || !g.keys.usable(now) || g.issuer.outdated(g.keys, now)) {
		return false
	}
	if !g.until.IsZero() && !now.Before(g.until) {
		return false
	}
	return now.Before(g.claims.Expiry.Add(tokenLeeway))
}

// unrevoked asks what the issuer took back. A token the issuer was asked about
// by introspection alone is as good as the answer.
func (g *grant) unrevoked(ctx context.Context, now time.Time) error {
	if g.keys == nil {
		return nil
	}
	return g.issuer.revoked.check(ctx, now, g.claims)
}

// bearer is a token as it was presented, with its digest.
type bearer struct {
	raw    string
	digest [32]byte
	known  bool // it was good a while ago
}

// grant verifies a token, or finds it among those verified before.
func (s *server) grant(ctx context.Context, now time.Time, raw string) (*grant, error) {
	b := bearer{raw: raw, digest: sha256.Sum256([]byte(raw))}
	g, known := s.grants.GetIfPresent(b.digest)
	if known && g.current(now) {
		return g, nil
	}
	b.known = known
	u, err := token.Parse(raw)
	if err != nil {
		return s.opaque(ctx, now, b, err)
	}
	i := s.issuers[u.Issuer()]
	if i == nil {
		return nil, refused(stageVerify, reason(token.WrongIssuer), fmt.Errorf("iss %.200q is not configured", u.Issuer()))
	}
	access, keys, err := s.verifyToken(ctx, now, u, i)
	if err != nil {
		return nil, err
	}
	if i.desk != nil && i.desk.conf.All {
		return s.once(ctx, now, b, func(ctx context.Context) (*grant, error) { return i.asked(ctx, now, b, access, keys) })
	}
	g = &grant{claims: access.Claims(), issuer: i.issuer, keys: keys, mode: i.mode}
	s.grants.Set(b.digest, g)
	return g, nil
}

func (s *server) verifyToken(ctx context.Context, now time.Time, u token.Unverified, i *serverIssuer) (token.Access, *keySet, error) {
	keys, err := i.keys(ctx, now)
	if err != nil {
		return token.Access{}, nil, refused(stageVerify, reasonIssuerDown, err)
	}
	access, err := u.Verify(now, i.rules, keys.set)
	if isUnknownKey(err) {
		keys, err = i.newer(ctx, now, keys)
		if err != nil {
			return token.Access{}, nil, refused(stageVerify, reasonIssuerDown, err)
		}
		access, err = u.Verify(now, i.rules, keys.set)
	}
	if err != nil {
		return token.Access{}, nil, s.explained(tokenRefusal(err))
	}
	return access, keys, nil
}

// explained adds to a cause that may be a setting what would have been right.
func (s *server) explained(why error) error {
	r, here := asRefusal(why, stageVerify), strings.Join(s.audiences, " or ")
	switch r.reason {
	case reason(token.WrongTarget):
		r.cause = fmt.Errorf("%w; wanted %s", r.cause, here)
	case reason(token.Inactive): // RFC 7662 §2.2: also the answer to whoever may not ask
		r.cause = fmt.Errorf("%w; if so for every token, introspection.client_id may not ask there about those for %s", r.cause, here)
	}
	return why
}

func isUnknownKey(err error) bool {
	var e *token.Error
	return errors.As(err, &e) && e.Reason == token.UnknownKey
}

func tokenRefusal(err error) error {
	var e *token.Error
	if errors.As(err, &e) {
		return refused(stageVerify, reason(e.Reason), e.Cause)
	}
	return refused(stageVerify, reasonInternal, err)
}

package proxy

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/token"
)

const (
	proofWindow = 5 * time.Minute // MCP DPoP extension: ±5 minutes
	tokenLeeway = 30 * time.Second
)

// caller is who calls, proven: only verify makes one.
type caller struct {
	visit  visit
	scheme scheme
	token  string
	grant  *grant
}

// grant is a verified access token. It is shared by requests and does not
// change, but for what the issuer was told about it.
type grant struct {
	claims token.Claims
	issuer *issuer
	keys   *keySet // that verified it: a newer set means to verify again
	mode   Mode
	told   atomic.Pointer[told]
}

// verify proves the token, then, for DPoP, that the caller holds its key.
// Replay memory comes last, so that a request refused for anything else
// leaves the proof unused.
func (p *Proxy) verify(r *http.Request, v visit, have presented, h http.Header, event *event) (caller, error) {
	event.Stage = stageVerify
	fail := func(err error) (caller, error) {
		why := asRefusal(err, stageVerify)
		why.visit, why.scheme = v, have.scheme
		return caller{}, why
	}
	grant, err := v.server.grant(r.Context(), p.now(), have.token)
	if err != nil {
		return fail(err)
	}
	if err := grant.accepts(have.scheme); err != nil {
		return fail(err)
	}
	if err := grant.shownBy(r.TLS); err != nil {
		return fail(err)
	}
	if have.scheme == dpopScheme {
		if err := p.prove(r, v.server, have, grant, h); err != nil {
			return fail(err)
		}
	}
	event.identify(grant, have.scheme)
	return caller{visit: v, scheme: have.scheme, token: have.token, grant: grant}, nil
}

// accepts holds the scheme against what the token is and the server demands.
// A client certificate is no substitute for a proof where one is required.
func (g *grant) accepts(s scheme) error {
	bound := g.claims.Thumbprint != ""
	switch {
	case s == bearerScheme && bound: // RFC 9449 §7.2 (D28)
		return refused(stageVerify, reasonBoundAsBearer, nil)
	case s == bearerScheme && g.mode == Required:
		return refused(stageVerify, reasonProofRequired, nil)
	case s == dpopScheme && g.mode == Off:
		return refused(stageVerify, reasonProofOff, nil)
	case s == dpopScheme && !bound: // any key would do (D17)
		return refused(stageVerify, reasonUnbound, nil)
	}
	return nil
}

// shownBy holds a token that is bound to a client certificate against the
// connection (RFC 8705 §3). Who issued the certificate and whether it has
// expired is not checked: the issuer of the token did, and holding its key is
// what counts.
func (g *grant) shownBy(connection *tls.ConnectionState) error {
	want := g.claims.Certificate
	if want == "" {
		return nil
	}
	if connection == nil || len(connection.PeerCertificates) == 0 {
		return refused(stageVerify, reasonNoCertificate, nil)
	}
	digest := sha256.Sum256(connection.PeerCertificates[0].Raw)
	if base64.RawURLEncoding.EncodeToString(digest[:]) != want {
		return refused(stageVerify, reasonCertMismatch, nil)
	}
	return nil
}

// prove checks the proof of this request (RFC 9449 §4.3), its key, and, last,
// its nonce and that it was never used.
func (p *Proxy) prove(r *http.Request, s *server, have presented, g *grant, h http.Header) error {
	now := p.now()
	want := dpop.AtResource(r.Method, s.target, have.token, dpop.Window{Past: proofWindow, Future: proofWindow})
	proof, err := dpop.Verify(now, have.proofs, want)
	if err != nil {
		return proofRefusal(err)
	}
	if !proof.BoundTo(g.claims.Thumbprint) { // RFC 9449 §4.3 (12)
		return refused(stageVerify, reasonKeyMismatch, nil)
	}
	if fresh := p.proofs.Nonce(r.Context(), now); fresh != "" && proof.Nonce() != fresh { // RFC 9449 §8.2
		h.Set("DPoP-Nonce", fresh)
	}
	var refusedProof *dpop.Error
	err = p.proofs.Spend(r.Context(), now, proof)
	if err != nil && !errors.As(err, &refusedProof) {
		return refused(stageVerify, reasonReplayDown, err)
	}
	if err != nil {
		return proofRefusal(err)
	}
	return nil
}

func proofRefusal(err error) error {
	var e *dpop.Error
	if errors.As(err, &e) {
		return refused(stageVerify, reason(e.Reason), e.Cause)
	}
	return refused(stageVerify, reasonInternal, err)
}

// grant verifies a token, or finds it among those verified before.
func (s *server) grant(ctx context.Context, now time.Time, raw string) (*grant, error) {
	digest := sha256.Sum256([]byte(raw))
	if g, ok := s.grants.GetIfPresent(digest); ok && g.current(now) {
		return g, nil
	}
	u, err := token.Parse(raw)
	if err != nil {
		return nil, tokenRefusal(err)
	}
	i := s.issuers[u.Issuer()]
	if i == nil {
		return nil, refused(stageVerify, reason(token.WrongIssuer), fmt.Errorf("iss %.200q is not configured", u.Issuer()))
	}
	g, err := s.verifyToken(ctx, now, u, i)
	if err != nil {
		return nil, err
	}
	s.grants.Set(digest, g)
	return g, nil
}

// current: not expired, and the keys that verified it are still the issuer's.
func (g *grant) current(now time.Time) bool {
	return now.Before(g.claims.Expiry.Add(tokenLeeway)) && g.issuer.known.Load() == g.keys && g.keys.usable(now)
}

func (s *server) verifyToken(ctx context.Context, now time.Time, u token.Unverified, i *serverIssuer) (*grant, error) {
	keys, err := i.keys(ctx, now)
	if err != nil {
		return nil, refused(stageVerify, reasonIssuerDown, err)
	}
	access, err := u.Verify(now, i.rules, keys.set)
	if isUnknownKey(err) {
		keys, err = i.newer(ctx, now, keys)
		if err != nil {
			return nil, refused(stageVerify, reasonIssuerDown, err)
		}
		access, err = u.Verify(now, i.rules, keys.set)
	}
	if err != nil {
		return nil, s.explained(tokenRefusal(err))
	}
	return &grant{claims: access.Claims(), issuer: i.issuer, keys: keys, mode: i.mode}, nil
}

// explained adds to the cause of a wrong audience what would have been right.
func (s *server) explained(why error) error {
	if r := asRefusal(why, stageVerify); r.reason == reason(token.WrongTarget) {
		r.cause = fmt.Errorf("%w; wanted %s", r.cause, strings.Join(s.audiences, " or "))
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

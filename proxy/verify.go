package proxy

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/postern-mcp/postern/authserver/dpop"
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
	if err := grant.unrevoked(r.Context(), p.now()); err != nil {
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

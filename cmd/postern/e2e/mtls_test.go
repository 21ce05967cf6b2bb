package e2e

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"
)

// pocketed is a client certificate that nobody else signed, as RFC 8705 §2.2 has it.
func pocketed(t *testing.T, key *ecdsa.PrivateKey) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// certified is a token bound to the certificate, and to the key unless that is nil.
func (i *issuer) certified(subject, audience, scope string, to tls.Certificate, key *signer) string {
	digest := sha256.Sum256(to.Certificate[0])
	claims := i.claims(subject, audience, scope, key)
	bound, _ := claims["cnf"].(map[string]any)
	if bound == nil {
		bound = map[string]any{}
	}
	bound["x5t#S256"] = encode(digest[:])
	claims["cnf"] = bound
	return i.signer.sign(`{"typ":"at+jwt","alg":"ES256"}`, claims)
}

// with is a client that shows these certificates.
func (s *secured) with(t *testing.T, http2 bool, shown ...tls.Certificate) *http.Client {
	t.Helper()
	client := s.authority.client(t, http2)
	client.Transport.(*http.Transport).TLSClientConfig.Certificates = shown
	return client
}

func TestCertificateBoundTokensOverTLS(t *testing.T) {
	s := startSecured(t, echo, "  client_certificates: request\n")
	key := newSigner(t)
	own, other := pocketed(t, newSigner(t).key), pocketed(t, newSigner(t).key)
	bound := s.issuer.certified("ada", s.resource, "use", own, nil)
	both := s.issuer.certified("ada", s.resource, "use", own, &key)
	for _, row := range []struct {
		name   string
		token  string
		key    *signer
		shown  []tls.Certificate
		status int
		said   string
	}{
		{"its certificate", bound, nil, []tls.Certificate{own}, 200, ""},
		{"another", bound, nil, []tls.Certificate{other}, 401, "certificate_mismatch"},
		{"none", bound, nil, nil, 401, "certificate_required"},
		{"a proof in its place", bound, &key, nil, 401, "token_not_bound"},
		{"key and certificate", both, &key, []tls.Certificate{own}, 200, ""},
		{"key without certificate", both, &key, nil, 401, "certificate_required"},
		{"certificate without key", both, nil, []tls.Certificate{own}, 401, "bound_token_as_bearer"},
		{"a token bound to nothing", s.issuer.token("ada", s.resource, "use", nil), nil, []tls.Certificate{own}, 200, ""},
	} {
		for _, http2 := range []bool{false, true} {
			c := &caller{url: s.resource, token: row.token, key: row.key, http: s.with(t, http2, row.shown...)}
			got := c.send(t, modernCall("echo", `{}`))
			if got.status != row.status || !strings.Contains(got.body, row.said) {
				t.Errorf("%s, HTTP/2 %t: status %d, want %d with %q\n%s", row.name, http2, got.status, row.status, row.said, got.body)
			}
		}
	}
	resp, err := s.with(t, true).Get("https://" + s.address + "/.well-known/oauth-protected-resource/recorder/mcp")
	if err != nil {
		t.Fatal(err)
	}
	if doc := read(t, resp); !strings.Contains(doc.body, `"tls_client_certificate_bound_access_tokens":true`) {
		t.Errorf("the metadata does not offer it: %s", doc.body)
	}
	if n := len(s.upstream.all()); n != 6 {
		t.Errorf("the upstream got %d requests, want the three accepted ones of each protocol", n)
	}
}

// TestCertificateBoundTokenInPlain: where TLS ends in front, nobody can show
// a certificate, and nothing in a header stands in for it.
func TestCertificateBoundTokenInPlain(t *testing.T) {
	issuer, up := newIssuer(t), newUpstream(t, echo)
	p := startProxy(t, settings{issuer: issuer.url, dpop: "accepted", upstream: up.url})
	own := pocketed(t, newSigner(t).key)
	c := &caller{url: p.resource, token: issuer.certified("ada", p.resource, "use", own, nil)}
	m := modernCall("echo", `{}`)
	digest := sha256.Sum256(own.Certificate[0])
	for _, name := range []string{"Client-Cert", "X-Client-Cert", "X-Forwarded-Client-Cert", "X-SSL-Client-Cert", "Ssl-Client-Fingerprint"} {
		m.header[name] = encode(digest[:])
	}
	c.send(t, m).expect(t, http.StatusUnauthorized)
	if n := len(up.all()); n != 0 {
		t.Errorf("the upstream got %d requests", n)
	}
}

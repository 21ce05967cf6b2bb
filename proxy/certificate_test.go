package proxy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/proxy"
)

// newCertificate is a self-signed client certificate, expired on purpose: its
// thumbprint is all that counts.
func newCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func boundTo(c tls.Certificate) func(*token.Claims) {
	digest := sha256.Sum256(c.Certificate[0])
	return func(claims *token.Claims) { claims.Certificate = base64.RawURLEncoding.EncodeToString(digest[:]) }
}

// tlsStand puts the stand's handler behind TLS that asks for certificates.
func tlsStand(t *testing.T, changes ...change) (*stand, func(r request, shown ...tls.Certificate) reply) {
	t.Helper()
	s := newStand(t, changes...)
	server := httptest.NewUnstartedServer(s.handler)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return s, func(r request, shown ...tls.Certificate) reply {
		t.Helper()
		transport := server.Client().Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = shown
		transport.TLSClientConfig.NextProtos = nil
		transport.Protocols = &http.Protocols{}
		transport.Protocols.SetHTTP1(r.http1)
		transport.Protocols.SetHTTP2(!r.http1)
		defer transport.CloseIdleConnections()
		req, err := http.NewRequest(http.MethodPost, server.URL+"/calculator/mcp", strings.NewReader(toolCall("add")))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = strings.TrimPrefix(s.base, "http://")
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		req.Header.Set("Authorization", r.authorization)
		if r.proof != "" {
			req.Header.Set("DPoP", r.proof)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		return readAll(t, resp)
	}
}

type request struct {
	authorization, proof string
	http1                bool
}

func TestCertificateBoundTokens(t *testing.T) {
	s, send := tlsStand(t)
	own, other := newCertificate(t), newCertificate(t)
	bound := s.token(boundTo(own))
	for _, row := range []struct {
		name   string
		token  string
		shown  []tls.Certificate
		status int
		reason string
	}{
		{"its certificate", bound, []tls.Certificate{own}, 200, ""},
		{"another", bound, []tls.Certificate{other}, 401, "certificate_mismatch"},
		{"none", bound, nil, 401, "certificate_required"},
		{"its certificate, sent along as an intermediate", bound, []tls.Certificate{chained(other, own)}, 401, "certificate_mismatch"},
		{"a token that is bound to nothing", s.token(), []tls.Certificate{own}, 200, ""},
		{"bound to a key too", s.token(boundTo(own), s.bound), []tls.Certificate{own}, 401, "bound_token_as_bearer"},
	} {
		for _, http1 := range []bool{true, false} {
			got := send(request{authorization: "Bearer " + row.token, http1: http1}, row.shown...)
			if got.ProtoMajor == 1 != http1 {
				t.Errorf("%s: spoke %s", row.name, got.Proto)
			}
			s.wants(got, row.status, row.reason)
		}
	}
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+bound), 401, "certificate_required") // without TLS
}

func chained(leaf, more tls.Certificate) tls.Certificate {
	leaf.Certificate = append([][]byte{leaf.Certificate[0]}, more.Certificate[0])
	return leaf
}

// A token bound to a key and to a certificate needs both.
func TestBoundTwice(t *testing.T) {
	s, send := tlsStand(t)
	own, other := newCertificate(t), newCertificate(t)
	access := s.token(boundTo(own), s.bound)
	ask := func(shown ...tls.Certificate) reply {
		return send(request{authorization: "DPoP " + access, proof: s.proof(access)}, shown...)
	}
	s.nonce = ask(own).Header.Get("DPoP-Nonce")
	proof := s.proof(access)
	once := request{authorization: "DPoP " + access, proof: proof}
	s.wants(send(once, other), 401, "certificate_mismatch")
	s.wants(send(once), 401, "certificate_required")
	s.wants(send(once, own), 200, "") // the proof was left unused
	certificateOnly := s.token(boundTo(own))
	s.wants(send(request{authorization: "DPoP " + certificateOnly, proof: s.proof(certificateOnly)}, own), 401, "token_not_bound")
}

// A certificate does not stand in for a proof.
func TestCertificateIsNoProof(t *testing.T) {
	s, send := tlsStand(t, mode(proxy.Required))
	own := newCertificate(t)
	s.wants(send(request{authorization: "Bearer " + s.token(boundTo(own))}, own), 401, "proof_required")
}

func TestMetadataNamesCertificates(t *testing.T) {
	for _, offered := range []bool{true, false} {
		s := newStand(t, func(c *proxy.Config) { c.ClientCertificates = offered })
		r := s.do(http.MethodGet, s.base+"/.well-known/oauth-protected-resource/calculator/mcp", "")
		if got := strings.Contains(r.body, `"tls_client_certificate_bound_access_tokens":true`); got != offered {
			t.Errorf("client certificates %v: %s", offered, r.body)
		}
	}
}

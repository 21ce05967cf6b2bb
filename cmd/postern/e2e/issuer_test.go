package e2e

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// issuer is an authorization server reduced to what a proxy needs of one:
// metadata, keys, and tokens on demand.
type issuer struct {
	url    string
	signer signer
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{url: "http://" + loopback(freePort(t)), signer: newSigner(t)}
	i.serve(t)
	return i
}

// serve starts answering, at the address of its URL.
func (i *issuer) serve(t *testing.T) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, i.url, i.url+"/jwks"))
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, `{"keys":[`+i.signer.jwk()+`]}`)
	})
	listenAndServe(t, strings.TrimPrefix(i.url, "http://"), mux)
}

// listenAndServe serves handler at address for the length of the test.
func listenAndServe(t *testing.T, address string, handler http.Handler) {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: ln, Config: &http.Server{Handler: handler}}
	server.Start()
	t.Cleanup(server.Close)
}

// token is an RFC 9068 access token, bound to key unless that is nil.
func (i *issuer) token(subject, audience, scope string, key *signer) string {
	return i.signer.sign(`{"typ":"at+jwt","alg":"ES256"}`, i.claims(subject, audience, scope, key))
}

func (i *issuer) claims(subject, audience, scope string, key *signer) map[string]any {
	now := time.Now()
	claims := map[string]any{
		"iss": i.url, "sub": subject, "aud": audience, "client_id": "e2e", "scope": scope,
		"jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	if key != nil {
		claims["cnf"] = map[string]any{"jkt": key.thumbprint()}
	}
	return claims
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

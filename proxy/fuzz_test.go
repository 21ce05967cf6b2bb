package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-mcp/postern/authserver/pace"
	"github.com/postern-mcp/postern/authserver/replay"
	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/policy"
	"github.com/postern-mcp/postern/proxy"
	"github.com/postern-mcp/postern/proxy/credential"
)

// reached counts what goes to an upstream.
type reached struct{ atomic.Int64 }

func (u *reached) RoundTrip(r *http.Request) (*http.Response, error) {
	u.Add(1)
	return nil, fmt.Errorf("not to be reached: %s", r.URL)
}

// gateFor is a proxy at http://gate.test that trusts one issuer.
func gateFor(f *testing.F, issuer *issuerStand, up *reached) *proxy.Proxy {
	f.Helper()
	rules, err := policy.Parse("policy.yaml", []byte(testPolicy))
	if err != nil {
		f.Fatal(err)
	}
	p, err := proxy.New(proxy.Config{
		PublicURL: "http://gate.test",
		Issuers:   []proxy.Issuer{{URL: issuer.URL, DPoP: proxy.Accepted, Profile: token.JWT, Revocation: proxy.ByStatusList}},
		Servers: []proxy.Server{{
			Name: "calculator", Path: "/mcp", Upstream: &url.URL{Scheme: "http", Host: "up.test"}, Policy: rules,
			Credential: credential.None{}, Transport: up,
		}},
		Secret: bytes.Repeat([]byte{7}, 32), Proofs: newProofs(f, replay.NewMemory(1000, time.Now())),
		Buckets: pace.NewMemory(1000), Limits: smallLimits(),
		Audit: io.Discard, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		f.Fatal(err)
	}
	return p
}

// FuzzNothingPassesWithoutAGrant: no request without a token the issuer signed
// reaches the upstream, whatever else it says, and every challenge parses by
// the grammar of RFC 9110 §11.
func FuzzNothingPassesWithoutAGrant(f *testing.F) {
	issuer, up := newIssuer(f), &reached{}
	gate := gateFor(f, issuer, up)
	for _, seed := range strangers(f, issuer) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		gate.ServeHTTP(w, r)
		if up.Load() != 0 {
			t.Fatalf("%q reached the upstream", wire)
		}
		public := strings.HasPrefix(r.URL.Path, "/.well-known/") || r.Method == http.MethodOptions
		if w.Code < 400 && !public {
			t.Errorf("%q is answered %d", wire, w.Code)
		}
		checkChallenges(t, w.Result())
	})
}

// checkChallenges: a 401 has them, and whoever has them has good ones.
func checkChallenges(t *testing.T, resp *http.Response) {
	t.Helper()
	lines := resp.Header["Www-Authenticate"]
	if resp.StatusCode == http.StatusUnauthorized && len(lines) == 0 {
		t.Error("401 without a challenge")
	}
	for _, line := range lines {
		_, params, err := parseChallenge(line)
		if err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if params["resource_metadata"] != "http://gate.test/.well-known/oauth-protected-resource/mcp" {
			t.Errorf("%q leads elsewhere", line)
		}
	}
}

// strangers are requests that come close: every part is right but the grant.
func strangers(f *testing.F, issuer *issuerStand) []string {
	claims := token.Claims{Issuer: issuer.URL, Subject: "ada", ClientID: "c", ID: "t", Audience: []string{"http://gate.test/mcp"}, Scope: []string{"basic"},
		IssuedAt: time.Now(), Expiry: time.Now().Add(24 * time.Hour)}
	forged, err := token.Sign(newKey(f), claims)
	if err != nil {
		f.Fatal(err)
	}
	claims.IssuedAt, claims.Expiry = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	expired, err := token.Sign(issuer.keys[0], claims)
	if err != nil {
		f.Fatal(err)
	}
	var all []string
	for _, authorization := range []string{"", "Bearer " + forged, "DPoP " + forged, "bearer " + expired, "Basic YTpi", "Bearer opaque", "Bearer ", "Bearer a, Bearer b"} {
		body := toolCall("add")
		for _, start := range []string{"POST /mcp", "GET /mcp", "DELETE /mcp", "OPTIONS /mcp", "HEAD /mcp", "BREW /mcp", "GET /.well-known/oauth-protected-resource/mcp", "POST /mcp?access_token=x", "POST http://gate.test/mcp"} {
			head := []string{start + " HTTP/1.1", "Host: gate.test", "Content-Type: application/json", "MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: add"}
			if authorization != "" {
				head = append(head, "Authorization: "+authorization)
			}
			if strings.HasPrefix(start, "POST") {
				head = append(head, fmt.Sprintf("Content-Length: %d", len(body)))
			}
			all = append(all, strings.Join(head, "\r\n")+"\r\n\r\n"+body)
		}
	}
	return all
}

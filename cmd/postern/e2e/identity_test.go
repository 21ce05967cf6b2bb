package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// spellings are names by which some server somewhere reads the identity header
// or a credential.
var spellings = []string{
	"X-Postern-Identity", "x-postern-identity", "X-POSTERN-IDENTITY", "X_Postern_Identity", "X_POSTERN_IDENTITY", "X-Postern_Identity",
	"x.postern.identity", "X-Postern.Identity", "X-Postern-Identity-", "-X-Postern-Identity", "HTTP_X_POSTERN_IDENTITY", "X~Postern~Identity",
	"Mcp-Param_X-Postern-Identity", "X-Forwarded-Access-Token", "X_Forwarded_Access_Token", "HTTP_AUTHORIZATION", "Proxy-Authorization",
	"X-Authorization", "X-Original-Authorization", "DPoP_", "Txn_Token", "X-Forwarded-User", "X_Forwarded_User", "X-Auth-Request-Email",
}

// TestIdentityAndItsLookAlikes: the upstream is told who calls by the proxy,
// whatever the caller says about itself, and in no other header.
func TestIdentityAndItsLookAlikes(t *testing.T) {
	issuer, up := newIssuer(t), newUpstream(t, echo)
	told := showing(t, issuer, up.url, "{type: none}", "    identity: {audience: recorder}\n")
	untold := showing(t, issuer, up.url, "{type: none}", "")
	for _, row := range []struct {
		name   string
		proxy  *sidecar
		naming string // header that names others
		told   bool
	}{
		{"told", told, "Connection: close", true},
		{"told, and listed by the caller's Connection", told, "Connection: X-Postern-Identity, Authorization, close", true},
		{"not told", untold, "Connection: close", false},
		{"not told, and listed", untold, "Connection: X-Postern-Identity, X_Postern_Identity, close", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := len(up.all())
			resp := row.proxy.lie(t, issuer, row.naming)
			got := up.all()[before]
			var names []string
			for _, line := range got.header {
				name, value, _ := strings.Cut(line, ": ")
				names = append(names, name)
				if strings.Contains(value, "forged") {
					t.Errorf("the upstream got %s", line)
				}
			}
			want := []string{"Accept", "Accept-Encoding", "Content-Length", "Content-Type", "Host", "Mcp-Method", "Mcp-Name", "Mcp-Protocol-Version", "User-Agent", "X-Request-Id"}
			if row.told {
				want = append(want, "X-Postern-Identity")
				checkIdentity(t, row.proxy, got.field(t, "X-Postern-Identity"), issuer, resp.Header.Get("X-Request-Id"))
			}
			slices.Sort(names)
			slices.Sort(want)
			if !slices.Equal(names, want) {
				t.Errorf("the upstream got %q\nwant %q", names, want)
			}
		})
	}
	resp, err := http.Get("http://" + untold.address + "/.well-known/postern/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	if read(t, resp).status != http.StatusNotFound {
		t.Error("keys are published although nobody is told anything")
	}
}

// lie calls with every spelling of a header that is not the caller's to send.
func (p *sidecar) lie(t *testing.T, issuer *issuer, naming string) *http.Response {
	t.Helper()
	call := modernCall("echo", `{}`)
	lines := []string{
		"POST /recorder/mcp HTTP/1.1", "Host: " + p.address, "Content-Type: application/json", "Accept: application/json, text/event-stream",
		"Authorization: Bearer " + issuer.token("ada", p.resource, "use", nil), "DPoP: forged-proof",
		"MCP-Protocol-Version: " + modern, "Mcp-Method: tools/call", "Mcp-Name: echo", "Content-Length: " + fmt.Sprint(len(call.body)), naming,
	}
	for _, name := range spellings {
		lines = append(lines, name+": forged", name+": forged again")
	}
	resp, body := raw(t, p.address, lines, call.body)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	return resp
}

// checkIdentity lets npm jose judge what the upstream was told.
func checkIdentity(t *testing.T, p *sidecar, header string, issuer *issuer, requestID string) {
	t.Helper()
	base := strings.TrimSuffix(p.resource, "/recorder/mcp")
	var found struct {
		Claims map[string]any `json:"claims"`
	}
	ask(t, "upstream-identity.mjs", map[string]string{"proxy": base, "audience": "recorder", "header": header}, &found)
	want := map[string]any{"iss": base, "aud": "recorder", "sub": "ada", "sub_iss": issuer.url, "client_id": "e2e", "scope": "use", "jti": requestID}
	for name, value := range want {
		if found.Claims[name] != value {
			t.Errorf("%s is %v, want %v", name, found.Claims[name], value)
		}
	}
	iat, _ := found.Claims["iat"].(float64)
	if exp, _ := found.Claims["exp"].(float64); exp-iat != 60 || len(found.Claims) != len(want)+2 {
		t.Errorf("claims %v", found.Claims)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(header, ".")[1])
	if err != nil || strings.Contains(string(payload), "eyJ") {
		t.Errorf("%s %v", payload, err)
	}
	// At the proxy itself it opens nothing.
	self := &caller{url: p.resource, token: header}
	self.send(t, modernCall("echo", `{}`)).expect(t, http.StatusUnauthorized)
}

// TestIdentityKeysAreSharedByReplicas: one secret file, one key.
func TestIdentityKeysAreSharedByReplicas(t *testing.T) {
	issuer, up, secret := newIssuer(t), newUpstream(t, echo), newSecret(t, t.TempDir())
	documents := map[string]bool{}
	for range 2 {
		p := startProxy(t, settings{issuer: issuer.url, upstream: up.url, secret: secret, server: "    identity: {audience: recorder, header: X-Who}\n"})
		resp, err := http.Get("http://" + p.address + "/.well-known/postern/jwks.json")
		if err != nil {
			t.Fatal(err)
		}
		documents[read(t, resp).expect(t, http.StatusOK).body] = true
	}
	if len(documents) != 1 {
		t.Errorf("replicas publish %v", documents)
	}
}

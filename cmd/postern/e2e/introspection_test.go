package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asked are the keys of an issuer that is asked about tokens by this client.
func asked(t *testing.T, client machine, options string) string {
	t.Helper()
	secret := write(t, filepath.Join(t.TempDir(), "introspection"), client.Secret+"\n")
	return fmt.Sprintf(", introspection: {client_id: %q, secret_file: %q%s}", client.ID, secret, options)
}

// TestForeignIssuerWithOpaqueTokens: npm oidc-provider keeps what its tokens
// mean to itself, and tells the proxy.
func TestForeignIssuerWithOpaqueTokens(t *testing.T) {
	robot := machine{ID: "robot", Secret: "a-secret-long-enough-for-every-algorithm"}
	checker := machine{ID: "the proxy:1", Secret: "another:secret/with+all %sorts&of=characters"}
	public := "http://" + loopback(freePort(t))
	resource, elsewhere := public+"/recorder/mcp", "https://elsewhere.example/mcp"
	foreign := startForeign(t, map[string]any{
		"resources": []string{resource, elsewhere}, "client": robot, "checker": checker, "scope": "use more", "format": "opaque",
	})
	up := newUpstream(t, echo)
	startProxy(t, settings{issuer: foreign, dpop: "accepted", trust: asked(t, checker, ""), upstream: up.url, publicURL: public})

	rows := []struct {
		presentation
		tokenType string
		status    int
		scheme    string // whose challenge carries the error
		error     string
	}{
		{presentation{Label: "bound, with proof", Resource: resource, Scope: "use", Bound: true, Proof: true}, "dpop", http.StatusOK, "", ""},
		{presentation{Label: "bound, as bearer", Resource: resource, Scope: "use", Bound: true}, "dpop", http.StatusUnauthorized, "bearer", "invalid_token"},
		{presentation{Label: "bearer", Resource: resource, Scope: "use"}, "bearer", http.StatusOK, "", ""},
		{presentation{Label: "for another resource", Resource: elsewhere, Scope: "use"}, "bearer", http.StatusUnauthorized, "bearer", "invalid_token"},
		{presentation{Label: "without the scope", Resource: resource, Scope: "more"}, "bearer", http.StatusForbidden, "bearer", "insufficient_scope"},
	}
	in := machineInput{Issuer: foreign, Client: robot}
	for _, row := range rows {
		row.URL, row.Tool, row.Args = resource, "echo", map[string]any{}
		in.Calls = append(in.Calls, row.presentation)
	}
	var found struct {
		Calls map[string]presented `json:"calls"`
	}
	ask(t, "machine.mjs", in, &found)
	for _, row := range rows {
		got := found.Calls[row.Label]
		if got.TokenType != row.tokenType || got.Status != row.status || got.blamed()[row.scheme] != row.error {
			t.Errorf("%s: %+v, want a %s token, status %d, error %q", row.Label, got, row.tokenType, row.status, row.error)
		}
	}
	if n := len(up.all()); n != 2 {
		t.Errorf("the upstream got %d requests, want the two accepted ones", n)
	}
}

// TestIntrospectionTellsOfRevocations: the bundled issuer is asked about its
// JWTs too, and nothing else tells of revocations.
func TestIntrospectionTellsOfRevocations(t *testing.T) {
	o := openOffice(t, "")
	checker := o.administer(t, "", "resource-server", "create", "proxy", "--resource", o.resource)
	known := machine{ID: checker["client_id"], Secret: checker["client_secret"]}
	up := newUpstream(t, echo)
	p := o.proxy(t, up, asked(t, known, ", tokens: all, cache: 2s")+", revocations: none")
	kept, lost := o.caller(t, p), o.caller(t, p)
	for _, c := range []*caller{kept, lost} {
		c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
	}
	o.revoke(t, lost.token)
	o.becomesKnown(t, lost)
	kept.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
}

// TestIssuerThatDoesNotKnowTheProxy: the operator's mistake is a refusal that
// the log explains, never a pass.
func TestIssuerThatDoesNotKnowTheProxy(t *testing.T) {
	o := openOffice(t, "")
	up := newUpstream(t, echo)
	other := o.administer(t, "", "client", "create", "other", "--scope", "use")
	rows := []struct {
		name   string
		asks   machine
		status int
		log    string
	}{
		{"unknown client", machine{ID: "nobody", Secret: "wrong"}, http.StatusServiceUnavailable,
			"401 Unauthorized: it does not take client_id and secret_file of introspection"},
		{"client that is no resource server", machine{ID: other["client_id"], Secret: other["client_secret"]}, http.StatusUnauthorized,
			"introspection.client_id may not ask there about those for " + o.resource},
	}
	for _, row := range rows {
		p := o.proxy(t, up, asked(t, row.asks, ", tokens: all"))
		o.caller(t, p).send(t, modernCall("echo", `{}`)).expect(t, row.status)
		eventually(t, func() error {
			if !strings.Contains(p.out.String(), row.log) {
				return fmt.Errorf("%s: the log does not say %q", row.name, row.log)
			}
			return nil
		})
		if unready := p.answers("/readyz"); (unready != nil) != (row.status == http.StatusServiceUnavailable) {
			t.Errorf("%s: /readyz says %v", row.name, unready)
		}
	}
	if n := len(up.all()); n != 0 {
		t.Errorf("the upstream got %d requests", n)
	}
}

// office is `postern authserver` with a machine that may get tokens for a
// resource which any number of proxies serve.
type office struct {
	*stage
	client   machine
	resource string
	host     string // of the resource, where nobody listens
	redis    string // URL, or ""
}

func openOffice(t *testing.T, redis string) *office {
	t.Helper()
	dir := t.TempDir()
	o := &office{stage: &stage{dir: dir, issuer: "http://" + loopback(freePort(t))}, host: "http://" + loopback(freePort(t)), redis: redis}
	o.resource = o.host + "/recorder/mcp"
	text := fmt.Sprintf(`authserver:
  listen: %s
  issuer: %s
  database: sqlite:auth.db
  secret_file: %s
  resources: [{resource: %q, name: recorder, scopes: [{name: use, default: true}]}]
`, o.stage.host(o.issuer), o.issuer, newSecret(t, dir), o.resource)
	if redis != "" {
		text += fmt.Sprintf("state: {secret_file: %s, redis: {url_file: %s}}\n", newSecret(t, dir), write(t, filepath.Join(dir, "redis"), redis))
	}
	o.config = write(t, filepath.Join(dir, "postern.yaml"), text)
	start(t, binary, "authserver", "-c", o.config)
	eventually(t, func() error { return healthy(o.issuer + "/.well-known/oauth-authorization-server") })
	made := o.administer(t, "", "client", "create", "robot", "--scope", "use")
	o.client = machine{ID: made["client_id"], Secret: made["client_secret"]}
	return o
}

// proxy is one more in front of the resource; trust are further keys of the issuer.
func (o *office) proxy(t *testing.T, up *upstream, trust string) *sidecar {
	t.Helper()
	return startProxy(t, settings{
		issuer: o.issuer, dpop: "accepted", trust: trust, upstream: up.url, publicURL: o.host, replica: true, redis: o.redis,
	})
}

// caller of one proxy, with a token of its own.
func (o *office) caller(t *testing.T, at *sidecar) *caller {
	t.Helper()
	return &caller{url: o.resource, address: at.address, token: o.token(t)}
}

func (o *office) token(t *testing.T) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {o.resource}}
	got := newWindow(t).submit(t, o.issuer+"/token", form, "Authorization", basicAuth(o.client))
	return got.expect(t, http.StatusOK).told(t).Access
}

func (o *office) revoke(t *testing.T, token string) {
	t.Helper()
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	newWindow(t).submit(t, o.issuer+"/revoke", form, "Authorization", basicAuth(o.client)).expect(t, http.StatusOK)
}

// becomesKnown polls until every caller is refused, and says when that was.
// Five seconds are what issue and documentation promise.
func (o *office) becomesKnown(t *testing.T, callers ...*caller) {
	t.Helper()
	revoked := time.Now()
	for i, c := range callers {
		err := within(5*time.Second-time.Since(revoked), func() error {
			if got := c.send(t, modernCall("echo", `{}`)); got.status != http.StatusUnauthorized {
				return fmt.Errorf("proxy %d still answers %d", i+1, got.status)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("proxy %d knew %s after the revocation", i+1, time.Since(revoked).Round(time.Millisecond))
	}
}

package e2e

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// session is the cookie a browser is signed in by.
func (w *window) session(t *testing.T, d *desk) string {
	t.Helper()
	at, err := url.Parse(d.issuer)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range w.Jar.Cookies(at) {
		if strings.Contains(c.Name, "session") {
			return c.Value
		}
	}
	return ""
}

// TestSignInBeginsAnew: who signs in again gets another session, and what an
// attacker put into the browser before is worth nothing.
func TestSignInBeginsAnew(t *testing.T) {
	d, w := front.get(t), newWindow(t)
	d.consent(t, w, d.asking(d.public)).expect(t, http.StatusOK)
	first := w.session(t, d)
	again := w.get(t, d.issuer+"/authorize?"+d.asking(d.public, "prompt", "login").Encode())
	done := w.submit(t, d.issuer+"/login", url.Values{"request": {again.sealed(t)}, "username": {d.user.Username}, "password": {d.user.Password}})
	done.expect(t, http.StatusSeeOther)
	second := w.session(t, d)
	if first == "" || second == "" || first == second {
		t.Errorf("sessions %.8q and %.8q", first, second)
	}
	for name, cookie := range map[string]string{"the one before": first, "one cut short": second[:len(second)-1], "an invented one": strings.Repeat("A", len(second))} {
		other := newWindow(t)
		at, err := url.Parse(d.issuer)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range w.Jar.Cookies(at) {
			if strings.Contains(c.Name, "session") {
				other.Jar.SetCookies(at, []*http.Cookie{{Name: c.Name, Value: cookie, Path: "/"}})
			}
		}
		if page := other.get(t, d.issuer+"/authorize?"+d.asking(d.public).Encode()); !strings.Contains(page.body, `name="password"`) {
			t.Errorf("with %s nobody has to sign in: %d", name, page.status)
		}
	}
}

// TestFormsComeFromHere: a page elsewhere can neither sign somebody in nor
// frame what asks them.
func TestFormsComeFromHere(t *testing.T) {
	d, w := front.get(t), newWindow(t)
	page := w.get(t, d.issuer+"/authorize?"+d.asking(d.public).Encode()).expect(t, http.StatusOK)
	policy := page.header.Get("Content-Security-Policy")
	if page.header.Get("X-Frame-Options") != "DENY" || !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("%v", page.header)
	}
	form := url.Values{"request": {page.sealed(t)}, "username": {d.user.Username}, "password": {d.user.Password}}
	for name, header := range map[string][]string{
		"another origin":    {"Origin", "https://evil.example"},
		"no origin":         {"Origin", "null"},
		"another site":      {"Sec-Fetch-Site", "cross-site"},
		"another host here": {"Origin", strings.Replace(d.issuer, "127.0.0.1", "127.0.0.2", 1)},
	} {
		if got := w.submit(t, d.issuer+"/login", form, header...); got.status < 400 {
			t.Errorf("%s: %d to %q", name, got.status, got.header.Get("Location"))
		}
	}
	if got := newWindow(t).submit(t, d.issuer+"/login", form); got.status < 400 {
		t.Errorf("another browser signs in with this one's form: %d", got.status)
	}
	if w.session(t, d) != "" {
		t.Error("somebody was signed in")
	}
}

// TestRevokedIsRevoked: by the token, by its family, and never somebody else's.
func TestRevokedIsRevoked(t *testing.T) {
	d := front.get(t)
	got := d.ask(t, "/token", redeeming(d.public, d.code(t, d.public))).expect(t, 200).told(t)
	other := url.Values{"token": {got.Refresh}, "client_id": {d.other}}
	if answer := d.ask(t, "/revoke", other); answer.status == http.StatusOK && strings.Contains(answer.body, "error") {
		t.Errorf("%s", answer.body)
	}
	refreshed := d.ask(t, "/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {d.public}, "refresh_token": {got.Refresh}}).expect(t, 200).told(t)
	d.ask(t, "/revoke", url.Values{"token": {refreshed.Refresh}, "client_id": {d.public}}).expect(t, 200)
	d.ask(t, "/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {d.public}, "refresh_token": {refreshed.Refresh}}).refuses(t, 400, "invalid_grant")
	for name, token := range map[string]string{"the refresh token": refreshed.Refresh, "the access token": refreshed.Access, "the one before": got.Access} {
		if said := d.ask(t, "/introspect", url.Values{"token": {token}}, "Authorization", basicAuth(d.robot)).expect(t, 200).told(t); said.Active {
			t.Errorf("%s is still active", name)
		}
	}
	d.ask(t, "/revoke", url.Values{"token": {"never was"}, "client_id": {d.public}}).expect(t, 200)
}

// TestMetadataPromisesOnlyWhatAnswers: every address in the metadata is there,
// and what is not offered is not named.
func TestMetadataPromisesOnlyWhatAnswers(t *testing.T) {
	d := front.get(t)
	for _, place := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		var said map[string]any
		document := newWindow(t).get(t, d.issuer+place).expect(t, 200)
		if err := json.Unmarshal([]byte(document.body), &said); err != nil {
			t.Fatal(err)
		}
		if said["issuer"] != d.issuer {
			t.Errorf("%s is of %q", place, said["issuer"])
		}
		for name, value := range said {
			address, isText := value.(string)
			if !isText || name == "issuer" || !strings.HasPrefix(address, "http") {
				continue
			}
			if !strings.HasPrefix(address, d.issuer+"/") {
				t.Errorf("%s leads to %s", name, address)
			}
			if got := newWindow(t).get(t, address); got.status == http.StatusNotFound {
				t.Errorf("%s: nothing is at %s", name, address)
			}
		}
		if methods, ok := said["code_challenge_methods_supported"].([]any); !ok || len(methods) != 1 || methods[0] != "S256" {
			t.Errorf("challenge methods %v", said["code_challenge_methods_supported"])
		}
	}
}

// TestDatabaseFileHoldsNoSecrets: whoever takes a copy of the file can act for
// nobody.
func TestDatabaseFileHoldsNoSecrets(t *testing.T) {
	d := front.get(t)
	code := d.code(t, d.public)
	got := d.ask(t, "/token", redeeming(d.public, code)).expect(t, 200).told(t)
	files, err := filepath.Glob(filepath.Join(d.dir, "authserver.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no database: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for name, secret := range map[string]string{"a code": code, "an access token": got.Access, "a refresh token": got.Refresh,
			"a client's secret": d.robot.Secret, "a password": d.user.Password, "a private key": "PRIVATE KEY", "a private JWK": `"d":"`} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s holds %s", filepath.Base(file), name)
			}
		}
	}
}

// TestRulesThatCanNeverMatchAreMistakes: the check says so before anybody
// relies on them.
func TestRulesThatCanNeverMatchAreMistakes(t *testing.T) {
	for name, row := range map[string]struct{ rule, says string }{
		"two patterns that tie":   {"resources: {\"db://*/a\": {scopes: [use]}, \"db://*a/a\": {}}\n", "db://"},
		"a URI nobody can name":   {"resources: {\"db://a/../b\": {scopes: [use]}}\n", "this matches nothing"},
		"a scope that is no word": {"tools: {x: {scopes: [\"a b\"]}}\n", "a scope is"},
		"a key nobody reads":      {"tools: {x: {scope: [use]}}\n", "did you mean \"scopes\""},
		"a tool twice":            {"tools: {x: {scopes: [use]}, x: {}}\n", "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "policy.yaml"), "apiVersion: postern.dev/v1\nkind: ToolPolicy\nserver: recorder\nscopes: {use: {}}\n"+row.rule)
			text := "listen: 127.0.0.1:1\npublic_url: http://127.0.0.1:1\nissuers: [{issuer: \"http://127.0.0.1:2\"}]\n" +
				"servers: [{name: recorder, path: /mcp, upstream: \"http://127.0.0.1:3/mcp\", policy: policy.yaml, credential: {type: none}}]\naudit: {stdout: true}\nadmin: {listen: \"127.0.0.1:4\"}\n"
			p := start(t, binary, "check", "-c", write(t, filepath.Join(dir, "postern.yaml"), text))
			code := p.exit(t)
			if code != 2 || !strings.Contains(p.out.String(), row.says) || !strings.Contains(p.out.String(), "policy.yaml:") {
				t.Errorf("exit %d, want %q with its place in:\n%s", code, row.says, p.out.String())
			}
		})
	}
}

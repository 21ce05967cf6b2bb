package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// landing is where browsers are sent back to: clients on loopback may listen at
// any port. It answers as long as the tests run.
var landing = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, "back at the client")
})).URL + "/cb"

// landed are the parameters of the redirect to the client.
func (s shown) landed(t *testing.T) url.Values {
	t.Helper()
	at, err := url.Parse(s.URL)
	if err != nil || !strings.HasPrefix(s.URL, landing+"?") {
		t.Fatalf("at %q: %s", s.URL, s.Text)
	}
	return at.Query()
}

// loginProvider starts npm oidc-provider with people in it.
func loginProvider(t *testing.T) string {
	t.Helper()
	var announced struct {
		Issuer string `json:"issuer"`
	}
	serve(t, "login-provider.mjs", map[string]any{
		"client": map[string]any{
			"client_id": "postern", "client_secret": "a-secret-of-the-provider-for-postern",
			"redirect_uris": []string{"http://127.0.0.1/login/with/corp/callback", "http://127.0.0.1/login/with/other/callback"},
		},
		"accounts": map[string]any{
			"grace-1906": map[string]any{"email": "grace@corp.example", "email_verified": true, "name": "Grace Hopper", "groups": []string{"everything"}},
			"ada-1815":   map[string]any{"email": "ada@corp.example", "email_verified": true, "groups": []string{"others"}},
			"eve":        map[string]any{"email": "eve@evil.example@corp.example", "email_verified": true, "groups": []string{"everything"}},
		},
		"claims": map[string]any{"openid": []string{"sub"}, "email": []string{"email", "email_verified"}, "profile": []string{"name"}, "groups": []string{"groups"}},
		"acrs":   []string{"gold", "bronze"},
	}, &announced)
	return announced.Issuer
}

// abroadLines configure one provider for each name, all at one issuer apiece.
func abroadLines(t *testing.T, issuers map[string]string) string {
	t.Helper()
	secret := write(t, t.TempDir()+"/provider", "a-secret-of-the-provider-for-postern\n")
	lines := `  roles:
    worker: {scopes: [everything]}
    admin: {scopes: ["*"], second_factor: true}
  providers:
`
	for name, issuer := range issuers {
		lines += fmt.Sprintf(`    - name: %s
      label: %s
      issuer: %s
      client_id: postern
      client_secret_file: %s
      scopes: [openid, email, profile, groups]
      admit: [corp.example]
      link: verified_email
      create: true
      claims_to_roles: [{claim: groups, value: everything, role: worker}]
      acr: {gold: mfa}
`, name, strings.ToUpper(name[:1])+name[1:], issuer, secret)
	}
	return lines
}

// openAbroad is a desk beside providers, by name, on a database ("" for SQLite).
func openAbroad(t *testing.T, database string, issuers map[string]string) *desk {
	t.Helper()
	d := &desk{stage: setStage(t, []staged{{"only", "http://" + loopback(freePort(t)), "accepted"}}), user: person{"ada", adasPassword}}
	text, err := os.ReadFile(d.config)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Replace(string(text), "  registration: open\n", "  registration: open\n"+abroadLines(t, issuers), 1)
	if database != "" {
		write(t, filepath.Join(d.dir, "database"), database+"\n")
		lines = strings.Replace(lines, "database: sqlite:authserver.db", "database_url_file: database", 1)
	}
	write(t, d.config, lines)
	d.serve(t)
	d.administer(t, d.user.Password+"\n", "user", "create", d.user.Username, "--password-stdin", "--role", "worker", "--email", "ada@corp.example", "--email-verified")
	d.target = d.resource("only")
	d.public, d.other = d.register(t, deskCallback, "refresh_token"), d.register(t, deskCallback, "refresh_token")
	return d
}

func (d *desk) authorizeURL(client string, pairs ...string) string {
	return d.issuer + "/authorize?" + d.asking(client, append(pairs, "redirect_uri", landing)...).Encode()
}

// personal is what an access token says of the person.
type personal struct {
	Subject string   `json:"sub"`
	Scope   string   `json:"scope"`
	ACR     string   `json:"acr"`
	AMR     []string `json:"amr"`
}

func (d *desk) personal(t *testing.T, client string, at shown) personal {
	t.Helper()
	return claimed(t, d.ask(t, "/token", redeeming(client, at.landed(t).Get("code"), "redirect_uri", landing)).expect(t, http.StatusOK).told(t))
}

// claimed is what the access token of an answer says.
func claimed(t *testing.T, got told) (c personal) {
	t.Helper()
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(got.Access, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	reply{body: string(body)}.decode(t, &c)
	return c
}

// inWindow names the window of every step.
func inWindow(name string, steps ...step) []step {
	for _, s := range steps {
		s["at"] = name
	}
	return steps
}

// TestPeopleSignInAtOIDCProvider: Chromium, by the keyboard, through npm
// oidc-provider and back: somebody new, somebody who links, roles by claims,
// levels by acr, and a no.
func TestPeopleSignInAtOIDCProvider(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]string{"sqlite": "", "postgres": databases.empty(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openAbroad(t, database, map[string]string{"corp": loginProvider(t)})
			d.somebodyNew(t)
			d.somebodyWhoLinks(t)
			d.somebodyWhoIsNotLetIn(t)
			d.strongSignIn(t)
		})
	}
}

func (d *desk) somebodyNew(t *testing.T) {
	first := browse(t, inWindow("grace",
		step{"do": "open", "url": d.authorizeURL(d.public, "scope", "everything")}, step{"do": "leave", "label": "Corp"}, step{"do": "there", "account": "grace-1906"},
		step{"do": "read", "until": "grace.corp.example", "as": "consent"}, step{"do": "decide", "decision": "allow"}, step{"do": "read", "until": "landed", "as": "back"},
		// The provider knows them now and asks nothing; for another client we do.
		step{"do": "open", "url": d.authorizeURL(d.other, "scope", "everything", "prompt", "login")}, step{"do": "leave", "label": "Corp"}, step{"do": "there", "account": "grace-1906"},
		step{"do": "read", "until": "grace.corp.example", "as": "consent again"}, step{"do": "decide", "decision": "allow"}, step{"do": "read", "until": "landed", "as": "back again"},
	)...)
	got, again := d.personal(t, d.public, first["back"]), d.personal(t, d.other, first["back again"])
	if got.Scope != "everything" || got.ACR != "pwd" || !slices.Equal(got.AMR, []string{"fed"}) || !strings.HasPrefix(got.Subject, "user_") {
		t.Errorf("got %+v", got)
	}
	if again.Subject != got.Subject {
		t.Errorf("the second time it is %s, and was %s", again.Subject, got.Subject)
	}
}

func (d *desk) somebodyWhoLinks(t *testing.T) {
	found := browse(t, slices.Concat(
		inWindow("ada", step{"do": "open", "url": d.authorizeURL(d.public)}, step{"do": "leave", "label": "Corp"}, step{"do": "there", "account": "ada-1815"},
			step{"do": "read", "until": "sign in to it once", "as": "offer"}, step{"do": "here", "username": d.user.Username, "password": d.user.Password},
			step{"do": "decide", "decision": "allow"}, step{"do": "read", "until": "landed", "as": "linked"}),
		inWindow("elsewhere", step{"do": "open", "url": d.authorizeURL(d.public)}, step{"do": "leave", "label": "Corp"}, step{"do": "there", "account": "ada-1815"},
			step{"do": "decide", "decision": "allow"}, step{"do": "read", "until": "landed", "as": "by provider"}),
	)...)
	if !strings.Contains(found["offer"].Text, "ada@corp.example") || strings.Contains(found["offer"].Text, "Sign in with Corp") {
		t.Errorf("the offer says %s", found["offer"].Text)
	}
	here, there := d.personal(t, d.public, found["linked"]), d.personal(t, d.public, found["by provider"])
	if here.Subject != there.Subject || !slices.Equal(here.AMR, []string{"pwd"}) || !slices.Equal(there.AMR, []string{"fed"}) {
		t.Errorf("here %+v, there %+v", here, there)
	}
}

func (d *desk) somebodyWhoIsNotLetIn(t *testing.T) {
	found := browse(t, slices.Concat(
		inWindow("no", step{"do": "open", "url": d.authorizeURL(d.public)}, step{"do": "leave", "label": "Corp"}, step{"do": "cancel"},
			step{"do": "read", "until": "You did not sign in there", "as": "no"},
			step{"do": "here", "username": d.user.Username, "password": d.user.Password}, step{"do": "decide", "decision": "allow"}, step{"do": "read", "until": "landed", "as": "by password"}),
		inWindow("eve", step{"do": "open", "url": d.authorizeURL(d.public)}, step{"do": "leave", "label": "Corp"}, step{"do": "there", "account": "eve"},
			step{"do": "read", "until": "not let in", "as": "eve"}),
	)...)
	if !strings.Contains(found["no"].Text, "Corp: You did not sign in there.") || !strings.HasPrefix(found["eve"].URL, d.issuer) {
		t.Errorf("got %+v", found)
	}
	if d.personal(t, d.public, found["by password"]).Subject == "" {
		t.Error("nobody signed in")
	}
}

func (d *desk) strongSignIn(t *testing.T) {
	found := browse(t, slices.Concat(
		inWindow("gold", step{"do": "open", "url": d.authorizeURL(d.public, "acr_values", "mfa")}, step{"do": "leave", "label": "Corp"},
			step{"do": "there", "account": "grace-1906", "acr": "gold"}, step{"do": "decide", "decision": "allow"}, step{"do": "read", "until": "landed", "as": "gold"}),
	)...)
	if got := d.personal(t, d.public, found["gold"]); got.ACR != "mfa" || !slices.Equal(got.AMR, []string{"fed", "mfa"}) {
		t.Errorf("got %+v", got)
	}
}

// TestAnswersOfProvidersInBrowsers: the answer of a provider, taken to another
// window, to the callback of another provider, or taken twice.
func TestAnswersOfProvidersInBrowsers(t *testing.T) {
	d := openAbroad(t, "", map[string]string{"corp": loginProvider(t), "other": loginProvider(t)})
	begun := func(window string) []step {
		return inWindow(window, step{"do": "open", "url": d.authorizeURL(d.public)}, step{"do": "hold"}, step{"do": "leave", "label": "Corp"},
			step{"do": "there", "account": "grace-1906"}, step{"do": "release"})
	}
	found := browse(t, slices.Concat(
		// A second cookie jar: with the attacker's answer, and then again the attacker.
		begun("attacker"),
		inWindow("victim", step{"do": "open", "url": d.authorizeURL(d.public)}, step{"do": "visit", "from": "attacker"}, step{"do": "read", "until": "belongs to another browser", "as": "victim"}),
		inWindow("attacker", step{"do": "visit", "from": "attacker"}, step{"do": "read", "until": "too old", "as": "attacker"}),
		// Mix-up: the answer of one provider at the callback of the other.
		begun("mixed"),
		inWindow("mixed", step{"do": "visit", "from": "mixed", "instead": "corp", "as": "other"}, step{"do": "read", "until": "too old", "as": "mixed"}),
		// Twice in its own window.
		begun("twice"),
		inWindow("twice", step{"do": "visit", "from": "twice"}, step{"do": "read", "until": "grace.corp.example", "as": "once"},
			step{"do": "visit", "from": "twice"}, step{"do": "read", "until": "too old", "as": "twice"}),
		// Nothing of it signed the victim in.
		inWindow("victim", step{"do": "open", "url": d.authorizeURL(d.public)}, step{"do": "read", "until": "Password", "as": "victim later"}),
	)...)
	for _, name := range []string{"victim", "attacker", "mixed", "once", "twice", "victim later"} {
		if !strings.HasPrefix(found[name].URL, d.issuer) {
			t.Errorf("%s: %+v", name, found[name])
		}
	}
}

// TestOpenIDClientThroughAnotherProvider: openid-client finds everything as it
// must be when the person signs in at npm oidc-provider in between.
func TestOpenIDClientThroughAnotherProvider(t *testing.T) {
	d := openAbroad(t, "", map[string]string{"corp": loginProvider(t)})
	f := flows{Method: "none", Issuer: d.issuer, Redirect: landing, Goodbye: goodbye, Resource: d.target, Scope: "openid profile everything"}
	var begun flowsBegun
	ask(t, "flows-client.mjs", f, &begun)
	f.Client, f.Verifier, f.Nonce, f.Device = begun.Client, begun.Verifier, begun.Nonce, begun.Device
	var device waiting
	reply{body: string(begun.Device)}.decode(t, &device)
	found := browse(t, inWindow("grace",
		step{"do": "open", "url": begun.URL}, step{"do": "leave", "label": "Corp"}, step{"do": "there", "account": "grace-1906"},
		step{"do": "decide", "decision": "allow"}, step{"do": "read", "until": "landed", "as": "back"},
	)...)
	d.answersDevice(t, device.User, "allow")
	f.Back = found["back"].URL
	var got flowsEnded
	ask(t, "flows-client.mjs", f, &got)
	if got.Code.Name != "grace.corp.example" || got.Code.ACR != "pwd" || !got.Code.Hash || got.Refreshed.Scope != f.Scope || got.Revoked != http.StatusUnauthorized {
		t.Errorf("got %+v", got)
	}
	if got.Device.Name != d.user.Username || got.Device.Sub == got.Code.Sub {
		t.Errorf("the device is %+v", got.Device)
	}
}

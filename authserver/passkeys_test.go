package authserver

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/authserver/passkey/passkeytest"
)

// named gives the issuer a host that passkeys can be for.
func named(c *Config) { c.Issuer = strings.Replace(c.Issuer, "127.0.0.1", "localhost", 1) }

// ask is the question of a page to passkeys, as their device hears it.
func ask(t *testing.T, page string) (options []byte, state string) {
	t.Helper()
	return []byte(member(t, page, `data-options="([^"]*)"`)), value(t, page, "state")
}

func sent(answer []byte) string { return base64.RawURLEncoding.EncodeToString(answer) }

// enrol gives whoever signs in at this browser a passkey on a new device.
func (g *rig) enrol(b *http.Client, name string) *passkeytest.Device {
	g.t.Helper()
	d := passkeytest.New(g.url)
	d.Counter = 1
	page := g.visit(b, "/account/security/passkey")
	options, state := ask(g.t, page.body)
	a := g.submit(b, "/account/security/passkey", url.Values{"token": {value(g.t, page.body, "token")}, "state": {state}, "name": {name}, "answer": {sent(d.Create(options))}})
	if !added(a) {
		g.t.Fatalf("enrol: %d %q %s", a.status, a.header.Get("Location"), a.body)
	}
	return d
}

// byPasskey signs in with a passkey alone.
func (g *rig) byPasskey(b *http.Client, d *passkeytest.Device, query url.Values) answerOf {
	g.t.Helper()
	page := g.get(b, "/authorize?"+query.Encode())
	options, state := ask(g.t, page.body)
	return g.submit(b, "/login/passkey", url.Values{"request": {formRequest(g.t, page.body)}, "state": {state}, "answer": {sent(d.Get(options))}})
}

func TestPasskeyAloneSignsIn(t *testing.T) {
	for name, row := range map[string]struct {
		flags byte
		how   string
	}{
		"of one device": {passkeytest.Present | passkeytest.Verified, "hwk"},
		"synchronized":  {passkeytest.Present | passkeytest.Verified | passkeytest.Syncable, "swk"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, named, asking)
			d := passkeytest.New(g.url)
			d.Flags = row.flags
			home := newBrowser(t)
			page := g.visit(home, "/account/security/passkey")
			options, state := ask(t, page.body)
			g.submit(home, "/account/security/passkey", url.Values{"token": {value(t, page.body, "token")}, "state": {state}, "name": {"x"}, "answer": {sent(d.Create(options))}})
			id := g.publicClient()
			b := newBrowser(t)
			v := g.goOn(b, g.byPasskey(b, d, with(authorization(id), "acr_values", "phr")))
			c := g.verified(g.post("/token", redemption(id, v.Get("code"))))
			if c.ACR != "phr" || !slices.Equal(c.AMR, []string{row.how, "mfa"}) {
				t.Errorf("the token says %q, %q", c.ACR, c.AMR)
			}
		})
	}
}

func TestPasskeysThatSignNobodyIn(t *testing.T) {
	g := newRig(t, named)
	d := g.enrol(newBrowser(t), "laptop")
	id := g.publicClient()
	stranger := passkeytest.New(g.url)
	stranger.Create([]byte(`{"challenge":"x","rp":{"id":"localhost"},"user":{"id":"` + sent([]byte(g.userID())) + `"}}`))
	absent := d.Copy()
	absent.Flags = passkeytest.Present
	elsewhere := d.Copy()
	elsewhere.Origin = "http://localhost:1"
	for name, device := range map[string]*passkeytest.Device{"one that was never added": stranger, "its person not made sure of": absent, "at another site": elsewhere} {
		if a := g.byPasskey(newBrowser(t), device, authorization(id)); a.status != 403 || !strings.Contains(a.body, "This passkey is not known here.") || in(a) {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	b := newBrowser(t)
	page := g.get(b, "/authorize?"+authorization(id).Encode())
	options, state := ask(t, page.body)
	form := url.Values{"request": {formRequest(t, page.body)}, "state": {state}, "answer": {sent(d.Get(options))}}
	thief := newBrowser(t)
	theirs := g.get(thief, "/authorize?"+authorization(id).Encode())
	if a := g.submit(thief, "/login/passkey", with(form, "request", formRequest(t, theirs.body))); in(a) || a.status == 303 {
		t.Errorf("an answer of another browser: %d", a.status)
	}
	if a := g.submit(b, "/login/passkey", form); !in(a) {
		t.Fatalf("its own: %d %s", a.status, a.body)
	}
	if a := g.submit(b, "/login/passkey", form); in(a) {
		t.Error("an answer is good twice")
	}
	if a := g.submit(newBrowser(t), "/login/passkey", form); in(a) {
		t.Error("and without a browser")
	}
	if a := g.submit(b, "/login/passkey", form, header("Sec-Fetch-Site", "cross-site")); a.status != 403 {
		t.Errorf("from another site: %d", a.status)
	}
}

func TestPasskeyAsTheSecondFactor(t *testing.T) {
	g := newRig(t, named, asking)
	d := g.enrol(newBrowser(t), "key")
	d.Flags = passkeytest.Present // a touch is enough beside the password
	id := g.publicClient()
	b := newBrowser(t)
	page := g.get(b, "/authorize?"+authorization(id).Encode())
	a := g.submit(b, "/login", url.Values{"request": {formRequest(t, page.body)}, "username": {testUser}, "password": {testPassword}})
	options, state := ask(t, a.body)
	if !strings.Contains(a.header.Get("Content-Security-Policy"), "script-src 'self'") || strings.Contains(a.body, `name="code"`) {
		t.Errorf("the page: %q %s", a.header.Get("Content-Security-Policy"), a.body)
	}
	entry := value(t, a.body, "entry")
	for name, pairs := range map[string][]string{
		"the question of the sign-in page": {"state", value(t, page.body, "state"), "answer", sent(d.Copy().Get(options))},
		"no answer":                        {"state", state},
		"a code there is no generator for": {"code", "123456"},
	} {
		if a := g.second(b, entry, pairs...); in(a) {
			t.Errorf("%s: signed in", name)
		}
	}
	v := g.goOn(b, g.second(b, entry, "state", state, "answer", sent(d.Get(options))))
	if c := g.verified(g.post("/token", redemption(id, v.Get("code")))); c.ACR != "phr" || !slices.Equal(c.AMR, []string{"pwd", "hwk", "mfa"}) {
		t.Errorf("the token says %q, %q", c.ACR, c.AMR)
	}
}

// WebAuthn §7.2 (22), dex: who has a copy of a passkey is noticed when either is
// used next, and from then on it opens nothing.
func TestClonedPasskeyOpensNothing(t *testing.T) {
	g := newRig(t, named)
	home := newBrowser(t)
	d := g.enrol(home, "laptop")
	thief := d.Copy()
	id := g.publicClient()
	if a := g.byPasskey(newBrowser(t), d, authorization(id)); !in(a) {
		t.Fatalf("the owner: %d %s", a.status, a.body)
	}
	if a := g.byPasskey(newBrowser(t), thief, authorization(id)); in(a) || !strings.Contains(a.body, "has a copy") {
		t.Errorf("the copy: %d %s", a.status, a.body)
	}
	if a := g.byPasskey(newBrowser(t), d, authorization(id)); in(a) {
		t.Error("it still opens something")
	}
	if !strings.Contains(g.log.String(), `"msg":"passkey.cloned"`) {
		t.Error("the log does not know")
	}
	page := g.visit(home, "/account/security")
	if !strings.Contains(page.body, "has a copy: opens nothing") {
		t.Errorf("the owner is not told: %s", page.body)
	}
}

func TestPasskeysAreNamedAndRemoved(t *testing.T) {
	g := newRig(t, named)
	b := newBrowser(t)
	d := g.enrol(b, "  lap\u202etop ")
	page := g.get(b, "/account/security")
	path := member(t, page.body, `href="(/account/security/passkey/one\?passkey=[^"]+)"`)
	one := g.get(b, path)
	form := url.Values{"token": {value(t, one.body, "token")}, "passkey": {value(t, one.body, "passkey")}}
	if !strings.Contains(one.body, "only second factor") || !strings.Contains(one.body, `value="lap top"`) {
		t.Errorf("the page: %s", one.body)
	}
	g.submit(b, "/account/security/passkey/one", with(form, "name", "Blue key"))
	if page := g.get(b, "/account/security"); !strings.Contains(page.body, "Blue key") {
		t.Error("it has no new name")
	}
	other := newBrowser(t)
	if err := g.s.CreateUser(t.Context(), "bob", testPassword); err != nil {
		t.Fatal(err)
	}
	bobs := g.visitAs(other, "/account/security/password", "bob", testPassword)
	stolen := with(form, "token", value(t, bobs.body, "token"))
	for _, p := range []string{"/one", "/remove"} {
		if a := g.submit(other, "/account/security/passkey"+p, with(stolen, "name", "mine")); a.status != 404 {
			t.Errorf("somebody else's, %s: %d", p, a.status)
		}
	}
	if a := g.submit(b, "/account/security/passkey/remove", form); a.status != 303 {
		t.Errorf("remove: %d", a.status)
	}
	if a := g.byPasskey(newBrowser(t), d, authorization(g.publicClient())); in(a) {
		t.Error("it still signs in")
	}
	for _, name := range []string{"Go-http-client", "Go-http-client 2"} {
		g.enrol(b, " ")
		if page := g.get(b, "/account/security"); !strings.Contains(page.words(), name) {
			t.Errorf("one without a name is not called %q: %s", name, page.words())
		}
	}
}

func TestPasskeysAreEnrolledOnceAndByTheirPerson(t *testing.T) {
	g := newRig(t, named)
	b := newBrowser(t)
	page := g.visit(b, "/account/security/passkey")
	options, state := ask(t, page.body)
	d := passkeytest.New(g.url)
	form := url.Values{"token": {value(t, page.body, "token")}, "state": {state}, "name": {"x"}, "answer": {sent(d.Create(options))}}
	if err := g.s.CreateUser(t.Context(), "bob", testPassword); err != nil {
		t.Fatal(err)
	}
	other := newBrowser(t)
	bobs := g.visitAs(other, "/account/security/passkey", "bob", testPassword)
	if a := g.submit(other, "/account/security/passkey", with(form, "token", value(t, bobs.body, "token"))); added(a) {
		t.Error("an answer of somebody else's browser is taken")
	}
	if a := g.submit(b, "/account/security/passkey", form); !added(a) {
		t.Fatalf("its own: %d %s", a.status, a.body)
	}
	page = g.get(b, "/account/security/passkey")
	if a := g.submit(b, "/account/security/passkey", with(form, "token", value(t, page.body, "token"))); added(a) {
		t.Error("the same answer is taken twice")
	}
}

// Where the issuer is an address, there are no passkeys, and nobody is offered any.
func TestIssuersWithoutANameHaveNoPasskeys(t *testing.T) {
	g := newRig(t)
	b := newBrowser(t)
	page := g.get(b, "/authorize?"+authorization(g.publicClient()).Encode())
	if strings.Contains(page.body, "passkey") || strings.Contains(page.header.Get("Content-Security-Policy"), "script-src") {
		t.Error("the sign-in page offers passkeys")
	}
	if a := g.submit(b, "/login/passkey", url.Values{"request": {formRequest(t, page.body)}, "state": {"x"}, "answer": {"x"}}); a.status != 403 {
		t.Errorf("got %d", a.status)
	}
	if a := g.visit(b, "/account/security/passkey"); a.status != 404 {
		t.Errorf("enrolment: %d", a.status)
	}
}

package authserver

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/role"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/authserver/upstream"
	"github.com/postern-mcp/postern/authserver/upstream/upstreamtest"
)

// abroad is a server with another provider beside it.
type abroad struct {
	*rig
	op *upstreamtest.Provider
}

const (
	address = "ada@corp.example"
	ownName = "ada.corp.example" // of who comes with it
)

// newAbroad starts both; change may edit what the server is told of the provider.
func newAbroad(t *testing.T, change func(*Provider), more ...func(*Config)) *abroad {
	t.Helper()
	op := upstreamtest.New(t)
	configure := func(c *Config) {
		p := Provider{Name: "corp", Label: "Corp", Issuer: op.URL, ClientID: "postern", Credential: upstream.Credential{Secret: "secret"},
			Scopes: []string{"openid", "email"}}
		if change != nil {
			change(&p)
		}
		c.Providers = []Provider{p}
		c.Roles = append(role.Default(), role.Role{Name: "dba", Scopes: []string{"db:*"}})
	}
	g := newRig(t, append([]func(*Config){configure}, more...)...)
	op.Now = g.clock.Now()
	return &abroad{g, op}
}

// account is a person here who has an address; verified says whether we know it.
func (a *abroad) account(name, email string, verified bool) store.User {
	a.t.Helper()
	hash, err := a.s.passwords.hash(a.t.Context(), actorsTurn(admin.Operator()), testPassword)
	if err != nil {
		a.t.Fatal(err)
	}
	u := store.User{ID: newID("user_"), Name: name, PasswordHash: hash, Email: email, EmailVerified: verified}
	if err := a.s.store.AddUser(a.t.Context(), u, a.clock.Now()); err != nil {
		a.t.Fatal(err)
	}
	return u
}

// linked is a person who signs in at the provider.
func (a *abroad) linked() store.User {
	a.t.Helper()
	u, err := a.s.store.User(a.t.Context(), testUser)
	if err != nil {
		a.t.Fatal(err)
	}
	v := store.Identity{Issuer: a.op.URL, Subject: "ada-1815", Provider: "corp", UserID: u.ID, LinkedAt: a.clock.Now()}
	if err := a.s.store.Link(a.t.Context(), v); err != nil {
		a.t.Fatal(err)
	}
	return u
}

// leave takes the button of the provider on a sign-in page, and gives the URL
// the browser is sent to.
func (a *abroad) leave(b *http.Client, page string) string {
	a.t.Helper()
	away := a.submit(b, "/login/with/corp", url.Values{"request": {formRequest(a.t, page)}})
	to, ok := strings.CutPrefix(away.header.Get("Refresh"), "0;url=")
	if away.status != 200 || !ok {
		a.t.Fatalf("not sent away: %d %s", away.status, away.body)
	}
	return to
}

// there is the provider's part; it gives the path and query the browser comes
// back with.
func (a *abroad) there(to string) string {
	a.t.Helper()
	resp, err := noRedirect().Get(to)
	if err != nil {
		a.t.Fatal(err)
	}
	_ = resp.Body.Close()
	back, ok := strings.CutPrefix(resp.Header.Get("Location"), a.url)
	if !ok {
		a.t.Fatalf("the provider sends to %q", resp.Header.Get("Location"))
	}
	return back
}

// signInPage is the one of an authorization request.
func (a *abroad) signInPage(b *http.Client, client string, pairs ...string) string {
	a.t.Helper()
	page := a.get(b, "/authorize?"+with(authorization(client), pairs...).Encode())
	if !strings.Contains(page.body, "Sign in with <bdi>Corp</bdi>") {
		a.t.Fatalf("there is no button: %d %s", page.status, page.body)
	}
	return page.body
}

// abroadAndBack signs in at the provider, as far as that goes.
func (a *abroad) abroadAndBack(b *http.Client, client string, pairs ...string) answerOf {
	a.t.Helper()
	return a.get(b, a.there(a.leave(b, a.signInPage(b, client, pairs...))))
}

// follow goes where an answer leads.
func (a *abroad) follow(b *http.Client, from answerOf) answerOf {
	a.t.Helper()
	if from.status != 303 {
		a.t.Fatalf("no redirect: %d %s", from.status, from.body)
	}
	return a.get(b, strings.TrimPrefix(from.header.Get("Location"), a.url))
}

// allow answers the consent page, and redeems the code.
func (a *abroad) allow(b *http.Client, client string, page answerOf) token.Claims {
	a.t.Helper()
	if !strings.Contains(page.body, `value="allow"`) {
		a.t.Fatalf("no consent page: %d %s", page.status, page.body)
	}
	back := a.redirected(a.submit(b, "/consent", url.Values{"request": {formRequest(a.t, page.body)}, "decision": {"allow"}}))
	tokens := a.post("/token", redemption(client, back.Get("code")))
	if tokens.status != 200 {
		a.t.Fatalf("redeem: %d %s", tokens.status, tokens.body)
	}
	unverified, err := token.Parse(tokens.str("access_token"))
	if err != nil {
		a.t.Fatal(err)
	}
	access, err := unverified.Verify(a.clock.Now(), a.s.rules, a.s.keys.Published())
	if err != nil {
		a.t.Fatal(err)
	}
	return access.Claims()
}

func TestSignInElsewhere(t *testing.T) {
	a := newAbroad(t, nil)
	u, client, b := a.linked(), a.publicClient(), newBrowser(t)
	a.op.Claims = upstreamtest.Set("auth_time", a.clock.Now().Add(-time.Hour).Unix())
	c := a.allow(b, client, a.follow(b, a.abroadAndBack(b, client)))
	if c.Subject != u.ID || c.ACR != "pwd" || !slices.Equal(c.AMR, []string{"fed"}) || !c.AuthTime.Equal(a.clock.Now().Add(-time.Hour)) {
		t.Errorf("got %+v", c)
	}
	if who, err := a.s.store.Identity(t.Context(), a.op.URL, "ada-1815"); err != nil || who.Email != address || !who.UsedAt.Equal(a.clock.Now()) {
		t.Errorf("got %+v, %v", who, err)
	}
}

// Who is let through by the provider without a word is asked here all the
// same, for each client.
func TestProviderDoesNotConsentForAnybody(t *testing.T) {
	a := newAbroad(t, nil)
	a.linked()
	first, second, b := a.publicClient(), a.publicClient(), newBrowser(t)
	a.allow(b, first, a.follow(b, a.abroadAndBack(b, first)))
	page := a.get(b, "/authorize?"+authorization(second).Encode())
	if page.status != 200 || !strings.Contains(page.body, `value="allow"`) {
		t.Errorf("in the same session: %d %s", page.status, page.body)
	}
	other := newBrowser(t)
	if page := a.follow(other, a.abroadAndBack(other, second)); !strings.Contains(page.body, `value="allow"`) {
		t.Errorf("in a session of its own: %d %s", page.status, page.body)
	}
}

// What comes back counts in the browser that was sent, once, at the callback
// of the provider it was sent to.
func TestAnswersBelongToTheBrowserThatWasSent(t *testing.T) {
	for _, row := range []struct {
		name string
		come func(a *abroad, b *http.Client, back string) answerOf
		want Reason
	}{
		{"in another browser", func(a *abroad, _ *http.Client, back string) answerOf {
			victim := newBrowser(a.t)
			a.signInPage(victim, a.publicClient())
			return a.get(victim, back)
		}, BadRequestState},
		{"in a browser without cookies", func(a *abroad, _ *http.Client, back string) answerOf {
			return a.get(noRedirect(), back)
		}, NoCookie},
		{"again", func(a *abroad, b *http.Client, back string) answerOf {
			a.get(b, back)
			return a.get(b, back)
		}, BadRequestState},
		{"after another browser tried", func(a *abroad, b *http.Client, back string) answerOf {
			victim := newBrowser(a.t)
			a.signInPage(victim, a.publicClient())
			a.get(victim, back)
			return a.get(b, back)
		}, BadRequestState},
		{"at another provider's callback", func(a *abroad, b *http.Client, back string) answerOf {
			return a.get(b, strings.Replace(back, "/with/corp/", "/with/other/", 1))
		}, BadRequestState},
		{"too late", func(a *abroad, b *http.Client, back string) answerOf {
			a.clock.forward(requestLife)
			return a.get(b, back)
		}, BadRequestState},
		{"with another state", func(a *abroad, b *http.Client, back string) answerOf {
			return a.get(b, replaced(back, "state", newSecret("")))
		}, BadRequestState},
		{"without state", func(a *abroad, b *http.Client, back string) answerOf { return a.get(b, replaced(back, "state", "")) }, BadRequestState},
		{"of another provider", func(a *abroad, b *http.Client, back string) answerOf {
			return a.get(b, replaced(back, "iss", "https://other.example"))
		}, ProviderRefused},
		{"of nobody", func(a *abroad, b *http.Client, back string) answerOf { return a.get(b, replaced(back, "iss", "")) }, ProviderRefused},
		{"with another's code", func(a *abroad, b *http.Client, back string) answerOf {
			return a.get(b, replaced(back, "code", "stolen"))
		}, ProviderRefused},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := newAbroad(t, nil, func(c *Config) {
				other := c.Providers[0]
				other.Name, other.Issuer = "other", "https://other.example"
				c.Providers = append(c.Providers, other)
			})
			a.linked()
			b := newBrowser(t)
			got := row.come(a, b, a.there(a.leave(b, a.signInPage(b, a.publicClient()))))
			if got.status < 400 || got.header.Get("Location") != "" {
				t.Errorf("let in: %d %s", got.status, got.body)
			}
			a.expectReason(row.want)
			for _, cookie := range got.header.Values("Set-Cookie") {
				if strings.Contains(cookie, "session") {
					t.Errorf("a session: %s", cookie)
				}
			}
		})
	}
}

func replaced(back, name, value string) string {
	path, query, _ := strings.Cut(back, "?")
	v, _ := url.ParseQuery(query)
	v.Set(name, value)
	if value == "" {
		v.Del(name)
	}
	return path + "?" + v.Encode()
}

// Nobody is sent away but from a form of this browser.
func TestOnlyOurFormSendsAway(t *testing.T) {
	a := newAbroad(t, nil)
	b, other := newBrowser(t), newBrowser(t)
	request := formRequest(t, a.signInPage(b, a.publicClient()))
	a.signInPage(other, a.publicClient())
	for name, got := range map[string]answerOf{
		"from another site":     a.submit(b, "/login/with/corp", url.Values{"request": {request}}, header("Sec-Fetch-Site", "cross-site")),
		"in another browser":    a.submit(other, "/login/with/corp", url.Values{"request": {request}}),
		"without request":       a.submit(b, "/login/with/corp", url.Values{}),
		"by a link":             a.get(b, "/login/with/corp?"+url.Values{"request": {request}}.Encode()),
		"to nobody":             a.submit(b, "/login/with/nobody", url.Values{"request": {request}}),
		"to a place below":      a.submit(b, "/login/with/corp/x", url.Values{"request": {request}}),
		"to a callback by form": a.submit(b, "/login/with/corp/callback", url.Values{"request": {request}}),
	} {
		if got.status < 400 || got.header.Get("Refresh") != "" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if a.op.Count("/authorize") != 0 {
		t.Error("the provider was asked")
	}
}

func TestProviderSaysNo(t *testing.T) {
	a := newAbroad(t, nil)
	a.linked()
	a.op.Denies = true
	b := newBrowser(t)
	got := a.abroadAndBack(b, a.publicClient())
	if got.status != 403 || !strings.Contains(got.body, "Corp: You did not sign in there.") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	a.expectReason(ProviderDenied)
	// The page is as good as new: by password, or there again.
	if done := a.password(b, formRequest(t, got.body), testUser); done.status != 303 {
		t.Errorf("by password: %d %s", done.status, done.body)
	}
	a.op.Denies = false
	if again := a.get(b, a.there(a.leave(b, got.body))); again.status != 303 {
		t.Errorf("there again: %d %s", again.status, again.body)
	}
}

func TestProviderIsAway(t *testing.T) {
	a := newAbroad(t, nil)
	a.op.Handle["/.well-known/openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5") // and nothing comes
	}
	b := newBrowser(t)
	page := a.signInPage(b, a.publicClient())
	got := a.submit(b, "/login/with/corp", url.Values{"request": {formRequest(t, page)}})
	if got.status < 400 || !strings.Contains(got.body, `name="password"`) || strings.Contains(got.body, a.op.URL) {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// Who is switched off here is not let in by being somebody there.
func TestProviderDoesNotOpenAClosedAccount(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Roles = []ClaimRole{{"groups", "dba", "dba"}} })
	a.op.Profile = upstreamtest.Set("groups", []string{"dba"})
	u := a.linked()
	off := func(was store.Person) (store.User, error) {
		was.DisabledAt = a.clock.Now()
		return was.User, nil
	}
	if err := a.s.store.(*store.DB).ChangePerson(t.Context(), u.ID, a.clock.Now(), off); err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	if got := a.abroadAndBack(b, a.publicClient()); got.status == 303 {
		t.Errorf("let in: %d %s", got.status, got.body)
	}
	a.expectReason(AccountOff)
	if held, err := a.s.heldRoles(t.Context(), u.ID); err != nil || slices.Contains(held, "dba") {
		t.Errorf("holds %v, %v", held, err)
	}
}

// Roles of a provider are given to whoever is in, not to whoever stops halfway.
func TestRolesAreGivenAtTheEndOfASignIn(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Roles = []ClaimRole{{"groups", "dba", "dba"}} }, asking)
	a.op.Profile = upstreamtest.Set("groups", []string{"dba"})
	u := a.linked()
	made := a.setUpCodes(newBrowser(t))
	b := newBrowser(t)
	half := a.abroadAndBack(b, a.publicClient())
	if !strings.Contains(half.body, "One more step") {
		t.Fatalf("no second factor is asked for: %d %s", half.status, half.body)
	}
	if held, err := a.s.heldRoles(t.Context(), u.ID); err != nil || slices.Contains(held, "dba") {
		t.Errorf("halfway: %v, %v", held, err)
	}
	if got := a.second(b, value(t, half.body, "entry"), "code", made.Code(a.clock.Now())); !in(got) {
		t.Fatalf("the code: %d %s", got.status, got.body)
	}
	if held, err := a.s.heldRoles(t.Context(), u.ID); err != nil || !slices.Contains(held, "dba") {
		t.Errorf("at the end: %v, %v", held, err)
	}
}

func TestSendingAwayIsBounded(t *testing.T) {
	a := newAbroad(t, nil)
	b := newBrowser(t)
	request := formRequest(t, a.signInPage(b, a.publicClient()))
	var got answerOf
	for range 100 {
		if got = a.submit(b, "/login/with/corp", url.Values{"request": {request}}); got.status != 200 {
			break
		}
	}
	if got.status != 429 || got.header.Get("Retry-After") == "" {
		t.Errorf("got %d %v", got.status, got.header)
	}
	a.expectReason(TooMany)
}

func TestProvidersAreChecked(t *testing.T) {
	for name, change := range map[string]func(*Provider){
		"no name":               func(p *Provider) { p.Name = "" },
		"a path for a name":     func(p *Provider) { p.Name = "a/b" },
		"the administrators'":   func(p *Provider) { p.Name = store.Assigned },
		"a plain issuer":        func(p *Provider) { p.Issuer = "http://corp.example" },
		"no client":             func(p *Provider) { p.ClientID = "" },
		"no credential":         func(p *Provider) { p.Credential = upstream.Credential{} },
		"no openid":             func(p *Provider) { p.Scopes = nil },
		"a role nobody defined": func(p *Provider) { p.Roles = []ClaimRole{{"groups", "dba", "dba"}} },
		"a role for everybody":  func(p *Provider) { p.Roles = []ClaimRole{{"", "", "admin"}} },
		"a level nobody has":    func(p *Provider) { p.ACR = map[string]string{"gold": "best"} },
	} {
		c := baseConfig("https://auth.example", &clock{}, &logbook{})
		p := Provider{Name: "corp", Label: "Corp", Issuer: "https://corp.example", ClientID: "c", Credential: upstream.Credential{Secret: "s"}, Scopes: []string{"openid"}}
		c.Providers = []Provider{p}
		if _, err := c.openProviders(); err != nil {
			t.Fatal(err)
		}
		change(&c.Providers[0])
		if _, err := c.openProviders(); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	c := baseConfig("https://auth.example", &clock{}, &logbook{})
	p := Provider{Name: "corp", Issuer: "https://corp.example", ClientID: "c", Credential: upstream.Credential{Secret: "s"}, Scopes: []string{"openid"}}
	q := p
	q.Name = "other"
	c.Providers = []Provider{p, q}
	if _, err := c.openProviders(); err == nil {
		t.Error("two of one issuer were accepted")
	}
}

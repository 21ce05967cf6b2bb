package authserver

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

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

const address = "ada@corp.example"

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
	hash, err := a.s.passwords.hash(a.t.Context(), testPassword)
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
	access, err := unverified.Verify(a.clock.Now(), a.s.rules, a.s.keys.published())
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

// Who is new is let in by what both sides know, and by nothing less.
func TestWhoIsNew(t *testing.T) {
	link := func(p *Provider) { p.Link = true }
	decides := func(p *Provider) { p.Link, p.Domains = true, []string{"corp.example"} }
	create := func(p *Provider) { p.Create = true }
	both := func(p *Provider) { p.Link, p.Create = true, true }
	admit := func(p *Provider) { p.Create, p.Admit = true, []string{"corp.example"} }
	said := func(email any, verified any) func(upstreamtest.Object) {
		return func(o upstreamtest.Object) { o["email"], o["email_verified"] = email, verified }
	}
	for _, row := range []struct {
		name     string
		provider func(*Provider)
		here     string // the address of an account here
		verified bool
		said     func(upstreamtest.Object)
		want     string // grace: into that account; offered; or the name of a new one
		reason   Reason
	}{
		{"nobody knows them", nil, "", false, said(address, true), "", NotLinked},
		{"linking is off", nil, address, true, said(address, true), "", NotLinked},
		{"an address both have verified", link, address, true, said(address, true), "offered", ""},
		{"in other letters", link, address, true, said("ADA@corp.EXAMPLE", true), "offered", ""},
		{"an address we have not verified", link, address, false, said(address, true), "", NotLinked},
		{"an address they have not verified", link, address, true, said(address, false), "", NotLinked},
		{"an address they say nothing of", link, address, true, said(address, nil), "", NotLinked},
		{"no address", link, address, true, said(nil, true), "", NotLinked},
		{"two addresses in one", link, address, true, said("eve@evil.example@corp.example", true), "", NotLinked},

		{"a provider that gives the address out", decides, address, true, said(address, true), "grace", ""},
		{"but not this one", decides, "grace@other.example", true, said("grace@other.example", true), "offered", ""},
		{"nor one below", decides, "grace@x.corp.example", true, said("grace@x.corp.example", true), "offered", ""},
		{"nor one that ends alike", decides, "grace@evilcorp.example", true, said("grace@evilcorp.example", true), "offered", ""},
		{"nor one it has not verified", decides, address, true, said(address, false), "", NotLinked},
		{"nor one we have not verified", decides, address, false, said(address, true), "", NotLinked},
		{"nor two in one", decides, address, true, said("eve@evil.example@corp.example", true), "", NotLinked},

		{"everybody gets an account", create, "", false, said(address, true), address, ""},
		{"an address that is somebody's is not shared", create, address, true, said(address, true), address, ""},
		{"a name from an address nobody verified", create, "", false, said("admin@corp.example", false), "corp-", ""},
		{"who has an account is asked, not doubled", both, address, true, said(address, true), "offered", ""},
		{"who has none gets one", both, "grace@other.example", true, said(address, true), address, ""},

		{"of a domain that is let in", admit, "", false, said(address, true), address, ""},
		{"of another", admit, "", false, said("eve@evil.example", true), "", NotAdmitted},
		{"of one that nobody verified", admit, "", false, said(address, false), "", NotAdmitted},
		{"of two", admit, "", false, said("eve@evil.example@corp.example", true), "", NotAdmitted},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := newAbroad(t, row.provider)
			a.op.Profile = row.said
			if row.here != "" {
				a.account("grace", row.here, row.verified)
			}
			b := newBrowser(t)
			got := a.abroadAndBack(b, a.publicClient())
			if row.reason != "" {
				a.expectReason(row.reason)
				if got.status != 403 || !strings.Contains(got.body, `name="password"`) {
					t.Errorf("got %d %s", got.status, got.body)
				}
				return
			}
			if row.want == "offered" {
				if got.status != 200 || !strings.Contains(got.body, "sign in to it once") || strings.Contains(got.body, "/login/with/corp") {
					t.Errorf("got %d %s", got.status, got.body)
				}
				return
			}
			page := a.follow(b, got)
			if !strings.Contains(page.body, "<bdi>"+row.want) {
				t.Errorf("not signed in as %s: %s", row.want, page.body)
			}
		})
	}
}

func TestAnAccountOfTheirOwn(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Create = true })
	grace := a.account(address, address, true) // the name is taken, and the address
	b, client := newBrowser(t), a.publicClient()
	c := a.allow(b, client, a.follow(b, a.abroadAndBack(b, client)))
	u, err := a.s.store.UserByID(t.Context(), c.Subject)
	if err != nil || u.ID == grace.ID || u.Name != address+"-2" || u.FullName != "Ada Lovelace" || u.Email != address || u.EmailVerified || u.PasswordHash != "" {
		t.Errorf("got %+v, %v", u, err)
	}
	again := newBrowser(t)
	if c := a.allow(again, client, a.follow(again, a.abroadAndBack(again, client))); c.Subject != u.ID {
		t.Errorf("the second time it is %s", c.Subject)
	}
	// No password is their password.
	for _, password := range []string{"", "x", testPassword} {
		b := newBrowser(t)
		page := a.signInPage(b, client)
		got := a.submit(b, "/login", url.Values{"request": {formRequest(t, page)}, "username": {u.Name}, "password": {password}})
		if got.status != 403 || !strings.Contains(got.body, "The name or the password is wrong") {
			t.Errorf("%q: %d %s", password, got.status, got.body)
		}
	}
}

// offered takes somebody to the page that asks for the account to be linked.
func (a *abroad) offered(b *http.Client, client string) string {
	a.t.Helper()
	got := a.abroadAndBack(b, client)
	if got.status != 200 || !strings.Contains(got.body, "sign in to it once") {
		a.t.Fatalf("no offer: %d %s", got.status, got.body)
	}
	return formRequest(a.t, got.body)
}

func (a *abroad) password(b *http.Client, request, name string) answerOf {
	a.t.Helper()
	return a.submit(b, "/login", url.Values{"request": {request}, "username": {name}, "password": {testPassword}})
}

func TestLinkByProvingBoth(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Link = true })
	grace := a.account("grace", address, true)
	b, client := newBrowser(t), a.publicClient()
	done := a.password(b, a.offered(b, client), "grace")
	linked := a.follow(b, done)
	c := a.allow(b, client, a.follow(b, linked)) // on to what they came for
	if c.Subject != grace.ID || !slices.Equal(c.AMR, []string{"pwd"}) {
		t.Errorf("got %+v", c)
	}
	again := newBrowser(t)
	if c := a.allow(again, client, a.follow(again, a.abroadAndBack(again, client))); c.Subject != grace.ID {
		t.Errorf("the next time it is %s", c.Subject)
	}
	// What was offered is spent.
	if got := a.follow(b, done); got.status != 400 {
		t.Errorf("again: %d %s", got.status, got.body)
	}
	a.expectReason(BadRequestState)
}

func TestNothingIsLinkedWithLess(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(a *abroad, b *http.Client, request string) answerOf
		want Reason
	}{
		{"another account", func(a *abroad, b *http.Client, request string) answerOf {
			return a.follow(b, a.password(b, request, testUser))
		}, OtherAccount},
		{"another browser", func(a *abroad, b *http.Client, request string) answerOf {
			done := a.password(b, request, "grace")
			victim := newBrowser(a.t)
			a.authorizeBy(victim, authorization(a.publicClient()))
			return a.follow(victim, done)
		}, BadRequestState},
		{"nobody signed in", func(a *abroad, b *http.Client, request string) answerOf {
			done := a.password(b, request, "grace")
			a.submit(b, "/logout", url.Values{"confirm": {"yes"}})
			return a.follow(b, done)
		}, BadRequestState},
		{"too late", func(a *abroad, b *http.Client, request string) answerOf {
			done := a.password(b, request, "grace")
			a.clock.forward(requestLife)
			return a.follow(b, done)
		}, BadRequestState},
		{"at another provider", func(a *abroad, b *http.Client, request string) answerOf {
			done := a.password(b, request, "grace")
			return a.get(b, strings.Replace(done.header.Get("Location"), "/corp/", "/other/", 1))
		}, BadRequestState},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := newAbroad(t, func(p *Provider) { p.Link = true }, func(c *Config) {
				other := c.Providers[0]
				other.Name, other.Issuer = "other", "https://other.example"
				c.Providers = append(c.Providers, other)
			})
			a.account("grace", address, true)
			b := newBrowser(t)
			got := row.do(a, b, a.offered(b, a.publicClient()))
			if got.status < 400 {
				t.Errorf("got %d %s", got.status, got.body)
			}
			a.expectReason(row.want)
			if who, err := a.s.store.Identity(t.Context(), a.op.URL, "ada-1815"); err == nil {
				t.Errorf("linked: %+v", who)
			}
		})
	}
}

// A session from before the offer proves nothing about who took it.
func TestLinkTakesANewSignIn(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Link = true })
	a.account("grace", address, true)
	b, client := newBrowser(t), a.publicClient()
	page := a.signInPage(b, client)
	a.password(b, formRequest(t, page), "grace")
	a.clock.forward(time.Minute)
	a.op.Now = a.clock.Now()
	got := a.get(b, a.there(a.leave(b, page)))
	if got.status != 200 || !strings.Contains(got.body, "sign in to it once") {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if _, err := a.s.store.Identity(t.Context(), a.op.URL, "ada-1815"); err == nil {
		t.Error("linked by the old session")
	}
}

func TestClaimsGiveRoles(t *testing.T) {
	a := newAbroad(t, func(p *Provider) {
		p.Roles = []ClaimRole{{"groups", "dba", "dba"}, {"team", "core", "dba"}, {"groups", "root", "admin"}}
	},
		func(c *Config) {
			c.Roles = []role.Role{{Name: "dba", Scopes: []string{"db:*"}}, {Name: "admin", Scopes: []string{"*"}}}
		})
	u := a.linked()
	for _, row := range []struct {
		said func(upstreamtest.Object)
		want []string
	}{
		{upstreamtest.Set("groups", []string{"dba", "ops"}), []string{"dba"}},
		{upstreamtest.Set("groups", []string{"dba", "root"}), []string{"admin", "dba"}},
		{upstreamtest.Set("groups", "dba"), []string{"dba"}},
		{upstreamtest.Set("groups", []string{"DBA", "dbadmin"}), nil},
		{func(o upstreamtest.Object) { delete(o, "groups"); o["team"] = "core" }, []string{"dba"}},
		{upstreamtest.Without("groups"), nil},
	} {
		a.op.Profile = row.said
		b := newBrowser(t)
		a.abroadAndBack(b, a.publicClient(), "resource", database, "scope", "db:read")
		if held, err := a.s.heldRoles(t.Context(), u.ID); err != nil || !slices.Equal(held, row.want) {
			t.Errorf("holds %v, want %v, %v", held, row.want, err)
		}
	}
}

// A role that the claims no longer give ends the tokens that need it.
func TestClaimsThatGoTakeTokensAlong(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Roles = []ClaimRole{{"groups", "dba", "dba"}} },
		func(c *Config) {
			c.Roles = []role.Role{{Name: "dba", Scopes: []string{"db:*"}}, {Name: "user", Scopes: []string{"calc:*"}, Everyone: true}}
		})
	u := a.linked()
	if err := a.s.SetUserRoles(t.Context(), testUser, nil); err != nil {
		t.Fatal(err)
	}
	b, client := newBrowser(t), a.publicClient()
	c := a.allow(b, client, a.follow(b, a.abroadAndBack(b, client, "resource", database, "scope", "db:read")))
	a.op.Profile = upstreamtest.Without("groups")
	other := newBrowser(t)
	a.abroadAndBack(other, client)
	if got, err := a.s.store.AccessToken(t.Context(), c.ID); err != nil || !got.Revoked {
		t.Errorf("the token of %s: %+v, %v", u.Name, got, err)
	}
}

// What the configuration gives no more is gone when the server starts.
func TestRolesOfProvidersThatAreGone(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Roles = []ClaimRole{{"groups", "dba", "dba"}} })
	u := a.linked()
	a.abroadAndBack(newBrowser(t), a.publicClient())
	if err := a.s.SetUserRoles(t.Context(), testUser, []string{"admin"}); err != nil {
		t.Fatal(err)
	}
	a.s.providers = nil
	if err := a.s.takeBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if held, err := a.s.heldRoles(t.Context(), u.ID); err != nil || !slices.Equal(held, []string{"admin"}) {
		t.Errorf("holds %v, %v", held, err)
	}
}

func TestHowStrongAProviderIs(t *testing.T) {
	classes := map[string]string{"gold": "mfa", "platinum": "phr"}
	for _, row := range []struct {
		name     string
		acr      map[string]string
		acrSaid  any
		amr      any
		demanded string
		asked    string // acr_values the provider is asked for
		amrGot   []string
		acrGot   string
	}{
		{"nothing is said", nil, nil, nil, "", "", []string{"fed"}, "pwd"},
		{"a class nobody mapped", nil, "gold", nil, "", "", []string{"fed"}, "pwd"},
		{"another class", classes, "silver", nil, "", "", []string{"fed"}, "pwd"},
		{"a class that is mfa", classes, "gold", nil, "", "", []string{"fed", "mfa"}, "mfa"},
		{"a class that is phr", classes, "platinum", nil, "", "", []string{"fed", "swk", "mfa"}, "phr"},
		{"methods that say so", nil, nil, []string{"pwd", "mfa"}, "", "", []string{"fed", "mfa"}, "mfa"},
		{"methods that do not", nil, nil, []string{"pwd", "otp"}, "", "", []string{"fed"}, "pwd"},
		{"mfa demanded and met", classes, "gold", nil, "mfa", "gold platinum", []string{"fed", "mfa"}, "mfa"},
		{"phr demanded and met", classes, "platinum", nil, "phr", "platinum", []string{"fed", "swk", "mfa"}, "phr"},
		{"mfa demanded and not met", classes, "silver", nil, "mfa", "gold platinum", nil, ""},
		{"phr demanded, mfa met", classes, "gold", nil, "phr", "platinum", nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := newAbroad(t, func(p *Provider) { p.ACR = row.acr })
			a.linked()
			a.op.Claims = func(o upstreamtest.Object) { o["acr"], o["amr"] = row.acrSaid, row.amr }
			b, client := newBrowser(t), a.publicClient()
			var pairs []string
			if row.demanded != "" {
				pairs = []string{"acr_values", row.demanded}
			}
			to := a.leave(b, a.signInPage(b, client, pairs...))
			if u, _ := url.Parse(to); u.Query().Get("acr_values") != row.asked {
				t.Errorf("asked for %q", u.Query().Get("acr_values"))
			}
			got := a.get(b, a.there(to))
			if row.acrGot == "" {
				if got.status == 303 && strings.Contains(got.header.Get("Location"), "/consent") {
					t.Errorf("let in: %d %s", got.status, got.body)
				}
				return
			}
			if c := a.allow(b, client, a.follow(b, got)); c.ACR != row.acrGot || !slices.Equal(c.AMR, row.amrGot) {
				t.Errorf("got %s %v", c.ACR, c.AMR)
			}
		})
	}
}

func TestFreshSignInElsewhere(t *testing.T) {
	a := newAbroad(t, nil)
	a.linked()
	client := a.publicClient()
	come := func(claims func(upstreamtest.Object), pairs ...string) (answerOf, url.Values) {
		a.op.Claims = claims
		b := newBrowser(t)
		to := a.leave(b, a.signInPage(b, client, pairs...))
		u, _ := url.Parse(to)
		return a.get(b, a.there(to)), u.Query()
	}
	got, asked := come(nil, "max_age", "60")
	if got.status != 303 || asked.Get("max_age") != "60" {
		t.Errorf("max_age=%s: %d %s", asked.Get("max_age"), got.status, got.body)
	}
	if _, asked := come(nil, "prompt", "login"); asked.Get("max_age") != "0" {
		t.Errorf("for prompt=login: max_age=%s", asked.Get("max_age"))
	}
	// The provider's clock has whole seconds, and is behind.
	a.clock.forward(700 * time.Millisecond)
	for name, behind := range map[string]time.Duration{"in this second": 700 * time.Millisecond, "some seconds ago": 5 * time.Second} {
		b := newBrowser(t)
		a.op.Claims = upstreamtest.Set("auth_time", a.clock.Now().Add(-behind).Unix())
		if page := a.follow(b, a.abroadAndBack(b, client, "prompt", "login")); !strings.Contains(page.body, `value="allow"`) {
			t.Errorf("%s: %d %s", name, page.status, page.body)
		}
	}
	for name, claims := range map[string]func(upstreamtest.Object){
		"long ago":         upstreamtest.Set("auth_time", a.clock.Now().Add(-time.Hour).Unix()),
		"nobody says when": upstreamtest.Without("auth_time"),
	} {
		got, _ := come(claims, "max_age", "60")
		if got.status != 403 || !strings.Contains(got.body, "sign in another way") || !strings.Contains(got.body, `name="password"`) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		a.expectReason(ProviderNotFresh)
	}
}

// When the provider does not say when the person proved who they are, neither
// do we, and nothing that asks for a moment ago is met.
func TestUntoldTimeIsNoTime(t *testing.T) {
	a := newAbroad(t, nil)
	a.linked()
	a.op.Claims = upstreamtest.Without("auth_time")
	b, client := newBrowser(t), a.publicClient()
	c := a.allow(b, client, a.follow(b, a.abroadAndBack(b, client)))
	if !c.AuthTime.IsZero() {
		t.Errorf("auth_time is %v", c.AuthTime)
	}
	page := a.get(b, "/authorize?"+with(authorization(client), "max_age", "3600").Encode())
	if !strings.Contains(page.body, `name="password"`) {
		t.Errorf("max_age was met: %d %s", page.status, page.body)
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
	a := newAbroad(t, nil)
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

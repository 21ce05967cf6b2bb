package authserver

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/upstream/upstreamtest"
)

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
		want     string // offered, or the name of a new one
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

		{"also at a provider that gives the address out: an administrator may have said that it is theirs", decides, address, true, said(address, true), "offered", ""},
		{"but not this one", decides, "grace@other.example", true, said("grace@other.example", true), "offered", ""},
		{"nor one below", decides, "grace@x.corp.example", true, said("grace@x.corp.example", true), "offered", ""},
		{"nor one that ends alike", decides, "grace@evilcorp.example", true, said("grace@evilcorp.example", true), "offered", ""},
		{"nor one it has not verified", decides, address, true, said(address, false), "", NotLinked},
		{"nor one we have not verified", decides, address, false, said(address, true), "", NotLinked},
		{"nor two in one", decides, address, true, said("eve@evil.example@corp.example", true), "", NotLinked},

		{"everybody gets an account", create, "", false, said(address, true), ownName, ""},
		{"an address that is somebody's is not shared", create, address, true, said(address, true), ownName, ""},
		{"a name from an address nobody verified", create, "", false, said("admin@corp.example", false), "corp-", ""},
		{"who has an account is asked, not doubled", both, address, true, said(address, true), "offered", ""},
		{"who has none gets one", both, "grace@other.example", true, said(address, true), ownName, ""},

		{"of a domain that is let in", admit, "", false, said(address, true), ownName, ""},
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
	grace := a.account("ADA.Corp.Example", address, true) // the name is taken, and the address
	b, client := newBrowser(t), a.publicClient()
	c := a.allow(b, client, a.follow(b, a.abroadAndBack(b, client)))
	u, err := a.s.store.UserByID(t.Context(), c.Subject)
	if err != nil || u.ID == grace.ID || u.Name != ownName+"-2" || u.FullName != "Ada Lovelace" || u.Email != address || u.EmailVerified || u.PasswordHash != "" {
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

// What one provider believes does not open an account by another: only who
// gives an address out makes it a verified one here.
func TestAddressesAreVerifiedByWhoGivesThemOut(t *testing.T) {
	for domain, want := range map[string]bool{"corp.example": true, "other.example": false} {
		a := newAbroad(t, func(p *Provider) { p.Create, p.Link, p.Domains = true, true, []string{domain} })
		a.abroadAndBack(newBrowser(t), a.publicClient())
		u, err := a.s.store.User(t.Context(), ownName)
		if err != nil || u.Email != address || u.EmailVerified != want {
			t.Errorf("given out for %s: %+v, %v", domain, u, err)
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

// What a provider says may count as a second factor once it is linked: who has
// one shows it first, also where they need none to sign in.
func TestLinkTakesTheSecondFactor(t *testing.T) {
	a := newAbroad(t, func(p *Provider) {
		p.Link, p.Roles = true, []ClaimRole{{"groups", "dba", "dba"}}
	})
	a.account("grace", address, true)
	home, client := newBrowser(t), a.publicClient()
	page := a.signInPage(home, client)
	a.password(home, formRequest(t, page), "grace")
	made := a.setUpCodes(home)
	a.submit(home, "/logout", url.Values{"confirm": {"yes"}})
	a.op.Now = a.clock.Now()
	a.op.Claims = upstreamtest.Set("amr", []string{"pwd", "mfa"})
	a.op.Profile = upstreamtest.Set("groups", []string{"dba"})
	linked := func() bool {
		_, err := a.s.store.Identity(t.Context(), a.op.URL, "ada-1815")
		return err == nil
	}

	asked := a.password(home, a.offered(home, client), "grace") // where they are known
	if asked.status != 200 || !strings.Contains(asked.body, "One more step") || linked() {
		t.Fatalf("the password alone: linked is %v, %d %s", linked(), asked.status, asked.body)
	}
	form := value(t, asked.body, "entry")
	if got := a.second(home, form, "code", "000000"); got.status < 400 || linked() {
		t.Errorf("a wrong code: linked is %v, %d %s", linked(), got.status, got.body)
	}
	a.follow(home, a.second(home, form, "code", made.Code(a.clock.Now())))
	if !linked() {
		t.Error("not linked with both")
	}
}

// A second factor that was set up since the offer, and a network that is denied
// since, count where the link is made.
func TestLinkLooksAgain(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*abroad)
		want   Reason
	}{
		{"a second factor", func(a *abroad) { a.giveFactor() }, UnmetLevel},
		{"a denied network", func(a *abroad) { a.s.config.SignIn.Deny = networks("127.0.0.0/8") }, NetworkDenied},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := newAbroad(t, func(p *Provider) { p.Link = true })
			a.account("grace", address, true)
			b := newBrowser(t)
			done := a.password(b, a.offered(b, a.publicClient()), "grace")
			row.change(a)
			if got := a.follow(b, done); got.status < 400 {
				t.Errorf("got %d %s", got.status, got.body)
			}
			a.expectReason(row.want)
			if who, err := a.s.store.Identity(t.Context(), a.op.URL, "ada-1815"); err == nil {
				t.Errorf("linked: %+v", who)
			}
		})
	}
}

// An account that an administrator made for an address, and that nobody can
// sign in to yet, is its owner's when they come.
func TestAccountThatWaits(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Link = true })
	u := store.User{ID: newID("user_"), Name: "grace", Email: address, EmailVerified: true}
	if err := a.s.store.AddUser(t.Context(), u, a.clock.Now()); err != nil {
		t.Fatal(err)
	}
	b, client := newBrowser(t), a.publicClient()
	if c := a.allow(b, client, a.follow(b, a.abroadAndBack(b, client))); c.Subject != u.ID {
		t.Errorf("signed in as %s", c.Subject)
	}
	// Who comes next with the address is not let into it.
	a.op.Claims = upstreamtest.Set("sub", "another")
	a.op.Profile = func(o upstreamtest.Object) { o["sub"], o["email"] = "another", address }
	if got := a.abroadAndBack(newBrowser(t), client); got.status != 200 || !strings.Contains(got.body, "sign in to it once") {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// Somebody was in an account that has a second factor: it waits for nobody,
// also when it has lost every other way in.
func TestAccountWithAFactorDoesNotWait(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Link = true })
	u := store.User{ID: newID("user_"), Name: "grace", Email: address, EmailVerified: true}
	must(t, a.s.store.AddUser(t.Context(), u, a.clock.Now()))
	a.giveFactor()
	a.offered(newBrowser(t), a.publicClient())
	if _, err := a.s.store.Identity(t.Context(), a.op.URL, "ada-1815"); err == nil {
		t.Error("linked")
	}
}

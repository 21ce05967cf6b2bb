package authserver

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/upstream/upstreamtest"
)

// security is the page about signing in, of somebody who signed in by password.
func (a *abroad) security(b *http.Client, name string) answerOf {
	a.t.Helper()
	page := a.get(b, securityPath)
	if strings.Contains(page.body, `name="password"`) {
		page = a.follow(b, a.password(b, formRequest(a.t, page.body), name))
	}
	if page.status != 200 || !strings.Contains(page.body, "Accounts elsewhere") {
		a.t.Fatalf("no page: %d %s", page.status, page.body)
	}
	return page
}

// press submits a form of a page for somebody who is signed in.
func (a *abroad) press(b *http.Client, page answerOf, path string, pairs ...string) answerOf {
	a.t.Helper()
	return a.submit(b, path, with(url.Values{"token": {tokenOf(a.t, page)}}, pairs...))
}

func sentTo(t *testing.T, away answerOf) string {
	t.Helper()
	to, ok := strings.CutPrefix(away.header.Get("Refresh"), "0;url=")
	if away.status != 200 || !ok {
		t.Fatalf("not sent away: %d %s", away.status, away.body)
	}
	return to
}

func TestLinkFromTheAccountPage(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Roles = []ClaimRole{{"groups", "dba", "dba"}} })
	b := newBrowser(t)
	page := a.security(b, testUser)
	back := a.get(b, a.there(sentTo(t, a.press(b, page, linkPath, "provider", "corp"))))
	page = a.follow(b, back)
	for _, words := range []string{"The account is linked", "ada@corp.example", "Unlink"} {
		if !strings.Contains(page.words(), words) {
			t.Errorf("the page lacks %q: %s", words, page.body)
		}
	}
	if strings.Contains(page.body, "Link your account at") {
		t.Error("it can be linked again")
	}
	u, err := a.s.store.User(t.Context(), testUser)
	if err != nil {
		t.Fatal(err)
	}
	if held, err := a.s.heldRoles(t.Context(), u.ID); err != nil || len(held) != 1 {
		t.Errorf("holds %v, %v", held, err)
	}
	other := newBrowser(t)
	if got := a.abroadAndBack(other, a.publicClient()); got.status != 303 {
		t.Errorf("not let in: %d %s", got.status, got.body)
	}
	// Unlinked, it lets nobody in, gives no role, and whom it let in is out.
	page = a.follow(b, a.press(b, page, unlinkPath, "issuer", a.op.URL, "subject", "ada-1815"))
	if !strings.Contains(page.body, "The account is unlinked") {
		t.Errorf("got %s", page.body)
	}
	if held, err := a.s.heldRoles(t.Context(), u.ID); err != nil || len(held) != 0 {
		t.Errorf("holds %v, %v", held, err)
	}
	a.signInPage(other, a.publicClient())
	if got := a.abroadAndBack(newBrowser(t), a.publicClient()); got.status != 403 {
		t.Errorf("let in: %d %s", got.status, got.body)
	}
	a.expectReason(NotLinked)
}

func TestLinksThatAreRefused(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(a *abroad, b *http.Client, page answerOf) answerOf
		want Reason
	}{
		{"somebody else's", func(a *abroad, b *http.Client, page answerOf) answerOf {
			v := store.Identity{Issuer: a.op.URL, Subject: "ada-1815", Provider: "corp", UserID: a.account("grace", "", false).ID}
			if err := a.s.store.Link(a.t.Context(), v); err != nil {
				a.t.Fatal(err)
			}
			return a.get(b, a.there(sentTo(a.t, a.press(b, page, linkPath, "provider", "corp"))))
		}, IdentityTaken},
		{"a second one", func(a *abroad, b *http.Client, page answerOf) answerOf {
			u, err := a.s.store.User(a.t.Context(), testUser)
			if err != nil {
				a.t.Fatal(err)
			}
			if err := a.s.store.Link(a.t.Context(), store.Identity{Issuer: a.op.URL, Subject: "another", Provider: "corp", UserID: u.ID}); err != nil {
				a.t.Fatal(err)
			}
			return a.get(b, a.there(sentTo(a.t, a.press(b, page, linkPath, "provider", "corp"))))
		}, IdentityTaken},
		{"to who signed in meanwhile", func(a *abroad, b *http.Client, page answerOf) answerOf {
			a.account("grace", "", false)
			back := a.there(sentTo(a.t, a.press(b, page, linkPath, "provider", "corp")))
			a.submit(b, "/logout", url.Values{"confirm": {"yes"}})
			a.security(b, "grace")
			return a.get(b, back)
		}, OtherAccount},
		{"to nobody", func(a *abroad, b *http.Client, page answerOf) answerOf {
			back := a.there(sentTo(a.t, a.press(b, page, linkPath, "provider", "corp")))
			a.submit(b, "/logout", url.Values{"confirm": {"yes"}})
			return a.get(b, back)
		}, OtherAccount},
		{"of a provider there is not", func(a *abroad, b *http.Client, page answerOf) answerOf {
			return a.press(b, page, linkPath, "provider", "nobody")
		}, BadForm},
		{"without the form's token", func(a *abroad, b *http.Client, _ answerOf) answerOf {
			return a.submit(b, linkPath, url.Values{"provider": {"corp"}})
		}, StaleForm},
		{"from another site", func(a *abroad, b *http.Client, page answerOf) answerOf {
			return a.submit(b, linkPath, url.Values{"provider": {"corp"}, "token": {tokenOf(a.t, page)}}, header("Sec-Fetch-Site", "cross-site"))
		}, CrossSite},
		{"and not unlinked, as they are another's", func(a *abroad, b *http.Client, page answerOf) answerOf {
			v := store.Identity{Issuer: a.op.URL, Subject: "ada-1815", Provider: "corp", UserID: a.account("grace", "", false).ID}
			if err := a.s.store.Link(a.t.Context(), v); err != nil {
				a.t.Fatal(err)
			}
			return a.press(b, page, unlinkPath, "issuer", a.op.URL, "subject", "ada-1815")
		}, BadForm},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := newAbroad(t, nil)
			b := newBrowser(t)
			if got := row.do(a, b, a.security(b, testUser)); got.status < 400 {
				t.Errorf("got %d %s", got.status, got.body)
			}
			a.expectReason(row.want)
		})
	}
}

// Somebody who has an account by the provider alone comes to the page about
// signing in, though it does not say when they proved who they are, and cannot
// close the only way.
func TestOnlyByProvider(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Create = true })
	a.op.Claims = upstreamtest.Without("auth_time")
	b := newBrowser(t)
	signIn := func() answerOf {
		page := a.get(b, securityPath)
		return a.follow(b, a.get(b, a.there(a.leave(b, page.body))))
	}
	page := signIn()
	if !strings.Contains(page.body, "Choose a password") {
		t.Fatalf("got %d %s", page.status, page.body)
	}
	if strings.Contains(page.words(), "Only your password") || !strings.Contains(page.words(), "Only your account at another provider protects this one.") {
		t.Errorf("it speaks of a password that is not there: %s", page.words())
	}
	if words := a.get(b, passwordPath).words(); !strings.Contains(words, "Choose a password") || strings.Contains(words, "Change") {
		t.Errorf("a first password is no change: %s", words)
	}
	if words := a.get(b, accountPath).words(); !strings.Contains(words, "only your provider protects you") {
		t.Errorf("the overview: %s", words)
	}
	a.press(b, page, unlinkPath, "issuer", a.op.URL, "subject", "ada-1815")
	a.expectReason(LastWayIn)
	// After a while they have to come anew.
	a.clock.forward(securityAge + time.Minute)
	a.op.Now = a.clock.Now()
	if page := a.get(b, securityPath); !strings.Contains(page.body, `name="password"`) {
		t.Errorf("an old session is good enough: %s", page.body)
	}
	if page := signIn(); !strings.Contains(page.body, "Choose a password") {
		t.Errorf("got %d %s", page.status, page.body)
	}
}

package authserver

import (
	"context"
	"encoding/base32"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/otp"
	"github.com/postern-mcp/postern/authserver/store"
)

// member reads a hidden or shown value out of a page.
func member(t *testing.T, page, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no %s in: %s", pattern, page)
	}
	return html.UnescapeString(m[1])
}

func value(t *testing.T, page, name string) string {
	t.Helper()
	return member(t, page, `name="`+name+`" value="([^"]*)"`)
}

// visit opens a page of the account, signing in by password on the way.
func (g *rig) visit(b *http.Client, path string) answerOf {
	g.t.Helper()
	return g.visitAs(b, path, testUser, testPassword)
}

func (g *rig) visitAs(b *http.Client, path, user, password string) answerOf {
	g.t.Helper()
	a := g.get(b, path)
	if a.status == 200 && strings.Contains(a.body, `action="/login"`) {
		a = g.submit(b, "/login", url.Values{"request": {formRequest(g.t, a.body)}, "username": {user}, "password": {password}})
		if a.status == 303 {
			a = g.get(b, a.header.Get("Location"))
		}
	}
	return a
}

func generatorOf(t *testing.T, page string) otp.Generator {
	t.Helper()
	key := strings.ReplaceAll(member(t, page, `aria-label="Key">([A-Z2-7 ]+)<`), " ", "")
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	g, err := otp.Open(secret)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// setUpCodes sets up codes for whoever signs in at this browser.
func (g *rig) setUpCodes(b *http.Client) otp.Generator {
	g.t.Helper()
	page := g.visit(b, "/account/security/code")
	made := generatorOf(g.t, page.body)
	a := g.submit(b, "/account/security/code", url.Values{"token": {value(g.t, page.body, "token")}, "setup": {value(g.t, page.body, "setup")}, "code": {made.Code(g.clock.Now())}})
	if !added(a) {
		g.t.Fatalf("set up: %d %q %s", a.status, a.header.Get("Location"), a.body)
	}
	g.clock.forward(30 * time.Second) // the code is used
	return made
}

// added says whether a second factor was taken: the first one is answered with
// recovery codes, others with the way back.
func added(a answerOf) bool {
	return a.status == 200 && len(recoveryIn(a)) == otp.HowMany || a.status == 303 && strings.HasSuffix(a.header.Get("Location"), "-on")
}

// recoveryIn are the recovery codes that a page shows.
func recoveryIn(a answerOf) (codes []string) {
	for _, m := range regexp.MustCompile(`<li><code>([a-z0-9-]+)</code>`).FindAllStringSubmatch(a.body, -1) {
		codes = append(codes, m[1])
	}
	return codes
}

// halfway signs in by password, up to the page of the second factor.
func (g *rig) halfway(b *http.Client, query url.Values) (entry string) {
	g.t.Helper()
	page := g.get(b, "/authorize?"+query.Encode())
	a := g.submit(b, "/login", url.Values{"request": {formRequest(g.t, page.body)}, "username": {testUser}, "password": {testPassword}})
	if a.status != 200 || !strings.Contains(a.body, "One more step") {
		g.t.Fatalf("no second factor is asked for: %d %s", a.status, a.body)
	}
	return value(g.t, a.body, "entry")
}

func (g *rig) second(b *http.Client, entry string, pairs ...string) answerOf {
	g.t.Helper()
	return g.submit(b, "/login/second", with(url.Values{"entry": {entry}}, pairs...))
}

// goOn follows a finished sign-in to consent and back to the client.
func (g *rig) goOn(b *http.Client, a answerOf) url.Values {
	g.t.Helper()
	if a.status != 303 {
		g.t.Fatalf("not signed in: %d %s", a.status, a.body)
	}
	page := g.get(b, strings.TrimPrefix(a.header.Get("Location"), g.url))
	if page.status == 303 {
		return g.redirected(page)
	}
	return g.redirected(g.submit(b, "/consent", url.Values{"request": {formRequest(g.t, page.body)}, "decision": {"allow"}}))
}

func TestCodesAreAskedForAndSaidInTokens(t *testing.T) {
	g := newRig(t, asking)
	made := g.setUpCodes(newBrowser(t))
	id := g.publicClient()
	b := newBrowser(t)
	entry := g.halfway(b, authorization(id))
	for name, code := range map[string]string{"empty": "", "wrong": "000000", "of an hour ago": made.Code(g.clock.Now().Add(-time.Hour)), "a word": "password"} {
		if code == made.Code(g.clock.Now()) {
			code = "111111"
		}
		if a := g.second(b, entry, "code", code); a.status != 403 || !strings.Contains(a.body, "That is not the code of this moment.") {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
	}
	v := g.goOn(b, g.second(b, entry, "code", made.Code(g.clock.Now())))
	a := g.post("/token", redemption(id, v.Get("code")))
	if c := g.verified(a); c.ACR != "mfa" || !slices.Equal(c.AMR, []string{"pwd", "otp", "mfa"}) {
		t.Errorf("the token says %q, %q", c.ACR, c.AMR)
	}
	if !strings.Contains(g.log.String(), `"msg":"login.second_failed"`) || !strings.Contains(g.log.String(), `"msg":"factor.added"`) {
		t.Error("the log says nothing of failures, or of the new factor")
	}
}

// RFC 6238 §5.2, dex: a code is good once, and no code of before it afterwards.
func TestCodesAreGoodOnce(t *testing.T) {
	g := newRig(t, asking)
	made := g.setUpCodes(newBrowser(t))
	id := g.publicClient()
	code := made.Code(g.clock.Now())
	early := made.Code(g.clock.Now().Add(-30 * time.Second))
	first, second := newBrowser(t), newBrowser(t)
	one, two := g.halfway(first, authorization(id)), g.halfway(second, authorization(id))
	if a := g.second(first, one, "code", code); a.status != 303 {
		t.Fatalf("the first use: %d %s", a.status, a.body)
	}
	for name, row := range map[string]struct {
		b     *http.Client
		entry string
		code  string
	}{"again": {first, one, code}, "in another browser": {second, two, code}, "one of before": {second, two, early}} {
		if a := g.second(row.b, row.entry, "code", row.code); a.status != 403 || !strings.Contains(a.body, "used before") {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
	}
	g.clock.forward(30 * time.Second)
	if a := g.second(second, two, "code", made.Code(g.clock.Now())); a.status != 303 {
		t.Errorf("the next code: %d", a.status)
	}
}

func TestEntriesBelongToOneBrowser(t *testing.T) {
	g := newRig(t, asking)
	made := g.setUpCodes(newBrowser(t))
	b := newBrowser(t)
	entry := g.halfway(b, authorization(g.publicClient()))
	thief := newBrowser(t)
	g.get(thief, "/authorize?"+authorization(g.publicClient()).Encode())
	good := made.Code(g.clock.Now())
	for name, a := range map[string]answerOf{
		"another browser": g.second(thief, entry, "code", good), "no browser": g.second(newBrowser(t), entry, "code", good),
		"no entry": g.second(b, "", "code", good), "another sealed thing": g.second(b, formRequest(t, g.get(b, "/authorize?"+authorization(g.publicClient()).Encode()).body), "code", good),
	} {
		if a.status != 400 || len(a.header.Values("Set-Cookie")) != 0 {
			t.Errorf("%s: got %d", name, a.status)
		}
	}
	a := g.submit(b, "/login/second", url.Values{"entry": {entry}, "code": {good}}, header("Sec-Fetch-Site", "cross-site"))
	if a.status != 403 {
		t.Errorf("from another site: %d", a.status)
	}
	g.clock.forward(entryLife)
	if a := g.second(b, entry, "code", made.Code(g.clock.Now())); a.status != 400 {
		t.Errorf("too late: %d", a.status)
	}
	if v := g.get(b, "/account/security"); !strings.Contains(v.body, `action="/login"`) {
		t.Error("half a sign-in opens the account")
	}
}

// Who knows the password and guesses codes is stopped; its owner is not, at
// browsers they signed in at before.
func TestGuessedCodesDoNotLockTheOwnerOut(t *testing.T) {
	g := newRig(t, asking)
	owner := newBrowser(t)
	made := g.setUpCodes(owner)
	id := g.publicClient()
	thief := newBrowser(t)
	entry := g.halfway(thief, authorization(id))
	for range 5 {
		g.second(thief, entry, "code", "1234567")
	}
	a := g.second(thief, entry, "code", made.Code(g.clock.Now()))
	if a.status != 429 || a.header.Get("Retry-After") != "120" {
		t.Errorf("the sixth: %d, %q", a.status, a.header.Get("Retry-After"))
	}
	another := newBrowser(t)
	if a := g.second(another, g.halfway(another, authorization(id)), "code", made.Code(g.clock.Now())); a.status != 429 {
		t.Errorf("in another browser: %d", a.status)
	}
	entry = g.halfway(owner, with(authorization(id), "prompt", "login"))
	if a := g.second(owner, entry, "code", made.Code(g.clock.Now())); a.status != 303 {
		t.Errorf("the owner: %d %s", a.status, a.body)
	}
}

// factorSecrets are those of somebody who has set up everything, and of links.
func (g *rig) factorSecrets() []string {
	g.t.Helper()
	b := newBrowser(g.t)
	made := g.setUpCodes(b)
	page := g.get(b, "/account/security")
	recovery := g.submit(b, "/account/security/recovery", url.Values{"token": {value(g.t, page.body, "token")}})
	code := member(g.t, recovery.body, `<li><code>([a-z0-9-]+)</code>`)
	_, invitation, _ := strings.Cut(g.invite(Invitation{}), "=")
	_, reset, _ := strings.Cut(g.resetLink(), "=")
	return []string{string(made.Secret()), strings.ReplaceAll(made.Key(), " ", ""), code, strings.ReplaceAll(code, "-", ""), invitation, reset}
}

// The secret that seals can change, and codes go on.
func TestGeneratorsAreResealed(t *testing.T) {
	g := newRig(t, asking)
	made := g.setUpCodes(newBrowser(t))
	old, next := g.s.config.Secret, []byte(strings.Repeat("n", 32))
	g.mustRestart(next, old)
	if n, err := g.s.Reseal(t.Context()); err != nil || n < 2 {
		t.Fatalf("%d resealed, %v", n, err)
	}
	g.mustRestart(next, nil)
	if err := g.s.takeCode(t.Context(), g.userID(), made.Code(g.clock.Now())); err != nil {
		t.Errorf("the code: %v", err)
	}
}

func TestRecoveryCodesWorkOnce(t *testing.T) {
	g := newRig(t, asking)
	home := newBrowser(t)
	page := g.visit(home, "/account/security/password")
	if a := g.submit(home, "/account/security/recovery", url.Values{"token": {value(t, page.body, "token")}}); a.header.Get("Location") != "/account/security?done=factor-first" {
		t.Errorf("without a factor: %d %q", a.status, a.header.Get("Location"))
	}
	g.setUpCodes(home)
	page = g.visit(home, "/account/security")
	a := g.submit(home, "/account/security/recovery", url.Values{"token": {value(t, page.body, "token")}})
	codes := recoveryIn(a)
	if a.status != 200 || len(codes) != 10 {
		t.Fatalf("got %d, %d codes", a.status, len(codes))
	}
	if again := g.visit(home, "/account/security"); strings.Contains(again.body, codes[0]) || !strings.Contains(again.body, "10 codes left") {
		t.Error("the codes show again, or their number does not")
	}
	id := g.publicClient()
	b := newBrowser(t)
	entry := g.halfway(b, authorization(id))
	if a := g.second(b, entry, "recovery", strings.ToUpper(codes[3])); a.status != 303 {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	for name, code := range map[string]string{"again": codes[3], "no code": "aaaa-bbbb-cccc", "half": codes[4][:7]} {
		if a := g.second(b, entry, "recovery", code); a.status != 403 || !strings.Contains(a.body, "not one of your recovery codes") {
			t.Errorf("%s: got %d", name, a.status)
		}
	}
	if page := g.get(b, "/account/security"); !strings.Contains(page.body, "9 codes left") {
		t.Error("the used one still counts")
	}
	for _, c := range codes {
		if strings.Contains(g.log.String(), c) {
			t.Error("a recovery code is in the log")
		}
	}
}

// The first second factor comes with recovery codes; another one leaves them.
func TestFirstFactorComesWithRecoveryCodes(t *testing.T) {
	g := newRig(t, named, asking)
	b := newBrowser(t)
	page := g.visit(b, "/account/security/code")
	made := generatorOf(t, page.body)
	form := url.Values{"token": {value(t, page.body, "token")}, "setup": {value(t, page.body, "setup")}, "code": {made.Code(g.clock.Now())}}
	a := g.submit(b, "/account/security/code", form)
	if len(recoveryIn(a)) != 10 || !strings.Contains(a.words(), "Your authenticator app is set up") || !strings.Contains(a.body, `href="/account/security">I saved them`) {
		t.Fatalf("got %d %s", a.status, a.words())
	}
	g.enrol(b, "Laptop")
	if f, err := g.s.factorsOf(t.Context(), g.userID()); err != nil || f.recovery != 10 || len(f.passkeys) != 1 {
		t.Errorf("got %+v, %v", f, err)
	}
	id := g.publicClient()
	other := newBrowser(t)
	if a := g.second(other, g.halfway(other, authorization(id)), "recovery", recoveryIn(a)[0]); a.status != 303 {
		t.Errorf("the codes shown first: %d", a.status)
	}
}

// A recovery code is taken where the code of the app is typed, under the same
// limit, and whoever used one hears how many are left before they go on.
func TestRecoveryCodeInTheFieldOfTheApp(t *testing.T) {
	g := newRig(t, asking)
	home := newBrowser(t)
	g.setUpCodes(home)
	page := g.get(home, "/account/security")
	codes := recoveryIn(g.submit(home, "/account/security/recovery", url.Values{"token": {value(t, page.body, "token")}}))
	id := g.publicClient()
	for n, left := range []string{"9 recovery codes left. Cross out", "8 recovery codes left", "7 recovery codes left", "6 recovery codes left", "5 recovery codes left", "4 recovery codes left", "only 3 recovery codes left. Make new ones now"} {
		b := newBrowser(t)
		a := g.second(b, g.halfway(b, authorization(id)), "code", " "+strings.ToUpper(codes[n]))
		if a.status != 303 || !strings.HasPrefix(a.header.Get("Location"), "/account/security/recovery/used?then=") {
			t.Fatalf("got %d %q %s", a.status, a.header.Get("Location"), a.words())
		}
		page := g.get(b, a.header.Get("Location"))
		if !strings.Contains(page.words(), left) {
			t.Errorf("want %s: %s", left, page.words())
		}
		if v := g.goOn(b, answerOf{status: 303, header: http.Header{"Location": {member(t, page.body, `href="(/consent\?request=[^"]+)"`)}}}); v.Get("code") == "" {
			t.Errorf("it leads to %v", v)
		}
	}
	thief := newBrowser(t)
	entry := g.halfway(thief, authorization(id))
	for range 5 {
		if a := g.second(thief, entry, "code", "aaaa-bbbb-cccc"); a.status != 403 || !strings.Contains(a.body, "not one of your recovery codes") {
			t.Errorf("a guess: %d %s", a.status, a.words())
		}
	}
	if a := g.second(thief, entry, "code", codes[9]); a.status != 429 {
		t.Errorf("after five guesses: %d", a.status)
	}
}

// Setting up a factor holds for what is signed in already: other sessions end,
// and the one at hand has shown it.
func TestFactorHoldsForExistingSessions(t *testing.T) {
	g := newRig(t, asking)
	id := g.publicClient()
	other, here := newBrowser(t), newBrowser(t)
	g.authorizeBy(other, authorization(id))
	g.setUpCodes(here)
	if page := g.get(other, "/authorize?"+authorization(id).Encode()); !strings.Contains(page.body, `name="password"`) {
		t.Error("a session of before the factor still opens what it protects")
	}
	v := g.authorizeBy(here, authorization(id))
	if c := g.verified(g.post("/token", redemption(id, v.Get("code")))); c.ACR != "mfa" {
		t.Errorf("the session that showed the first code says %q", c.ACR)
	}
}

// stopsAfter is a store in which nothing is written after a factor.
type stopsAfter struct{ Store }

func (stopsAfter) StartSession(context.Context, store.Session, store.Hash) error { return errBroken }
func (stopsAfter) EndOthers(context.Context, string, store.Hash, store.Place) (int64, error) {
	return 0, errBroken
}

// A server that stops right after it kept a first factor leaves no session
// without it.
func TestFirstFactorIsKeptWithTheEndOfOtherSessions(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	other, here := newBrowser(t), newBrowser(t)
	g.authorizeBy(other, authorization(id))
	page := g.visit(here, "/account/security/code")
	form := url.Values{"token": {value(t, page.body, "token")}, "setup": {value(t, page.body, "setup")}, "code": {generatorOf(t, page.body).Code(g.clock.Now())}}
	real := g.s.store
	g.keepIn(stopsAfter{real})
	if a := g.submit(here, "/account/security/code", form); a.status != 500 {
		t.Fatalf("set up: %d %s", a.status, a.body)
	}
	g.keepIn(real)
	if f, err := g.s.factorsOf(t.Context(), g.userID()); err != nil || !f.generator {
		t.Fatalf("no factor: %+v, %v", f, err)
	}
	if page := g.get(other, "/authorize?"+authorization(id).Encode()); !strings.Contains(page.body, `name="password"`) {
		t.Error("a session of before the factor still opens what it protects")
	}
}

// Whoever has the old phone is out: sessions and remembered browsers end with
// the app that is replaced, and recovery codes stay.
func TestReplacedAppEndsOtherBrowsers(t *testing.T) {
	g := newRig(t, remembering)
	here, thief := newBrowser(t), newBrowser(t)
	made := g.setUpCodes(here)
	id := g.publicClient()
	g.goOn(thief, g.second(thief, g.halfway(thief, authorization(id)), "code", made.Code(g.clock.Now()), "remember", "yes"))
	if page := g.get(thief, "/account"); page.status != 200 || strings.Contains(page.body, `action="/login"`) {
		t.Fatalf("the other browser is not signed in: %d", page.status)
	}
	page := g.get(here, "/account/security/code")
	if !strings.Contains(page.words(), "recovery codes stay as they are") || strings.Contains(page.words(), "Then you get recovery codes") {
		t.Errorf("what becomes of the recovery codes: %s", page.words())
	}
	moved := generatorOf(t, page.body)
	a := g.submit(here, "/account/security/code", url.Values{"token": {value(t, page.body, "token")}, "setup": {value(t, page.body, "setup")}, "code": {moved.Code(g.clock.Now())}})
	if a.status != 303 || !strings.HasSuffix(a.header.Get("Location"), "done=code-moved") {
		t.Fatalf("replaced: %d %q", a.status, a.header.Get("Location"))
	}
	if page := g.get(here, a.header.Get("Location")); !strings.Contains(page.words(), "Other browsers were signed out") || !strings.Contains(page.words(), "10 codes left") {
		t.Errorf("got %s", page.words())
	}
	if page := g.get(thief, "/account"); !strings.Contains(page.body, `action="/login"`) {
		t.Error("the other browser is still signed in")
	}
	g.clock.forward(time.Minute)
	entry := g.halfway(thief, authorization(id)) // its password alone is not enough any more
	if a := g.second(thief, entry, "code", made.Code(g.clock.Now())); a.status != 403 {
		t.Errorf("a code of the old phone: %d", a.status)
	}
	if a := g.second(thief, entry, "code", moved.Code(g.clock.Now())); a.status != 303 {
		t.Errorf("a code of the new phone: %d", a.status)
	}
}

// A session is as strong as it is, for every client: what one did with it makes
// it no stronger for another, and consent is asked for each.
func TestSessionIsNoStrongerForAnotherClient(t *testing.T) {
	g := newRig(t, remembering)
	made := g.setUpCodes(newBrowser(t))
	b := newBrowser(t)
	first, second := g.publicClient(), g.publicClient()
	g.goOn(b, g.second(b, g.halfway(b, authorization(first)), "code", made.Code(g.clock.Now()), "remember", "yes"))
	g.clock.forward(9 * time.Hour) // the session is over, the browser remembered
	v := g.authorizeBy(b, authorization(first))
	if c := g.verified(g.post("/token", redemption(first, v.Get("code")))); c.ACR != "pwd" {
		t.Errorf("a remembered browser counts as a proof: %q", c.ACR)
	}
	page := g.get(b, "/authorize?"+with(authorization(second), "acr_values", "mfa").Encode())
	if !strings.Contains(page.body, "One more step") || strings.Contains(page.body, `name="remember"`) {
		t.Fatalf("the other client's demand: %s", page.body)
	}
	a := g.second(b, value(t, page.body, "entry"), "code", made.Code(g.clock.Now()))
	page = g.get(b, strings.TrimPrefix(a.header.Get("Location"), g.url))
	if !strings.Contains(page.body, `name="decision"`) {
		t.Error("the other client is not asked consent for")
	}
}

func asking(c *Config) { c.SecondFactor.Always = true }

func remembering(c *Config) {
	c.SecondFactor = FactorPolicy{Always: true, Remember: 30 * 24 * time.Hour}
}

func TestRememberedBrowsers(t *testing.T) {
	g := newRig(t, remembering)
	made := g.setUpCodes(newBrowser(t))
	id := g.publicClient()
	b, other := newBrowser(t), newBrowser(t)
	g.goOn(b, g.second(b, g.halfway(b, authorization(id)), "code", made.Code(g.clock.Now()), "remember", "yes"))
	again := with(authorization(id), "prompt", "login")
	g.clock.forward(time.Minute)
	if page := g.consentPage(b, again); !strings.Contains(page.body, `name="decision"`) {
		t.Errorf("asked again: %s", page.body)
	}
	g.halfway(other, authorization(id)) // asks at another
	if err := g.s.CreateUser(t.Context(), "bob", testPassword); err != nil {
		t.Fatal(err)
	}
	g.clock.forward(31 * 24 * time.Hour)
	g.halfway(b, authorization(id)) // and here, after the time
}

// By risk alone: a known pair goes straight in, a new network or browser is
// asked, and a remembered browser may move, but is no other browser.
func TestFactorsAreAskedForByRisk(t *testing.T) {
	g := newSeats(t, func(c *Config) { c.SecondFactor.Remember = 30 * 24 * time.Hour })
	made := g.setUpCodes(newBrowser(t))
	home := g.seat(atHome, firefox)
	a := home.signIn(testPassword)
	if !strings.Contains(a.body, "not like your others") {
		t.Fatalf("a new place is not asked: %d %s", a.status, a.body)
	}
	finish := url.Values{"entry": {value(t, a.body, "entry")}, "code": {made.Code(g.clock.Now())}, "remember": {"yes"}}
	if a := g.submit(home.b, "/login/second", finish, home.edits()...); !in(a) {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	for name, row := range map[string]struct {
		at       seat
		straight bool
	}{
		"the same place":                 {home, true},
		"the browser, elsewhere":         {seat{g, home.b, atHotel, firefox}, true},
		"its cookies in another browser": {seat{g, home.b, atHome, safari}, false},
		"another browser, elsewhere":     {g.seat("198.51.100.77", safari), false},
	} {
		if a := row.at.signIn(testPassword); in(a) != row.straight {
			t.Errorf("%s: %d, straight in: %v", name, a.status, in(a))
		}
	}
}

func TestForgottenBrowsersAskAgain(t *testing.T) {
	for name, forget := range map[string]func(g *rig, b *http.Client, page string) answerOf{
		"one": func(g *rig, b *http.Client, page string) answerOf {
			return g.submit(b, "/account/security/browsers", url.Values{"token": {value(g.t, page, "token")}, "browser": {member(g.t, page, `name="browser" value="([\w-]{43})"`)}})
		},
		"all": func(g *rig, b *http.Client, page string) answerOf {
			return g.submit(b, "/account/security/browsers", url.Values{"token": {value(g.t, page, "token")}, "browser": {"all"}})
		},
		"by a new password": func(g *rig, b *http.Client, page string) answerOf {
			form := url.Values{"token": {value(g.t, page, "token")}, "password": {testPassword}, "new_password": {goodPassword}, "repeat_password": {goodPassword}}
			if a := g.submit(b, "/account/security/password", form); a.status != 303 {
				return a
			}
			return g.submit(b, "/account/security/password", with(form, "password", goodPassword, "new_password", testPassword, "repeat_password", testPassword))
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, remembering)
			made := g.setUpCodes(newBrowser(t))
			id := g.publicClient()
			b := newBrowser(t)
			g.goOn(b, g.second(b, g.halfway(b, authorization(id)), "code", made.Code(g.clock.Now()), "remember", "yes"))
			page := g.get(b, "/account/security")
			if !strings.Contains(page.body, "Remembered browsers") {
				t.Fatal("the page does not list it")
			}
			if a := forget(g, b, page.body); a.status != 303 {
				t.Fatalf("got %d %s", a.status, a.body)
			}
			g.clock.forward(time.Second)
			g.halfway(b, with(authorization(id), "prompt", "login"))
		})
	}
}

// What a client or a role demands, and the person has not set up: they are led
// there, and on.
func TestMissingFactorIsSetUpOnTheWay(t *testing.T) {
	g := newRig(t, asking)
	id := g.publicClient()
	b := newBrowser(t)
	page := g.get(b, "/authorize?"+with(authorization(id), "acr_values", "mfa").Encode())
	a := g.submit(b, "/login", url.Values{"request": {formRequest(t, page.body)}, "username": {testUser}, "password": {testPassword}})
	if a.status != 303 || !strings.HasPrefix(a.header.Get("Location"), "/account/security?then=") {
		t.Fatalf("got %d %q", a.status, a.header.Get("Location"))
	}
	page = g.get(b, a.header.Get("Location"))
	if words := page.words(); !strings.Contains(words, "“"+g.s.labelOf(t.Context(), id)+"” needs a second factor: an authenticator app. Set") {
		t.Errorf("the page does not say why, or offers passkeys where there are none: %s", words)
	}
	page = g.get(b, member(t, page.body, `href="(/account/security/code\?then=[^"]+)"`))
	made := generatorOf(t, page.body)
	a = g.submit(b, "/account/security/code", url.Values{"token": {value(t, page.body, "token")}, "setup": {value(t, page.body, "setup")}, "then": {value(t, page.body, "then")}, "code": {made.Code(g.clock.Now())}})
	page = g.get(b, member(t, a.body, `href="(/account/security\?then=[^"]+)">I saved them`))
	page = g.get(b, member(t, page.body, `href="(/consent\?request=[^"]+)"`))
	v := g.redirected(g.submit(b, "/consent", url.Values{"request": {formRequest(t, page.body)}, "decision": {"allow"}}))
	if c := g.verified(g.post("/token", redemption(id, v.Get("code")))); c.ACR != "mfa" {
		t.Errorf("the token says %q", c.ACR)
	}
}

// What changes how somebody signs in wants a sign-in of a moment ago, the factor
// they have, and a form of this session.
func TestSecurityPagesAreGuarded(t *testing.T) {
	g := newRig(t, asking)
	b := newBrowser(t)
	g.setUpCodes(b)
	token := value(t, g.get(b, "/account/security").body, "token")
	paths := []string{"/code", "/code/remove", "/recovery", "/password", "/browsers", "/passkey/remove", "/passkey/one"}
	for _, path := range paths {
		for name, row := range map[string]struct {
			b    *http.Client
			form url.Values
			edit []edit
			want int
		}{
			"no token":        {b, url.Values{}, nil, 400},
			"another's token": {b, url.Values{"token": {token[:len(token)-4] + "AAAA"}}, nil, 400},
			"another site":    {b, url.Values{"token": {token}}, []edit{header("Sec-Fetch-Site", "cross-site")}, 403},
		} {
			if a := g.submit(row.b, "/account/security"+path, row.form, row.edit...); a.status != row.want {
				t.Errorf("%s, %s: %d", path, name, a.status)
			}
		}
		if a := g.submit(newBrowser(t), "/account/security"+path, url.Values{"token": {token}}); !strings.Contains(a.body, `action="/login"`) {
			t.Errorf("%s, nobody: %d %s", path, a.status, a.body)
		}
	}
	g.clock.forward(securityAge + time.Second)
	for _, path := range append(paths, "") {
		a := g.submit(b, "/account/security"+path, url.Values{"token": {token}})
		if path == "" {
			a = g.get(b, "/account/security")
		}
		if !strings.Contains(a.body, "Sign in once more") {
			t.Errorf("%s: an old sign-in is enough: %d", path, a.status)
		}
	}
}

func TestCodesAreSwitchedOff(t *testing.T) {
	g := newRig(t, asking)
	b := newBrowser(t)
	g.setUpCodes(b)
	token := value(t, g.get(b, "/account/security").body, "token")
	g.submit(b, "/account/security/recovery", url.Values{"token": {token}})
	if a := g.submit(b, "/account/security/code/remove", url.Values{"token": {token}}); a.status != 303 {
		t.Fatalf("got %d", a.status)
	}
	if f, err := g.s.factorsOf(t.Context(), g.userID()); err != nil || f.any() || f.recovery != 0 {
		t.Errorf("left: %+v, %v", f, err)
	}
	if v := g.authorizeBy(newBrowser(t), authorization(g.publicClient())); v.Get("code") == "" {
		t.Errorf("still asked: %v", v)
	}
}

func TestGeneratorIsNothingBeforeItsFirstCode(t *testing.T) {
	g := newRig(t, asking)
	b := newBrowser(t)
	page := g.visit(b, "/account/security/code")
	form := url.Values{"token": {value(t, page.body, "token")}, "setup": {value(t, page.body, "setup")}}
	if a := g.submit(b, "/account/security/code", with(form, "code", "1")); a.status != 403 || generatorOf(t, a.body).Key() != generatorOf(t, page.body).Key() {
		t.Errorf("wrong code: %d", a.status)
	}
	if f, err := g.s.factorsOf(t.Context(), g.userID()); err != nil || f.any() {
		t.Errorf("it counts already: %+v, %v", f, err)
	}
	other := newBrowser(t)
	elsewhere := g.visit(other, "/account/security/code")
	stolen := with(form, "token", value(t, elsewhere.body, "token"), "code", generatorOf(t, page.body).Code(g.clock.Now()))
	if a := g.submit(other, "/account/security/code", stolen); a.status != 400 {
		t.Errorf("a generator of another session: %d", a.status)
	}
}

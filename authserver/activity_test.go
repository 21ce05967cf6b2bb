package authserver

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

var printedCode = regexp.MustCompile(`<li><code>([a-z0-9-]+)</code>`)

// recoveryCodesOf are ten new ones of whoever is signed in.
func (g *rig) recoveryCodesOf(b *http.Client) []string {
	g.t.Helper()
	page := g.visit(b, "/account/security")
	made := g.submit(b, "/account/security/recovery", url.Values{"token": {value(g.t, page.body, "token")}})
	var codes []string
	for _, m := range printedCode.FindAllStringSubmatch(made.body, -1) {
		codes = append(codes, m[1])
	}
	if len(codes) != 10 {
		g.t.Fatalf("%d codes: %d %s", len(codes), made.status, made.words())
	}
	return codes
}

// Who knows the password and not the code is seen by its owner, who reads what
// was right and what was wrong.
func TestActivityTellsOfWrongCodes(t *testing.T) {
	g := newRig(t, asking)
	home := newBrowser(t)
	g.visit(home, "/account")
	g.setUpCodes(home)
	codes := g.recoveryCodesOf(home)
	b := newBrowser(t)
	entry := g.halfway(b, authorization(g.publicClient()))
	g.second(b, entry, "code", "000000")
	g.waitFor("the wrong code", func() bool { return strings.Join(g.last().Reasons, " ") == "wrong_code" })
	if v := g.last(); v.Outcome != signInFailed || strings.Join(v.Methods, " ") != amrPassword {
		t.Errorf("recorded %+v", v)
	}
	page := g.get(home, "/account/activity").words()
	for _, words := range []string{"with the right password; wrong code", "second factor asked for", "did not get in"} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q: %s", words, page)
		}
	}
	wrong := g.second(b, entry, "recovery", "aaaa-bbbb-cccc")
	if !strings.Contains(wrong.body, "<details open><summary>Use a recovery code") || !strings.Contains(wrong.body, `required autofocus aria-invalid="true" aria-describedby="problem recovery-hint"`) || strings.Count(wrong.body, "autofocus") != 1 {
		t.Errorf("the recovery code is not asked for again: %s", wrong.body)
	}
	g.waitFor("the wrong recovery code", func() bool { return strings.Join(g.last().Reasons, " ") == "wrong_recovery" })
	if page := g.get(home, "/account/activity").words(); !strings.Contains(page, "with the right password; wrong recovery code") {
		t.Errorf("the page does not say what was wrong: %s", page)
	}
	g.second(b, entry, "recovery", "000000") // nobody knows what that was to be
	g.waitFor("the digits", func() bool { return strings.Join(g.last().Reasons, " ") == "wrong_code" })
	if a := g.second(b, entry, "recovery", codes[0]); a.status != 303 {
		t.Fatalf("a recovery code: %d %s", a.status, a.words())
	}
	if v := g.last(); v.Outcome != store.SignedIn || strings.Join(v.Methods, " ") != "pwd recovery mfa" {
		t.Errorf("recorded %+v", v)
	}
	if page := g.get(home, "/account/activity").words(); !strings.Contains(page, "by password and recovery code") {
		t.Errorf("a recovery code is not named: %s", page)
	}
}

// Words of RFC 8176 only are in tokens, whichever code it was.
func TestRecoveryCodeIsACodeInTokens(t *testing.T) {
	e := entry{Methods: []string{amrPassword}}.with([]string{recordedRecovery})
	if got := strings.Join(e.Methods, " "); got != "pwd otp mfa" || !levelOf(e.Methods).meets(levelMulti) {
		t.Errorf("tokens say %s", got)
	}
	if got := strings.Join(e.recorded(), " "); got != "pwd recovery mfa" {
		t.Errorf("the record says %s", got)
	}
	e = entry{Methods: []string{amrPassword}}.with([]string{amrCode})
	if got := strings.Join(e.recorded(), " "); got != "pwd otp mfa" {
		t.Errorf("the record of a code says %s", got)
	}
}

// told is the overview, with a sign-in that was unlike the others.
func (g *rig) told(b *http.Client) answerOf {
	g.t.Helper()
	g.clock.forward(time.Second)
	_, err := g.s.store.RecordSignIn(g.t.Context(), store.SignIn{UserID: g.userID(), At: g.clock.Now(), Outcome: store.SignedIn, Reasons: []string{"new_network"}, Methods: []string{amrPassword}, Address: "192.0.2.1", Agent: "Safari on iOS"})
	if err != nil {
		g.t.Fatal(err)
	}
	return g.get(b, "/account")
}

// "That was not me" ends what the stranger holds, leads to a new password, and
// the overview warns until there is one.
func TestStrangersAreKeptOut(t *testing.T) {
	const warns = "somebody knows your password"
	g := newRig(t)
	b, theirs := g.visitor(), g.visitor()
	if page := g.told(b).words(); !strings.Contains(page, warns) {
		t.Fatalf("nothing is told: %s", page)
	}
	asks := g.get(b, "/account/activity/stranger")
	a := g.press(b, asks, "/account/activity/stranger")
	if a.status != 200 || !strings.Contains(a.words(), "Now choose a new password") || !strings.Contains(a.body, `name="new_password"`) {
		t.Fatalf("it does not lead to a new password: %d %s", a.status, a.words())
	}
	if page := g.get(theirs, "/account"); !strings.Contains(page.body, `name="password"`) {
		t.Error("the stranger is still signed in")
	}
	if page := g.get(b, "/account").words(); !strings.Contains(page, warns) {
		t.Errorf("nobody warns before the password is new: %s", page)
	}
	g.clock.forward(time.Second)
	const other = "seven purple elephants dance"
	if a := g.press(b, a, "/account/security/password", "password", testPassword, "new_password", other, "repeat_password", other); a.status != 200 {
		t.Fatalf("the new password: %d %s", a.status, a.words())
	}
	page := g.get(b, "/account")
	if strings.Contains(page.words(), warns) || !strings.Contains(page.words(), "Whoever knew the password before cannot use it any more.") {
		t.Errorf("it still warns: %s", page.words())
	}
	if a := g.press(b, page, "/account/activity/seen"); strings.Contains(a.words(), "Safari on iOS") {
		t.Errorf("it is shown again: %s", a.words())
	}
}

// Remembered browsers end with it.
func TestStrangersBrowsersAreForgotten(t *testing.T) {
	g := newRig(t, remembering)
	b := g.visitor()
	kept := store.Browser{Hash: hashOf("theirs"), UserID: g.userID(), CreatedAt: g.clock.Now(), ExpiresAt: g.clock.Now().Add(time.Hour)}
	if err := g.s.store.RememberBrowser(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	g.press(b, g.get(b, "/account/activity/stranger"), "/account/activity/stranger")
	if left, err := g.s.store.Browsers(t.Context(), g.userID(), g.clock.Now()); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

// Whoever has no password is led to what else lets them in.
func TestStrangersWithoutAPassword(t *testing.T) {
	g := newRig(t)
	b := g.visitor()
	if _, err := g.database().Exec("UPDATE users SET password_hash = ''"); err != nil {
		t.Fatal(err)
	}
	if page := g.told(b).words(); !strings.Contains(page, "somebody can get in as you") || strings.Contains(page, "knows your password") {
		t.Errorf("told: %s", page)
	}
	if a := g.press(b, g.get(b, "/account/activity/stranger"), "/account/activity/stranger"); !strings.Contains(a.words(), "Look through what lets you in here") {
		t.Errorf("led to: %s", a.words())
	}
}

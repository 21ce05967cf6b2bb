package authserver

import (
	"net/url"
	"strings"
	"testing"
)

// What is listed for itself is not said again to come with something else.
func TestWhatIsListedDoesNotComeWithAnything(t *testing.T) {
	g := newRig(t, implying)
	b, id := newBrowser(t), g.publicClient()
	both := with(authorization(id), "scope", "calc:all calc:power")
	says(t, g.consentPage(b, both), "Do everything calc:all Comes with it: Add, subtract, multiply and divide (calc:basic)", "-(calc:power)")
	g.authorizeBy(b, both)
	says(t, g.get(b, "/account/application?client="+url.QueryEscape(id)), "Comes with it: Add, subtract, multiply and divide (calc:basic)", "-(calc:power)")
}

func TestAccessIsTakenBackFromTheList(t *testing.T) {
	g := newRig(t)
	b, id := newBrowser(t), g.publicClient()
	g.authorizeBy(b, authorization(id))
	list := g.get(b, "/account/applications")
	to := "/account/application/remove?client=" + url.QueryEscape(id)
	if !strings.Contains(list.body, `href="`+to+`">Take back<span class="hidden"> <bdi>all access of Test client</bdi></span>`) {
		t.Errorf("got %s", list.body)
	}
	says(t, g.get(b, to), "What it loses at Calculator", "(calc:basic)", "-"+id)
}

func TestSignInPageSaysWhereItLeads(t *testing.T) {
	g := newRig(t)
	says(t, g.get(newBrowser(t), "/admin"), "You go on to the administration.", "-your account.")
	says(t, g.get(newBrowser(t), "/account"), "You go on to your account.")
}

func TestSecondFactorSaysOnceWhereARecoveryCodeGoes(t *testing.T) {
	g := newRig(t, asking)
	home := newBrowser(t)
	g.setUpCodes(home)
	g.recoveryCodesOf(home)
	b := newBrowser(t)
	says(t, g.visit(b, "/account"), "One more step", "Use a recovery code", "-A recovery code is taken")
}

// At a bare address browsers keep no passkeys, so nothing is said of them.
func TestRecoveryIsNotAboutPasskeysThatCannotBe(t *testing.T) {
	for name, row := range map[string]struct {
		change []func(*Config)
		words  string
	}{
		"a bare address": {nil, "-passkey"},
		"a name":         {[]func(*Config){named}, "neither your authenticator app nor your passkey"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, row.change...)
			b := newBrowser(t)
			g.setUpCodes(b)
			page := g.get(b, "/account/security")
			says(t, g.submit(b, "/account/security/recovery", url.Values{"token": {value(t, page.body, "token")}}), "one of these signs you in", row.words)
		})
	}
}

// Whoever was led to the page for a second factor finds it first.
func TestWhatIsMissingStandsFirst(t *testing.T) {
	g := newRig(t)
	plain := g.get(g.visitor(), "/account/security").body
	if strings.Index(plain, `id="password"`) > strings.Index(plain, `id="code"`) {
		t.Errorf("nobody asked for a factor: %s", plain)
	}
	led := g.get(g.visitor(), "/account/security?done=joined").body
	if strings.Index(led, `id="code"`) > strings.Index(led, `id="password"`) || !strings.Contains(led, `<a class="button" href="/account/security/code">`) {
		t.Errorf("the factor is not first: %s", led)
	}
}

func TestGeneratorOpensInAnApp(t *testing.T) {
	g := newRig(t)
	page := g.visit(g.visitor(), "/account/security/code")
	key := strings.ReplaceAll(member(t, page.body, `aria-label="Key">([A-Z2-7 ]+)<`), " ", "")
	if !strings.Contains(page.body, `<a href="otpauth://totp/`) || !strings.Contains(page.body, "secret="+key) {
		t.Errorf("got %s", page.body)
	}
}

// The first update of a list that is the same leaves what is there alone; a
// name stays in one box where lines are short.
func TestBrowserKeepsWhatIsTheSame(t *testing.T) {
	g := newRig(t)
	c := reader{startChromium(t)}
	c.call("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": `
		const Source = EventSource;
		window.EventSource = class extends Source { constructor(at) { super(at); this.addEventListener('message', () => heard++); } };
		window.heard = window.replaced = 0;
		addEventListener('DOMContentLoaded', () => { const r = document.querySelector('[data-live]'); if (r) new MutationObserver(() => replaced++).observe(r, { childList: true }); });`}, nil)
	c.open(g.url + "/account/applications")
	c.enters(testUser, testPassword)
	g.tokens(g.publicClient())
	c.saying("Take back")
	c.eval(`window.left = true`)
	c.open(g.url + "/account/applications")
	c.until(`!window.left && heard > 0`)
	if got := c.eval(`replaced`); got != "0" {
		t.Errorf("what is the same was put there again: %s", got)
	}
	for _, width := range []int{320, 900, 1100, 1280} {
		c.look(width, 800, "light")
		if got := c.eval(`document.documentElement.scrollWidth <= innerWidth`); got != "true" {
			t.Errorf("wider than %d", width)
		}
	}
	c.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": true}, nil)
	c.open(g.url + "/authorize?" + g.calling("Claude Desktop for Everybody").Encode())
	c.at("h1 .claim")
	if got := c.eval(`[...document.querySelectorAll(".claim")].map(c => c.getClientRects().length).join()`); strings.Trim(got, "1,") != "" {
		t.Errorf("boxes around each name: %s", got)
	}
	c.shows("consent-narrow")
}

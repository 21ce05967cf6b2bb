package authserver

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/otp"
)

// at waits until something is there in a page that is complete.
func (c *chromium) at(selector string) {
	c.t.Helper()
	c.until(`document.readyState == "complete" && !!document.querySelector(` + quoted(selector) + `)`)
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `\'`) + "'" }

// saying waits until a complete page says something.
func (c *chromium) saying(text string) {
	c.t.Helper()
	c.until(`document.readyState == "complete" && document.body.innerText.includes(` + quoted(text) + `)`)
}

// key presses a key.
func (c *chromium) key(name, text string) {
	c.t.Helper()
	code := map[string]int{"Tab": 9, "Enter": 13, " ": 32}[name]
	for _, kind := range []string{"keyDown", "keyUp"} {
		press := map[string]any{"type": kind, "key": name, "windowsVirtualKeyCode": code}
		if kind == "keyDown" && text != "" {
			press["text"] = text
		}
		c.call("Input.dispatchKeyEvent", press, nil)
	}
}

// tabTo goes to something by the Tab key alone.
func (c *chromium) tabTo(selector string) {
	c.t.Helper()
	c.at(selector)
	for range 60 {
		if c.eval(`document.activeElement === document.querySelector(`+quoted(selector)+`)`) == "true" {
			return
		}
		c.key("Tab", "")
	}
	c.t.Fatalf("no way to %s by the keyboard at %s", selector, c.eval("location.href"))
}

// types writes into a field, reached by the keyboard.
func (c *chromium) types(selector, text string) {
	c.t.Helper()
	c.tabTo(selector)
	c.call("Input.insertText", map[string]any{"text": text}, nil)
}

// press reaches something by the keyboard and presses Enter on it.
func (c *chromium) press(selector string) {
	c.t.Helper()
	c.tabTo(selector)
	c.key("Enter", "\r")
}

func (c *chromium) signInByKeys(password string) {
	c.t.Helper()
	c.at("#password")
	if c.eval(`document.querySelector("#username").value`) == "" {
		c.types("#username", testUser)
	}
	c.types("#password", password)
	c.key("Enter", "\r")
}

func (c *chromium) generator() otp.Generator {
	c.t.Helper()
	c.at(".qr")
	return generatorOf(c.t, c.eval("document.documentElement.outerHTML"))
}

// passkeys is the browser's device for them. Its owner says yes when it is at hand.
type passkeys struct {
	c  *chromium
	id string
}

func (c *chromium) passkeys() passkeys {
	c.t.Helper()
	c.call("WebAuthn.enable", map[string]any{}, nil)
	var made struct {
		ID string `json:"authenticatorId"`
	}
	c.call("WebAuthn.addVirtualAuthenticator", map[string]any{"options": map[string]any{
		"protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true, "isUserVerified": true, "automaticPresenceSimulation": true,
	}}, &made)
	return passkeys{c, made.ID}
}

func (p passkeys) atHand(yes bool) {
	p.c.t.Helper()
	p.c.call("WebAuthn.setAutomaticPresenceSimulation", map[string]any{"authenticatorId": p.id, "enabled": yes}, nil)
}

func TestBrowserSignsUpByInvitation(t *testing.T) {
	g := newRig(t)
	c := startChromium(t)
	c.open(g.url + g.invite(Invitation{Email: "grace@example.com", Roles: []string{"admin"}}))
	c.at("#username")
	c.keep("signup")
	c.fits()
	c.types("#username", "grace")
	c.types("#full_name", "Grace Hopper")
	c.types("#new_password", "password1")
	c.types("#repeat_password", "password1")
	c.key("Enter", "\r")
	c.saying("one of the most used passwords")
	c.keep("signup-problem")
	c.fits()
	if c.eval(`document.activeElement.id + document.querySelector("#username").value`) != "new_passwordgrace" {
		t.Error("what was right has to be typed again, or the wrong field has the focus")
	}
	c.types("#new_password", goodPassword)
	c.types("#repeat_password", goodPassword)
	c.key("Enter", "\r")
	c.saying("counts only when you sign in with a second factor")
	c.keep("security-newcomer")
	c.fits()
}

func TestBrowserResetsThePassword(t *testing.T) {
	g := newRig(t)
	c := startChromium(t)
	c.open(g.url + g.resetLink())
	c.at("#new_password")
	c.keep("reset")
	c.fits()
	c.types("#new_password", goodPassword)
	c.types("#repeat_password", goodPassword)
	c.key("Enter", "\r")
	c.saying("Your new password is set.")
	c.keep("reset-done")
	c.fits()
	if c.eval(`document.querySelector("#username").value`) != testUser {
		t.Error("the user name has to be typed")
	}
	c.signInByKeys(goodPassword)
	c.saying("Hello, ada")
}

func TestBrowserChangesThePassword(t *testing.T) {
	g := newRig(t)
	c := startChromium(t)
	c.open(g.url + "/account/security")
	c.signInByKeys(testPassword)
	c.press(`a[href="/account/security/password"]`)
	c.at("#f-new_password")
	c.keep("password")
	c.fits()
	c.types("#f-password", testPassword)
	c.types("#f-new_password", goodPassword)
	c.types("#f-repeat_password", goodPassword)
	c.key("Enter", "\r")
	c.saying("Your password is changed.")
}

func TestBrowserSetsUpCodesAndUsesThem(t *testing.T) {
	g := newRig(t, remembering)
	c := startChromium(t)
	c.open(g.url + "/account/security")
	c.signInByKeys(testPassword)
	c.saying("Only your password protects this account.")
	c.keep("security-none")
	c.fits()
	c.press(`a[href="/account/security/code"]`)
	made := c.generator()
	c.keep("generator")
	c.fits()
	c.types("#code", "000 000")
	c.key("Enter", "\r")
	c.saying("That is not the code of this moment.")
	c.keep("generator-problem")
	c.types("#code", made.Code(g.clock.Now()))
	c.key("Enter", "\r")
	c.saying("Your authenticator app is set up.")
	c.saying("Your recovery codes")
	c.keep("recovery")
	c.fits()
	recovery := regexp.MustCompile(`[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}`).FindString(c.eval("document.body.innerText"))
	c.press(`a.button`)
	c.saying("10 codes left")
	c.keep("security")
	c.fits()

	g.clock.forward(time.Minute)
	id := g.publicClient()
	c.fresh()
	c.open(g.url + "/authorize?" + authorization(id).Encode())
	c.signInByKeys(testPassword)
	c.saying("One more step")
	c.keep("second")
	c.fits()
	c.types("#code", "111111")
	c.key("Enter", "\r")
	c.at("[role=alert]")
	c.keep("second-problem")
	c.fits()
	c.types("#code", made.Code(g.clock.Now()))
	c.tabTo("input[name=remember]")
	c.key(" ", " ")
	c.key("Enter", "\r")
	c.at("button[name=decision]")

	g.clock.forward(time.Minute)
	c.open(g.url + "/authorize?" + with(authorization(id), "prompt", "login").Encode())
	c.signInByKeys(testPassword)
	c.at("button[name=decision]") // the browser is remembered

	c.fresh()
	c.open(g.url + "/authorize?" + authorization(id).Encode())
	c.signInByKeys(testPassword)
	c.saying("One more step")
	c.types("#code", recovery)
	c.key("Enter", "\r")
	c.saying("You have 9 recovery codes left.")
	c.keep("recovery-used")
	c.fits()
	c.press(`a[href^="/consent"]`)
	c.at("button[name=decision]")
}

func TestBrowserUsesPasskeys(t *testing.T) {
	g := newRig(t, named, asking)
	c := startChromium(t)
	device := c.passkeys()
	c.open(g.url + "/account/security")
	c.signInByKeys(testPassword)
	c.press(`a[href="/account/security/passkey"]`)
	c.at("#name")
	c.keep("newpasskey")
	c.fits()
	c.types("#name", "Laptop")
	c.key("Enter", "\r")
	c.saying("Your passkey is added.")
	c.press(`a.button`)
	c.saying("10 codes left")
	c.keep("security-passkey")
	c.fits()
	c.press(`a[href^="/account/security/passkey/one"]`)
	c.saying("only second factor")
	c.keep("passkey-one")
	c.fits()
	id := g.publicClient()
	signInAnew := func() {
		g.clock.forward(time.Minute)
		c.open(g.url + "/authorize?" + with(authorization(id), "prompt", "login").Encode())
	}

	device.atHand(false)
	signInAnew()
	c.at("form[data-passkey]")
	c.keep("login-passkey")
	c.fits()
	c.signInByKeys(testPassword)
	c.saying("One more step")
	c.keep("second-passkey")
	c.fits()
	device.atHand(true)
	c.press(`form[data-passkey] button`)
	c.at("button[name=decision]")
	if !strings.Contains(g.log.String(), `"amr":["pwd","hwk","mfa"]`) {
		t.Error("no passkey was the second factor")
	}

	device.atHand(false)
	signInAnew()
	c.tabTo(`form[data-passkey] button`)
	device.atHand(true)
	c.key("Enter", "\r")
	c.at("button[name=decision]")
	if !strings.Contains(g.log.String(), `"amr":["hwk","mfa"]`) {
		t.Error("no passkey signed in alone")
	}

	signInAnew() // the browser offers it while the name would be typed
	c.at("button[name=decision]")
}

// A browser that has no passkey of the person says so, and the password still works.
func TestBrowserWithoutPasskeysSaysSo(t *testing.T) {
	g := newRig(t, named)
	c := startChromium(t)
	c.passkeys()
	c.open(g.url + "/authorize?" + authorization(g.publicClient()).Encode())
	c.press(`form[data-passkey] button`)
	c.at("[data-passkey-problem]:not([hidden])")
	c.keep("login-passkey-failed")
	c.fits()
	c.signInByKeys(testPassword)
	c.at("button[name=decision]")
}

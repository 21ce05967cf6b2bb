package authserver

import (
	"net/url"
	"strings"
	"testing"
)

// reader goes by what pages say, not by how they are made.
type reader struct{ *chromium }

// strike presses a key.
func (c reader) strike(name string) {
	c.t.Helper()
	c.key(name, map[string]string{"Enter": "\r", " ": " "}[name])
}

// types writes into what has the focus.
func (c reader) types(text string) {
	c.t.Helper()
	c.call("Input.insertText", map[string]any{"text": text}, nil)
}

// tabTo goes on by Tab until the focus is on something that says, or is named,
// so; every stop on the way can be seen.
func (c reader) tabTo(name string) {
	c.t.Helper()
	for range 120 {
		c.strike("Tab")
		if c.eval(`getComputedStyle(document.activeElement).outlineStyle == "none" && document.activeElement != document.body`) == "true" {
			c.t.Errorf("the focus cannot be seen on %s", c.eval(`document.activeElement.outerHTML`))
		}
		at := c.eval(`(document.activeElement.innerText || document.activeElement.name || "").trim().replace(/\s+/g, " ")`)
		if at == name || strings.HasPrefix(at, name+" ") {
			return
		}
	}
	c.t.Fatalf("no Tab leads to %q at %s: %s", name, c.eval("location.href"), c.eval("document.body.innerText"))
}

// choose goes to something and presses Enter.
func (c reader) choose(name string) {
	c.t.Helper()
	c.tabTo(name)
	c.strike("Enter")
}

// enters signs in, without a mouse.
func (c reader) enters(name, password string) {
	c.t.Helper()
	c.until(`document.readyState == "complete" && document.activeElement.name == "username"`)
	c.types(name)
	c.strike("Tab")
	c.types(password)
	c.strike("Enter")
}

// seated gives the browser a session of somebody with two factors.
func (c reader) seated(g *rig, name string) {
	c.t.Helper()
	at, err := url.Parse(g.url)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, cookie := range g.seated(name, amrPassword, amrCode, amrMultiple).Jar.Cookies(at) {
		c.call("Network.setCookie", map[string]any{"name": cookie.Name, "value": cookie.Value, "url": g.url, "path": "/"}, nil)
	}
}

func (c reader) shows(page string) {
	c.t.Helper()
	c.keep(page)
	c.fits()
	c.look(1100, 820, "light")
}

func TestKeyboardConsent(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Resources[0].Scopes[0].Risk, c.Resources[0].Scopes[1].Risk = "low", "high" })
	redirect, got := receiver(t)
	c := reader{startChromium(t)}
	id := g.postJSON("/register", `{"client_name":"Desk tool","redirect_uris":["`+redirect+`"],"token_endpoint_auth_method":"none"}`).str("client_id")
	for button, field := range map[string]string{"Allow": "code", "Don’t allow": "error"} {
		c.fresh()
		c.open(g.url + "/authorize?" + with(authorization(id), "redirect_uri", redirect, "scope", "calc:basic calc:power").Encode())
		c.enters(testUser, testPassword)
		c.saying("Who is asking")
		c.shows("keyboard-consent")
		c.choose(button)
		c.until(`document.title == "back"`)
		if v := <-got; v.Get(field) == "" {
			t.Errorf("%s: %v", button, v)
		}
	}
}

func TestKeyboardAccount(t *testing.T) {
	g := newRig(t)
	c := reader{startChromium(t)}
	g.visitor() // another browser
	c.open(g.url + "/account")
	c.enters(testUser, testPassword)
	c.saying("Hello, " + testUser)
	c.shows("account")
	c.strike("Tab")
	if c.eval(`document.activeElement.className`) != "skip" {
		t.Errorf("Tab leads first to %s", c.eval(`document.activeElement.outerHTML`))
	}
	c.strike("Enter")
	c.until(`document.activeElement.id == "main"`)
	c.open(g.url + "/account")
	c.saying("Hello")
	c.choose("Profile")
	c.saying("Change it")
	c.tabTo("full_name")
	c.types("Ada Lovelace")
	c.choose("Save")
	c.saying("Saved.")
	c.shows("account-profile")
	c.choose("Signed-in browsers")
	c.saying("this browser")
	c.shows("account-sessions")
	c.choose("Sign out everywhere else")
	c.saying("All other browsers have to sign in again")
	c.shows("account-sessions-end")
	c.choose("Sign out everywhere else")
	c.saying("Signed out everywhere else.")
	c.choose("Activity")
	c.saying("signed in")
	c.shows("account-activity")
	c.choose("Sign out")
	c.saying("You are signed out")
}

// The list of tokens follows what happens, and works without its script.
func TestKeyboardApplications(t *testing.T) {
	g := newRig(t)
	c := reader{startChromium(t)}
	c.open(g.url + "/account/applications")
	c.enters(testUser, testPassword)
	c.saying("No application holds a token")
	c.until(`!!document.querySelector("[data-live].live")`)
	id := g.publicClient()
	a := g.tokens(id)
	c.saying("Tokens right now") // without being asked for again
	c.shows("account-applications")
	c.choose("End this token of Test client")
	c.saying("The token has ended.")
	if got, err := g.s.store.AccessToken(t.Context(), g.verified(a).ID); err != nil || !got.Revoked {
		t.Errorf("the token goes on: %v %v", got, err)
	}
	c.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	g.tokens(id)
	c.open(g.url + "/account/applications")
	c.saying("in 10 minutes")
	c.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": false}, nil)
	c.choose("See details of Test client")
	c.saying("Take it back")
	c.shows("account-application")
	c.choose("Take back all access")
	c.saying("cannot be taken back")
	c.shows("account-application-remove")
	c.choose("Take back all access")
	c.saying("No application has access now")
}

func TestKeyboardAdministration(t *testing.T) {
	g := newRig(t)
	if err := g.s.CreateUser(t.Context(), "root", adminPassword, "admin"); err != nil {
		t.Fatal(err)
	}
	c := reader{startChromium(t)}
	c.seated(g, "root")
	c.open(g.url + "/account")
	c.saying("Hello, root")
	c.choose("Administration")
	c.saying("Signing key")
	c.shows("admin")
	c.choose("People")
	c.saying("Everybody who can sign in here")
	c.shows("admin-people")
	c.choose("Add a person")
	c.saying("A password is made up")
	c.shows("admin-person-new")
	c.tabTo("name")
	c.types("grace")
	c.tabTo("role.admin")
	c.strike(" ")
	c.choose("Add the person")
	c.saying("It is shown this once")
	c.choose("Copy")
	c.saying("Copied")
	c.shows("admin-person-made")
	c.choose("I have copied it")
	c.saying("Serious changes")
	c.shows("admin-person")
	c.choose("Delete the account")
	c.saying("This cannot be undone")
	c.shows("admin-person-delete")
	c.choose("Delete the account")
	c.saying("Deleted.")
	for _, place := range []struct{ name, says string }{
		{"Roles", "Bounds clients to"}, {"Clients", "Programs that are registered here"}, {"Grants", "Whose?"}, {"Keys", "Signs from"}, {"Sign-ins", "Everybody’s"}, {"Risk", "What a sign-in would get"},
	} {
		c.choose(place.name)
		c.saying(place.says)
		c.shows("admin-" + strings.ToLower(place.name))
	}
	c.tabTo("user")
	c.types(testUser)
	c.choose("What would happen?")
	c.saying("Outcome")
	c.shows("admin-risk-answer")
	c.choose("Keys")
	c.saying("Signs from")
	c.choose("Rotate the key")
	c.saying("Tokens that are out stay good")
	c.choose("Rotate the key")
	c.saying("The next key is published.")
}

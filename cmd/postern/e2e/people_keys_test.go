package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// passkeys: adding one, signing in with it and nothing else, and a copy of it.
func (h *house) passkeys(t *testing.T) {
	who := h.somebody(t, "edith")
	s := h.at(t, who, "/account/security")
	s.does(step{"do": "device"})
	s.presses(`a[href*="/account/security/passkey"]`)
	s.types("input[name=name]", "Laptop")
	s.does(step{"do": "touch", "on": "form[data-passkey=create] button.primary"})
	s.opens(h.issuer + "/account/security")
	s.reads("Laptop")

	for range 2 { // its counter grows
		s.opens(h.authorizeURL(h.public, "prompt", "login"))
		s.does(step{"do": "touch", "on": `form[action$="/login/passkey"] button`})
		got := claimed(t, s.allows(h))
		if got.ACR != "phr" || !slices.Equal(got.AMR, []string{"hwk", "mfa"}) {
			t.Errorf("the token says %+v", got)
		}
	}

	s.opens(h.authorizeURL(h.public, "prompt", "login"))
	s.does(step{"do": "copy"})
	s.does(step{"do": "touch", "on": `form[action$="/login/passkey"] button`})
	s.looks("[role=alert]:not([hidden])")
	eventually(t, func() error {
		if !strings.Contains(h.server.out.String(), "msg=passkey.cloned") {
			return fmt.Errorf("no log line says that the passkey has a copy")
		}
		return nil
	})
	other := h.at(t, who, "/account/security") // the password is not enough in its place
	other.looks(`form[action$="/login/second"], [role=alert]`)
	other.isOut(h)
}

func (h *house) newPassword(t *testing.T) {
	who := h.somebody(t, "lise")
	elsewhere, s := h.at(t, who, "/account"), h.at(t, who, "/account/security")
	s.presses(`a[href$="/account/security/password"]`)
	s.fills("password", "not "+who.Password, "new_password", another, "repeat_password", another)
	s.looks("input[name=password][aria-invalid=true]")
	s.fills("password", who.Password, "new_password", another, "repeat_password", another)
	s.isIn(h)
	elsewhere.isOut(h)
	elsewhere.signsIn(who)
	elsewhere.looks("[role=alert]")
	elsewhere.fills("password", another)
	elsewhere.isIn(h)
}

func (h *house) resetLink(t *testing.T) {
	who := h.somebody(t, "emmy")
	elsewhere := h.at(t, who, "/account")
	link := h.link(t, "user", "reset-link", who.Username)
	s := sit(t, "emmy with the link")
	s.opens(link)
	s.fills("new_password", another, "repeat_password", another)
	s.isOut(h) // the link opens nothing by itself
	s.signsIn(person{who.Username, another})
	s.isIn(h)
	elsewhere.isOut(h)
	h.spent(t, link)
}

// sessions of three browsers: one is ended by itself, then all others.
func (h *house) sessions(t *testing.T) {
	who := h.somebody(t, "ida")
	first := h.at(t, who, "/account")
	s := h.at(t, who, "/account/sessions")
	s.presses(`tr:not(:has-text("this browser")) form[action$="/account/sessions/end"] button`)
	first.isOut(h)
	second, third := h.at(t, who, "/account"), h.at(t, who, "/account")
	s.opens(h.issuer + "/account/sessions")
	s.presses(`a[href$="/account/sessions/end-others"]`)
	s.presses(`form[action$="/account/sessions/end-others"] button`)
	second.isOut(h)
	third.isOut(h)
	s.isIn(h)
}

// applications: a yes whose risk is told, what the account shows of it, and its
// end, which the proxy hears of.
func (h *house) applications(t *testing.T) {
	who := h.somebody(t, "rosa")
	h.administer(t, "", "role", "give", "writer", "--user", who.Username)
	s := sit(t, "rosa")
	s.opens(h.authorizeURL(h.public, "scope", "use more"))
	s.signsIn(who)
	asked := s.reads("Use the others").Text
	for _, words := range []string{"Risk: high", "not verified", "127.0.0.1", "an application on this computer", "Use the harmless tools"} {
		if !strings.Contains(asked, words) {
			t.Errorf("the consent page does not say %q: %s", words, asked)
		}
	}
	got := s.allows(h)
	h.calls(t, got.Access, "risky").expect(t, http.StatusOK)
	s.opens(h.issuer + "/account/applications")
	s.presses(`tr a[href*="/account/application?"]`)
	if said := s.reads("Use the others").Text; !strings.Contains(said, "Risk: high") {
		t.Errorf("the application's page says %s", said)
	}
	s.presses(`a[href*="/account/application/remove"]`)
	s.presses(`form[action$="/account/application/remove"] button`)
	h.becomesRefused(t, got.Access)
	h.ask(t, "/token", refreshing(got.Refresh, "client_id", h.public)).refuses(t, http.StatusBadRequest, "invalid_grant")
	s.opens(h.issuer + "/account/applications")
	if text := s.reads("No application has access").Text; strings.Contains(text, "127.0.0.1") {
		t.Errorf("the application is still there: %s", text)
	}
}

// device: somebody types the code that a device shows, and is asked who they are.
func (h *house) device(t *testing.T) {
	const grant = "urn:ietf:params:oauth:grant-type:device_code"
	who, client := h.somebody(t, "vera"), h.register(t, landing, grant)
	waits := h.deviceBegins(t, client)
	s := sit(t, "vera")
	s.opens(waits.Page)
	s.fills("user_code", "BBBB-BBBB")
	s.looks("[role=alert]")
	s.fills("user_code", waits.User)
	s.signsIn(who)
	if asked := s.reads("Use the harmless tools").Text; !strings.Contains(asked, waits.User) {
		t.Errorf("the consent page does not show the device's code: %s", asked)
	}
	s.does(step{"do": "decide", "decision": "allow"})
	got := h.ask(t, "/token", url.Values{"grant_type": {grant}, "client_id": {client}, "device_code": {waits.Device}}).expect(t, http.StatusOK).told(t)
	h.calls(t, got.Access, "echo").expect(t, http.StatusOK)
}

package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// administration: an administrator without a second factor is led to one, and
// then looks after a person, a machine and the keys.
func (h *house) administration(t *testing.T) {
	root := person{"root", password}
	h.administer(t, password+"\n", "user", "create", root.Username, "--password-stdin", "--role", "admin")
	s := h.at(t, root, "/admin")
	if at := s.reads("Security").URL; !strings.HasPrefix(at, h.issuer+"/account/security") {
		t.Errorf("without a second factor %s was reached", at)
	}
	s.enrol()
	s.opens(h.issuer + "/admin")
	s.presses(`nav a[href$="/admin/users"]`)

	s.presses(`a[href$="/admin/users/new"]`)
	s.types("input[name=name]", "alma")
	s.strikes(`input[name="role.writer"]`, " ")
	s.presses(`form[action$="/admin/users/new"] button.primary`)
	alma := person{"alma", s.looks("code.secret")}
	h.roleIsTakenAway(t, s, alma)
	h.personIsDisabled(t, s, alma)
	h.machineIsMade(t, s)
}

// visits the page of a person, by the list of them.
func (s *seat) visits(h *house, who person) {
	s.t.Helper()
	s.opens(h.issuer + "/admin/users?q=" + who.Username)
	s.presses(`th a[href*="/admin/user?"]`)
}

// toggles a role of the person whose page it is.
func (s *seat) toggles(role string) {
	s.t.Helper()
	s.strikes(`input[name="role.`+role+`"]`, " ")
	s.presses(`form[action$="/admin/user/roles"] button`)
}

// roleIsTakenAway from somebody whose token holds what it gives, and given back.
func (h *house) roleIsTakenAway(t *testing.T, admin *seat, who person) {
	s := sit(t, who.Username)
	s.opens(h.authorizeURL(h.public, "scope", "use more"))
	s.signsIn(who)
	got := s.allows(h)
	h.calls(t, got.Access, "risky").expect(t, http.StatusOK)
	admin.visits(h, who)
	admin.toggles("writer")
	h.becomesRefused(t, got.Access)
	less := h.ask(t, "/token", refreshing(got.Refresh, "client_id", h.public)).expect(t, http.StatusOK).told(t)
	h.calls(t, less.Access, "echo").expect(t, http.StatusOK)
	h.calls(t, less.Access, "risky").expect(t, http.StatusForbidden)
	admin.visits(h, who)
	admin.toggles("writer")
	again := h.ask(t, "/token", refreshing(less.Refresh, "client_id", h.public)).expect(t, http.StatusOK).told(t)
	h.calls(t, again.Access, "risky").expect(t, http.StatusOK)
}

// personIsDisabled after their session was ended: neither lets them in, and the
// token they have ends.
func (h *house) personIsDisabled(t *testing.T, admin *seat, who person) {
	s := h.at(t, who, "/account")
	s.isIn(h)
	admin.visits(h, who)
	for range 2 { // browsers they are signed in at
		admin.presses(`form[action$="/admin/user/session"] button`)
	}
	s.isOut(h)
	s.opens(h.authorizeURL(h.public))
	s.signsIn(who)
	got := s.allows(h)
	h.calls(t, got.Access, "echo").expect(t, http.StatusOK)
	admin.visits(h, who)
	admin.presses(`a[href*="/admin/user/disable"]`)
	admin.presses(`form[action$="/admin/user/disable"] button`)
	h.becomesRefused(t, got.Access)
	s.isOut(h)
	s.signsIn(who)
	s.looks("[role=alert]")
}

// machineIsMade, and goes on when the key is rotated.
func (h *house) machineIsMade(t *testing.T, s *seat) {
	s.presses(`nav a[href$="/admin/clients"]`)
	s.presses(`a[href$="/admin/clients/new"]`)
	s.types("input[name=name]", "Nightly report")
	s.strikes(`input[name="scope.use"]`, " ")
	s.presses(`form[action$="/admin/clients/new"] button.primary`)
	robot := machine{ID: s.looks("dd code"), Secret: s.looks("code.secret")}
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {h.target}}
	got := h.ask(t, "/token", form, "Authorization", basicAuth(robot)).expect(t, http.StatusOK).told(t)
	h.calls(t, got.Access, "echo").expect(t, http.StatusOK)

	s.presses(`nav a[href$="/admin/keys"]`)
	before := strings.Count(s.reads("ES256").Text, "ES256")
	s.presses(`a[href$="/admin/keys/rotate"]`)
	s.presses(`form[action$="/admin/keys/rotate"] button`)
	s.opens(h.issuer + "/admin/keys")
	if after := strings.Count(s.reads("ES256").Text, "ES256"); after <= before {
		t.Errorf("%d keys before, %d afterwards", before, after)
	}
	h.calls(t, got.Access, "echo").expect(t, http.StatusOK)
}

package authserver

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/keyring"
)

func TestAdministratorsLookAfterApplications(t *testing.T) {
	g := newRig(t)
	b := g.administrator("admin")
	form := g.get(b, "/admin/clients/new")
	says(t, form, "postern:users and postern:clients amount to every role and scope there is")
	if a := g.press(b, form, "/admin/clients/new", "name", "robot"); a.status != 422 {
		t.Errorf("without a scope: %d %s", a.status, a.words())
	}
	made := g.press(b, form, "/admin/clients/new", "name", "Nightly report", "scope.calc:basic", "yes")
	secret := secretOf(t, made)
	id := regexp.MustCompile(`client_[A-Za-z0-9_-]{10,}`).FindString(made.body)
	asks := func(secret string) int {
		return g.post("/token", url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}}, basic(id, secret)).status
	}
	if asks(secret) != 200 {
		t.Fatalf("the secret does not work for %s", id)
	}
	if list := g.get(b, "/admin/clients").words(); !strings.Contains(list, "Nightly report") || !strings.Contains(list, "calc:basic") {
		t.Errorf("the list: %s", list)
	}
	page := g.get(b, "/admin/client?id="+id)
	if a := g.press(b, page, "/admin/client/roles", "role.user", "yes"); !strings.Contains(a.words(), "Saved.") {
		t.Errorf("roles: %d %s", a.status, a.words())
	}
	second := secretOf(t, g.press(b, g.get(b, "/admin/client/rotate?id="+id), "/admin/client/rotate"))
	if asks(secret) != 200 || asks(second) != 200 {
		t.Error("one of both secrets does not work")
	}
	g.clock.forward(25 * time.Hour)
	if asks(secret) == 200 || asks(second) != 200 {
		t.Error("after a day: the old one works, or the new one does not")
	}
	g.seatAgain(b, "root")
	if a := g.press(b, g.get(b, "/admin/client/delete?id="+id), "/admin/client/delete"); !strings.Contains(a.words(), "Deleted.") {
		t.Errorf("delete: %d %s", a.status, a.words())
	}
	if asks(second) == 200 {
		t.Error("it goes on")
	}
}

// seatAgain gives a browser a new session.
func (g *rig) seatAgain(b *http.Client, name string) {
	b.Jar = g.seated(name, amrPassword, amrCode, amrMultiple).Jar
}

func TestAdministratorsEndGrants(t *testing.T) {
	g := newRig(t)
	b := g.administrator("admin")
	id := g.publicClient()
	for _, path := range []string{"/admin/grants?q=" + testUser, "/admin/user?id=" + g.idOf(testUser), "/admin/client?id=" + id} {
		a := g.tokens(id)
		page := g.get(b, path)
		if !strings.Contains(page.words(), "Test client") {
			t.Fatalf("%s: %s", path, page.words())
		}
		if got := g.press(b, page, "/admin/grants/end"); got.status != 200 || !strings.Contains(got.words(), "Its access has ended.") {
			t.Errorf("%s: %d %s", path, got.status, got.words())
		}
		if got := g.post("/token", refreshing(id, a)); got.status == 200 {
			t.Errorf("%s: the grant goes on", path)
		}
	}
	page := g.get(b, "/account/profile")
	for _, back := range []string{"https://evil.example/", "//evil.example", "/logout", "javascript:x"} {
		a := g.submit(b, "/admin/grants/end", url.Values{"token": {tokenOf(t, page)}, "grant": {"x"}, "back": {back}})
		if at := a.header.Get("Location"); at != "/admin/grants?done=grant" {
			t.Errorf("%s leads to %q", back, at)
		}
	}
	if a := g.get(b, "/admin/grants"); !strings.Contains(a.words(), "Whose? Type a user name.") {
		t.Errorf("without a name: %s", a.words())
	}
}

func (g *rig) signingKeys() []keyring.Key {
	g.t.Helper()
	all, err := g.s.keys.List(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	return all
}

// signs is the id of the key that signs.
func (g *rig) signs() string {
	all := g.signingKeys()
	return all[slices.IndexFunc(all, func(k keyring.Key) bool { return k.State == keyring.Signs })].ID
}

func TestAdministratorsLookAfterKeys(t *testing.T) {
	g := newRig(t)
	b := g.administrator("admin")
	if a := g.press(b, g.get(b, "/admin/keys/rotate"), "/admin/keys/rotate"); !strings.Contains(a.words(), "The next key is published.") || !strings.Contains(a.words(), "next") {
		t.Fatalf("rotate: %d %s", a.status, a.words())
	}
	old := g.signs()
	page := g.get(b, "/admin/keys/revoke?kid="+url.QueryEscape(old))
	if !strings.Contains(page.words(), "Only for a key that was stolen") {
		t.Errorf("no warning: %s", page.words())
	}
	if a := g.press(b, page, "/admin/keys/revoke"); !strings.Contains(a.words(), "revoked") {
		t.Errorf("revoke: %d %s", a.status, a.words())
	}
	if g.signs() == old {
		t.Error("it still signs")
	}
	if a := g.press(b, page, "/admin/keys/revoke"); a.status != 404 {
		t.Errorf("again: %d %s", a.status, a.words())
	}
}

package console

import (
	"context"
	"errors"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// desk has one of everything. What a test does not expect to be asked of it ends the test.
type desk struct {
	admin.Desk
	keys   []admin.Key
	asked  []string
	refuse error
}

func (d *desk) did(what string, by admin.Actor) {
	d.asked = append(d.asked, what+" by "+by.ID)
}

var ada = admin.User{ID: "user_1", Name: "ada", Password: true, Factors: []string{"totp"}, Roles: []admin.HeldRole{{Role: "dba", Source: "corp"}, {Role: "admin", Source: assigned}}}

func (d *desk) User(_ context.Context, _ admin.Actor, q admin.UserRef) (admin.User, error) {
	if q.ID != ada.ID {
		return admin.User{}, notThere()
	}
	return ada, d.refuse
}

func (d *desk) Users(_ context.Context, _ admin.Actor, q admin.UserQuery) (admin.Page[admin.User], error) {
	return admin.Page[admin.User]{Items: []admin.User{ada}, Next: "further"}, d.refuse
}

func (d *desk) Identities(context.Context, admin.Actor, admin.UserRef) (admin.Page[admin.Identity], error) {
	return admin.Page[admin.Identity]{Items: []admin.Identity{{Provider: "corp", Email: "ada@corp.example"}}}, d.refuse
}

func (d *desk) Roles(context.Context, admin.Actor, admin.None) (admin.Page[admin.Role], error) {
	return admin.Page[admin.Role]{Items: []admin.Role{{Name: "admin", Factor: true}, {Name: "dba"}, {Name: "user", Everyone: true}}}, d.refuse
}

func (d *desk) Sessions(context.Context, admin.Actor, admin.SessionQuery) (admin.Page[admin.Session], error) {
	return admin.Page[admin.Session]{Items: []admin.Session{{ID: "session_1", Agent: "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0", AuthTime: now}}}, d.refuse
}

func (d *desk) Grants(context.Context, admin.Actor, admin.GrantQuery) (admin.Page[admin.Grant], error) {
	return admin.Page[admin.Grant]{Items: []admin.Grant{{ID: "grant_1", UserID: ada.ID, UserName: "ada", ClientID: "client_1", Resource: "https://calc.example", Scopes: []string{"calc:basic"}}}}, d.refuse
}

func (d *desk) SignIns(context.Context, admin.Actor, admin.SignInQuery) (admin.Page[admin.SignIn], error) {
	return admin.Page[admin.SignIn]{Items: []admin.SignIn{{UserName: "ada", Outcome: "allow", ClientID: "client_gone"}}}, d.refuse
}

func (d *desk) Keys(context.Context, admin.Actor, admin.None) (admin.Page[admin.Key], error) {
	return admin.Page[admin.Key]{Items: d.keys}, d.refuse
}

func (d *desk) Invitations(context.Context, admin.Actor, admin.None) (admin.Page[admin.Invitation], error) {
	return admin.Page[admin.Invitation]{Items: []admin.Invitation{
		{ID: "i1", CreatedBy: "person user_1", CreatedByName: "ada"}, {ID: "i2", CreatedBy: admin.KindOperator}, {ID: "i3", CreatedBy: "client client_9"}}}, d.refuse
}

func (d *desk) RevokeGrant(_ context.Context, by admin.Actor, q admin.GrantRef) (admin.None, error) {
	d.did("revoke "+q.ID, by)
	return admin.None{}, d.refuse
}

func (d *desk) RotateKey(_ context.Context, by admin.Actor, _ admin.KeyRotation) (admin.Key, error) {
	d.did("rotate", by)
	return admin.Key{}, d.refuse
}

func (d *desk) DeleteUser(_ context.Context, by admin.Actor, q admin.UserRef) (admin.None, error) {
	d.did("delete "+q.ID, by)
	return admin.None{}, d.refuse
}

func (d *desk) UpdateUser(_ context.Context, by admin.Actor, q admin.UserChange) (admin.User, error) {
	d.did("update "+q.ID, by)
	return ada, d.refuse
}

func (d *desk) Invite(_ context.Context, by admin.Actor, n admin.NewInvitation) (admin.Link, error) {
	d.did("invite "+strings.Join(n.Roles, " "), by)
	return admin.Link{URL: "https://auth.example/sign-up?ticket=x", ExpiresAt: now.Add(time.Hour)}, d.refuse
}

// door lets everybody in as root, or nobody, and remembers what it was asked for.
type door struct {
	sent   map[string]string
	shut   error
	away   bool // they have to sign in first
	wanted []string
}

func (d *door) enter(how, scope string) (Administrator, bool, error) {
	d.wanted = append(d.wanted, how+" "+scope)
	if d.shut != nil || d.away {
		return Administrator{}, false, d.shut
	}
	by := admin.Actor{Kind: admin.KindPerson, ID: "user_root", Address: "192.0.2.1"}
	for _, w := range admin.ScopeWords {
		by.Scopes = append(by.Scopes, w.Name)
	}
	return Administrator{Actor: by, Frame: pages.Frame{Base: "/tenant", Visitor: &pages.Visitor{Name: "root", Token: "t", May: pages.AdminPaths()}}}, true, nil
}

func (d *door) Look(_ http.ResponseWriter, _ *http.Request, scope string) (Administrator, bool, error) {
	return d.enter("look", scope)
}

func (d *door) Ask(_ http.ResponseWriter, _ *http.Request, scope string) (Administrator, bool, error) {
	return d.enter("ask", scope)
}

func (d *door) Take(_ http.ResponseWriter, _ *http.Request, scope, next string) (Administrator, map[string]string, bool, error) {
	a, ok, err := d.enter("take", scope)
	if !strings.HasPrefix(next, Path+"/") {
		err = errors.New("comes back to " + next)
	}
	return a, d.sent, ok, err
}

func of(d *desk, at *door) *Console {
	return New(d, at, Server{KeyAhead: 24 * time.Hour, KeyKept: time.Hour, File: "/srv/up/postern.yaml", Command: "postern admin --state /srv/up invite", Now: func() time.Time { return now },
		Resources: []Resource{{URL: "https://calc.example", Name: "Calculator", Scopes: []pages.Scope{{Name: "calc:basic"}}}}})
}

// seen is what came of a request to one of the pages.
type seen struct {
	status int
	words  string
	onto   string
	body   string
	err    error
}

var tags = regexp.MustCompile(`<[^>]*>`)

func ask(c *Console, method, path string) seen {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, Path), "?")
	page := c.Pages()[name]
	handle := page.Get
	if method == http.MethodPost {
		handle = page.Post
	}
	w := httptest.NewRecorder()
	err := handle(w, httptest.NewRequest(method, path, nil))
	body := w.Body.String()
	return seen{status: w.Code, words: strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(body, ""))), " "), onto: w.Header().Get("Location"), body: body, err: err}
}

// Every page asks the door first, for the scope that its path needs.
func TestDoorComesFirst(t *testing.T) {
	wanted := map[string]string{"/user": admin.ScopeUsers, "/users": admin.ScopeUsers, "/invitations": admin.ScopeUsers, "/client": admin.ScopeClients, "/clients": admin.ScopeClients,
		"/keys": admin.ScopeKeys, "/grants": admin.ScopeSessions, "/user/session": admin.ScopeSessions, "/risk": admin.ScopeRead}
	scopeOf := func(path string) string {
		if scope, ok := wanted[path]; ok {
			return scope
		}
		return wanted[path[:strings.LastIndex(path, "/")]]
	}
	for path, page := range of(&desk{}, &door{}).Pages() {
		for _, shut := range []error{errors.New("shut"), nil} {
			at := &door{shut: shut, away: true}
			c := of(&desk{}, at) // it would end the test if it were asked
			if page.Get != nil {
				if got := ask(c, "GET", Path+path); !errors.Is(got.err, shut) || got.body != "" {
					t.Errorf("GET %s: %v %q", path, got.err, got.body)
				}
			}
			if page.Post != nil {
				if got := ask(c, "POST", Path+path); !errors.Is(got.err, shut) || got.body != "" {
					t.Errorf("POST %s: %v %q", path, got.err, got.body)
				}
			}
			if page.Post != nil && !slices.Contains(at.wanted, "take "+scopeOf(path)) {
				t.Errorf("%s: the door was asked for %v", path, at.wanted)
			}
			both := page.Get != nil && page.Post != nil && path != "/invitations" && path != "/risk"
			if both && !slices.Contains(at.wanted, "ask "+scopeOf(path)) {
				t.Errorf("%s: the door was asked for %v", path, at.wanted)
			}
			if page.Get != nil && !both && !slices.Contains(at.wanted, "look "+admin.ScopeRead) {
				t.Errorf("%s: the door was asked for %v", path, at.wanted)
			}
		}
	}
}

// A desk that fails makes no page.
func TestFailuresOfTheDeskAreNotPages(t *testing.T) {
	away := errors.New("the database is away")
	for _, path := range []string{"/users", "/user?id=user_1", "/users/new", "/user/edit?id=user_1", "/user/delete?id=user_1", "/invitations", "/roles", "/role?name=admin", "/grants?q=ada", "/keys", "/keys/rotate", "/sign-ins", "/sign-ins?q=ada"} {
		if got := ask(of(&desk{refuse: away}, &door{}), "GET", Path+path); !errors.Is(got.err, away) || got.body != "" {
			t.Errorf("%s: %v %q", path, got.err, got.words)
		}
	}
	for _, path := range []string{"/grants/end", "/keys/rotate", "/user/delete", "/user/disable", "/user/edit", "/invitations"} {
		if got := ask(of(&desk{refuse: away}, &door{sent: map[string]string{"id": ada.ID}}), "POST", Path+path); !errors.Is(got.err, away) || got.body != "" || got.onto != "" {
			t.Errorf("%s: %v %q", path, got.err, got.words)
		}
	}
}

func TestPersonPageGathers(t *testing.T) {
	got := ask(of(&desk{}, &door{}), "GET", Path+"/user?id=user_1")
	for _, words := range []string{"ada", "password", "corp ada@corp.example", "Authenticator app", "Firefox", "An unnamed client", "Calculator", "calc:basic", "client_gone", "given by the provider corp", "everybody has it"} {
		if !strings.Contains(got.words, words) {
			t.Errorf("no %q in %s", words, got.words)
		}
	}
	if strings.Contains(got.body, `data-label="Person"`) || strings.Contains(got.body, ">Person<") || !strings.Contains(got.body, `data-label="May"`) {
		t.Errorf("the grants of one person name the person: %s", got.body)
	}
	if strings.Contains(got.body, `name="role.dba"`) || strings.Contains(got.body, `name="role.user"`) || !strings.Contains(got.body, `name="role.admin" value="yes" checked`) {
		t.Errorf("roles that can be given: %s", got.body)
	}
	for _, path := range []string{"/user?id=none", "/user/edit", "/user/delete?id=none", "/user/factor?id=user_1&factor=browsers", "/role?name=none", "/keys/revoke"} {
		if got := ask(of(&desk{}, &door{}), "GET", Path+path); admin.ReasonOf(got.err) != admin.NotFound || got.body != "" {
			t.Errorf("%s: %v %q", path, got.err, got.words)
		}
	}
}

// Every page that asks names whom it is about, and has one form and a way back.
func TestQuestionsNameWhomTheyAreAbout(t *testing.T) {
	c := of(&desk{keys: []admin.Key{{ID: "k1", State: "signs"}}}, &door{})
	for path, want := range map[string][]string{
		"/user/password?id=user_1":           {"Make a new password for ada?", "signed out everywhere", "Their second factors stay"},
		"/user/reset?id=user_1":              {"Make a link to choose a new password for ada?", "once", "signed out everywhere"},
		"/user/factor?id=user_1&factor=totp": {"Remove “Authenticator app” of ada?", "signed out everywhere", "the password alone"},
		"/user/disable?id=user_1":            {"Disable the account of ada?", "cannot sign in", "Every client loses access", "enable the account again"},
		"/user/enable?id=user_1":             {"Enable the account of ada?", "sign in as before"},
		"/user/delete?id=user_1":             {"Delete the account of ada?", "cannot be undone", "Everything this server knows"},
		"/keys/revoke?kid=k1":                {"Revoke this key?", "k1", "Every token it signed is dead"},
	} {
		got := ask(c, "GET", Path+path)
		for _, words := range want {
			if got.err != nil || !strings.Contains(got.words, words) {
				t.Errorf("%s: %v, no %q in %s", path, got.err, words, got.words)
			}
		}
		if strings.Count(got.body, `name="token" value="t"`) != 1 || !strings.Contains(got.words, "No, go back") {
			t.Errorf("%s: %s", path, got.body)
		}
	}
}

// What a rotation does is said before: nothing ends, and when the next one signs.
func TestRotationSaysWhatHappens(t *testing.T) {
	signs, next := admin.Key{ID: "k1", State: "signs"}, admin.Key{ID: "k2", State: "next"}
	for _, row := range []struct {
		keys []admin.Key
		says string
	}{
		{[]admin.Key{signs}, "published now, and signs in 24 hours"},
		{[]admin.Key{signs, next}, "published already: it signs as soon as it has been published for 24 hours"},
	} {
		got := ask(of(&desk{keys: row.keys}, &door{}), "GET", Path+"/keys/rotate").words
		for _, words := range []string{row.says, "Tokens that are out stay good", "Proxies and other servers that check tokens notice nothing", "stays published 1 hour after that", "Rotate the key"} {
			if !strings.Contains(got, words) {
				t.Errorf("no %q in %s", words, got)
			}
		}
	}
}

func TestNobodyEndsThemselves(t *testing.T) {
	for _, path := range []string{"/user/disable", "/user/delete"} {
		d := &desk{}
		got := ask(of(d, &door{sent: map[string]string{"id": "user_root"}}), "POST", Path+path)
		if admin.ReasonOf(got.err) != admin.OwnAccount || len(d.asked) > 0 {
			t.Errorf("%s: %v %v", path, got.err, d.asked)
		}
	}
}

// Forms act in the name of who sent them, and lead to a page of ours.
func TestFormsActAndLeadOn(t *testing.T) {
	for _, row := range []struct {
		path, did, onto string
		sent            map[string]string
	}{
		{"/keys/rotate", "rotate", "/keys?done=rotated", nil},
		{"/user/delete", "delete user_1", "/users?done=deleted", map[string]string{"id": "user_1"}},
		{"/user/disable", "update user_1", "/user?id=user_1&done=disabled", map[string]string{"id": "user_1"}},
		{"/user/enable", "update user_1", "/user?id=user_1&done=enabled", map[string]string{"id": "user_1"}},
		{"/grants/end", "revoke g", "/user?id=u%26x&done=grant", map[string]string{"grant": "g", "back": "/admin/user?id=u%26x"}},
		{"/grants/end", "revoke g", "/client?id=c&done=grant", map[string]string{"grant": "g", "back": "/admin/client?id=c"}},
		{"/grants/end", "revoke g", "/grants?q=ada&done=grant", map[string]string{"grant": "g", "back": "/admin/grants?q=ada"}},
		{"/grants/end", "revoke g", "/grants?done=grant", map[string]string{"grant": "g", "back": "https://evil.example/admin"}},
		{"/grants/end", "revoke g", "/grants?done=grant", map[string]string{"grant": "g", "back": "%zz"}},
	} {
		d := &desk{}
		got := ask(of(d, &door{sent: row.sent}), "POST", Path+row.path)
		if got.err != nil || got.status != http.StatusSeeOther || got.onto != "/tenant"+Path+row.onto || !slices.Equal(d.asked, []string{row.did + " by user_root"}) {
			t.Errorf("%s %v: %d %q %v %v", row.path, row.sent, got.status, got.onto, d.asked, got.err)
		}
	}
	if left := slices.Sorted(maps.Keys(doneWords)); len(left) != 10 {
		t.Errorf("words for what was done: %v", left)
	}
}

// What the desk finds fault with is said at the form, which keeps what was typed.
func TestFaultsAreSaidAtTheForm(t *testing.T) {
	d := &desk{}
	c := of(d, &door{sent: map[string]string{"email": "ada at home", "role.dba": "yes", "role.admin": "yes"}})
	d.refuse = nil
	if got := ask(c, "POST", Path+"/invitations"); got.status != 200 || !strings.Contains(got.body, "https://auth.example/sign-up?ticket=x") || !slices.Equal(d.asked, []string{"invite admin dba by user_root"}) {
		t.Errorf("%d %v %s", got.status, d.asked, got.words)
	}
	for reason, shown := range map[admin.Reason]bool{admin.Invalid: true, admin.Exists: true, admin.Conflict: true, admin.BadParameter: true, admin.BeyondYou: false, admin.Unavailable: false, admin.NotFound: false} {
		if _, got := faultOf(admin.Refuse(reason, "because")); got != shown {
			t.Errorf("%s: %v", reason, got)
		}
	}
}

func TestListsLeadOnAndBack(t *testing.T) {
	c := of(&desk{}, &door{})
	for path, want := range map[string][]string{
		"/users?q=a%26b":           {`href="/tenant/admin/users?after=further&amp;q=a%26b"`},
		"/users?q=a&after=further": {`href="/tenant/admin/users?q=a"`, `href="/tenant/admin/users?after=further&amp;q=a"`},
	} {
		got := ask(c, "GET", Path+path)
		for _, link := range want {
			if !strings.Contains(got.body, link) {
				t.Errorf("%s: no %s in %s", path, link, got.body)
			}
		}
		if back := strings.Contains(got.body, "Back to the first page"); back != (len(want) == 2) {
			t.Errorf("%s: back %v", path, back)
		}
	}
}

func TestInvitationsSayWhoMadeThem(t *testing.T) {
	got := ask(of(&desk{}, &door{}), "GET", Path+"/invitations").words
	for _, words := range []string{"ada", "the operator of the machine", "client client_9", "sign_up: invitation", "postern admin --state /srv/up invite", "in /srv/up/postern.yaml, and", "start the server again"} {
		if !strings.Contains(got, words) {
			t.Errorf("no %q in %s", words, got)
		}
	}
}

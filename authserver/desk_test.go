package authserver

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/admin"
)

var allScopes = admin.Operator().Scopes

// adminToken is a token of a machine for the API, with these scopes.
func (g *rig) adminToken(scopes ...string) string {
	g.t.Helper()
	id, secret := g.machine(scopes...)
	a := g.post("/token", url.Values{"grant_type": {"client_credentials"}, "resource": {g.url + admin.Prefix},
		"scope": {strings.Join(scopes, " ")}}, basic(id, secret))
	g.expect(a, 200, "")
	return a.str("access_token")
}

// api asks for something with a token, "" for none.
func (g *rig) api(token, method, path, body string, edits ...edit) answerOf {
	g.t.Helper()
	kind := ""
	if body != "" {
		kind = "application/json"
	}
	req := g.request(method, admin.Prefix+path, kind, body, edits...)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	a := g.do(noRedirect(), req)
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") {
		if err := json.Unmarshal([]byte(a.body), &a.fields); err != nil {
			g.t.Fatalf("%v: %s", err, a.body)
		}
	}
	return a
}

// caller calls the API with a token, as the typed client does.
func (g *rig) caller(token string) admin.Caller {
	return admin.Caller{Base: g.url + admin.Prefix, Via: bearerOf(token)}
}

type bearerOf string

func (b bearerOf) Do(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultClient.Do(r)
}

// called is an operation that must work.
func called[In, Out any](t *testing.T, c admin.Caller, o admin.Operation[In, Out], in In) Out {
	t.Helper()
	a, err := admin.Call(t.Context(), c, o, in)
	if err != nil {
		t.Fatalf("%s: %v", o.ID, err)
	}
	return a.Value
}

// refusedFor is an operation that must be refused, for this reason.
func refusedFor[In, Out any](t *testing.T, c admin.Caller, o admin.Operation[In, Out], in In, want admin.Reason) {
	t.Helper()
	_, err := admin.Call(t.Context(), c, o, in)
	if got := admin.ReasonOf(err); got != want {
		t.Errorf("%s: %v (%q), want %q", o.ID, err, got, want)
	}
}

func TestUsersByTheAPI(t *testing.T) {
	g := newRig(t)
	c := g.caller(g.adminToken(allScopes...))
	made := called(t, c, admin.CreateUser, admin.NewUser{Name: "eve", FullName: "Eve Q", Email: "eve@example.com", Verified: true, Roles: []string{"admin"}})
	if made.Password == "" || made.User.Name != "eve" || !made.User.Verified || len(made.User.Roles) != 1 || made.User.ID == "" {
		t.Fatalf("%+v", made)
	}
	if page := called(t, c, admin.ListUsers, admin.UserQuery{Search: "e"}); len(page.Items) != 1 || page.Items[0].Tag() != made.User.Tag() {
		t.Errorf("%+v", page)
	}
	full := "Eve R"
	changed := called(t, c, admin.UpdateUser, admin.UserChange{UserRef: admin.UserRef{ID: made.User.ID}, IfMatch: made.User.Tag(), FullName: &full})
	if changed.FullName != full || changed.Email != "eve@example.com" {
		t.Errorf("%+v", changed)
	}
	refusedFor(t, c, admin.UpdateUser, admin.UserChange{UserRef: admin.UserRef{ID: made.User.ID}, IfMatch: made.User.Tag(), FullName: &full}, admin.Changed)
	refusedFor(t, c, admin.CreateUser, admin.NewUser{Name: "eve"}, admin.Exists)
	refusedFor(t, c, admin.CreateUser, admin.NewUser{Name: "eva", Password: "password"}, admin.Invalid)
	refusedFor(t, c, admin.CreateUser, admin.NewUser{Name: "eva", Roles: []string{"king"}}, admin.Invalid)
	called(t, c, admin.DeleteUser, admin.UserRef{ID: made.User.ID})
	called(t, c, admin.DeleteUser, admin.UserRef{ID: made.User.ID})
	refusedFor(t, c, admin.GetUser, admin.UserRef{ID: made.User.ID}, admin.NotFound)
	refusedFor(t, c, admin.Invite, admin.NewInvitation{}, admin.Conflict) // sign-up is closed
}

// People and clients are found by a part of what they are called, and the last
// sign-in is said without anybody having changed by it.
func TestSearchByTheAPI(t *testing.T) {
	g := newRig(t)
	c := g.caller(g.adminToken(allScopes...))
	made := called(t, c, admin.CreateUser, admin.NewUser{Name: "eve", FullName: "Eve Adams", Email: "eve@corp.example", SignIn: admin.WithNothing})
	robot := called(t, c, admin.CreateClient, admin.NewClient{Name: "Build Robot", Scopes: []string{"calc:basic"}}).Client.ID
	for _, row := range []struct {
		search string
		want   int
	}{{"EVE", 1}, {"adam", 1}, {"@corp", 1}, {"adams eve", 0}, {"%", 0}} {
		if page := called(t, c, admin.ListUsers, admin.UserQuery{Search: row.search}); len(page.Items) != row.want {
			t.Errorf("%q: %+v", row.search, page)
		}
	}
	for _, row := range []struct {
		search string
		want   int
	}{{"d rob", 1}, {robot, 1}, {robot[:12], 0}, {"calc:", 0}} {
		if page := called(t, c, admin.ListClients, admin.ClientQuery{Search: row.search}); len(page.Items) != row.want {
			t.Errorf("%q: %+v", row.search, page)
		}
	}
	before := called(t, c, admin.ListUsers, admin.UserQuery{Name: testUser}).Items[0]
	g.tokens(g.publicClient())
	after := called(t, c, admin.GetUser, admin.UserRef{ID: before.ID})
	if !before.SignedInAt.IsZero() || after.SignedInAt.IsZero() || after.Tag() != before.Tag() || !made.User.SignedInAt.IsZero() {
		t.Errorf("%+v, then %+v", before, after)
	}
	signIns := called(t, c, admin.ListSignIns, admin.SignInQuery{User: before.ID, Outcome: "allow"})
	if len(signIns.Items) != 1 || !signIns.Items[0].At.Equal(after.SignedInAt) {
		t.Errorf("%+v", signIns)
	}
	for _, q := range []admin.SignInQuery{{User: before.ID, Outcome: "refuse"}, {User: made.User.ID}} {
		if page := called(t, c, admin.ListSignIns, q); len(page.Items) != 0 {
			t.Errorf("%+v: %+v", q, page)
		}
	}
	refusedFor(t, c, admin.ListSignIns, admin.SignInQuery{Outcome: "odd"}, admin.BadParameter)
}

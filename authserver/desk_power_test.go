package authserver

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/role"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/token"
)

// bosses are roles that people sign in to with a password alone.
func bosses(c *Config) {
	c.Roles = append(role.Default(),
		role.Role{Name: "boss", Scopes: []string{"postern:*"}},
		role.Role{Name: "registrar", Scopes: []string{"postern:read", "postern:users"}},
		role.Role{Name: "agent", Scopes: []string{"calc:basic"}})
}

// Whoever may do some things gives nobody, and takes over nobody, who may do more.
func TestNobodyGivesMoreThanTheyHave(t *testing.T) {
	g := newRig(t, bosses, func(c *Config) { c.SignUp = SignUpInvitation })
	all := g.caller(g.adminToken(allScopes...))
	registrar := g.caller(g.adminToken(admin.ScopeRead, admin.ScopeUsers))
	clerk := g.caller(g.adminToken(admin.ScopeRead, admin.ScopeClients))
	boss := called(t, all, admin.CreateUser, admin.NewUser{Name: "boss", Roles: []string{"boss"}}).User
	plain := called(t, registrar, admin.CreateUser, admin.NewUser{Name: "plain", Roles: []string{"registrar"}}).User
	machine := called(t, all, admin.CreateClient, admin.NewClient{Name: "m", Scopes: []string{"postern:keys"}}).Client
	ref, off, mail := admin.UserRef{ID: boss.ID}, true, "mine@example.com"

	refusedFor(t, registrar, admin.CreateUser, admin.NewUser{Name: "mine", Roles: []string{"boss"}}, admin.BeyondYou)
	refusedFor(t, registrar, admin.SetUserRoles, admin.UserRoles{UserRef: admin.UserRef{ID: plain.ID}, Roles: []string{"admin"}}, admin.BeyondYou)
	refusedFor(t, registrar, admin.SetUserRoles, admin.UserRoles{UserRef: ref, Roles: []string{}}, admin.BeyondYou)
	refusedFor(t, registrar, admin.SetPassword, admin.PasswordChange{UserRef: ref}, admin.BeyondYou)
	refusedFor(t, registrar, admin.RemoveFactor, admin.FactorRef{UserRef: ref, Factor: "all"}, admin.BeyondYou)
	refusedFor(t, registrar, admin.UpdateUser, admin.UserChange{UserRef: ref, Email: &mail}, admin.BeyondYou)
	refusedFor(t, registrar, admin.UpdateUser, admin.UserChange{UserRef: ref, Disabled: &off}, admin.BeyondYou)
	refusedFor(t, registrar, admin.DeleteUser, ref, admin.BeyondYou)
	refusedFor(t, registrar, admin.ResetLink, ref, admin.BeyondYou)
	refusedFor(t, registrar, admin.Invite, admin.NewInvitation{Roles: []string{"boss"}}, admin.BeyondYou)
	refusedFor(t, clerk, admin.CreateClient, admin.NewClient{Name: "mine", Scopes: []string{"postern:users"}}, admin.BeyondYou)
	refusedFor(t, clerk, admin.CreateClient, admin.NewClient{Name: "mine", Scopes: []string{"calc:basic"}, Roles: []string{"boss"}}, admin.BeyondYou)
	refusedFor(t, clerk, admin.RegisterClient, admin.Registration{Metadata: []byte(`{"grant_types":["client_credentials"],"scope":"postern:users"}`)}, admin.BeyondYou)
	refusedFor(t, clerk, admin.UpdateClient, admin.ClientChange{ClientRef: admin.ClientRef{ID: machine.ID}, Scopes: &[]string{"postern:read"}}, admin.BeyondYou)
	refusedFor(t, clerk, admin.RotateSecret, admin.SecretRotation{ClientRef: admin.ClientRef{ID: machine.ID}}, admin.BeyondYou)
	refusedFor(t, clerk, admin.SetClientRoles, admin.ClientRoles{ClientRef: admin.ClientRef{ID: machine.ID}, Roles: []string{}}, admin.BeyondYou)
	refusedFor(t, clerk, admin.DeleteClient, admin.ClientRef{ID: machine.ID}, admin.BeyondYou)

	if now := called(t, all, admin.GetUser, ref); now.Tag() != boss.Tag() {
		t.Errorf("changed all the same: %+v", now)
	}
	called(t, registrar, admin.SetPassword, admin.PasswordChange{UserRef: admin.UserRef{ID: plain.ID}})
	called(t, all, admin.DeleteUser, ref)
}

// commandLogin goes through a device's page as the command line does, and gives
// what the token endpoint answers.
func (g *rig) commandLogin(scope string) (answerOf, edit) {
	g.t.Helper()
	key := newKey(g.t)
	w := g.post("/device_authorization", url.Values{"client_id": {adminClient}, "resource": {g.url + admin.Prefix}, "scope": {scope}},
		g.proofFor(key, "POST", "/device_authorization", ""))
	if w.status != 200 {
		return w, nil
	}
	b := newBrowser(g.t)
	page := g.devicePages(b, w.str("user_code"))
	if !strings.Contains(page.body, `name="decision"`) {
		return page, nil
	}
	g.submit(b, "/consent", url.Values{"request": {formRequest(g.t, page.body)}, "decision": {"allow"}})
	a := g.post("/token", polling(adminClient, w), g.proof(key, ""))
	return a, g.proofWithToken(key, admin.Prefix+"/users", a.str("access_token"), "")
}

// Nobody has to vouch for the command line: what it gets is the person's.
func TestCommandLineGetsWhatItsPersonMay(t *testing.T) {
	g := newRig(t, bosses)
	if a, _ := g.commandLogin("postern:read postern:users"); a.status == 200 && a.str("access_token") != "" {
		t.Fatalf("somebody without a role: %s", a.body)
	}
	g.give("registrar")
	a, proof := g.commandLogin(strings.Join(allScopes, " "))
	if a.str("scope") != "postern:read postern:users" || a.str("token_type") != "DPoP" || a.str("refresh_token") == "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	ask := func(edits ...edit) answerOf {
		return g.api("", "GET", "/users", "", append(edits, header("Authorization", "DPoP "+a.str("access_token")))...)
	}
	if got := ask(proof); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := ask(); got.status != 401 {
		t.Errorf("without a proof: %d %s", got.status, got.body)
	}
	g.give()
	if got := ask(proof); got.status != 401 || got.str("reason") != "dead_token" {
		t.Errorf("after the role: %d %s", got.status, got.body)
	}
	w := g.post("/device_authorization", url.Values{"client_id": {adminClient}, "resource": {g.url + admin.Prefix}})
	g.expect(w, 400, "invalid_dpop_proof")
	w = g.post("/device_authorization", url.Values{"client_id": {adminClient}, "resource": {calculator}, "scope": {"calc:basic"}}, g.proofFor(newKey(t), "POST", "/device_authorization", ""))
	g.expect(w, 400, "invalid_target")
}

// Clients that registered themselves get no scope of the API, whoever signs in
// and by whatever way they ask. Whoever names no resource never means the API.
func TestDynamicClientsAndTheAPI(t *testing.T) {
	g := newRig(t, bosses)
	g.give("registrar")
	id := g.publicClient()
	pairs := []string{"resource", g.url + admin.Prefix, "scope", "postern:users"}
	if v := g.authorizeBy(newBrowser(t), with(authorization(id), pairs...)); v.Get("error") != "invalid_scope" {
		t.Errorf("authorized: %v", v)
	}
	g.expectReason(AdminForStrangers)
	g.expect(g.push(id, nil, pairs...), 400, "invalid_scope")
	g.expect(g.push(id, nil, "resource", g.url+admin.Prefix, "scope", "openid"), 400, "invalid_scope")
	g.expect(g.post("/device_authorization", deviceForm(g.television(""), pairs...)), 400, "invalid_scope")
	if err := g.s.reaches(client{Client: store.Client{ID: "https://app.example/client.json", Dynamic: true}, host: "app.example", verified: true}, g.s.catalogue.admin); reasonOf(err) != AdminForStrangers {
		t.Errorf("by a document: %v", err)
	}
	unnamed, _, err := g.s.RegisterClient(t.Context(), []byte(`{"redirect_uris":["`+callback+`"],"token_endpoint_auth_method":"none"}`))
	if err != nil {
		t.Fatal(err)
	}
	if v := g.authorizeBy(newBrowser(t), with(authorization(unnamed), pairs...)); v.Get("error") != "invalid_scope" {
		t.Errorf("whose scopes nobody named: %v", v)
	}
	only := newRig(t, func(c *Config) { c.Resources = c.Resources[:1] })
	robot, secret := only.machine("calc:basic")
	if a := only.post("/token", url.Values{"grant_type": {"client_credentials"}}, basic(robot, secret)); a.status != 200 || only.claims(a.str("access_token")).Audience[0] != calculator {
		t.Errorf("no resource named: %s", a.body)
	}
}

// What such a client was given before is refreshed no more.
func TestOldGrantsOfDynamicClientsAndTheAPI(t *testing.T) {
	g := newRig(t, bosses)
	g.give("registrar")
	id := g.operatorsApp("none")
	v := g.authorizeBy(newBrowser(t), with(authorization(id), "resource", g.url+admin.Prefix, "scope", "postern:users"))
	a := g.post("/token", redemption(id, v.Get("code")))
	g.expect(a, 200, "")
	if _, err := g.database().Exec("UPDATE clients SET dynamic = 1 WHERE id = $1", id); err != nil {
		t.Fatal(err)
	}
	a = g.post("/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {id}, "refresh_token": {a.str("refresh_token")}})
	g.expect(a, 400, "invalid_scope")
}

// operatorsApp is an application that an operator made for an administrator.
func (g *rig) operatorsApp(method string) (id string) {
	g.t.Helper()
	id, _, err := g.s.RegisterClient(g.t.Context(), []byte(`{"client_name":"Desk","redirect_uris":["`+callback+`"],"application_type":"native",
		"grant_types":["authorization_code","refresh_token"],"token_endpoint_auth_method":"`+method+`","scope":"postern:read postern:users"}`))
	if err != nil {
		g.t.Fatal(err)
	}
	return id
}

// A public client has nothing to keep a token with but the key it is bound to.
func TestPublicClientsAndTheAPI(t *testing.T) {
	g := newRig(t, bosses)
	g.give("registrar")
	id, key := g.operatorsApp("none"), newKey(t)
	tokens := func(edits ...edit) string {
		v := g.authorizeBy(newBrowser(t), with(authorization(id), "resource", g.url+admin.Prefix, "scope", "postern:read"))
		a := g.post("/token", redemption(id, v.Get("code")), edits...)
		g.expect(a, 200, "")
		return a.str("access_token")
	}
	a := g.api(tokens(), "GET", "/users", "")
	challenges := a.header.Values("WWW-Authenticate")
	if a.status != 401 || a.str("reason") != "plain_token" || len(challenges) != 1 || !strings.HasPrefix(challenges[0], "DPoP ") {
		t.Errorf("plain: %d %s %q", a.status, a.body, challenges)
	}
	bound := tokens(g.proof(key, ""))
	a = g.api("", "GET", "/users", "", header("Authorization", "DPoP "+bound), g.proofWithToken(key, admin.Prefix+"/users", bound, ""))
	if a.status != 200 {
		t.Errorf("bound: %d %s", a.status, a.body)
	}
	if err := g.s.DeleteClient(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := g.s.mayBePlain(t.Context(), token.Claims{ClientID: id}); reasonOf(err) != DeadAccessToken {
		t.Errorf("of a client that is gone: %v", err)
	}
}

// What an administrator ends, ends: sessions, refresh tokens and access tokens.
func TestDisabledPeopleHaveNothing(t *testing.T) {
	for name, end := range map[string]func(*testing.T, admin.Caller, admin.UserRef){
		"disabled": func(t *testing.T, c admin.Caller, u admin.UserRef) {
			yes := true
			called(t, c, admin.UpdateUser, admin.UserChange{UserRef: u, Disabled: &yes})
		},
		"deleted": func(t *testing.T, c admin.Caller, u admin.UserRef) { called(t, c, admin.DeleteUser, u) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			c := g.caller(g.adminToken(allScopes...))
			id := g.publicClient()
			b := newBrowser(t)
			code := g.authorizeBy(b, authorization(id)).Get("code")
			tokens := g.post("/token", redemption(id, code))
			ada := called(t, c, admin.ListUsers, admin.UserQuery{Name: testUser}).Items[0]
			end(t, c, admin.UserRef{ID: ada.ID})
			if a := g.post("/token", refreshing(id, tokens)); a.status != 400 {
				t.Errorf("refresh: %d %s", a.status, a.body)
			}
			watcher, secret := g.resourceServer(calculator)
			if a := g.post("/introspect", url.Values{"token": {tokens.str("access_token")}}, basic(watcher, secret)); strings.TrimSpace(a.body) != `{"active":false}` {
				t.Errorf("introspection: %s", a.body)
			}
			if page := g.get(b, "/authorize?"+authorization(id).Encode()); !strings.Contains(page.body, `name="password"`) {
				t.Errorf("still signed in: %s", page.body)
			}
			if page := called(t, c, admin.ListSessions, admin.SessionQuery{User: ada.ID}); len(page.Items) != 0 {
				t.Errorf("%+v", page)
			}
		})
	}
}

// A role that goes takes tokens with it that have more than is left.
func TestRolesTakenByTheAPIReachTokens(t *testing.T) {
	g := newRig(t, ranks)
	c := g.caller(g.adminToken(allScopes...))
	id := g.publicClient()
	ada := called(t, c, admin.ListUsers, admin.UserQuery{Name: testUser}).Items[0]
	called(t, c, admin.SetUserRoles, admin.UserRoles{UserRef: admin.UserRef{ID: ada.ID}, IfMatch: ada.Tag(), Roles: []string{"user"}})
	refusedFor(t, c, admin.SetUserRoles, admin.UserRoles{UserRef: admin.UserRef{ID: ada.ID}, IfMatch: ada.Tag(), Roles: []string{}}, admin.Changed)
	g.post("/token", redemption(id, g.code(id, "scope", "calc:basic calc:power")))
	g.post("/token", redemption(id, g.code(id, "scope", "calc:basic")))
	called(t, c, admin.SetUserRoles, admin.UserRoles{UserRef: admin.UserRef{ID: ada.ID}, Roles: []string{}})
	left := called(t, c, admin.ListTokens, admin.TokenQuery{Whose: admin.Whose{User: ada.ID}}).Items
	if len(left) != 1 || strings.Join(left[0].Scopes, " ") != "calc:basic" {
		t.Errorf("left: %+v", left)
	}
	robot := called(t, c, admin.CreateClient, admin.NewClient{Name: "robot", Scopes: []string{"db:read", "calc:basic"}})
	machineForm := url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}}
	g.expect(g.post("/token", machineForm, basic(robot.Client.ID, robot.Secret)), 200, "")
	called(t, c, admin.SetClientRoles, admin.ClientRoles{ClientRef: admin.ClientRef{ID: robot.Client.ID}, Roles: []string{"agent"}})
	if page := called(t, c, admin.ListTokens, admin.TokenQuery{Whose: admin.Whose{Client: robot.Client.ID}}); len(page.Items) != 0 {
		t.Errorf("the machine's: %+v", page.Items)
	}
	if a := g.post("/token", machineForm, basic(robot.Client.ID, robot.Secret)); a.str("scope") != "" {
		t.Errorf("more than its role: %s", a.body)
	}
}

func TestSecretsOverlap(t *testing.T) {
	g := newRig(t)
	c := g.caller(g.adminToken(allScopes...))
	first := called(t, c, admin.CreateClient, admin.NewClient{Name: "robot", Scopes: []string{"calc:basic"}})
	ref := admin.ClientRef{ID: first.Client.ID}
	good := func(secret string) bool {
		return g.post("/token", url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}}, basic(ref.ID, secret)).status == http.StatusOK
	}
	second := called(t, c, admin.RotateSecret, admin.SecretRotation{ClientRef: ref, Overlap: 60})
	if !good(first.Secret) || !good(second.Secret) || second.Client.SecretBefore.IsZero() {
		t.Errorf("within the overlap: %+v", second.Client)
	}
	g.clock.forward(time.Minute)
	if good(first.Secret) || !good(second.Secret) {
		t.Error("after the overlap")
	}
	third := called(t, c, admin.RotateSecret, admin.SecretRotation{ClientRef: ref})
	if good(first.Secret) || good(second.Secret) || !good(third.Secret) {
		t.Error("without an overlap")
	}
	public := g.publicClient()
	refusedFor(t, c, admin.RotateSecret, admin.SecretRotation{ClientRef: admin.ClientRef{ID: public}}, admin.Conflict)
	scopes := []string{"calc:power"}
	if v := called(t, c, admin.UpdateClient, admin.ClientChange{ClientRef: ref, IfMatch: third.Client.Tag(), Scopes: &scopes}); v.Scopes[0] != "calc:power" {
		t.Errorf("%+v", v)
	}
	refusedFor(t, c, admin.UpdateClient, admin.ClientChange{ClientRef: ref, IfMatch: third.Client.Tag(), Scopes: &scopes}, admin.Changed)
	if page := called(t, c, admin.ListTokens, admin.TokenQuery{Whose: admin.Whose{Client: ref.ID}}); len(page.Items) != 0 {
		t.Errorf("with the scopes before: %+v", page.Items)
	}
}

// Every change is one line, with who made it; reading is none.
func TestChangesAreAuditedOnce(t *testing.T) {
	g := newRig(t)
	id, secret := g.machine(allScopes...)
	token := g.post("/token", url.Values{"grant_type": {"client_credentials"}, "resource": {g.url + admin.Prefix}, "scope": {strings.Join(allScopes, " ")}}, basic(id, secret)).str("access_token")
	c := g.caller(token)
	lines := func() int { return strings.Count(g.log.String(), `"actor":"`+id+`","actor_kind":"client"`) }
	eve := called(t, c, admin.CreateUser, admin.NewUser{Name: "eve"}).User
	ref, name := admin.UserRef{ID: eve.ID}, "Eve"
	for i, change := range []func(){
		func() { called(t, c, admin.UpdateUser, admin.UserChange{UserRef: ref, FullName: &name}) },
		func() { called(t, c, admin.SetUserRoles, admin.UserRoles{UserRef: ref, Roles: []string{"user"}}) },
		func() { called(t, c, admin.SetPassword, admin.PasswordChange{UserRef: ref}) },
		func() { called(t, c, admin.RemoveFactor, admin.FactorRef{UserRef: ref, Factor: "totp"}) },
		func() { called(t, c, admin.EndUserSessions, ref) },
		func() { called(t, c, admin.DeleteUser, ref) },
		func() { called(t, c, admin.CreateClient, admin.NewClient{Name: "x", Scopes: []string{"calc:basic"}}) },
		func() { called(t, c, admin.RevokeGrant, admin.GrantRef{ID: "x"}) },
		func() { called(t, c, admin.RevokeToken, admin.TokenRef{ID: "x"}) },
		func() { called(t, c, admin.RotateKey, admin.KeyRotation{}) },
	} {
		before := lines()
		change()
		if n := lines() - before; n != 1 {
			t.Errorf("change %d: %d lines", i, n)
		}
	}
	before := lines()
	called(t, c, admin.ListUsers, admin.UserQuery{})
	called(t, c, admin.DeleteUser, ref)
	refusedFor(t, c, admin.GetUser, ref, admin.NotFound)
	if lines() != before {
		t.Error("what changed nothing was audited")
	}
	if strings.Contains(g.log.String(), "Eve") {
		t.Error("what somebody is called stands in the log")
	}
}

// Pages follow each other without a gap, whatever their size.
func TestPagesOfTheAPI(t *testing.T) {
	g := newRig(t)
	c := g.caller(g.adminToken(allScopes...))
	for _, name := range []string{"b", "c d", "ö", "z"} {
		called(t, c, admin.CreateUser, admin.NewUser{Name: name})
		called(t, c, admin.CreateClient, admin.NewClient{Name: name, Scopes: []string{"calc:basic"}})
		g.clock.forward(time.Millisecond)
	}
	users, err := admin.All(t.Context(), small(c), admin.ListUsers, admin.UserQuery{}, 0)
	if err != nil || len(users.Items) != 5 || users.Next != "" {
		t.Errorf("%+v %v", users, err)
	}
	clients, err := admin.All(t.Context(), small(c), admin.ListClients, admin.ClientQuery{}, 0)
	if err != nil || len(clients.Items) != 5 || clients.Items[0].Name != "z" || clients.Next != "" {
		t.Errorf("%+v %v", clients, err)
	}
	for _, most := range []int{1, 3, 4} {
		some, err := admin.All(t.Context(), small(c), admin.ListClients, admin.ClientQuery{}, most)
		if err != nil || len(some.Items) != most || some.Next == "" || some.Items[most-1].ID != clients.Items[most-1].ID {
			t.Errorf("%d: %+v %v", most, some, err)
		}
	}
	if roles, err := admin.All(t.Context(), c, admin.ListRoles, admin.None{}, 1); err != nil || len(roles.Items) == 0 {
		t.Errorf("a list of one page: %+v %v", roles, err)
	}
}

// small asks for pages of two at most.
func small(c admin.Caller) admin.Caller {
	c.Via = smallPages{c.Via}
	return c
}

type smallPages struct{ admin.Doer }

func (s smallPages) Do(r *http.Request) (*http.Response, error) {
	q := r.URL.Query()
	if n := q.Get("limit"); n != "1" {
		q.Set("limit", "2")
	}
	r.URL.RawQuery = q.Encode()
	return s.Doer.Do(r)
}

// Who has no password does not come in by one, whatever it is.
func TestPeopleWithoutAPassword(t *testing.T) {
	g := newRig(t)
	c := g.caller(g.adminToken(allScopes...))
	made := called(t, c, admin.CreateUser, admin.NewUser{Name: "eve", SignIn: admin.WithNothing})
	if made.Password != "" || made.User.Password {
		t.Errorf("%+v", made)
	}
	refusedFor(t, c, admin.CreateUser, admin.NewUser{Name: "eva", SignIn: admin.WithNothing, Password: "correct horse battery"}, admin.Invalid)
	for _, password := range []string{"x", " "} {
		if _, err := g.s.checkPassword(t.Context(), actorsTurn(admin.Operator()), "eve", password); reasonOf(err) != WrongPassword {
			t.Errorf("%q: %v", password, err)
		}
	}
}

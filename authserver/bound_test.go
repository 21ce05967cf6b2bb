package authserver

import (
	"context"
	"testing"
)

// bounded registers a client of a person that an operator bounds by scope.
func (g *rig) bounded(scope string) string {
	g.t.Helper()
	id, _, err := g.s.RegisterClient(context.Background(), []byte(`{"client_name":"Bounded","redirect_uris":["`+callback+`"],"application_type":"native",
		"grant_types":["authorization_code","refresh_token","`+grantDevice+`"],"token_endpoint_auth_method":"none","scope":"`+scope+`"}`))
	if err != nil {
		g.t.Fatal(err)
	}
	return id
}

// RFC 8707 §2: a bound of scopes bounds the resources.
func TestBoundedClientsReachNoOtherResource(t *testing.T) {
	g := newRig(t)
	robot, secret := g.machine("calc:basic")
	for _, row := range []struct {
		name  string
		pairs []string
		code  string
	}{
		{"its resource", nil, ""},
		{"another, without scope", []string{"resource", database}, "invalid_target"},
		{"another, with its scope", []string{"resource", database, "scope", "db:read"}, "invalid_target"},
		{"another, with a scope of its own", []string{"resource", database, "scope", "calc:basic"}, "invalid_target"},
		{"more of its resource", []string{"scope", "calc:power"}, "invalid_scope"},
	} {
		a := g.post("/token", with(machineGrant(), row.pairs...), basic(robot, secret))
		if a.str("error") != row.code || (row.code == "") != (a.status == 200) {
			t.Errorf("%s: %d %s", row.name, a.status, a.body)
		}
	}
	id := g.bounded("calc:basic")
	g.expect(g.post("/par", with(authorization(id), "resource", database, "scope", "-")), 400, "invalid_target")
	g.expect(g.post("/device_authorization", deviceForm(id, "resource", database, "scope", "openid")), 400, "invalid_target")
	if v := g.redirected(g.get(newBrowser(t), "/authorize?"+with(authorization(id), "resource", database, "scope", "-").Encode())); v.Get("error") != "invalid_target" {
		t.Errorf("got %v", v)
	}
}

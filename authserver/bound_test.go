package authserver

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// reconfigure goes on with another configuration over the same database.
func (g *rig) reconfigure(change ...func(*Config)) {
	g.t.Helper()
	s, err := g.reopen(change...)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = s.Close() })
	g.s, g.serve = s, s.Handler()
}

// knows leaves the calculator these scopes.
func knows(names ...string) func(*Config) {
	return func(c *Config) {
		c.Resources = slices.Clone(c.Resources)
		r := c.Resources[0]
		r.Scopes = slices.DeleteFunc(slices.Clone(r.Scopes), func(s Scope) bool { return !slices.Contains(names, s.Name) })
		c.Resources[0] = r
	}
}

func noDetails(c *Config) { c.DetailTypes = nil }

const oneFile = `[{"type":"file","identifier":"a.txt"}]`

// What the operator takes out of the configuration is issued no more, whatever
// was granted before.
func TestGrantsKeepToTheConfiguration(t *testing.T) {
	for _, row := range []struct {
		name    string
		scope   string
		details string
		change  func(*Config)
		left    string // scope of the tokens; "-": none are issued
	}{
		{"nothing changed", "calc:basic calc:power", oneFile, knows("calc:basic", "calc:power"), "calc:basic calc:power"},
		{"one of two scopes", "calc:basic calc:power", "", knows("calc:basic"), "calc:basic"},
		{"the only scope", "calc:power", "", knows("calc:basic"), "-"},
		{"who the person is", "openid calc:power", "", knows("calc:basic"), "openid"},
		{"the type of details", "calc:basic", oneFile, noDetails, "calc:basic"},
		{"the only scope, not the details", "calc:power", oneFile, knows("calc:basic"), ""},
		{"a member of the type", "calc:basic", oneFile, func(c *Config) {
			c.DetailTypes = []DetailType{{Type: "file", Description: "x", Fields: []string{"actions"}}}
		}, "calc:basic"},
		{"everything", "calc:power", oneFile, func(c *Config) { noDetails(c); knows()(c) }, "-"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newRig(t, takesDetails)
			id, tv := g.publicClient(), g.television("")
			details := row.details
			if details == "" {
				details = "-"
			}
			pairs := []string{"scope", row.scope, "authorization_details", details}
			first := g.post("/token", redemption(id, g.code(id, pairs...)))
			code := g.code(id, pairs...)
			w := g.post("/device_authorization", deviceForm(tv, pairs...))
			g.answerDevice(newBrowser(t), w.str("user_code"), "allow")
			g.reconfigure(row.change)
			kept := details != "-" && row.name != "the type of details" && row.name != "a member of the type"
			for way, form := range map[string]url.Values{"refresh": refreshing(id, first), "code": redemption(id, code), "device": polling(tv, w)} {
				a := g.post("/token", form)
				if row.left == "-" {
					g.expect(a, 400, "invalid_grant")
					g.expectReason(NothingLeft)
					continue
				}
				g.expect(a, 200, "")
				if c := g.verified(a); strings.Join(c.Scope, " ") != row.left || a.str("scope") != row.left || (len(c.Details) > 0) != kept {
					t.Errorf("%s: %q with %s", way, c.Scope, c.Details)
				}
			}
		})
	}
}

func TestRefreshNamesWhatIsLeft(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	a := g.post("/token", redemption(id, g.code(id, "scope", "calc:basic calc:power")))
	g.reconfigure(knows("calc:basic"))
	g.expect(g.post("/token", with(refreshing(id, a), "scope", "calc:power")), 400, "invalid_scope")
	a = g.post("/token", with(refreshing(id, a), "scope", "calc:basic calc:power"))
	g.expect(a, 200, "")
	if a.str("scope") != "calc:basic" {
		t.Errorf("got %s", a.body)
	}
	g.reconfigure(func(c *Config) { c.Resources = baseConfig("", g.clock, g.log).Resources })
	a = g.post("/token", refreshing(id, a)) // the grant itself is as it was
	if a.str("scope") != "calc:basic calc:power" {
		t.Errorf("got %s", a.body)
	}
}

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

// rebound gives a client another bound, as an operator would.
func (g *rig) rebound(id string, scope ...string) {
	g.t.Helper()
	c, err := g.s.store.Client(g.t.Context(), id)
	if err != nil {
		g.t.Fatal(err)
	}
	c.Scope = scope
	if err := g.s.store.ReplaceClient(g.t.Context(), c, false); err != nil {
		g.t.Fatal(err)
	}
}

func TestGrantsKeepToTheClientsBound(t *testing.T) {
	g := newRig(t)
	id := g.bounded("calc:basic calc:power")
	a := g.post("/token", redemption(id, g.code(id, "scope", "calc:basic calc:power")))
	g.rebound(id, "calc:power", "db:read")
	a = g.post("/token", refreshing(id, a))
	if a.str("scope") != "calc:power" {
		t.Errorf("got %s", a.body)
	}
	g.rebound(id, "calc:basic")
	g.expect(g.post("/token", with(refreshing(id, a), "scope", "calc:power")), 400, "invalid_scope")
	g.rebound(id, "db:read")
	g.expect(g.post("/token", refreshing(id, a)), 400, "invalid_target")
	g.expectReason(TargetNotAllowed)
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

// What is granted is what was shown, when the configuration changed between
// the check of a request and the page, and between the page and the answer.
func TestGrantIsWhatWasShown(t *testing.T) {
	asked := []string{"scope", "calc:basic calc:power", "authorization_details", someFiles}
	begin := map[string]func(g *rig, b *http.Client) (page func() answerOf, tokens func(answerOf) answerOf){
		"pushed": func(g *rig, b *http.Client) (func() answerOf, func(answerOf) answerOf) {
			id := g.publicClient()
			a := g.push(id, nil, asked...)
			return func() answerOf { return g.consentPage(b, byReference(id, a)) },
				func(done answerOf) answerOf { return g.post("/token", redemption(id, g.redirected(done).Get("code"))) }
		},
		"device": func(g *rig, b *http.Client) (func() answerOf, func(answerOf) answerOf) {
			id := g.television("")
			w := g.post("/device_authorization", deviceForm(id, asked...))
			return func() answerOf { return g.devicePages(b, w.str("user_code")) },
				func(answerOf) answerOf { return g.post("/token", polling(id, w)) }
		},
	}
	less := func(c *Config) { noDetails(c); knows("calc:basic")(c) }
	shows := func(a answerOf) bool {
		return strings.Contains(a.body, "calc:power") || strings.Contains(a.body, "a.txt")
	}
	for way, begins := range begin {
		for _, when := range []string{"before the page", "on the page"} {
			t.Run(way+" "+when, func(t *testing.T) {
				g, b := newRig(t, takesDetails), newBrowser(t)
				open, tokens := begins(g, b)
				allow := func(page answerOf) answerOf {
					return g.submit(b, "/consent", url.Values{"request": {formRequest(t, page.body)}, "decision": {"allow"}})
				}
				var page answerOf
				if when == "before the page" {
					g.reconfigure(less)
					page = open()
				} else {
					before := open()
					if !shows(before) {
						t.Fatalf("nothing to take away: %s", before.body)
					}
					g.reconfigure(less)
					page = allow(before)
				}
				if page.status != 200 || shows(page) || !strings.Contains(page.body, "calc:basic") {
					t.Fatalf("the page: %d %s", page.status, page.body)
				}
				g.reconfigure(takesDetails, func(c *Config) { c.Resources = baseConfig("", g.clock, g.log).Resources }) // and back again
				a := tokens(allow(page))
				g.expect(a, 200, "")
				if c := g.verified(a); strings.Join(c.Scope, " ") != "calc:basic" || len(c.Details) > 0 {
					t.Errorf("granted %q and %s", c.Scope, c.Details)
				}
			})
		}
	}
}

func TestRequestOfWhichNothingIsLeft(t *testing.T) {
	g := newRig(t)
	id, tv := g.publicClient(), g.television("")
	a := g.push(id, nil, "scope", "calc:power")
	w := g.post("/device_authorization", deviceForm(tv, "scope", "calc:power"))
	g.reconfigure(knows("calc:basic"))
	if v := g.redirected(g.get(newBrowser(t), "/authorize?"+byReference(id, a).Encode())); v.Get("error") != "invalid_scope" || v.Get("state") != "st&te=" {
		t.Errorf("got %v", v)
	}
	if page := g.devicePages(newBrowser(t), w.str("user_code")); page.status != 400 || !strings.Contains(page.body, "does not exist here") {
		t.Errorf("got %d %s", page.status, page.body)
	}
}

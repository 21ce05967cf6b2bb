package authserver

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// A refusal says which part of the request is wrong, and nothing that was sent.
func TestRefusalsNameWhatIsWrong(t *testing.T) {
	g := newRig(t, takesDetails)
	id := g.publicClient()
	code := redemption(id, g.code(id))
	robot, secret := g.machine("calc:basic")
	key := newKey(t)
	push := func(pairs ...string) url.Values { return with(authorization(id), pairs...) }
	details := func(text string) url.Values { return push("authorization_details", text) }
	for _, row := range []struct {
		name, path string
		form       url.Values
		edits      []edit
		want       string
	}{
		{"no grant type", "/token", with(code, "grant_type", "-"), nil, "It is grant_type."},
		{"no code", "/token", with(code, "code", "-"), nil, "It is code."},
		{"no verifier", "/token", with(code, "code_verifier", "-"), nil, "It is code_verifier."},
		{"no refresh token", "/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {id}}, nil, "It is refresh_token."},
		{"no token", "/introspect", url.Values{}, []edit{basic(robot, secret)}, "It is token."},
		{"a code twice", "/token", url.Values{"code": {"a", "b"}}, nil, "It is code."},
		{"something odd twice", "/token", url.Values{"<b>": {"a", "b"}}, nil, "send it at most once."},
		{"another redirect", "/token", with(code, "redirect_uri", callback+"x"), nil, "The redirect_uri is not the one of the authorization request"},
		{"another redirect, by who could not redeem it", "/token", with(code, "redirect_uri", callback+"x", "code_verifier", strings.Repeat("x", 43)), nil, "The code_verifier does not match"},
		{"another resource", "/token", with(code, "resource", database), nil, "for another resource"},
		{"a proof that is none", "/token", code, []edit{header("DPoP", "x")}, "It is not a well-formed JWT."},
		{"a proof for another endpoint", "/token", code, []edit{g.proofFor(key, "POST", "/par", "")}, "Its htu is not the URL of this endpoint"},
		{"a proof for another method", "/token", code, []edit{g.proofFor(key, "GET", "/token", "")}, "Its htm is not the method"},
		{"no response type", "/par", push("response_type", "-"), nil, "It is response_type."},
		{"no redirect", "/par", push("redirect_uri", "-"), nil, "It is redirect_uri."},
		{"an unregistered redirect", "/par", push("redirect_uri", callback+"x"), nil, "not one that this client registered"},
		{"details that are none", "/par", details("x"), nil, "It is no JSON array of objects"},
		{"an unknown type", "/par", details(`[{"type":"file"},{"type":"secret"}]`), nil, "Item 2: its type is none of authorization_details_types_supported."},
		{"an unknown member", "/par", details(`[{"type":"file","secret":1}]`), nil, "Item 1: beside type and locations, file has these members only: actions identifier max_size."},
		{"another location", "/par", details(`[{"type":"file","locations":["x"]}]`), nil, "locations must hold the resource"},
		{"no details", "/par", details(`[]`), nil, "There must be 1 to 20 objects."},
		{"too long", "/par", details(strings.Repeat(" ", 4097)), nil, "At most 4096 bytes."},
		{"details for a machine", "/token", with(machineGrant(), "authorization_details", `[{"type":"file"}]`), []edit{basic(robot, secret)}, "Machines get none"},
		{"nobody's step-up", "/nowhere", url.Values{}, nil, "There is nothing here"},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := g.post(row.path, row.form, row.edits...)
			said := a.str("error_description")
			if a.status < 400 || a.status >= 500 || !strings.Contains(said, row.want) || strings.Contains(said, "secret") || strings.ContainsAny(said, `"\<`) {
				t.Errorf("%d %q", a.status, said)
			}
		})
	}
	old := g.proof(key, "")
	g.clock.forward(6 * time.Minute)
	if a := g.post("/token", code, old); !strings.Contains(a.str("error_description"), "Its iat is too long ago") {
		t.Errorf("got %s", a.body)
	}
}

func TestWrongHostNamesTheRightOne(t *testing.T) {
	g := newRig(t)
	a := g.get(noRedirect(), "/jwks.json")
	g.expect(a, 200, "")
	req := g.request("GET", "/jwks.json", "", "")
	req.Host = "auth.internal"
	if a := g.do(noRedirect(), req); a.status != 421 || !strings.Contains(a.str("error_description"), "That is "+g.url+"; another name has to stand in authserver.hosts.") {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// FAPI 2.0: a client with a certificate hears of the other way to bound tokens.
func TestProofRequiredNamesTheCertificate(t *testing.T) {
	s := &Server{profile: profiles[ProfileFAPI2]}
	for method, more := range map[string]bool{authKey: false, authSelfSigned: true, authAuthority: true} {
		var c client
		c.AuthMethod = method
		if said := describe(s.proofRequired(c)); strings.Contains(said, "tls_client_certificate_bound_access_tokens: true") != more {
			t.Errorf("%s: %q", method, said)
		}
	}
	c := client{}
	c.AuthMethod = authAuthority
	if said := describe((&Server{profile: profiles[ProfileMCP]}).proofRequired(c)); strings.Contains(said, "certificate") {
		t.Errorf("without the profile: %q", said)
	}
}

// Each refusal is one line, which says who it was from and whether that was proven.
func TestRefusalIsLoggedOnceWithItsClient(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	robot, secret := g.machine("calc:basic")
	for _, row := range []struct {
		name  string
		form  url.Values
		edits []edit
		want  string
	}{
		{"proven", with(machineGrant(), "scope", "no:such"), []edit{basic(robot, secret)}, `"client_id":"` + robot + `","client_proven":true,"grant_type":"client_credentials"`},
		{"not proven", machineGrant(), []edit{basic(robot, secret+"x")}, `"client_id":"` + robot + `","client_proven":false`},
		{"never proven", redemption(id, "x"), nil, `"client_id":"` + id + `","client_proven":false,"grant_type":"authorization_code"`},
		{"invented", redemption("client_<x>", "x"), nil, `"client_proven":false`},
	} {
		before := strings.Count(g.log.String(), "refused")
		g.post("/token", row.form, row.edits...)
		if n := strings.Count(g.log.String(), "refused") - before; n != 1 {
			t.Errorf("%s: %d lines", row.name, n)
		}
		g.lineOf("request.refused", row.want)
	}
	g.get(noRedirect(), "/nowhere")
	lines := strings.Split(strings.TrimSpace(g.log.String()), "\n")
	if last := lines[len(lines)-1]; strings.Contains(last, "client_id") || !strings.Contains(last, "request.refused") {
		t.Errorf("got %s", last)
	}
}

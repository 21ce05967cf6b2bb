package authserver

import (
	"net/url"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/token"
)

const signedType = "application/token-introspection+jwt"

// RFC 9701.
func TestSignedIntrospection(t *testing.T) {
	g := newRig(t)
	access := g.tokens(g.publicClient()).str("access_token")
	proxy, secret := g.resourceServer(calculator)
	foreign, foreignSecret := g.resourceServer(database)
	ask := func(id, secret string) answerOf {
		return g.post("/introspect", url.Values{"token": {access}}, basic(id, secret), header("Accept", signedType))
	}
	keys, err := jose.ParseKeySet([]byte(g.get(noRedirect(), "/jwks.json").body))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, id, secret string
		active           bool
	}{{"whose resource it is for", proxy, secret, true}, {"somebody else's", foreign, foreignSecret, false}} {
		t.Run(row.name, func(t *testing.T) {
			a := ask(row.id, row.secret)
			if a.status != 200 || a.header.Get("Content-Type") != signedType {
				t.Fatalf("%d %v %s", a.status, a.header, a.body)
			}
			jws, err := jose.Parse(a.body, len(a.body))
			if err != nil || jws.Type != "token-introspection+jwt" || jws.VerifyIn(keys) != nil {
				t.Fatalf("%v, type %q", err, jws.Type)
			}
			var said map[string]any
			if err := jws.Claims(&said); err != nil {
				t.Fatal(err)
			}
			about, _ := said["token_introspection"].(map[string]any)
			if said["iss"] != g.url || said["aud"] != row.id || said["iat"] == nil || len(said) != 4 {
				t.Errorf("says %v", said)
			}
			if about["active"] != row.active || !row.active && len(about) != 1 {
				t.Errorf("about the token: %v", about)
			}
			// Nobody takes it for an access token.
			u, err := token.Parse(a.body)
			if err == nil {
				_, err = u.Verify(g.clock.Now(), g.s.rules, keys)
			}
			if err == nil {
				t.Error("it passes as an access token")
			}
			if i := g.post("/introspect", url.Values{"token": {a.body}}, basic(proxy, secret)); i.fields["active"] != false {
				t.Errorf("introspected: %s", i.body)
			}
		})
	}
	g.expect(g.post("/introspect", url.Values{"token": {access}}, header("Accept", signedType)), 401, "invalid_client")
}

func TestWhichFormOfIntrospection(t *testing.T) {
	g := newRig(t)
	access := g.tokens(g.publicClient()).str("access_token")
	proxy, secret := g.resourceServer(calculator)
	for accept, signed := range map[string]bool{
		"": false, "*/*": false, "application/json": false, "application/jwt": false, signedType: true,
		"application/json, " + signedType: true, strings.ToUpper(signedType): true, signedType + ";q=0.5, application/json": true,
		signedType + ";q=0": false, signedType + ";q=x": false, "text/" + "token-introspection+jwt": false, ";;": false,
	} {
		i := g.post("/introspect", url.Values{"token": {access}}, basic(proxy, secret), header("Accept", accept))
		if got := i.header.Get("Content-Type") == signedType; i.status != 200 || got != signed {
			t.Errorf("%q: %d signed %v", accept, i.status, got)
		}
	}
}

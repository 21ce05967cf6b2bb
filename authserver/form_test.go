package authserver

import (
	"net/url"
	"testing"
)

// Text that no database takes is refused the same, whatever it is in.
func TestWhatIsNoText(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	robot := g.signingMachine(newKey(t), "")
	own := g.registration(g.registerClient(""))
	authorize := func(pairs ...string) answerOf {
		return g.get(noRedirect(), "/authorize?"+with(authorization(client), pairs...).Encode())
	}
	for name, text := range map[string]string{"NUL": "a\x00b", "not UTF-8": "a\xffb"} {
		said := g.saying(robot, "one "+name)
		said["iss"], said["sub"] = "client_\x00", "client_\x00"
		for what, row := range map[string]struct {
			ask    func() answerOf
			status int
			reason Reason
		}{
			"client of an authorization": {func() answerOf { return authorize("client_id", text) }, 400, BadForm},
			"redirect":                   {func() answerOf { return authorize("redirect_uri", callback+text) }, 400, BadForm},
			"state":                      {func() answerOf { return authorize("state", text) }, 400, BadForm},
			"nonce":                      {func() answerOf { return authorize("nonce", text) }, 400, BadForm},
			"name of a parameter":        {func() answerOf { return authorize(text, "x") }, 400, BadForm},
			"client in a form": {func() answerOf {
				return g.post("/token", url.Values{"grant_type": {grantMachine}, "client_id": {text}})
			}, 400, BadForm},
			"client in a header":     {func() answerOf { return g.post("/token", machineGrant(), basic(text, "secret")) }, 401, UnknownClient},
			"client of an assertion": {func() answerOf { return g.post("/token", machineWith(sign(t, robot.key, "JWT", said))) }, 401, UnknownClient},
			"name that signs in": {func() answerOf {
				return g.submit(noRedirect(), "/login", url.Values{"request": {"x"}, "username": {text}, "password": {"x"}})
			}, 400, BadForm},
			"address of a registration": {func() answerOf {
				return registration{g, text, own.token, "/register/" + url.PathEscape(text)}.do("GET", "", bearer(own.token))
			}, 400, BadForm},
			"address of a status list":      {func() answerOf { return g.get(noRedirect(), "/status/"+url.PathEscape(text)) }, 400, BadForm},
			"token that is to be forgotten": {func() answerOf { return g.post("/revoke", url.Values{"token": {text}, "client_id": {client}}) }, 400, BadForm},
		} {
			if got := row.ask(); got.status != row.status {
				t.Errorf("%s, %s: %d %s, want %d", what, name, got.status, got.body, row.status)
			}
			g.expectReason(row.reason)
		}
	}
	g.expect(g.tokens(client), 200, "")
}

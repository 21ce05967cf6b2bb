package authserver

import (
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
)

// A grant lasts as long as the last token that can come of it, whatever way it
// was made, as the page on which it was allowed says.
func TestGrantEndsWithItsTokens(t *testing.T) {
	g := newRig(t)
	register := func(grants string) string {
		return g.postJSON("/register", `{"client_name":"Brief","redirect_uris":["`+callback+`"],"token_endpoint_auth_method":"none","grant_types":[`+grants+`]}`).str("client_id")
	}
	byCode := func(id string) { g.expect(g.post("/token", redemption(id, g.code(id))), 200, "") }
	byDevice := func(id string) {
		w := g.waits(id)
		g.answerDevice(newBrowser(t), w.str("user_code"), "allow")
		g.expect(g.post("/token", polling(id, w)), 200, "")
	}
	for _, row := range []struct {
		name, grants string
		redeem       func(client string)
		lasts        time.Duration
	}{
		{"a code, without refresh tokens", `"authorization_code"`, byCode, g.s.config.AccessTokenLife},
		{"a code, with refresh tokens", `"authorization_code","refresh_token"`, byCode, g.s.config.RefreshTokenLife},
		{"a device, without refresh tokens", `"` + grantDevice + `"`, byDevice, g.s.config.AccessTokenLife},
		{"a device, with refresh tokens", `"` + grantDevice + `","refresh_token"`, byDevice, g.s.config.RefreshTokenLife},
	} {
		t.Run(row.name, func(t *testing.T) {
			id := register(row.grants)
			row.redeem(id)
			page := called(t, g.caller(g.adminToken(admin.ScopeRead)), admin.ListGrants, admin.GrantQuery{Whose: admin.Whose{Client: id}})
			if len(page.Items) != 1 {
				t.Fatalf("grants: %+v", page.Items)
			}
			if want := g.s.config.Now().Add(row.lasts); !page.Items[0].ExpiresAt.Equal(want.Truncate(time.Millisecond)) {
				t.Errorf("until %v, want %v", page.Items[0].ExpiresAt, want)
			}
		})
	}
}

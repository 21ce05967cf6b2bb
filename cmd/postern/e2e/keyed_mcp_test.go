package e2e

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// TestMCPClientsWithKeys: the MCP SDKs get a token of their own by an
// assertion and call a server behind the proxy with it, with nothing but its
// address and their key.
func TestMCPClientsWithKeys(t *testing.T) {
	server := startOfficial(t, false)
	d := &desk{stage: setStage(t, []staged{{"only", server.url(), "accepted"}})}
	d.open(t)
	made := keyed{Algorithm: "ES256"}.step(t, "make")
	var key struct {
		Public jsontext.Value `json:"public"`
	}
	reply{body: string(made.Key)}.decode(t, &key)
	id := d.registered(t, `"client_name":"Robot","grant_types":["client_credentials"],"scope":"everything",
		"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[`+string(key.Public)+`]}`)
	for _, kit := range []string{"sdk", "client"} {
		t.Run(kit, func(t *testing.T) {
			var found struct {
				Tools []string `json:"tools"`
			}
			ask(t, "keyed-mcp.mjs", map[string]any{
				"kit": kit, "clientID": id, "key": made.Key, "issuer": d.issuer, "url": d.resource("only"), "scope": "everything",
			}, &found)
			if len(found.Tools) == 0 {
				t.Error("no tools")
			}
		})
	}
}

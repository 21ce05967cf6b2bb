package main

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
)

const (
	clientMembers = "bounded created_at dpop_bound grant_types id name redirect_uris registered resources roles scopes token_endpoint_auth_method"
	userMembers   = "created_at disabled email email_verified factors full_name has_password id name roles"
	keyMembers    = "alg kid signs_from state"
)

// shapes are all commands in an order in which they work, and the members of
// what each answers as JSON. NAME is the client that was made.
var shapes = []struct{ args, members string }{
	{"client create robot --scope use", "client secret"},
	{"client register METADATA", "client"},
	{"resource-server create keeper --resource http://127.0.0.1:8080/mcp", "client secret"},
	{"client list", "items"},
	{"client show CLIENT", clientMembers},
	{"client update CLIENT --name Robot --yes", clientMembers},
	{"client rotate-secret CLIENT --yes", "client secret"},
	{"user create ada --no-password", "user"},
	{"user create eve", "password user"},
	{"user list", "items"},
	{"user show ada", userMembers},
	{"user update ada --full-name Ada", userMembers},
	{"user password ada --yes", "password"},
	{"user reset-link ada", "expires_at url"},
	{"user remove-factor ada --yes", "ended"},
	{"identity list --user ada", "items"},
	{"role list", "items"},
	{"role give user --user ada", "password_changed_at " + userMembers},
	{"role give user --client CLIENT", clientMembers},
	{"role holders --role user", "items"},
	{"role take user --user ada --yes", "password_changed_at " + userMembers},
	{"invite --role admin", "expires_at url"},
	{"invitation list", "items"},
	{"invitation cancel x --yes", "ended"},
	{"grant list --user ada", "items"},
	{"grant revoke x --yes", "ended"},
	{"token list --client CLIENT", "items"},
	{"token revoke x --yes", "ended"},
	{"session list", "items"},
	{"session end x --yes", "ended"},
	{"sign-in list", "items"},
	{"risk explain --user ada --address 192.0.2.1 --agent x", "address agent at findings has_second_factor known network outcome points refuse_from step_up_from user_id user_name"},
	{"status", "issuer key now ready"},
	{"key list", "items"},
	{"key rotate --yes", keyMembers},
	{"key reseal", "sealed"},
	{"key revoke --yes -- KID", keyMembers},
	{"client delete CLIENT --yes", "ended"},
	{"user delete ada eve --yes", "ended"},
}

// Every command answers one JSON object whose members are known; a command
// that is not here fails this.
func TestEveryCommandAnswersJSON(t *testing.T) {
	v := newVault(t)
	v.configure("secret_file: one")
	config, metadata := filepath.Join(v.folder, "postern.yaml"), filepath.Join(v.folder, "client.json")
	write(t, metadata, `{"redirect_uris":["https://app.example/cb"],"token_endpoint_auth_method":"none"}`)
	known := map[string]string{"METADATA": metadata}
	tried := map[string]bool{}
	for _, row := range shapes {
		args := strings.Fields(row.args)
		for i, a := range args {
			if value, ok := known[a]; ok {
				args[i] = value
			}
		}
		code, out, errs := runIn(t, append([]string{"admin", "-c", config, "-o", "json"}, args...)...)
		var answer map[string]any
		if err := json.Unmarshal([]byte(out), &answer); err != nil || code != exitFine || !strings.HasSuffix(out, "}\n") {
			t.Fatalf("%s: exit %d, %v\n%s%s", row.args, code, err, out, errs)
		}
		want := strings.Fields(row.members)
		if slices.Sort(want); !slices.Equal(slices.Sorted(maps.Keys(answer)), want) {
			t.Errorf("%s: %v, want %v", row.args, slices.Sorted(maps.Keys(answer)), want)
		}
		remember(known, answer)
		tried[leaf(args)] = true
	}
	walk((program{}).adminCommand(), func(c *cobra.Command) {
		path := strings.TrimPrefix(c.CommandPath(), "admin ")
		if !tried[path] && path != "login" {
			t.Errorf("nobody tried %s", path)
		}
	})
}

// remember keeps the client that was made first, and the key that signs.
func remember(known map[string]string, answer map[string]any) {
	if c, ok := answer["client"].(map[string]any); ok && known["CLIENT"] == "" {
		known["CLIENT"] = c["id"].(string)
	}
	if k, ok := answer["key"].(map[string]any); ok {
		known["KID"] = k["kid"].(string)
	}
}

// leaf is the command that arguments begin with.
func leaf(args []string) string {
	c, _, err := (program{}).adminCommand().Find(args)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(c.CommandPath(), "admin ")
}

func walk(c *cobra.Command, visit func(*cobra.Command)) {
	for _, child := range c.Commands() {
		walk(child, visit)
	}
	if !c.HasSubCommands() {
		visit(c)
	}
}

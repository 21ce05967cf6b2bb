package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/authserver/redistest"
)

// inRedis writes a configuration that keeps who is signed in there.
func (v vault) inRedis(address string) (config string) {
	v.t.Helper()
	config = filepath.Join(v.folder, "postern.yaml")
	v.configure("secret_file: one", "sign_up: invitation", "short_lived: redis\nstate: {secret_file: one, redis: {url_file: redis}}")
	if err := os.WriteFile(filepath.Join(v.folder, "redis"), []byte("redis://"+address), 0o600); err != nil {
		v.t.Fatal(err)
	}
	return config
}

const redisAwayWords = "Redis does not answer, which has who is signed in"

var commandsByNeed = []struct {
	command string
	redis   bool // it needs that
}{
	{"user create ada --no-password", false}, {"user list", false}, {"user show ada", false}, {"user update ada --full-name Ada", false},
	{"user reset-link ada", false}, {"user remove-factor --yes ada", false},
	{"identity list --user ada", false}, {"role list", false}, {"role give admin --user ada --yes", false}, {"role holders --role admin", false}, {"role take admin --user ada", false},
	{"client create job --scope use", false}, {"client list", false},
	{"resource-server create calc --resource http://127.0.0.1:8080/mcp", false},
	{"grant list --user ada", false}, {"grant revoke --yes none", false}, {"token list --user ada", false}, {"token revoke --yes none", false},
	{"sign-in list", false}, {"invite --role user", false}, {"invitation list", false}, {"key list", false}, {"key rotate", false}, {"key reseal", false},
	{"risk explain --user ada --address 192.0.2.1 --agent x", false},
	{"session list", true}, {"session list --user ada", true}, {"session end --yes session_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", true}, {"session end --yes --user ada", false},
	{"user update ada --disabled --yes", false}, {"user delete --yes ada", false}, {"status", false},
}

// Where Redis has who is signed in, all commands work; while it is away only
// those fail that are about single sessions, and say why.
func TestCommandsWithSessionsInRedis(t *testing.T) {
	server, v := redistest.Start(t), newVault(t)
	config := v.inRedis(server.Address)
	tried := map[string]bool{"login": true} // which has no database
	for _, there := range []bool{true, false} {
		if !there {
			server.Stop(t)
		}
		for _, row := range commandsByNeed {
			words := strings.Fields(row.command)
			tried[words[0]] = true
			code, out, errs := v.admin(append([]string{"-c", config}, words...)...)
			if !there && row.redis {
				if code != exitFindings || !strings.Contains(errs, redisAwayWords) {
					t.Errorf("%s without Redis: exit %d %s%s", row.command, code, out, errs)
				}
				continue
			}
			if code != exitFine {
				t.Errorf("%s (Redis there: %v): exit %d %s%s", row.command, there, code, out, errs)
			}
			if words[0] == "status" && (strings.Contains(out, redisAwayWords) == there || strings.Contains(out, "yes") != there) {
				t.Errorf("Redis there: %v\n%s", there, out)
			}
		}
	}
	for _, group := range (program{}).adminCommand().Commands() {
		if !tried[group.Name()] {
			t.Errorf("%s was not tried", group.Name())
		}
	}
}

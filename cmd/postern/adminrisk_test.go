package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const aFirefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

var anID = regexp.MustCompile(`user_[\w-]{20,}`)

func TestRiskExplain(t *testing.T) {
	folder := t.TempDir()
	config := filepath.Join(folder, "postern.yaml")
	for name, text := range map[string]string{
		"secret": strings.Repeat("s", 32),
		"postern.yaml": `authserver:
  listen: 127.0.0.1:0
  issuer: http://127.0.0.1:8090
  database: sqlite:authserver.db
  secret_file: secret
  resources: [{resource: "http://127.0.0.1:8080/mcp", name: x, scopes: [{name: use, default: true}]}]
  sign_in:
    deny_networks: [10.66.0.0/16]
    places: [{name: Lisbon, networks: [203.0.113.0/24], latitude: 38.7, longitude: -9.1}]
    weights: {first_sign_in: 40}
    thresholds: {step_up: 40, refuse: 90}
`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, errs := runIn(t, "admin", "-c", config, "user", "create", "ada"); code != exitFine {
		t.Fatal(errs)
	}
	const at = "2026-11-21T12:00:00Z"
	for _, row := range []struct {
		name string
		args []string
		code int
		out  string // all of it
		errs string // some of it
	}{
		{"let in", []string{"--user", "ada", "--address", "203.0.113.9", "--agent", aFirefox, "--at", at}, exitFine, `User            ada
Time            2026-11-21T12:00:00Z
Network         203.0.113.0/24 in Lisbon
Browser         Firefox on Linux
Known together  no
Second factor   no
Outcome         allow (let in)
Points          40; a second factor from 40, refused from 90

REASON            POINTS  MEANING
first_sign_in     40      It is this person's first sign-in.
no_second_factor  0       The person has no second factor that could be asked for.
`, ""},
		{"refused, as JSON", []string{"--user", "ada", "--address", "::ffff:10.66.1.1", "--agent", "", "--at", at, "-o", "json"}, exitFine, `{"user_id":"ID","user_name":"ada","at":"2026-11-21T12:00:00Z","address":"::ffff:10.66.1.1","network":"10.66.1.0/24","agent":"Unknown browser",` +
			`"known":false,"has_second_factor":false,"outcome":"refuse","points":0,"step_up_from":40,"refuse_from":90,` +
			`"findings":[{"reason":"denied_network","points":0,"words":"Nobody may sign in from this network."}]}` + "\n", ""},
		{"nobody", []string{"--user", "eve", "--address", "203.0.113.9", "--agent", ""}, exitFindings, "", `there is no user "eve"`},
		{"no address", []string{"--user", "ada", "--agent", ""}, exitUsage, "", "--user, --address and --agent are required"},
		{"no browser", []string{"--user", "ada", "--address", "203.0.113.9"}, exitUsage, "", "--user, --address and --agent are required"},
		{"a name for an address", []string{"--user", "ada", "--address", "home", "--agent", ""}, exitFindings, "", "address must be an IP address"},
		{"an odd time", []string{"--user", "ada", "--address", "203.0.113.9", "--agent", "", "--at", "noon"}, exitFindings, "", "at must be a time such as"},
		{"an odd format", []string{"--user", "ada", "--address", "203.0.113.9", "--agent", "", "-o", "xml"}, exitUsage, "", "must be one of: table, json"},
	} {
		code, out, errs := runIn(t, append([]string{"admin", "-c", config, "risk", "explain"}, row.args...)...)
		out = anID.ReplaceAllString(out, "ID")
		if code != row.code || out != row.out || !strings.Contains(errs, row.errs) {
			t.Errorf("%s: exit %d\n%s%s\nwant %d\n%s%s", row.name, code, out, errs, row.code, row.out, row.errs)
		}
	}
}

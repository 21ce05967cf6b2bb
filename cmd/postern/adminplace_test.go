package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const rangingConfig = `authserver:
  listen: 127.0.0.1:0
  issuer: http://127.0.0.1:${POSTERN_ISSUER_PORT:-8090}
  database: sqlite:authserver.db
  secret_file: one
  resources: [{resource: "http://127.0.0.1:8080/mcp", name: x, scopes: [{name: use, default: true}]}]
`

// Links have the port of what runs: up.json says which one that is, unless the
// environment does.
func TestAdminFollowsUp(t *testing.T) {
	v := newVault(t)
	config, running := filepath.Join(v.folder, "postern.yaml"), filepath.Join(v.folder, "up.json")
	write(t, config, rangingConfig)
	for _, row := range []struct {
		name, up    string
		environment map[string]string
		args        []string
		code        int
		link, says  string
	}{
		{"a folder that does not run", "", nil, []string{"--state", v.folder}, exitFine, "http://127.0.0.1:8090/",
			"The issuer is http://127.0.0.1:8090, unless postern up is started in " + v.folder + " with other ports.\n"},
		{"a file of one", "", nil, []string{"-c", config}, exitFine, "http://127.0.0.1:8090/", ""},
		{"it runs as usual", `{"issuer":"http://127.0.0.1:8090"}`, nil, []string{"--state", v.folder}, exitFine, "http://127.0.0.1:8090/", ""},
		{"it runs elsewhere", `{"issuer":"http://127.0.0.1:9001"}`, nil, []string{"--state", v.folder}, exitFine, "http://127.0.0.1:9001/",
			"The issuer is http://127.0.0.1:9001, as " + running + " says.\n"},
		{"the file of what runs elsewhere", `{"issuer":"http://127.0.0.1:9001"}`, nil, []string{"-c", config}, exitFine, "http://127.0.0.1:9001/",
			"The issuer is http://127.0.0.1:9001, as " + running + " says.\n"},
		{"the environment says it", `{"issuer":"http://127.0.0.1:9001"}`, map[string]string{"POSTERN_ISSUER_PORT": "9101"}, []string{"-c", config}, exitFine, "http://127.0.0.1:9101/", ""},
		{"it is no summary", `[`, nil, []string{"--state", v.folder}, exitFindings, "", "up.json: "},
		{"two places", "", nil, []string{"--state", v.folder, "-c", config}, exitUsage, "", "--state does not go with -c and --url"},
		{"a place and a server", "", nil, []string{"--state", v.folder, "--url", "https://auth.example.com"}, exitUsage, "", "--state does not go with -c and --url"},
		{"no such folder", "", nil, []string{"--state", filepath.Join(v.folder, "nothing")}, exitUsage, "", "nothing"},
	} {
		if err := os.RemoveAll(running); err != nil {
			t.Fatal(err)
		}
		if row.up != "" {
			write(t, running, row.up)
		}
		v.environment = row.environment
		code, out, errs := v.admin(append(row.args, "invite")...)
		if code != row.code || !strings.HasPrefix(out, row.link) || (row.says == "") != (errs == "") || !strings.Contains(errs, row.says) {
			t.Errorf("%s: exit %d\n%s%s", row.name, code, out, errs)
		}
	}
}

// Whoever starts everything is told how to administer it.
func TestUpSaysHowToAdministerIt(t *testing.T) {
	var out strings.Builder
	summary{
		Servers: map[string]string{"a": "http://127.0.0.1:8080/a/mcp"}, User: demoUser{"demo", "kept"}, Boss: demoUser{Username: "admin"},
		Admin: "http://127.0.0.1:9464", Account: "http://127.0.0.1:8090/account", Console: "http://127.0.0.1:8090/admin",
	}.print(&out, program{called: "/opt/my tools/postern"}.again(), "/srv/.postern")
	for _, line := range []string{
		"  '/opt/my tools/postern' admin --state /srv/.postern user list", "  metrics      http://127.0.0.1:9464/metrics",
		"  account        http://127.0.0.1:8090/account", "  administration http://127.0.0.1:8090/admin (asks for a second factor)",
		"Sign in as    demo  password kept", "Administrator admin  with the password that was chosen since the first start",
	} {
		if !strings.Contains(out.String(), "\n"+line+"\n") {
			t.Errorf("no line %q in\n%s", line, out.String())
		}
	}
}

// Commands can be pasted wherever the shell stands; one that was found by its
// name is found again.
func TestHowToStartItAgain(t *testing.T) {
	t.Chdir("/")
	for called, want := range map[string]string{"bin/postern": "/bin/postern", "./postern": "/postern", "/a b/postern": "'/a b/postern'", "postern": "postern", "": "postern"} {
		if got := (program{called: called}).again(); got != want {
			t.Errorf("%q: %s, want %s", called, got, want)
		}
	}
}

// Administrators read which command makes an invitation on this machine.
func TestTheCommandThatInvites(t *testing.T) {
	for want, s := range map[string]setup{
		"postern admin invite --role ROLE -c /etc/postern/postern.yaml":         {path: "/etc/postern/postern.yaml"},
		"postern admin --state /srv/.postern invite --role ROLE":                {path: "/srv/.postern/postern.yaml", state: "/srv/.postern"},
		`postern admin --state '/home/ada/it'\''s $HOME' invite --role ROLE`:    {state: "/home/ada/it's $HOME"},
		"postern admin invite --role ROLE -c '/home/ada/my files/postern.yaml'": {path: "/home/ada/my files/postern.yaml"},
	} {
		if got := s.inviting(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Where nothing says which configuration is meant, the mistake names every way.
func TestAdminWithoutAConfiguration(t *testing.T) {
	v := newVault(t)
	t.Chdir(v.folder)
	if code, _, errs := v.admin("user", "list"); code != exitUsage || !strings.Contains(errs, "say -c FILE, --state DIR for what postern up runs, or --url ISSUER") {
		t.Errorf("exit %d %s", code, errs)
	}
	write(t, filepath.Join(v.folder, ".postern", "postern.yaml"), strings.ReplaceAll(rangingConfig, "one", "../one"))
	if code, _, errs := v.admin("user", "list"); code != exitUsage || !strings.Contains(errs, "say --state .postern for what postern up runs here") {
		t.Errorf("exit %d %s", code, errs)
	}
	if code, out, errs := v.admin("--state", ".postern", "user", "list"); code != exitFine || out != "" || !strings.HasSuffix(errs, "No users.\n") {
		t.Errorf("exit %d %s%s", code, out, errs)
	}
	write(t, filepath.Join(v.folder, "postern.yaml"), rangingConfig)
	if code, _, errs := v.admin("user", "list"); code != exitFine || errs != "No users.\n" {
		t.Errorf("exit %d %s", code, errs)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := writeFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

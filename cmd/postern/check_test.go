package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that is named and not there is found before the start, wherever it is named.
func TestCheckLooksForFiles(t *testing.T) {
	const shipped = "upstream proxy step_up authserver"
	for _, row := range []struct {
		name, files  string
		old, changed string
		want         []string // in this order; none: fine
	}{
		{name: "all there", files: shipped},
		{name: "none there", want: []string{
			":11:90: issuers[0].step_up.secret_file", "servers[0].credential.file", "servers[1].credential.file",
			"state.secret_file", "authserver.secret_file", "authserver.step_up_secret_file", "secrets/step_up cannot be read: no such file or directory", "--without-files"}},
		{name: "Redis", files: shipped, old: "state:", changed: "state:\n  redis: {url_file: secrets/redis}",
			want: []string{"state.redis.url_file: ", "secrets/redis cannot be read: no such file or directory"}},
		{name: "a database", files: shipped, old: "database: sqlite:authserver.db", changed: "database_url_file: secrets/database",
			want: []string{":36:22: authserver.database_url_file: ", "secrets/database cannot be read"}},
		{name: "certificates", files: shipped, old: "upstream: http://127.0.0.1:${POSTERN_CALCULATOR_PORT:-8101}/mcp", changed: "upstream: https://127.0.0.1:8101/mcp\n    tls: {ca_file: secrets}",
			want: []string{"servers[0].tls.ca_file: ", "secrets cannot be read: is a directory"}},
		{name: "a provider", files: shipped, old: "registration: open", changed: "registration: open\n  providers: [{name: g, preset: google, client_id: c, client_secret_file: secrets/google}]",
			want: []string{"authserver.providers[0].client_secret_file: "}},
		{name: "an empty one", files: "upstream proxy step_up", want: []string{"authserver.secret_file: ", "secrets/authserver is empty"}, old: "a", changed: "a"},
	} {
		t.Run(row.name, func(t *testing.T) {
			folder := t.TempDir()
			if err := copyExample(folder); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(folder, "secrets"), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, name := range strings.Fields(row.files) {
				writeIn(t, filepath.Join(folder, "secrets", name), strings.Repeat("s", 32))
			}
			if row.name == "an empty one" {
				writeIn(t, filepath.Join(folder, "secrets", "authserver"), "")
			}
			path := filepath.Join(folder, "postern.yaml")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			writeIn(t, path, strings.Replace(string(text), row.old, row.changed, 1))
			code, _, errs := runIn(t, "check", "-c", path)
			if fine := len(row.want) == 0; fine != (code == exitFine) || !fine && code != exitUsage {
				t.Errorf("exit %d", code)
			}
			for rest := errs; len(row.want) > 0; row.want = row.want[1:] {
				_, after, found := strings.Cut(rest, row.want[0])
				if !found {
					t.Fatalf("want %q, in its place, in:\n%s", row.want[0], errs)
				}
				rest = after
			}
			if code, _, errs := runIn(t, "check", "--without-files", "-c", path); code != exitFine {
				t.Errorf("without the files: exit %d %s", code, errs)
			}
		})
	}
}

func writeIn(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file of an authorization server alone: its Redis too is looked at.
func TestMistakesInAnAuthserverAlone(t *testing.T) {
	const good = `authserver:
  listen: 127.0.0.1:0
  issuer: http://127.0.0.1:8090
  database: sqlite:authserver.db
  secret_file: secret
  resources: [{resource: "http://127.0.0.1:8080/mcp", name: x, scopes: [{name: use, default: true}]}]
`
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "secret"), []byte(strings.Repeat("s", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, more, want string
		code             int
	}{
		{"no Redis", "", "", exitFine},
		{"a port for health", "admin: {listen: '127.0.0.1:0'}\n", "", exitFine},
		{"one that is nowhere", "admin: {hosts: [desk]}\n", "postern.yaml:7:8: admin.listen: missing: say where to listen", exitUsage},
		{"audit lines in a file", "audit: {file: audit.jsonl}\n", "", exitFine},
		{"audit lines nowhere", "audit: {}\n", "postern.yaml:7:8: audit: say where audit lines go", exitUsage},
		{"audit lines in two places", "audit: {file: audit.jsonl, stdout: true}\n", "postern.yaml:7:8: audit: say where audit lines go", exitUsage},
		{"audit lines where nothing can be", "audit: {file: absent/audit.jsonl}\n", "audit: open ", exitUsage},
		{"a Redis without its URL", "state: {redis: {}}\n", "postern.yaml:7:", exitUsage},
		{"a URL that is not there", "state: {redis: {url_file: absent}}\n", "state.redis: open ", exitUsage},
		{"a URL that is none", "state: {redis: {url_file: secret}}\n", "must hold one redis:// or rediss:// URL", exitUsage},
	} {
		path := filepath.Join(folder, "postern.yaml")
		if err := os.WriteFile(path, []byte(good+row.more), 0o600); err != nil {
			t.Fatal(err)
		}
		command := []string{"authserver", "-c", path}
		if row.code == exitFine {
			command = []string{"check", "-c", path}
		}
		if code, _, errs := runIn(t, command...); code != row.code || !strings.Contains(errs, row.want) {
			t.Errorf("%s: exit %d, want %d with %q in:\n%s", row.name, code, row.code, row.want, errs)
		}
	}
}

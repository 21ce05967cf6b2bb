package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each mistake in how a server is reached, with its place.
func TestMistakesInTheWayToAServer(t *testing.T) {
	good, err := os.ReadFile("../../config/example/postern.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const upstream = "upstream: http://127.0.0.1:${POSTERN_CALCULATOR_PORT:-8101}/mcp"
	const secret = `credential: {type: header, header: Authorization, prefix: "Bearer ", file: secrets/upstream}`
	const none = "credential: {type: none}"
	for _, row := range []struct{ name, way, credential, want string }{
		{"neither", "timeout: 1m", secret, "servers[0].upstream: missing: the URL"},
		{"both", upstream + "\n    stdio: {command: [sh]}", none, ":17:12: servers[0].stdio: a server has either upstream or stdio"},
		{"socket without path", "upstream: 'unix:'", secret, ":16:15: servers[0].upstream: must be unix:SOCKET"},
		{"socket with a strange endpoint", "upstream: unix:/run/x.sock:mcp", secret, ":16:15: servers[0].upstream: must be unix:SOCKET"},
		{"socket with a fragment", "upstream: 'unix:/run/x.sock:/mcp#x'", secret, ":16:15: servers[0].upstream: must be unix:SOCKET"},
		{"socket too long", "upstream: unix:/" + strings.Repeat("x", 107), secret, ":16:15: servers[0].upstream: the path of a socket has at most 107 bytes"},
		{"socket with tls", "upstream: unix:/run/x.sock\n    tls: {server_name: x}", secret, "servers[0].tls: is for https upstreams"},
		{"no command", "stdio: {folder: /}", none, "servers[0].stdio.command: missing: the program"},
		{"program not in PATH", "stdio: {command: [no-such-program-anywhere]}", none, ":16:23: servers[0].stdio.command[0]: no-such-program-anywhere is not found in PATH"},
		{"program not there", "stdio: {command: [./no-such-program]}", none, "no-such-program is not found there, or may not be run"},
		{"credential", "stdio: {command: [sh]}", secret, ":17:17: servers[0].credential: with stdio it must be {type: none}"},
		{"memory without a unit", "stdio: {command: [sh], memory: 512}", none, `:16:36: "memory": must be a size like 512MiB`},
		{"memory of nothing", "stdio: {command: [sh], memory: 0MiB}", none, "must be a size like 512MiB"},
		{"memory beyond counting", "stdio: {command: [sh], memory: 99999999999999GiB}", none, "must be a size like 512MiB"},
		{"memory too small", "stdio: {command: [sh], memory: 4KiB}", none, "servers[0].stdio.memory: must be at least 1MiB"},
		{"in flight", "stdio: {command: [sh], in_flight: 5000}", none, ":16:39: servers[0].stdio.in_flight: must lie between 1 and 4096"},
		{"variable", "stdio: {command: [sh], env: {'A=B': x}}", none, "servers[0].stdio.env.A=B: is not the name of a variable"},
		{"variable twice", "stdio: {command: [sh], env: {A: x}, env_files: {A: secrets/upstream}}", none, "servers[0].stdio.env_files.A: stands in env too"},
		{"secret not there", "stdio: {command: [sh], env_files: {A: absent}}", none, "servers[0].stdio.env_files.A: cannot be read"},
		{"folder not there", "stdio: {command: [sh], folder: absent}", none, "servers[0].stdio.folder: cannot be read"},
	} {
		t.Run(row.name, func(t *testing.T) {
			code, _, errs := checked(t, strings.NewReplacer(upstream, row.way, secret, row.credential).Replace(string(good)))
			if code != exitUsage || !strings.Contains(errs, row.want) {
				t.Errorf("exit %d, want %d with %q in:\n%s", code, exitUsage, row.want, errs)
			}
		})
	}
	for _, way := range []string{
		"upstream: unix:mcp.sock", "upstream: unix:/run/mcp.sock:/mcp?x=1",
		"stdio: {command: [sh, -c, exit], env: {A: b}, env_files: {B: secrets/upstream}, memory: 2GiB, in_flight: 1, folder: .}",
	} {
		text := strings.Replace(string(good), upstream, way, 1)
		text = strings.Replace(text, secret, none, 1)
		if code, _, errs := checked(t, text); code != exitFine {
			t.Errorf("%s: exit %d\n%s", way, code, errs)
		}
	}
}

// checked is `postern check` of a changed example.
func checked(t *testing.T, text string) (code int, out, errs string) {
	t.Helper()
	folder := t.TempDir()
	if err := copyExample(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(folder, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{"postern.yaml": text, "secrets/upstream": "hush\n"} {
		if err := os.WriteFile(filepath.Join(folder, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return runIn(t, "check", "--without-files", "-c", filepath.Join(folder, "postern.yaml"))
}

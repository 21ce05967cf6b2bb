package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// vault is a folder with the configuration of an authorization server.
type vault struct {
	t           *testing.T
	folder      string
	environment map[string]string
}

func newVault(t *testing.T) vault {
	v := vault{t, t.TempDir(), map[string]string{"SEAL": strings.Repeat("e", 32)}}
	for name, text := range map[string]string{"one": strings.Repeat("1", 32), "two": strings.Repeat("2", 32), "short": "x"} {
		if err := os.WriteFile(filepath.Join(v.folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// configure writes the configuration with these further keys.
func (v vault) configure(keys ...string) {
	v.t.Helper()
	text := `authserver:
  listen: 127.0.0.1:0
  issuer: http://127.0.0.1:8090
  database: sqlite:authserver.db
  resources: [{resource: "http://127.0.0.1:8080/mcp", name: x, scopes: [{name: use, default: true}]}]
  ` + strings.Join(keys, "\n  ") + "\n"
	if err := os.WriteFile(filepath.Join(v.folder, "postern.yaml"), []byte(text), 0o600); err != nil {
		v.t.Fatal(err)
	}
}

// admin runs a command, and key one of the configuration's keys.
func (v vault) admin(args ...string) (code int, stdout, stderr string) {
	v.t.Helper()
	var out, errs bytes.Buffer
	lookup := func(name string) (string, bool) { value, ok := v.environment[name]; return value, ok }
	p := program{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, lookup: lookup}
	code = p.run(context.Background(), append([]string{"admin"}, args...))
	return code, out.String(), errs.String()
}

func (v vault) key(args ...string) (code int, stdout, stderr string) {
	v.t.Helper()
	return v.admin(append([]string{"-c", filepath.Join(v.folder, "postern.yaml"), "key"}, args...)...)
}

// listed are the rows of a command that prints keys.
func (v vault) listed(args ...string) (rows [][]string) {
	v.t.Helper()
	code, out, errs := v.key(args...)
	if code != exitFine {
		v.t.Fatalf("%v: exit %d\n%s", args, code, errs)
	}
	for line := range strings.Lines(out) {
		rows = append(rows, strings.Fields(line))
	}
	return rows[1:]
}

// in is how far a printed minute lies ahead, to the hour.
func (v vault) in(printed string) time.Duration {
	v.t.Helper()
	at, err := time.Parse("2006-01-02T15:04Z07:00", printed)
	if err != nil {
		v.t.Fatal(err)
	}
	return time.Until(at).Round(time.Hour)
}

func TestKeyCommands(t *testing.T) {
	v := newVault(t)
	v.configure("secret_file: one", "keys: {algorithm: EdDSA, rotate_every: 100h, publish_before: 5h}")
	first := v.listed("list")
	if len(first) != 1 || first[0][1] != "EdDSA" || first[0][2] != "signs" || v.in(first[0][4]) != 100*time.Hour {
		t.Fatalf("at first: %v", first)
	}
	next := v.listed("rotate")
	if next[0][2] != "next" || v.in(next[0][3]) != 5*time.Hour {
		t.Errorf("rotate: %v", next)
	}
	if hastened := v.listed("rotate", "--after", "1h"); hastened[0][0] != next[0][0] || v.in(hastened[0][3]) != time.Hour {
		t.Errorf("rotate --after: %v", hastened)
	}
	if all := v.listed("list"); len(all) != 2 || all[0][4] != all[1][3] {
		t.Errorf("the one signs until the other does: %v", all)
	}
	fresh := v.listed("revoke", "--yes", "--", first[0][0])
	if fresh[0][2] != "signs" || fresh[0][0] == first[0][0] || fresh[0][0] == next[0][0] {
		t.Errorf("revoke: %v", fresh)
	}
	all := v.listed("list")
	if len(all) != 3 || all[0][0] != fresh[0][0] || all[1][0] != next[0][0] || all[2][0] != first[0][0] || all[2][2] != "revoked" {
		t.Errorf("in the end: %v", all)
	}
	for _, row := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"revoke", "--yes", "--", first[0][0]}, exitFindings, "there is no good key"},
		{[]string{"revoke"}, exitUsage, "takes one name"},
		{[]string{"revoke", "--yes", "-Habc"}, exitUsage, "goes behind --, after all flags: postern admin key revoke -- -abc\nSee:"},
		{[]string{"revoke", "--yes", "--", "-Habc"}, exitFindings, `there is no good key "-Habc"`},
		{[]string{"rotate", "--after", "14s"}, exitFindings, "a key must be published for 15s before it signs"},
		{[]string{"forget"}, exitUsage, "there is no command"},
	} {
		if code, _, errs := v.key(row.args...); code != row.code || !strings.Contains(errs, row.want) {
			t.Errorf("%v: exit %d\n%s", row.args, code, errs)
		}
	}
}

// The secret goes from one file to another and into the environment. The key
// that signs stays the same, and opens with no secret but those.
func TestSealingSecrets(t *testing.T) {
	v := newVault(t)
	v.configure("secret_file: one")
	kid := v.listed("list")[0][0]
	for _, step := range []struct {
		name string
		keys []string
		args []string
		code int
		want string // in what is printed
	}{
		{"another secret", []string{"secret_file: two"}, []string{"list"}, exitFindings, "does not open with this secret"},
		{"with the one before", []string{"secret_file: two", "secret_previous_file: one"}, []string{"list"}, exitFine, kid},
		{"resealed", []string{"secret_file: two", "secret_previous_file: one"}, []string{"reseal"}, exitFine, "1 sealed with the secret of today: signing keys, "},
		{"without it", []string{"secret_file: two"}, []string{"list"}, exitFine, kid},
		{"which is worth nothing now", []string{"secret_file: one"}, []string{"list"}, exitFindings, "does not open with this secret"},
		{"from the environment", []string{"secret_env: SEAL", "secret_previous_file: two"}, []string{"reseal"}, exitFine, "take secret_previous_file out"},
		{"alone", []string{"secret_env: SEAL"}, []string{"list"}, exitFine, kid},
		{"again", []string{"secret_env: SEAL"}, []string{"reseal"}, exitFine, "1 sealed with the secret of today"},
		{"as the one before", []string{"secret_file: one", "secret_previous_env: SEAL"}, []string{"list"}, exitFine, kid},
		{"a variable that is not there", []string{"secret_env: ABSENT"}, []string{"list"}, exitUsage, "authserver.secret_env: the variable ABSENT holds 0 bytes"},
		{"a short secret", []string{"secret_file: short"}, []string{"list"}, exitUsage, "a secret needs at least 32"},
		{"a short one before", []string{"secret_env: SEAL", "secret_previous_file: short"}, []string{"list"}, exitUsage, "authserver.secret_previous_file"},
		{"none", nil, []string{"list"}, exitUsage, "authserver.secret_file: give exactly one of secret_file and secret_env"},
		{"two", []string{"secret_file: one", "secret_env: SEAL"}, []string{"list"}, exitUsage, "give exactly one of secret_file and secret_env"},
		{"two before", []string{"secret_file: one", "secret_previous_file: two", "secret_previous_env: SEAL"}, []string{"list"}, exitUsage, "exclude each other"},
	} {
		v.configure(step.keys...)
		code, out, errs := v.key(step.args...)
		if code != step.code || !strings.Contains(out+errs, step.want) {
			t.Errorf("%s: exit %d, want %d with %q in:\n%s%s", step.name, code, step.code, step.want, out, errs)
		}
		if before := strings.Contains(strings.Join(step.keys, " "), "secret_previous"); !before && strings.Contains(errs, "previous secret") {
			t.Errorf("%s: there is none before: %s", step.name, errs)
		}
	}
}

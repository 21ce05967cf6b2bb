package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver"
	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/legible"
)

// A list is shown whole, however many pages it has.
func TestLongListsAreWhole(t *testing.T) {
	v := newVault(t)
	v.configure("secret_file: one")
	config := v.folder + "/postern.yaml"
	p := program{stderr: &strings.Builder{}, lookup: func(string) (string, bool) { return "", false }}
	err := p.withAuthserver(t.Context(), config, func(s *authserver.Server) error {
		for i := range 250 {
			n := admin.NewUser{Name: fmt.Sprintf("user%03d", i), SignIn: admin.WithNothing}
			if _, err := s.Desk().CreateUser(context.Background(), admin.Operator(), n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	list := func(args ...string) (string, string) {
		t.Helper()
		code, out, errs := runIn(t, append([]string{"admin", "-c", config, "user", "list"}, args...)...)
		if code != exitFine {
			t.Errorf("%v: exit %d\n%s", args, code, errs)
		}
		return out, errs
	}
	if out, errs := list(); strings.Count(out, "\n") != 251 || errs != "" {
		t.Errorf("%d lines, %q", strings.Count(out, "\n"), errs)
	}
	if out, errs := list("--limit", "3"); strings.Count(out, "\n") != 4 || errs != "These are the first 3; there are more.\n" {
		t.Errorf("%s%s", out, errs)
	}
	if code, _, errs := runIn(t, "admin", "-c", config, "user", "list", "--limit", "0"); code != exitUsage || !strings.Contains(errs, "--limit must be from 1") {
		t.Errorf("none at all: exit %d %s", code, errs)
	}
	if out, _ := list("-o", "json"); strings.Count(out, `"id":"user_`) != 250 || strings.Contains(out, `"next"`) || !strings.HasSuffix(out, "}]}\n") {
		t.Error(out)
	}
	if out, _ := list("-o", "json", "--limit", "201"); strings.Count(out, `"id":"user_`) != 201 || !strings.Contains(out, `"next":"`) {
		t.Error(out)
	}
}

// Where nobody listens, that is what is said.
func TestServerThatIsNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	issuer := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	v := newVault(t)
	token := filepath.Join(v.folder, "one")
	v.environment["XDG_CONFIG_HOME"] = v.folder
	for _, args := range [][]string{{"login", "--url", issuer}, {"user", "list", "--url", issuer, "--token-file", token}} {
		code, out, errs := v.admin(args...)
		if code != exitFindings || out != "" || !strings.HasPrefix(errs, "postern: "+issuer+" cannot be reached: dial tcp ") {
			t.Errorf("%v: exit %d %s%s", args, code, out, errs)
		}
	}
}

// What strangers call themselves does nothing to a terminal.
func TestTablesShowWhatIsInvisible(t *testing.T) {
	var out strings.Builder
	table := newTable(0, "NAME", "STATE")
	table.add("a\x1b[2J\u202eb\tc", "")
	if err := table.print(&out); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "NAME                            STATE\na<U+001B>[2J<U+202E>b<U+0009>c  -\n"; got != want {
		t.Errorf("%q", got)
	}
}

// acted is what terminals act on, or show nothing for.
const acted = "\u007f\u0080\u009b\u009f\u00ad\u200b\u200e\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\u3164\ufe0f\ufeff\U000e0041"

// Nor does it as JSON, which says the same.
func TestJSONDoesNothingToATerminal(t *testing.T) {
	name := "Zoë 猫 " + acted + " \x1b[2J\n"
	raw, err := json.Marshal(map[string]string{"name": name})
	if err != nil {
		t.Fatal(err)
	}
	for what, shown := range map[string]string{"JSON": string(escaped(raw)), "a table": visible(name), "an error": lines(errors.New(name))} {
		for _, r := range acted + "\x1b" {
			if strings.ContainsRune(shown, r) {
				t.Errorf("%s has U+%04X: %q", what, r, shown)
			}
		}
		if !strings.Contains(shown, "Zoë 猫 ") {
			t.Errorf("%s hides letters: %q", what, shown)
		}
	}
	var back map[string]string
	if err := json.Unmarshal(escaped(raw), &back); err != nil || back["name"] != name {
		t.Errorf("it says %q, %v", back["name"], err)
	}
	if got := string(escaped([]byte("{\"a\": [\n\t1\r]}"))); got != "{\"a\": [\n\t1\r]}" {
		t.Errorf("the space between members: %q", got)
	}
}

// Only columns that say so are cut, the widest first, and only as far as needed.
func TestTablesFitTheirTerminal(t *testing.T) {
	for _, row := range []struct {
		name  string
		width int
		want  string
	}{
		{"wide enough", 36, "ID       NAME                SCOPES\n1234567  Ada Lovelace-Byron  a:b c:d\n"},
		{"a column gives way", 30, "ID       NAME          SCOPES\n1234567  Ada Lovelac…  a:b c:d\n"},
		{"as far as it can", 25, "ID       NAME     SCOPES\n1234567  Ada Lo…  a:b c:d\n"},
		{"no farther", 10, "ID       NAME     SCOPES\n1234567  Ada Lo…  a:b c:d\n"},
		{"to a file", 0, "ID       NAME                SCOPES\n1234567  Ada Lovelace-Byron  a:b c:d\n"},
	} {
		var out strings.Builder
		table := newTable(row.width, "ID", "NAME…", "SCOPES…")
		table.add("1234567", "Ada Lovelace-Byron", "a:b c:d")
		if err := table.print(&out); err != nil {
			t.Fatal(err)
		}
		if out.String() != row.want {
			t.Errorf("%s:\n%s\nwant\n%s", row.name, out.String(), row.want)
		}
	}
}

func TestRolesSayWhereTheyAreFrom(t *testing.T) {
	held := []admin.HeldRole{{Role: "user", Source: "assigned"}, {Role: "user", Source: "corp"}, {Role: "admin", Source: "corp"}}
	if got := roleNames(held); got != "admin user" {
		t.Error(got)
	}
	if got := roleLines(held); got != "user, given by an administrator\nuser, from the provider corp\nadmin, from the provider corp" {
		t.Error(got)
	}
	var out strings.Builder
	if err := printUser(&out, admin.User{Name: "ada", Roles: held, Factors: []string{"totp", "recovery_codes"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Roles           user, given by an administrator\n                user, from the provider corp\n", "Second factors  authenticator app, recovery codes\n", "Last sign-in    -\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// Work is silent for a second, then says how far it is, then takes that back.
func TestProgress(t *testing.T) {
	var out strings.Builder
	p := &progress{to: &out, began: time.Now().Add(time.Hour)}
	p.at("%d of %d", 1, 3)
	p.end()
	if out.String() != "" {
		t.Errorf("at once: %q", out.String())
	}
	p.began = time.Now().Add(-time.Second)
	p.at("%d of %d", 2, 3)
	p.end()
	if want := "\r\x1b[K2 of 3\r\x1b[K"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}

// Work that goes on is shown while it does, and its error is its own.
func TestProgressDuringWork(t *testing.T) {
	var out strings.Builder
	p := &progress{to: &out, began: time.Now().Add(-time.Minute)}
	seen := make(chan struct{})
	p.to = writerFunc(func(text []byte) (int, error) {
		if out.Len() == 0 {
			close(seen)
		}
		return out.Write(text)
	})
	failed := errors.New("failed")
	if err := p.during("0 of 2 deleted", func() error { <-seen; return failed }); err != failed {
		t.Error(err)
	}
	if !strings.HasPrefix(out.String(), "\r\x1b[K0 of 2 deleted, 6") {
		t.Errorf("%q", out.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(text []byte) (int, error) { return f(text) }

// A terminal gets what is legible, in all of Unicode.
func TestTablesAreLegible(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		if same := visible(string(r)) == string(r); same != legible.Shows(r) {
			t.Errorf("U+%04X in a table", r)
		}
		if same := string(escaped([]byte(string(r)))) == string(r); same != (r < 0x7f || legible.Shows(r)) {
			t.Errorf("U+%04X in JSON", r)
		}
	}
}

package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver"
	"github.com/postern-mcp/postern/authserver/admin"
)

// A list is shown whole, however many pages it has.
func TestLongListsAreWhole(t *testing.T) {
	v := newVault(t)
	v.configure("secret_file: one")
	config := v.folder + "/postern.yaml"
	p := program{stderr: &strings.Builder{}, lookup: func(string) (string, bool) { return "", false }}
	err := p.withAuthserver(t.Context(), config, func(s *authserver.Server) error {
		for i := range 120 {
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
	code, out, errs := runIn(t, "admin", "-c", config, "user", "list")
	if n := strings.Count(out, "\n"); code != exitFine || n != 121 {
		t.Errorf("exit %d, %d lines\n%s", code, n, errs)
	}
	code, out, _ = runIn(t, "admin", "-c", config, "user", "list", "-o", "json")
	if code != exitFine || strings.Count(out, `"id":"user_`) != 120 || strings.Contains(out, `"next"`) || !strings.HasSuffix(out, "}]}\n") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// What strangers call themselves does nothing to a terminal.
func TestTablesShowWhatIsInvisible(t *testing.T) {
	var out strings.Builder
	table := newTable(&out, "NAME", "STATE")
	table.add("a\x1b[2J\u202eb\tc", "")
	if err := table.flush(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(strings.Fields(out.String()), " "); got != "NAME STATE a<U+001B>[2J<U+202E>b<U+0009>c -" {
		t.Errorf("%q", out.String())
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

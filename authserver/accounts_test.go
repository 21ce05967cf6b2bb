package authserver

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

// Deleting ends what was given: refresh tokens, consents, sessions, and what
// introspection says of access tokens that are still out.
func TestDeletedAccountsKeepNothing(t *testing.T) {
	for name, remove := range map[string]func(g *rig, client, user string) error{
		"client": func(g *rig, client, _ string) error { return g.s.DeleteClient(t.Context(), client) },
		"user":   func(g *rig, _, user string) error { return g.s.DeleteUser(t.Context(), user) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			watcher, secret := g.resourceServer(calculator)
			id := g.publicClient()
			tokens := g.tokens(id)
			users, err := g.s.Users(t.Context())
			if err != nil || len(users) != 1 {
				t.Fatalf("users %v, %v", users, err)
			}
			if err := remove(g, id, users[0].Name); err != nil {
				t.Fatal(err)
			}
			if a := g.post("/token", refreshing(id, tokens)); a.status != 400 && a.status != 401 {
				t.Errorf("refresh: %d %s", a.status, a.body)
			}
			a := g.post("/introspect", url.Values{"token": {tokens.str("access_token")}}, basic(watcher, secret))
			if strings.TrimSpace(a.body) != `{"active":false}` {
				t.Errorf("introspection: %s", a.body)
			}
			if err := remove(g, id, users[0].Name); !errors.Is(err, ErrUnknown) {
				t.Errorf("again: %v", err)
			}
		})
	}
}

func TestClientsAreListed(t *testing.T) {
	g := newRig(t)
	machine, _ := g.machine("calc:basic")
	registered := g.publicClient()
	all, err := g.s.Clients(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	for _, a := range all {
		if a.Registered != (a.ID == registered) || a.ID != registered && a.ID != machine || a.Name == "" || a.CreatedAt.IsZero() {
			t.Errorf("%+v", a)
		}
	}
}

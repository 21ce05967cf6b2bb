package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/authserver/store/postgrestest"
)

// TestPeopleTakeBackWhatTheyAllowed: Chromium, by the keyboard, through the
// running binary on both databases: a yes whose risk the policy tells, what the
// account shows of it, and its end.
func TestPeopleTakeBackWhatTheyAllowed(t *testing.T) {
	for name, database := range map[string]string{"sqlite": "", "postgres": postgrestest.Database(t, postgrestest.Start(t))} {
		t.Run(name, func(t *testing.T) {
			d := openRisky(t, database)
			here := step{"do": "here", "username": d.user.Username, "password": d.user.Password}
			found := browse(t, inWindow("ada",
				step{"do": "open", "url": d.authorizeURL(d.public)}, here,
				step{"do": "read", "until": "It asks to", "as": "consent"},
				step{"do": "decide", "decision": "allow"},
				step{"do": "read", "until": "landed", "as": "back"},
			)...)
			for _, words := range []string{"Risk: high", "not verified", "127.0.0.1", "an application on this computer"} {
				if !strings.Contains(found["consent"].Text, words) {
					t.Errorf("the consent page does not say %q: %s", words, found["consent"].Text)
				}
			}
			got := d.ask(t, "/token", redeeming(d.public, found["back"].landed(t).Get("code"), "redirect_uri", landing)).expect(t, http.StatusOK).told(t)
			found = browse(t, inWindow("ada",
				step{"do": "open", "url": d.issuer + "/account/applications"}, here,
				step{"do": "read", "until": "Tokens in use right now", "as": "applications"},
				step{"do": "choose", "says": "See details"},
				step{"do": "read", "until": "What it may do with", "as": "application"},
				step{"do": "choose", "says": "Take back all access"},
				step{"do": "read", "until": "cannot be taken back", "as": "asked"},
				step{"do": "choose", "says": "Take back all access"},
				step{"do": "read", "until": "It has lost all access.", "as": "after"},
			)...)
			if !strings.Contains(found["applications"].Text, "everything") || !strings.Contains(found["application"].Text, "Risk: high") || !strings.Contains(found["after"].Text, "You have not let any application in yet") {
				t.Errorf("got %+v", found)
			}
			if again := d.ask(t, "/token", altered(redeeming(d.public, "x"), "grant_type", "refresh_token", "refresh_token", got.Refresh)); again.status != http.StatusBadRequest {
				t.Errorf("a refresh goes on: %d %s", again.status, again.body)
			}
		})
	}
}

// openRisky is a desk whose policy says how risky its scope is.
func openRisky(t *testing.T, database string) *desk {
	t.Helper()
	d := &desk{stage: setStage(t, []staged{{"only", "http://" + loopback(freePort(t)), "accepted"}}), user: person{"ada", "correct horse battery staple"}}
	edit(t, filepath.Join(d.dir, "only.yaml"), "everything: {", "everything: {risk: high, ")
	if database != "" {
		write(t, filepath.Join(d.dir, "database"), database+"\n")
		edit(t, d.config, "database: sqlite:authserver.db", "database_url_file: database")
	}
	d.serve(t)
	d.administer(t, d.user.Password+"\n", "user", "create", d.user.Username, "--password-stdin")
	d.target, d.public = d.resource("only"), d.register(t, deskCallback, "refresh_token")
	return d
}

// edit changes one piece of a file, which is there.
func edit(t *testing.T, path, from, to string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), from) != 1 {
		t.Fatalf("%s: no %q, or several: %v", path, from, err)
	}
	write(t, path, strings.Replace(string(text), from, to, 1))
}

package authserver

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/authserver/store"
)

// overtaken is a store in which everything that a person proved ends right
// before what they asked for is written.
type overtaken struct {
	Store
	end func()
}

func (s overtaken) RenamePasskey(ctx context.Context, user string, era int64, id []byte, name string) error {
	s.end()
	return s.Store.RenamePasskey(ctx, user, era, id, name)
}

func (s overtaken) ForgetBrowsers(ctx context.Context, user string, era int64, one store.Hash) error {
	s.end()
	return s.Store.ForgetBrowsers(ctx, user, era, one)
}

func (s overtaken) Link(ctx context.Context, v store.Identity) error {
	s.end()
	return s.Store.Link(ctx, v)
}

func (s overtaken) Unlink(ctx context.Context, user string, era int64, issuer, subject string, issuers []string) error {
	s.end()
	return s.Store.Unlink(ctx, user, era, issuer, subject, issuers)
}

// Who ends everything also ends the form that is being worked on.
func TestFormsThatTheEndOvertakes(t *testing.T) {
	for name, begin := range map[string]func(a *abroad, b *http.Client, page answerOf) (send func() answerOf){
		"a passkey is renamed": func(a *abroad, b *http.Client, _ answerOf) func() answerOf {
			form := url.Values{"passkey": {a.passkeyAt(b)}, "name": {"mine"}}
			form.Set("token", tokenOf(a.t, a.visit(b, passwordPath)))
			return func() answerOf { return a.submit(b, securityPath+"/passkey/one", form) }
		},
		"browsers are forgotten": func(a *abroad, b *http.Client, page answerOf) func() answerOf {
			return func() answerOf { return a.press(b, page, securityPath+"/browsers", "browser", "all") }
		},
		"an account is linked": func(a *abroad, b *http.Client, page answerOf) func() answerOf {
			back := a.there(sentTo(a.t, a.press(b, page, linkPath, "provider", "corp")))
			return func() answerOf { return a.get(b, back) }
		},
		"an account is unlinked": func(a *abroad, b *http.Client, page answerOf) func() answerOf {
			must(a.t, a.s.store.Link(a.t.Context(), store.Identity{Issuer: a.op.URL, Subject: "ada-1815", Provider: "corp", UserID: a.userID()}))
			return func() answerOf { return a.press(b, page, unlinkPath, "issuer", a.op.URL, "subject", "ada-1815") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newAbroad(t, nil, named), newBrowser(t)
			send := begin(a, b, a.security(b, testUser))
			before := a.securityOf(a.userID())
			a.keepIn(overtaken{a.s.store, a.endSessions})
			if got := send(); got.status != 400 || !strings.Contains(got.body, answers[BadRequestState].text) {
				t.Errorf("got %d %s", got.status, got.body)
			}
			if after := a.securityOf(a.userID()); !reflect.DeepEqual(after, before) {
				t.Errorf("had %+v, has %+v", before, after)
			}
		})
	}
}

// A yes that the end overtakes allows nothing: the person is asked to sign in.
func TestConsentThatTheEndOvertakes(t *testing.T) {
	for name, ask := range map[string]func(g *rig, b *http.Client) answerOf{
		"an application": func(g *rig, b *http.Client) answerOf { return g.consentPage(b, authorization(g.publicClient())) },
		"a device": func(g *rig, b *http.Client) answerOf {
			return g.devicePages(b, g.waits(g.television("")).str("user_code"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			b := newBrowser(t)
			page := ask(g, b)
			g.keepIn(replacing{g.s.store, g.endSessions})
			if got := g.submit(b, "/consent", approval(t, page, "allow")); got.status != 200 || !strings.Contains(got.body, `action="/login"`) {
				t.Errorf("got %d %s", got.status, got.body)
			}
			var grants int
			if err := g.database().QueryRow("SELECT count(*) FROM grants").Scan(&grants); err != nil || grants != 0 {
				t.Errorf("%d grants, %v", grants, err)
			}
		})
	}
}

package authserver

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

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

func (s overtaken) EndOthers(ctx context.Context, user string, but store.Hash, here store.Place) (int64, error) {
	s.end()
	return s.Store.EndOthers(ctx, user, but, here)
}

func (s overtaken) EndSession(ctx context.Context, h store.Hash, until time.Time) error {
	s.end()
	return s.Store.EndSession(ctx, h, until)
}

func (s overtaken) ChangePerson(ctx context.Context, id string, now time.Time, change func(store.Person) (store.User, error)) error {
	s.end()
	return s.Store.ChangePerson(ctx, id, now, change)
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
		"others are signed out": func(a *abroad, b *http.Client, _ answerOf) func() answerOf {
			sure := a.visit(b, "/account/sessions/end-others")
			return func() answerOf { return a.press(b, sure, "/account/sessions/end-others") }
		},
		"another browser is signed out": func(a *abroad, b *http.Client, _ answerOf) func() answerOf {
			a.seated(testUser, amrPassword)
			form := url.Values{"token": {tokenOf(a.t, a.visit(b, "/account/sessions"))}}
			all, err := a.s.store.Sessions(a.t.Context(), a.userID(), a.clock.Now())
			must(a.t, err)
			form.Set("session", sessionName(all[slices.IndexFunc(all, func(v store.Session) bool { return v.Agent == "" })].Hash))
			return func() answerOf { return a.submit(b, "/account/sessions/end", form) }
		},
		"a profile is changed": func(a *abroad, b *http.Client, _ answerOf) func() answerOf {
			form := url.Values{"token": {tokenOf(a.t, a.visit(b, "/account/profile"))}, "full_name": {"Mallory"}, "email": {"mallory@example.com"}}
			return func() answerOf { return a.submit(b, "/account/profile", form) }
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

// A session goes on past the one end it was to outlive, and no other.
func TestSessionsGoOnPastOneEnd(t *testing.T) {
	g := newRig(t)
	was, err := g.s.store.UserByID(t.Context(), g.userID())
	must(t, err)
	for ends := range 3 {
		now, err := g.s.store.UserByID(t.Context(), g.userID())
		must(t, err)
		v, err := g.s.goneOn(t.Context(), store.Session{UserID: was.ID, Era: was.Era})
		if must(t, err); (v.Era == now.Era) != (ends < 2) || ends == 2 && v.Era != was.Era {
			t.Errorf("after %d ends: in era %d of %d", ends, v.Era, now.Era)
		}
		g.endSessions()
	}
}

package authserver

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-mcp/postern/authserver/redistest"
)

// forgetful is a server whose Redis forgets sessions, and has them again.
type forgetful struct {
	*rig
	redis *redis.Client
}

func newForgetful(t *testing.T) forgetful {
	t.Helper()
	client := redistest.Start(t).Client()
	t.Cleanup(func() { _ = client.Close() })
	return forgetful{newRig(t, func(c *Config) { c.ShortLived = inRedis(client) }), client}
}

// loses takes what Redis has of sessions away, until it is given back.
func (f forgetful) loses() (back func()) {
	f.t.Helper()
	names := f.redis.Keys(f.t.Context(), "short:session:*").Val()
	if len(names) == 0 {
		f.t.Fatal("Redis has no session")
	}
	move := func(from, to string) {
		f.t.Helper()
		for _, name := range names {
			if err := f.redis.Rename(f.t.Context(), from+name, to+name).Err(); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	move("", "lost ")
	return func() { f.t.Helper(); move("lost ", "") }
}

func (f forgetful) inside(b *http.Client) bool {
	f.t.Helper()
	return !strings.Contains(f.get(b, "/account").body, `name="password"`)
}

func (f forgetful) onRecord() (n int) {
	f.t.Helper()
	if err := f.database().QueryRow("SELECT count(*) FROM ended_sessions").Scan(&n); err != nil {
		f.t.Fatal(err)
	}
	return n
}

// Who signs out while Redis has lost their session is signed out when it is there
// again, and so is who signs in anew, or ended a browser from the list.
func TestSignedOutWhileTheSessionIsLost(t *testing.T) {
	for name, end := range map[string]func(f forgetful, b *http.Client) (back func()){
		"by the form": func(f forgetful, b *http.Client) func() {
			back := f.loses()
			if a := f.submit(b, "/logout", url.Values{"confirm": {"yes"}}); a.status != 200 || !strings.Contains(a.body, "You are signed out") {
				f.t.Errorf("got %d %s", a.status, a.body)
			}
			return back
		},
		"by a link, which asks": func(f forgetful, b *http.Client) func() {
			back := f.loses()
			page := f.get(b, "/logout")
			if !strings.Contains(page.body, "Sign out?") || f.onRecord() != 0 {
				f.t.Errorf("it does not ask: %s", page.words())
			}
			if a := f.submit(b, "/logout", formAt(f.t, page, "/logout")); a.status != 200 || !strings.Contains(a.body, "You are signed out") {
				f.t.Errorf("got %d %s", a.status, a.body)
			}
			return back
		},
		"by a sign-in there": func(f forgetful, b *http.Client) func() {
			back := f.loses()
			f.enter(b, "/account", testUser, testPassword)
			return back
		},
		"from the list": func(f forgetful, b *http.Client) func() {
			other := f.visitor()
			page := f.get(other, "/account/sessions")
			var form url.Values
			for _, row := range strings.Split(page.body, "<tr") {
				if strings.Contains(row, `/account/sessions/end"`) && !strings.Contains(row, "this browser") {
					form = formAt(f.t, answerOf{body: row}, "/account/sessions/end")
				}
			}
			back := f.losesBut(other)
			if a := f.submit(other, "/account/sessions/end", form); a.status != 303 {
				f.t.Errorf("got %d %s", a.status, a.body)
			}
			return back
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForgetful(t)
			b := f.visitor()
			thief := newBrowser(t)
			at, err := url.Parse(f.url)
			if err != nil {
				t.Fatal(err)
			}
			thief.Jar.SetCookies(at, b.Jar.Cookies(at))
			if !f.inside(thief) {
				t.Fatal("a copy of the cookies does not do")
			}
			end(f, b)()
			if f.inside(thief) {
				t.Error("signed in again")
			}
		})
	}
}

// losesBut is loses, of all but the session of a browser.
func (f forgetful) losesBut(b *http.Client) (back func()) {
	f.t.Helper()
	before := f.redis.Keys(f.t.Context(), "short:session:*").Val()
	all := f.loses()
	for _, name := range before {
		if err := f.redis.Copy(f.t.Context(), "lost "+name, name, 0, false).Err(); err != nil {
			f.t.Fatal(err)
		}
		if f.inside(b) {
			return func() {
				f.t.Helper()
				if err := f.redis.Del(f.t.Context(), name).Err(); err != nil {
					f.t.Fatal(err)
				}
				all()
			}
		}
		if err := f.redis.Del(f.t.Context(), name).Err(); err != nil {
			f.t.Fatal(err)
		}
	}
	f.t.Fatal("nobody's session")
	return nil
}

// Strangers who sign out of nothing leave nothing behind, however often they come.
func TestStrangersPutNoSessionOnRecord(t *testing.T) {
	f := newForgetful(t)
	at, err := url.Parse(f.url)
	if err != nil {
		t.Fatal(err)
	}
	made := make([]byte, 32)
	_, _ = rand.Read(made) // never fails: crypto/rand
	for name, value := range map[string]string{
		"none": "", "made up": base64.RawURLEncoding.EncodeToString(made), "another purpose": base64.RawURLEncoding.EncodeToString(f.s.seals.forms.close(make([]byte, 4), sessionCookie)),
		"over": f.s.newSessionCookie(f.clock.Now().Add(-time.Minute)),
	} {
		b := newBrowser(t)
		b.Jar.SetCookies(at, []*http.Cookie{{Name: f.s.site.cookie(sessionCookie), Value: value, Path: "/"}})
		if a := f.submit(b, "/logout", url.Values{"confirm": {"yes"}}); a.status != 200 || f.onRecord() != 0 {
			t.Errorf("%s: %d, %d on record", name, a.status, f.onRecord())
		}
	}
	b := f.visitor()
	page := f.get(b, "/account/sessions")
	form := with(formAt(t, page, "/account/sessions/end"), "session", sessionName(hashOf("somebody else's")))
	if a := f.submit(b, "/account/sessions/end", form); a.status != 303 || f.onRecord() != 0 {
		t.Errorf("from the list: %d, %d on record", a.status, f.onRecord())
	}
}

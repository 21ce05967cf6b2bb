package e2e

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// begins signs somebody in at one of the two, with a window of their own.
func (b *branches) begins(t *testing.T, at string) *window {
	t.Helper()
	w := newWindow(t)
	form := w.at(at).get(t, b.issuer+"/account").sealed(t)
	w.at(at).submit(t, b.issuer+"/login", url.Values{"request": {form}, "username": {b.user.Username}, "password": {b.user.Password}}).expect(t, http.StatusSeeOther)
	return w
}

// inside says whether somebody is signed in, as one of the two sees it.
func (b *branches) inside(t *testing.T, w *window, at string) bool {
	t.Helper()
	page := w.at(at).get(t, b.issuer+"/account/sessions").expect(t, http.StatusOK)
	return !strings.Contains(page.body, `name="password"`)
}

func (b *branches) expectInside(t *testing.T, w *window, is bool) {
	t.Helper()
	for _, at := range []string{b.first, b.second} {
		if got := b.inside(t, w, at); got != is {
			t.Errorf("signed in at %s: %v, want %v", at, got, is)
		}
	}
}

var formToken = regexp.MustCompile(`name="token" value="([^"]*)"`)

// ends posts a form of the page about sessions, at one of the two.
func (b *branches) ends(t *testing.T, w *window, at, path string, pairs ...string) {
	t.Helper()
	token := formToken.FindStringSubmatch(w.at(at).get(t, b.issuer+"/account/sessions").expect(t, http.StatusOK).body)
	if token == nil {
		t.Fatal("the page has no form")
	}
	w.at(at).submit(t, b.issuer+path, altered(url.Values{"token": {html.UnescapeString(token[1])}}, pairs...)).expect(t, http.StatusSeeOther)
}

// copied is all that a Redis has, to be put back.
func (r *redisServer) copied(t *testing.T) (putBack func()) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: loopback(r.port)})
	t.Cleanup(func() { _ = client.Close() })
	was := map[string]string{}
	for _, name := range client.Keys(t.Context(), "*").Val() {
		was[name] = client.Dump(t.Context(), name).Val()
	}
	if len(was) < 4 { // two sessions, in the lists of a person and of everybody
		t.Fatalf("Redis has %d keys", len(was))
	}
	return func() {
		t.Helper()
		for name, value := range was {
			if err := client.RestoreReplace(t.Context(), name, time.Hour, value).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var otherSession = regexp.MustCompile(`name="session" value="([^"]*)"`)

// TestSessionsInRedis: who signs in at one instance is signed in at the other,
// and who is signed out at one is so at both, also when Redis brings the session
// back. While it is away nobody is signed in, and afterwards people sign in again.
func TestSessionsInRedis(t *testing.T) {
	b := openShortLived(t)
	here, there := b.begins(t, b.first), b.begins(t, b.second)
	b.expectInside(t, here, true)
	b.expectInside(t, there, true)
	putBack := b.redis.copied(t)

	named := otherSession.FindStringSubmatch(here.at(b.second).get(t, b.issuer+"/account/sessions").body)
	if named == nil {
		t.Fatal("the other browser is not listed")
	}
	b.ends(t, here, b.second, "/account/sessions/end", "session", named[1])
	b.expectInside(t, there, false)
	gone := there
	there = b.begins(t, b.first)
	b.ends(t, there, b.first, "/account/sessions/end-others")
	b.expectInside(t, here, false)
	b.expectInside(t, there, true)
	putBack()
	b.expectInside(t, here, false)
	b.expectInside(t, gone, false)
	b.expectInside(t, there, true)

	b.redis.stop(t)
	for _, at := range []string{b.first, b.second} {
		got := there.at(at).get(t, b.issuer+"/account/sessions")
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
			t.Errorf("got %d, to come again %q", got.status, got.header.Get("Retry-After"))
		}
	}
	b.redis.start(t)
	for _, at := range []string{b.first, b.second} {
		eventually(t, func() error {
			if got := there.at(at).get(t, b.issuer+"/account/sessions"); got.status != http.StatusOK {
				return fmt.Errorf("still %d", got.status)
			}
			return nil
		})
	}
	b.expectInside(t, there, false)
	b.expectInside(t, b.begins(t, b.second), true)
}

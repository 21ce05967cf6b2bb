package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

const sharedStepUpSecret = "what proxies and the issuer both know"

// branches are two processes of one authorization server, with one database
// and one Redis, behind a proxy that says who asks.
type branches struct {
	*desk
	redis  *redisServer
	first  string // addresses
	second string
}

func openBranches(t *testing.T) *branches {
	t.Helper()
	b, dir := &branches{redis: newRedis(t)}, t.TempDir()
	b.desk = openDeskWith(t, fmt.Sprintf("  trusted_proxies: [127.0.0.0/8]\n  step_up_secret_file: %s\nstate: {secret_file: %s, redis: {url_file: %s}}\n",
		write(t, filepath.Join(dir, "step_up"), sharedStepUpSecret), newSecret(t, dir), write(t, filepath.Join(dir, "redis"), b.redis.url())))
	b.first, b.second = b.host(b.issuer), b.host(b.twin(t))
	b.public = b.register(t, deskCallback, "refresh_token")
	return b
}

// at is the same browser, led to one of the two.
func (w *window) at(address string) *window {
	to := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}}
	return &window{http.Client{Jar: w.Jar, CheckRedirect: w.CheckRedirect, Transport: to}}
}

// signIn sends the sign-in form of a browser to one of the two.
func (b *branches) signIn(t *testing.T, w *window, address, name, password string, who int) reply {
	t.Helper()
	form := w.at(address).get(t, b.issuer+"/authorize?"+b.asking(b.public).Encode()).sealed(t)
	return w.at(address).submit(t, b.issuer+"/login", url.Values{"request": {form}, "username": {name}, "password": {password}}, from(who)...)
}

// slowed sends wrong guesses until one is too many, and gives that. Each of two
// that count apart would take half of most.
func slowed(t *testing.T, most int, guess func(n int) reply) reply {
	t.Helper()
	for n := range most {
		got := guess(n)
		if got.status != http.StatusTooManyRequests {
			got.expect(t, http.StatusForbidden)
			continue
		}
		if err := got.unhurried(); err != nil {
			t.Error(err)
		}
		return got
	}
	t.Fatalf("%d guesses, and none is too many", most)
	return reply{}
}

// TestFailedSignInsCountAtEveryInstance: for the account from one address, from
// its network and from everywhere, for the address whatever the name, and not for
// anybody else. Meanwhile the owner of the account signs in, at browsers that
// nobody knows: from anywhere while one network fails, and where they were before
// while all do.
func TestFailedSignInsCountAtEveryInstance(t *testing.T) {
	b := openBranches(t)
	w := newWindow(t)
	either := []string{b.first, b.second}
	network := func(n int) (address int) { return 250 * n }
	owner := func(at string, who int) reply {
		return b.signIn(t, newWindow(t), at, b.user.Username, b.user.Password, who)
	}
	home, away := network(200), network(210)
	owner(b.first, home).expect(t, http.StatusSeeOther)

	slowed(t, 18, func(n int) reply { return b.signIn(t, w, either[n%2], b.user.Username, "wrong", 0) })
	slowed(t, 40, func(n int) reply { return b.signIn(t, w, either[n%2], b.user.Username, "wrong", 1+n) })
	for i, at := range either {
		b.signIn(t, w, at, b.user.Username, "wrong", 60+i).expect(t, http.StatusTooManyRequests)
	}
	owner(b.second, away).expect(t, http.StatusSeeOther)

	slowed(t, 120, func(n int) reply { return b.signIn(t, w, either[n%2], b.user.Username, "wrong", network(1+n)) })
	owner(b.second, home+1).expect(t, http.StatusSeeOther)
	somewhere := 220
	eventually(t, func() error {
		somewhere++
		b.signIn(t, w, b.first, b.user.Username, "wrong", network(somewhere)) // one that time gave back
		got := owner(b.second, network(somewhere))
		if got.status != http.StatusTooManyRequests {
			return fmt.Errorf("from somewhere new: %d", got.status)
		}
		return got.unhurried()
	})

	const guesser = 50
	slowed(t, 36, func(n int) reply { return b.signIn(t, w, either[n%2], fmt.Sprint("somebody", n), "wrong", guesser) })
	for _, at := range either {
		b.signIn(t, w, at, "one more", "wrong", guesser+1).expect(t, http.StatusForbidden)
	}
}

// guessed sends wrong user codes of one address, some to each, and gives the
// status of one more at either.
func (b *branches) guessed(t *testing.T, who, first, second int) (here, there int) {
	t.Helper()
	w := newWindow(t)
	guess := func(address string) int {
		return w.at(address).submit(t, b.issuer+"/device", url.Values{"user_code": {"BCDF-GHJK"}}, from(who)...).status
	}
	for range first {
		guess(b.first)
	}
	for range second {
		guess(b.second)
	}
	return guess(b.first), guess(b.second)
}

// TestRedisAwayKeepsNobodyOut: nor does it let anybody guess. What was counted
// together is counted apart, and together again.
func TestRedisAwayKeepsNobodyOut(t *testing.T) {
	b := openBranches(t)
	w := newWindow(t)
	if here, there := b.guessed(t, 1, 5, 5); here != http.StatusTooManyRequests || there != http.StatusTooManyRequests {
		t.Errorf("together: %d and %d after ten guesses", here, there)
	}
	b.redis.stop(t)
	for n, at := range []string{b.first, b.second} {
		b.signIn(t, newWindow(t), at, b.user.Username, b.user.Password, n).expect(t, http.StatusSeeOther)
	}
	if here, there := b.guessed(t, 2, 10, 0); here != http.StatusTooManyRequests || there == http.StatusTooManyRequests {
		t.Errorf("apart: %d where ten were made, %d where none was", here, there)
	}
	slowed(t, 18, func(int) reply { return b.signIn(t, w, b.first, "grace", "wrong", 100) })
	b.signIn(t, w, b.second, "grace", "wrong", 100).expect(t, http.StatusForbidden)
	if n := strings.Count(b.server.out.String(), "shared.away"); n != 1 {
		t.Errorf("one outage is said %d times", n)
	}

	b.redis.start(t)
	who := 1000
	eventually(t, func() error {
		who++
		if here, there := b.guessed(t, who, 5, 5); here != http.StatusTooManyRequests || there != http.StatusTooManyRequests {
			return fmt.Errorf("%d and %d after ten guesses", here, there)
		}
		return nil
	})
	if here, _ := b.guessed(t, 2, 0, 0); here != http.StatusTooManyRequests {
		t.Errorf("%d: a Redis that is back, and empty, lets everybody start anew", here)
	}
	if !strings.Contains(b.server.out.String(), "shared.back") {
		t.Error("the log does not say that Redis is back")
	}
}

// TestStepUpToldToOneIsHeardByAll: and while Redis is away, by who was told.
func TestStepUpToldToOneIsHeardByAll(t *testing.T) {
	b := openBranches(t)
	first := b.granted(t)
	w := newWindow(t)
	refresh := func(address string) reply {
		return w.at(address).submit(t, b.issuer+"/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Refresh}, "client_id": {b.public}})
	}
	tell := func(address string) {
		w.at(address).submit(t, b.issuer+"/step-up", url.Values{"client_id": {b.public}, "sub": {subjectOf(t, first.Access)}, "resource": {b.target}, "max_age": {"0"}},
			"Authorization", "Bearer "+sharedStepUpSecret).expect(t, http.StatusNoContent)
	}
	tell(b.first)
	for _, at := range []string{b.first, b.second} {
		refresh(at).refuses(t, http.StatusBadRequest, "interaction_required")
	}
	b.redis.stop(t)
	refresh(b.first).refuses(t, http.StatusBadRequest, "interaction_required")
	tell(b.second)
	refresh(b.second).refuses(t, http.StatusBadRequest, "interaction_required")
}

// subjectOf is whom an access token is for.
func subjectOf(t *testing.T, token string) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Subject string `json:"sub"`
	}
	if err := json.Unmarshal(payload, &c); err != nil || c.Subject == "" {
		t.Fatalf("%v: %s", err, payload)
	}
	return c.Subject
}

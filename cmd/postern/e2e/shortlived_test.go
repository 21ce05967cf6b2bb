package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// openShortLived is two processes on one PostgreSQL and one Redis, which has what
// is short-lived.
func openShortLived(t *testing.T) *branches {
	t.Helper()
	b, dir := &branches{redis: newRedis(t)}, t.TempDir()
	d := &desk{stage: setStage(t, []staged{{"only", "http://" + loopback(freePort(t)), "accepted"}}), user: person{"ada", adasPassword}}
	text, err := os.ReadFile(d.config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(
		"database: sqlite:authserver.db", "database_url_file: "+write(t, filepath.Join(dir, "database"), databases.empty(t)),
		"  registration: open\n", fmt.Sprintf("  registration: open\n  short_lived: redis\nstate: {secret_file: %s, redis: {url_file: %s}}\n",
			newSecret(t, dir), write(t, filepath.Join(dir, "redis"), b.redis.url()))).Replace(string(text))
	write(t, d.config, changed)
	d.serve(t)
	d.administer(t, d.user.Password+"\n", "user", "create", d.user.Username, "--password-stdin")
	d.target, b.desk = d.resource("only"), d
	b.first, b.second = d.host(d.issuer), d.host(d.twin(t))
	b.public = d.register(t, deskCallback, "refresh_token")
	return b
}

// askAt posts a form to one of the two, as a client does.
func (b *branches) askAt(t *testing.T, address, path string, form url.Values) reply {
	t.Helper()
	return newWindow(t).at(address).submit(t, b.issuer+path, form)
}

// TestWaitingInRedis: what one instance hands out the other takes, once; the
// database hears of it when it is decided.
func TestWaitingInRedis(t *testing.T) {
	b := openShortLived(t)
	for i, at := range []string{b.second, b.first} {
		redeem := redeeming(b.public, b.code(t, b.public))
		got := b.askAt(t, at, "/token", redeem).expect(t, http.StatusOK).told(t)
		b.askAt(t, []string{b.second, b.first}[1-i], "/token", redeem).refuses(t, http.StatusBadRequest, "invalid_grant")
		b.askAt(t, at, "/token", refreshing(got.Refresh, "client_id", b.public)).refuses(t, http.StatusBadRequest, "invalid_grant")
	}
	raceProcesses(t, b.desk)
	b.device(t)
}

func (b *branches) device(t *testing.T) {
	t.Helper()
	client := b.registered(t, `"client_name":"tv","redirect_uris":["`+deskCallback+`"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","`+deviceGrant+`"]`)
	polling := func(at string, w waiting) reply {
		return b.askAt(t, at, "/token", url.Values{"grant_type": {deviceGrant}, "client_id": {client}, "device_code": {w.Device}})
	}
	yes, no := b.deviceBegins(t, client), b.deviceBegins(t, client)
	polling(b.second, yes).refuses(t, http.StatusBadRequest, "authorization_pending")
	polling(b.first, yes).refuses(t, http.StatusBadRequest, "slow_down")
	b.answersDevice(t, no.User, "deny")
	b.answersDevice(t, yes.User, "allow")
	polling(b.second, no).refuses(t, http.StatusBadRequest, "access_denied")
	polling(b.second, yes).expect(t, http.StatusOK)
	polling(b.first, yes).refuses(t, http.StatusBadRequest, "invalid_grant")
}

// TestRedisWithWhatWaitsIsAway: whoever comes with a code is told to come again,
// nobody is let through, and what was decided goes on. Then all goes on.
func TestRedisWithWhatWaitsIsAway(t *testing.T) {
	b := openShortLived(t)
	before := b.granted(t)
	redeem := redeeming(b.public, b.code(t, b.public))
	b.redis.stop(t)
	for _, at := range []string{b.first, b.second} {
		got := b.askAt(t, at, "/token", redeem)
		got.refuses(t, http.StatusServiceUnavailable, "temporarily_unavailable")
		if got.header.Get("Retry-After") == "" {
			t.Error("no word of when to come again")
		}
	}
	refreshed := b.askAt(t, b.second, "/token", refreshing(before.Refresh, "client_id", b.public)).expect(t, http.StatusOK).told(t)
	b.redis.start(t)
	eventually(t, func() error {
		// A Redis that comes back empty knows no code: it is refused, and its grant stays.
		if got := b.askAt(t, b.first, "/token", redeem); got.status != http.StatusBadRequest {
			return fmt.Errorf("still %d %s", got.status, got.body)
		}
		return nil
	})
	b.askAt(t, b.first, "/token", refreshing(refreshed.Refresh, "client_id", b.public)).expect(t, http.StatusOK)
	eventually(t, func() error {
		if got := b.askAt(t, b.second, "/token", redeem); got.status != http.StatusBadRequest {
			return fmt.Errorf("still %d %s", got.status, got.body)
		}
		return nil
	})
	b.askAt(t, b.second, "/token", redeeming(b.public, b.code(t, b.public))).expect(t, http.StatusOK)
}

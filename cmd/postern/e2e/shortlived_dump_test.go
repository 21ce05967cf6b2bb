package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// saved makes Redis write all that it has to its dump.rdb, from which it starts.
func (r *redisServer) saved(t *testing.T) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: loopback(r.port)})
	defer client.Close()
	if err := client.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "dump.rdb")); err != nil {
		t.Fatal(err)
	}
}

// endsListed signs out every other browser that the page about sessions lists, one by one.
func (b *branches) endsListed(t *testing.T, w *window) {
	t.Helper()
	n := 0
	for row := range strings.SplitSeq(w.at(b.first).get(t, b.issuer+"/account/sessions").body, "<tr") {
		if named := otherSession.FindStringSubmatch(row); named != nil && !strings.Contains(row, "this browser") {
			b.ends(t, w, b.first, "/account/sessions/end", "session", named[1])
			n++
		}
	}
	if n == 0 {
		t.Fatal("no other browser is listed")
	}
}

// TestRedisStartsFromAnOldDump: what was spent stays spent, and what ended stays
// ended, at every instance, by whichever of them; who is signed in goes on.
func TestRedisStartsFromAnOldDump(t *testing.T) {
	b := openShortLived(t)
	stays, signsOut, isEnded := b.begins(t, b.first), b.begins(t, b.second), b.begins(t, b.first)
	for _, w := range []*window{stays, signsOut, isEnded} {
		b.expectInside(t, w, true)
	}
	redeem := redeeming(b.public, b.code(t, b.public))
	kept := redeeming(b.public, b.code(t, b.public))
	b.redis.saved(t)

	got := b.askAt(t, b.first, "/token", redeem).expect(t, http.StatusOK).told(t)
	signsOut.at(b.second).submit(t, b.issuer+"/logout", url.Values{"confirm": {"yes"}}).expect(t, http.StatusOK)
	b.endsListed(t, stays)
	later := b.begins(t, b.second)
	b.redis.stop(t)
	b.redis.start(t)
	for _, at := range []string{b.first, b.second} {
		eventually(t, func() error {
			if got := stays.at(at).get(t, b.issuer+"/account/sessions"); got.status != http.StatusOK {
				return fmt.Errorf("still %d", got.status)
			}
			return nil
		})
	}
	b.expectInside(t, stays, true)
	for _, w := range []*window{signsOut, isEnded, later} {
		b.expectInside(t, w, false)
	}
	for _, at := range []string{b.second, b.first} {
		b.askAt(t, at, "/token", redeem).refuses(t, http.StatusBadRequest, "invalid_grant")
	}
	b.askAt(t, b.second, "/token", refreshing(got.Refresh, "client_id", b.public)).refuses(t, http.StatusBadRequest, "invalid_grant")
	b.askAt(t, b.second, "/token", kept).expect(t, http.StatusOK)
}

package proxy

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/status"
)

// newPage is one list of an issuer that publishes it with a bit set, and the
// count of its fetches.
func newPage(t *testing.T) (*statusPage, *atomic.Int64) {
	t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	list, err := status.NewList(8)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.Set(3); err != nil {
		t.Fatal(err)
	}
	var fetches atomic.Int64
	var uri string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetches.Add(1)
		raw, err := status.Sign(key, list, uri, time.Now(), 2*time.Second, time.Minute)
		if err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, raw)
	}))
	t.Cleanup(server.Close)
	uri = server.URL + "/status/0"
	i := &issuer{conf: Issuer{URL: server.URL}, client: server.Client(), log: slog.New(slog.DiscardHandler)}
	i.known.Store(&keySet{set: jose.NewKeySet(key.Public()), fetched: time.Now()})
	return &statusPage{uri: uri, lists: &statusLists{issuer: i, now: time.Now}}, &fetches
}

// clean is a list without the bit, still good by its own exp.
func clean(t *testing.T) *status.Published {
	t.Helper()
	list, err := status.NewList(8)
	if err != nil {
		t.Fatal(err)
	}
	return &status.Published{List: list, IssuedAt: time.Now().Add(-40 * time.Second), Expiry: time.Now().Add(20 * time.Second)}
}

// What nobody has followed for a while is fetched before it is believed.
func TestSleepingListIsFetchedFirst(t *testing.T) {
	page, fetches := newPage(t)
	page.known.Store(clean(t))
	list, err := page.list(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if revoked, err := list.Has(3); !revoked || err != nil || fetches.Load() != 1 {
		t.Errorf("revoked %v, %v, after %d fetches", revoked, err, fetches.Load())
	}
	if page.state.Load() != awake {
		t.Error("nobody follows the list")
	}
}

// Who comes while it is fetched does not get by with what was known before,
// nor does the first one help by hanging up.
func TestWakingListIsWaitedForByAll(t *testing.T) {
	page, fetches := newPage(t)
	page.known.Store(clean(t))
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	if list, err := page.list(gone, time.Now()); err == nil {
		if revoked, err := list.Has(3); !revoked || err != nil { // the fetch was quicker
			t.Errorf("who hung up: revoked %v, %v", revoked, err)
		}
	}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			list, err := page.list(t.Context(), time.Now())
			if err != nil {
				t.Error(err)
				return
			}
			if revoked, err := list.Has(3); !revoked || err != nil {
				t.Errorf("revoked %v, %v", revoked, err)
			}
		})
	}
	group.Wait()
	if page.state.Load() != awake || fetches.Load() == 0 {
		t.Errorf("state %d after %d fetches", page.state.Load(), fetches.Load())
	}
}

// What is followed is believed without waiting.
func TestFollowedListIsNotWaitedFor(t *testing.T) {
	page, fetches := newPage(t)
	page.known.Store(clean(t))
	page.state.Store(awake)
	list, err := page.list(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if revoked, err := list.Has(3); revoked || err != nil || fetches.Load() != 0 {
		t.Errorf("revoked %v, %v, after %d fetches", revoked, err, fetches.Load())
	}
}

func TestListIsLeftAloneWhenNobodyNeedsIt(t *testing.T) {
	t.Parallel()
	page, fetches := newPage(t)
	page.state.Store(awake)
	page.used.Store(time.Now().Add(-2 * pollIdle).UnixNano())
	page.follow()
	if page.state.Load() != asleep || fetches.Load() != 0 {
		t.Errorf("state %d, %d fetches", page.state.Load(), fetches.Load())
	}
}

func TestPollingIsBounded(t *testing.T) {
	for ttl, want := range map[time.Duration]time.Duration{
		0: pollLeast, time.Millisecond: pollLeast, 1500 * time.Millisecond: 1500 * time.Millisecond, time.Hour: pollMost,
	} {
		page := &statusPage{}
		page.known.Store(&status.Published{TTL: ttl})
		if got := page.pause(); got != want {
			t.Errorf("ttl %v: polled every %v, want %v", ttl, got, want)
		}
	}
}

// Tokens stay within TLS when the issuer is reached by it.
func TestEndpointIsAsSafeAsItsIssuer(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"https://auth.example/introspect": true, "https://desk.example/introspect": true,
		"http://127.0.0.1:9/introspect": false, "http://auth.example/introspect": false, "": false,
	} {
		i := &issuer{conf: Issuer{URL: "https://auth.example"}}
		i.known.Store(&keySet{introspection: endpoint, fetched: time.Now()})
		d := &desk{issuer: i}
		if got, err := d.endpoint(t.Context(), time.Now()); (err == nil) != want || want && got != endpoint {
			t.Errorf("%q: %q, %v", endpoint, got, err)
		}
	}
}

package authserver

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

// A person with more tokens than are listed at once is gone at once, for who
// asks; the lists follow by themselves.
func TestEndOfManyTokens(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	proxy, secret := g.resourceServer(calculator)
	id := g.verified(g.tokens(client)).Subject
	db := g.database()
	const many = 12_000
	_, err := db.Exec(`INSERT INTO access_tokens (id, grant_id, client_id, subject, expires_at)
		WITH RECURSIVE counted (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM counted WHERE i < 12000)
		SELECT 'many ' || i, 'another', 'another', $1, CAST($2 AS BIGINT) FROM counted`, id, g.clock.Now().Add(time.Hour).UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	last := g.tokens(client)
	g.expect(last, 200, "")
	if err := g.s.DeleteUser(t.Context(), testUser); err != nil {
		t.Fatal(err)
	}
	if i := g.post("/introspect", url.Values{"token": {last.str("access_token")}}, basic(proxy, secret)); i.fields["active"] != false {
		t.Errorf("got %s", i.body)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var listed int
		if err := db.QueryRow("SELECT count(*) FROM revocations").Scan(&listed); err == nil && listed == many+2 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d are listed", listed)
		}
	}
}

func TestListingThatFailsIsTold(t *testing.T) {
	g := newRig(t)
	g.keepIn(brokenStore{g.s.store})
	g.s.listEnded(t.Context())
	if !strings.Contains(g.log.String(), `"msg":"store.listing_failed"`) {
		t.Error("the log says nothing")
	}
}

// A grant that is refreshed without end waits; others do not wait for it.
func TestRefreshesHaveARate(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	a, other := g.tokens(client), g.tokens(client)
	refused := false
	for range 200 {
		next := g.post("/token", refreshing(client, a))
		if refused = next.status == http.StatusTooManyRequests; refused {
			g.expect(next, 429, "temporarily_unavailable")
			if next.header.Get("Retry-After") != "5" {
				t.Errorf("again after %q", next.header.Get("Retry-After"))
			}
			break
		}
		g.expect(next, 200, "")
		a = next
	}
	if !refused {
		t.Fatal("200 refreshes at once")
	}
	g.expect(g.post("/token", refreshing(client, other)), 200, "")
	g.clock.forward(5 * time.Second)
	g.expect(g.post("/token", refreshing(client, a)), 200, "")
}

func TestMachineTokensHaveARate(t *testing.T) {
	g := newRig(t)
	id, secret := g.machine("calc:basic")
	for range 400 {
		if a := g.post("/token", machineGrant(), basic(id, secret)); a.status != http.StatusOK {
			g.expect(a, 429, "temporarily_unavailable")
			g.clock.forward(time.Second)
			g.expect(g.post("/token", machineGrant(), basic(id, secret)), 200, "")
			return
		}
	}
	t.Error("400 tokens at once")
}

type fullStore struct{ Store }

func (fullStore) Rotate(context.Context, store.Hash, []byte, store.RefreshToken, store.AccessToken, time.Time, time.Time) (uint64, error) {
	return 0, store.ErrFull
}

func TestGrantWithTooManyTokens(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	a := g.tokens(client)
	real := g.s.store
	g.keepIn(fullStore{real})
	refused := g.post("/token", refreshing(client, a))
	g.expect(refused, 429, "temporarily_unavailable")
	g.expectReason(TooManyTokens)
	if refused.header.Get("Retry-After") != "60" {
		t.Errorf("again after %q", refused.header.Get("Retry-After"))
	}
	g.keepIn(real)
	g.expect(g.post("/token", refreshing(client, a)), 200, "")
}

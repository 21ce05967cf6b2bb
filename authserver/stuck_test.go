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

// stuck is a database that answers nothing any more.
type stuck struct{ Store }

func (stuck) Client(ctx context.Context, _ string) (store.Client, error) {
	<-ctx.Done()
	return store.Client{}, ctx.Err()
}

func (stuck) Revocations(ctx context.Context, _ uint64, _ int) ([]store.Revocation, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (stuck) Sweep(ctx context.Context, _, _ time.Time, _ int) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

// Who waits for a database that hangs is answered, and what goes on beside
// requests goes on.
func TestStuckDatabaseHoldsNobody(t *testing.T) {
	g := newRig(t)
	g.s.store, g.s.patience = stuck{g.s.store}, 50*time.Millisecond
	for _, a := range []answerOf{
		g.post("/token", url.Values{"grant_type": {"client_credentials"}}, basic("machine", "secret")),
		g.post("/introspect", url.Values{"token": {"x"}}, basic("machine", "secret")),
	} {
		g.expect(a, http.StatusServiceUnavailable, "temporarily_unavailable")
		g.expectReason(DatabaseAway)
		if a.header.Get("Retry-After") == "" {
			t.Error("nobody says when to try again")
		}
	}
	a := g.get(noRedirect(), "/authorize?"+authorization("client").Encode())
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "try again in a minute") {
		t.Errorf("got %d %s", a.status, a.body)
	}
	g.s.sweep(t.Context())
	if !strings.Contains(g.log.String(), `"store.sweep_failed"`) {
		t.Error("nobody heard of the sweep")
	}
	if _, err := g.s.revocations(t.Context(), 0, 1); err == nil {
		t.Error("a stuck database told of revocations")
	}
}

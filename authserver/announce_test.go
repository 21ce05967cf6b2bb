package authserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/revoked"
)

// crier is an Announcer that remembers what it was given, and fails when told to.
type crier struct {
	mu   sync.Mutex
	told map[string]revoked.Entry
	fail error
}

func (c *crier) Publish(ctx context.Context, source revoked.Source) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return c.fail
	}
	entries, err := source(ctx, 0, 100)
	for _, e := range entries {
		c.told[e.ID] = e
	}
	return err
}

func (c *crier) set(fail error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = fail
}

func (c *crier) of(id string) (revoked.Entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.told[id]
	return e, ok
}

func eventually(t *testing.T, what func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		err := what()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not in time: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// A revocation is done when the store has it, whether or not anybody can be
// told; they are told as soon as they can.
func TestRevocationsAreTold(t *testing.T) {
	c := &crier{told: map[string]revoked.Entry{}, fail: errors.New("nobody listens")}
	g := newRig(t, func(conf *Config) { conf.Revocations = c })
	logged := func(line string) func() error {
		return func() error {
			if n := strings.Count(g.log.String(), line); n != 1 {
				return fmt.Errorf("%d times %s in the log", n, line)
			}
			return nil
		}
	}
	eventually(t, logged(`"msg":"revocations.untold","cause":"nobody listens"`))
	client := g.publicClient()
	token := g.tokens(client).str("access_token")
	g.expect(g.post("/revoke", url.Values{"token": {token}, "client_id": {client}}), 200, "")
	if !g.revoked(token) {
		t.Error("not in the list")
	}
	c.set(nil)
	claims := g.claims(token)
	eventually(t, func() error {
		e, ok := c.of(claims.ID)
		if !ok {
			return errors.New("not told")
		}
		if !e.Until.Equal(claims.Expiry.Add(slowClocks)) || e.Number == 0 {
			return fmt.Errorf("told %+v", e)
		}
		return nil
	})
	eventually(t, logged(`"msg":"revocations.told_again"`))
	eventually(t, logged(`"msg":"revocations.untold"`))
	c.set(errBroken) // the loop leaves the store alone
	g.keepIn(brokenStore{g.s.store})
	if _, err := g.s.revocations(t.Context(), 0, 1); !errors.Is(err, errBroken) {
		t.Errorf("a store that fails: %v", err)
	}
}

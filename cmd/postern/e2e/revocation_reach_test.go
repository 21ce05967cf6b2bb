package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// holding answers POST at once and holds GET streams open.
func holding(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		echo(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, ": open\n\n")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// stream opens a GET stream and reads its beginning.
func (c *caller) stream(t *testing.T) *http.Response {
	t.Helper()
	resp := c.open(t, message{method: http.MethodGet, header: map[string]string{"Mcp-Protocol-Version": legacy}})
	if resp.StatusCode != http.StatusOK {
		read(t, resp).expect(t, http.StatusOK)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if _, err := io.ReadFull(resp.Body, make([]byte, len(": open\n\n"))); err != nil {
		t.Fatal(err)
	}
	return resp
}

// endsWithin waits for the end of a stream.
func endsWithin(resp *http.Response, limit time.Duration) error {
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, resp.Body)
		done <- err
	}()
	select {
	case <-done:
		return nil
	case <-time.After(limit):
		return errors.New("the stream is still open")
	}
}

// TestRevocationReachesEveryProxy measures how long a revoked token is still
// accepted, with two proxies that verified and remembered it.
func TestRevocationReachesEveryProxy(t *testing.T) {
	for way, shared := range map[string]bool{"status_list": false, "redis": true} {
		t.Run(way, func(t *testing.T) {
			redis := ""
			if shared {
				redis = newRedis(t).url()
			}
			o := openOffice(t, redis)
			up := newUpstream(t, holding)
			first, second := o.proxy(t, up, ", revocations: "+way), o.proxy(t, up, ", revocations: "+way)
			lost := o.caller(t, first)
			there := *lost
			there.address = second.address
			kept := o.caller(t, second)
			for _, c := range []*caller{lost, &there, kept} {
				c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
			}
			stream, going := lost.stream(t), kept.stream(t)

			o.revoke(t, lost.token)
			at := time.Now()
			o.becomesKnown(t, lost, &there)
			if err := endsWithin(stream, 5*time.Second-time.Since(at)); err != nil {
				t.Error(err)
			}
			t.Logf("the open stream had ended %s after the revocation", time.Since(at).Round(time.Millisecond))
			if text, err := os.ReadFile(second.audit); err != nil || !strings.Contains(string(text), `"reason":"token_revoked"`) {
				t.Errorf("no audit line says why: %v", err)
			}
			kept.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
			if endsWithin(going, 50*time.Millisecond) == nil {
				t.Error("somebody else's stream ended too")
			}
		})
	}
}

// TestRedisAwayLeavesRevocationsUnknown: without news nobody can tell.
func TestRedisAwayLeavesRevocationsUnknown(t *testing.T) {
	store := newRedis(t)
	o := openOffice(t, store.url())
	p := o.proxy(t, newUpstream(t, echo), ", revocations: redis")
	c := o.caller(t, p)
	c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
	store.stop(t)
	eventually(t, c.gets(t, http.StatusServiceUnavailable, "revocations_unavailable"))
	o.revoke(t, c.token) // the authorization server's own database has it
	store.start(t)
	eventually(t, c.gets(t, http.StatusUnauthorized, "token_revoked"))
	o.caller(t, p).send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
}

// gets asks once and wants to be told this.
func (c *caller) gets(t *testing.T, status int, reason string) func() error {
	return func() error {
		if got := c.send(t, modernCall("echo", `{}`)); got.status != status || !strings.Contains(got.body, reason) {
			return fmt.Errorf("status %d, want %d with %s: %s", got.status, status, reason, got.body)
		}
		return nil
	}
}

// TestUpRefusesRevokedTokens: nothing has to be configured for it.
func TestUpRefusesRevokedTokens(t *testing.T) {
	up := shared.get(t)
	c := &caller{url: up.Servers["calculator"], token: up.token(t, "calculator", "")}
	add := modernCall("add", `{"a":2,"b":3}`)
	c.send(t, add).expect(t, http.StatusOK)
	form := url.Values{"token": {c.token}}
	newWindow(t).submit(t, up.Issuer+"/revoke", form, "Authorization", basicAuth(up.Client)).expect(t, http.StatusOK)
	err := within(5*time.Second, func() error {
		if got := c.send(t, add); got.status != http.StatusUnauthorized || !strings.Contains(got.body, "token_revoked") {
			return fmt.Errorf("status %d: %s", got.status, got.body)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

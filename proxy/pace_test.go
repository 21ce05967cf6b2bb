package proxy_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/pace"
	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/policy/rate"
	"github.com/postern-mcp/postern/proxy"
)

// verdicts are buckets that answer as told.
type verdicts struct {
	verdict pace.Verdict
	err     error
	charges []pace.Charge // of the last call
}

func (v *verdicts) Take(_ context.Context, _ time.Time, charges []pace.Charge) (pace.Verdict, error) {
	v.charges = charges
	return v.verdict, v.err
}

func counted(v *verdicts) change {
	return func(c *proxy.Config) {
		c.Buckets = v
		c.Limits.Rates = proxy.Rates{
			Subject: rate.Rate{Number: 1, Per: time.Second},
			Client:  rate.Rate{Number: 2, Per: time.Second},
			Server:  rate.Rate{Number: 3, Per: time.Second},
		}
	}
}

// What the buckets say is what the caller hears, in whole seconds and never
// too few; a bucket that says nothing refuses.
func TestVerdicts(t *testing.T) {
	for _, row := range []struct {
		name   string
		says   verdicts
		status int
		reason string
		retry  string
	}{
		{"passed", verdicts{verdict: pace.Verdict{Passed: true}}, 200, "", ""},
		{"nothing", verdicts{}, 429, "rate_subject", "2"},
		{"the subject, a microsecond", verdicts{verdict: pace.Verdict{Wait: time.Microsecond}}, 429, "rate_subject", "1"},
		{"the client, a second", verdicts{verdict: pace.Verdict{Short: 1, Wait: time.Second}}, 429, "rate_client", "1"},
		{"the server, longer", verdicts{verdict: pace.Verdict{Short: 2, Wait: 61*time.Second + 1}}, 429, "rate_server", "62"},
		{"away", verdicts{err: errors.New("away")}, 503, "rate_memory_unavailable", "2"},
		{"away and passed", verdicts{verdict: pace.Verdict{Passed: true}, err: errors.New("away")}, 503, "rate_memory_unavailable", "2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStand(t, counted(&row.says))
			got := s.post(toolCall("add"), "Authorization", "Bearer "+s.token())
			s.wants(got, row.status, row.reason)
			if retry := got.Header.Get("Retry-After"); retry != row.retry {
				t.Errorf("Retry-After %q, want %q", retry, row.retry)
			}
			if row.status != http.StatusOK && s.upstream.calls() != 0 {
				t.Error("the upstream was called")
			}
		})
	}
}

// Every proven caller's message is counted, whatever policy says of it, and
// nobody else's.
func TestWhatIsCounted(t *testing.T) {
	for _, row := range []struct {
		name, body string
		header     []string
		charges    int
	}{
		{"a call", toolCall("add"), nil, 3},
		{"an unknown tool", toolCall("nothing"), nil, 3},
		{"a notification", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, nil, 3},
		{"a message with two readings", `{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}`, nil, 0},
		{"a caller without a token", toolCall("add"), []string{"Authorization", "Bearer x"}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := &verdicts{verdict: pace.Verdict{Passed: true}}
			s := newStand(t, counted(v))
			header := row.header
			if header == nil {
				header = []string{"Authorization", "Bearer " + s.token()}
			}
			s.post(row.body, header...)
			if len(v.charges) != row.charges {
				t.Errorf("%d charges, want %d", len(v.charges), row.charges)
			}
		})
	}
}

// What a process counts by itself asks no shared buckets, and stops one subject
// without the others.
func TestSubjectCountedHere(t *testing.T) {
	away := &verdicts{err: errors.New("away")}
	s := newStand(t, func(c *proxy.Config) {
		c.Issuers[0].DPoP, c.Buckets = proxy.Accepted, away
		c.Limits.Rates = proxy.Rates{SubjectHere: rate.Rate{Number: 2, Per: time.Hour}}
	})
	for range 2 {
		s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+s.token()), http.StatusOK, "")
	}
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+s.token()), http.StatusTooManyRequests, "rate_subject")
	eve := s.token(func(c *token.Claims) { c.Subject = "eve" })
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+eve), http.StatusOK, "")
}

package clientdoc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-mcp/postern/authserver/reach"
)

// network answers every request in its own way, after some time.
type network struct {
	after time.Duration
	err   error
	body  string
}

func (n network) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(n.after)
	if n.err != nil {
		return nil, n.err
	}
	h := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{StatusCode: 200, Header: h, Body: io.NopCloser(strings.NewReader(n.body)), Request: r}, nil
}

// However a fetch fails, it is told after the same time.
func TestFailuresTakeTheSameTime(t *testing.T) {
	for name, n := range map[string]network{
		"inside":             {err: reach.ErrForbidden},
		"nobody listens":     {after: time.Millisecond, err: errors.New("refused")},
		"nobody answers":     {after: Patience, err: context.DeadlineExceeded},
		"another document":   {after: 2 * time.Second, body: `{"client_id":"https://other.example/"}`},
		"no JSON":            {after: time.Second, body: `hello`},
		"a set with nothing": {after: time.Second, body: `{"keys":[]}`},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := NewFetcher(Options{Rules: Rules{Methods: documentMethods}, Now: time.Now, FailAfter: Patience})
			f.public = &http.Client{Transport: n}
			began := time.Now()
			if _, err := f.Fetch(t.Context(), "https://app.example/client.json", free); err == nil || time.Since(began) != Patience {
				t.Errorf("%s: a document: %v after %v", name, err, time.Since(began))
			}
			began = time.Now()
			if _, err := f.Keys(t.Context(), "https://app.example/keys", "", free); err == nil || time.Since(began) != Patience {
				t.Errorf("%s: keys: %v after %v", name, err, time.Since(began))
			}
			began = time.Now()
			if _, err := f.Fetch(t.Context(), "https://app.example/client.json", payer(func() error { return ErrBusy })); err == nil || time.Since(began) != 0 {
				t.Errorf("%s: who comes too often: %v after %v", name, err, time.Since(began))
			}
		})
	}
}

package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postern-mcp/postern/proxy"
)

// heard is an issuer's ear.
type heard struct {
	mu      sync.Mutex
	notices []string
	err     error
}

func (h *heard) StepUp(_ context.Context, clientID, subject, resource string, scope []string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notices = append(h.notices, fmt.Sprint(clientID, " ", subject, " ", resource, " ", scope))
	return h.err
}

func TestIssuerHearsOfStepUps(t *testing.T) {
	for name, failure := range map[string]error{"well": nil, "deaf": errors.New("away")} {
		t.Run(name, func(t *testing.T) {
			ear := &heard{err: failure}
			s := newStand(t, func(c *proxy.Config) { c.Issuers[0].StepUps = ear })
			access := s.token()
			ask := func(tool string, status int, reason string) {
				t.Helper()
				s.wants(s.post(toolCall(tool), "Authorization", "Bearer "+access), status, reason)
			}
			ask("add", 200, "")
			ask("nothing", 200, "name_unknown")
			ask("power", 403, "insufficient_scope")
			ask("power", 403, "insufficient_scope") // said a moment ago
			ask("both", 403, "insufficient_scope")
			s.clock.advance(time.Minute)
			ask("both", 403, "insufficient_scope")
			who := "client alice " + s.url + " "
			want := []string{who + "[advanced]", who + "[basic advanced]", who + "[basic advanced]"}
			if !slices.Equal(ear.notices, want) {
				t.Errorf("heard %q\nwant  %q", ear.notices, want)
			}
		})
	}
}

func TestStepUpNotice(t *testing.T) {
	var got string
	status := http.StatusNoContent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization") + " " + r.PostFormValue("client_id") + " " +
			r.PostFormValue("sub") + " " + r.PostFormValue("resource") + " " + r.PostFormValue("scope")
		w.WriteHeader(status)
	}))
	defer server.Close()
	n, err := proxy.NewStepUpNotice(server.URL+"/step-up", "hush")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.StepUp(t.Context(), "c", "s", "r", []string{"a", "b"}); err != nil || got != "POST /step-up Bearer hush c s r a b" {
		t.Errorf("%q %v", got, err)
	}
	status = http.StatusUnauthorized
	if err := n.StepUp(t.Context(), "c", "s", "r", []string{"a"}); err == nil {
		t.Error("a refusal was taken for a yes")
	}
	if _, err := proxy.NewStepUpNotice(server.URL, ""); err == nil {
		t.Error("an empty secret was accepted")
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-mcp/postern/authserver"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/config"
)

func TestHealthOfAnAuthorizationServer(t *testing.T) {
	running, stop := context.WithCancel(t.Context())
	away := errors.New("dial tcp: secret detail")
	var database error
	h := healthOf(running, prometheus.NewRegistry(), func(context.Context) error { return database })
	ask := func(path string) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code, strings.TrimSpace(w.Body.String())
	}
	for _, step := range []struct {
		name     string
		database error
		path     string
		status   int
		text     string
	}{
		{"alive", nil, "/healthz", 200, "ok"},
		{"ready", nil, "/readyz", 200, "ready"},
		{"alive without a database", away, "/healthz", 200, "ok"},
		{"not ready without it", away, "/readyz", 503, "the database does not answer"},
		{"not ready without Redis, where that has something", fmt.Errorf("x: %w: %w", store.ErrAway, away), "/readyz", 503, "Redis does not answer, which has short-lived state"},
		{"not ready without a record", authserver.ErrUnrecorded, "/readyz", 503, "audit lines cannot be written"},
		{"nothing else", nil, "/token", 404, "404 page not found"},
	} {
		database = step.database
		if status, text := ask(step.path); status != step.status || text != step.text {
			t.Errorf("%s: %d %q", step.name, status, text)
		}
	}
	stop()
	for { // what follows the end of a context runs beside
		if status, text := ask("/readyz"); status == 503 && text == "shutting down" {
			break
		}
	}
}

// The port is opened for a file of an authorization server alone, under its names only.
func TestAdminPortOfAnAuthorizationServerAlone(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	ready := func(context.Context) error { return nil }
	for name, file := range map[string]*config.File{
		"not asked for": {},
		"the proxy's":   {Admin: config.Admin{Listen: "127.0.0.1:0"}, Servers: []config.Server{{Name: "x"}}},
	} {
		if s, err := issuerHealth(t.Context(), file, prometheus.NewRegistry(), ready, log); err != nil || s != nil {
			t.Errorf("%s: %v %v", name, s, err)
		}
	}
	s, err := issuerHealth(t.Context(), &config.File{Admin: config.Admin{Listen: "127.0.0.1:0", Hosts: []string{"desk"}}}, prometheus.NewRegistry(), ready, log)
	if err != nil || len(s) != 1 {
		t.Fatalf("%v %v", s, err)
	}
	ended := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() { ended <- serve(ctx, log, grace, s...) }()
	for host, want := range map[string]int{"": 200, "desk": 200, "elsewhere.example": 403} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s[0].listener.Addr().String()+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, _ = io.Copy(io.Discard, a.Body); a.StatusCode != want {
			t.Errorf("%q: %d", host, a.StatusCode)
		}
		_ = a.Body.Close()
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

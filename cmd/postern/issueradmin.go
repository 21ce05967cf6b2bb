package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/postern-mcp/postern/authserver"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/config"
)

// issuerHealth is the admin port of an authorization server that has a file of
// its own; nothing without the key. In a file with servers the port is the
// proxy's: two commands cannot both have it.
func issuerHealth(ctx context.Context, file *config.File, metrics prometheus.Gatherer, ready func(context.Context) error, log *slog.Logger) ([]service, error) {
	if file.Admin.Listen == "" || len(file.Servers) > 0 {
		return nil, nil
	}
	ln, err := listen(file.Admin.Listen, "the key admin.listen", log)
	if err != nil {
		return nil, err
	}
	handler := adminHosts(file.Admin.Hosts, healthOf(ctx, metrics, ready))
	return []service{{name: "admin", listener: framed(ln, log), handler: handler, arrival: 10 * time.Second, answer: time.Minute}}, nil
}

// silent says who does not answer. Why stands in the log of whoever needed it.
func silent(err error) error {
	if errors.Is(err, store.ErrAway) {
		return errors.New("Redis does not answer, which has short-lived state")
	}
	return errors.New("the database does not answer")
}

// healthOf answers /metrics and /healthz while the process runs, and /readyz
// until running ends, as long as ready says so.
func healthOf(running context.Context, metrics prometheus.Gatherer, ready func(context.Context) error) http.Handler {
	var ends atomic.Bool
	context.AfterFunc(running, func() { ends.Store(true) })
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		err := ready(ctx)
		if err != nil && !errors.Is(err, authserver.ErrUnrecorded) {
			err = silent(err)
		}
		if ends.Load() {
			err = errors.New("shutting down")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	return mux
}

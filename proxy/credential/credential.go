// Package credential is what the proxy shows upstreams. Its laws:
//
//   - Nothing here passes on a byte of the caller's credential: a caller's
//     token may be exchanged at an issuer, never shown to an upstream, not
//     even when the issuer hands it back.
//   - String never shows a secret.
//   - A credential that cannot be had is an error; there is no going without.
//   - Files are read anew within a second of their change; what cannot be used
//     leaves the one before in use, and says so.
package credential

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-mcp/postern/proxy"
)

// Kit is what every credential of a server needs. All fields are required.
type Kit struct {
	Server  string // for log and metrics
	Log     *slog.Logger
	Metrics *Metrics
	Now     func() time.Time
}

func (k Kit) complete() error {
	if k.Server == "" || k.Log == nil || k.Metrics == nil || k.Now == nil {
		return errors.New("credential: Kit is incomplete")
	}
	return nil
}

// Metrics count what happens out of callers' sight.
type Metrics struct {
	files  *prometheus.GaugeVec
	tokens *prometheus.CounterVec
}

// NewMetrics registers with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		files: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "postern_upstream_credential_files_stale",
			Help: "1 while files of a server's credential cannot be used as they are on disk, so the ones read before serve on.",
		}, []string{"server", "files"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postern_upstream_tokens_total",
			Help: "Token requests at issuers of upstream tokens, by outcome (issued, refused: not for this caller, failed).",
		}, []string{"server", "outcome"}),
	}
	r.MustRegister(m.files, m.tokens)
	return m
}

// None is for upstreams that ask for no credential, or know the proxy by its
// client certificate.
type None struct{}

// Show shows nothing.
func (None) Show(context.Context, proxy.Purpose) (http.Header, error) { return nil, nil }

// Refused: there is nothing else to show.
func (None) Refused(proxy.Purpose, http.Header, http.Header) bool { return false }

func (None) String() string { return "none" }

package proxy

import (
	"net"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count decisions. Every label value comes from a closed set.
type metrics struct {
	requests *prometheus.CounterVec
	framing  *prometheus.CounterVec
	turned   prometheus.Counter
	duration *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postern_requests_total",
			Help: "Requests by server, decision (allow, step_up, deny, public, preflight) and reason of refusal.",
		}, []string{"server", "decision", "reason"}),
		framing: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postern_framing_refused_total",
			Help: "HTTP/1 messages refused before they were requests, by reason.",
		}, []string{"reason"}),
		turned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "postern_connections_refused_total",
			Help: "Connections closed at once because as many as limits.connections were open.",
		}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "postern_request_duration_seconds",
			Help:    "Time from the first byte of a request to the last of its answer, streams included.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30, 300},
		}, []string{"server", "decision"}),
	}
	r.MustRegister(m.requests, m.framing, m.turned, m.duration)
	return m
}

func (m *metrics) count(e *event) {
	m.requests.WithLabelValues(e.Server, e.Decision, string(e.Reason)).Inc()
	m.duration.WithLabelValues(e.Server, e.Decision).Observe(e.Millis / 1000)
}

// ConnectionRefused counts a connection that found no seat.
func (p *Proxy) ConnectionRefused(net.Addr) { p.metrics.turned.Inc() }

// inFlight is a gauge of the slots taken.
func (p *Proxy) inFlight() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "postern_requests_in_flight",
		Help: "Requests being carried out, streams included.",
	}, func() float64 { return float64(len(p.slots)) })
}

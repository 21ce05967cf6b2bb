package authserver

import (
	"cmp"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-mcp/postern/authserver/store"
)

// metrics count what happens. Every label value comes from a closed set.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	events   *prometheus.CounterVec
	refusals *prometheus.CounterVec
	tokens   *prometheus.CounterVec
	signIns  *prometheus.CounterVec
	risks    *prometheus.CounterVec
	limited  *prometheus.CounterVec
	asked    *prometheus.HistogramVec
	failures *prometheus.CounterVec
	sweeps   *prometheus.CounterVec
}

const metricPrefix = "postern_authserver_"

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: metricPrefix + name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: metricPrefix + name, Help: help, Buckets: buckets}, labels)
}

func gauge(name, help string, read func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: metricPrefix + name, Help: help}, read)
}

func newMetrics() *metrics {
	return &metrics{
		requests: counter("requests_total", "Requests by endpoint and outcome: ok, or the OAuth error code.", "endpoint", "outcome"),
		duration: histogram("request_duration_seconds", "Time from a request to the last byte of its answer.",
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30}, "endpoint"),
		events:   counter("events_total", "Audit events by name.", "event"),
		refusals: counter("refusals_total", "Refusals by reason.", "reason"),
		tokens:   counter("tokens_issued_total", "Access tokens issued by grant type.", "grant_type"),
		signIns:  counter("sign_ins_total", "Sign-ins by outcome, and by how they were judged.", "outcome", "risk"),
		risks:    counter("sign_in_risks_total", "What was unusual about sign-ins.", "reason"),
		limited:  counter("rate_limited_total", "Tries refused because there were too many, by limit.", "limit"),
		asked: histogram("store_duration_seconds", "Time the database took, with what was tried again.",
			[]float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .5, 1, 5}, "operation"),
		failures: counter("store_errors_total", "Failures of the database: away, collided, failed.", "operation", "kind"),
		sweeps:   counter("sweeps_total", "Rounds of deleting what has expired.", "result"),
	}
}

// expose registers everything, with what is looked at when it is asked for.
func (s *Server) expose(r prometheus.Registerer) {
	if r == nil {
		return
	}
	m := s.metrics
	r.MustRegister(m.requests, m.duration, m.events, m.refusals, m.tokens, m.signIns, m.risks, m.limited, m.asked, m.failures, m.sweeps,
		gauge("signing_keys", "Keys that are published.", func() float64 { return float64(s.keys.Published().Len()) }),
		gauge("signing_key_since_seconds", "When the key that signs began to.", func() float64 { return seconds(s.keys.Current().SignsFrom) }),
		gauge("signing_key_until_seconds", "When the next key signs, at the latest.", func() float64 { return seconds(s.keys.Current().Until) }),
		gauge("passwords_waiting", "Passwords that wait to be checked or hashed.", func() float64 { return float64(s.passwords.turns.Waiting()) }),
		away("redis", s.limits.guess.with.outage.on.Load),
		away("revocations", s.untold.Load),
		away("keys", s.keys.Neglected),
		away("audit", func() bool { return s.config.Audit != nil && s.config.Audit.Broken() }),
	)
}

// away is 1 while something is not as it should be.
func away(what string, is func() bool) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: metricPrefix + "away", ConstLabels: prometheus.Labels{"what": what},
		Help: "1 while it cannot be reached, written or kept: redis, revocations, keys, audit.",
	}, func() float64 {
		if is() {
			return 1
		}
		return 0
	})
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (m *metrics) answered(endpoint, outcome string, took time.Duration) {
	m.requests.WithLabelValues(endpoint, outcome).Inc()
	m.duration.WithLabelValues(endpoint).Observe(took.Seconds())
}

// count is for every event; those that say more have a metric of their own.
func (m *metrics) count(c *caller, e event, fields []any) {
	m.events.WithLabelValues(string(e)).Inc()
	switch e {
	case "token.issued":
		m.tokens.WithLabelValues(textIn(fields, "grant_type")).Inc()
	case "login.judged":
		c.risk = textIn(fields, "outcome")
		for _, why := range listIn(fields, "reasons") {
			m.risks.WithLabelValues(why).Inc()
		}
	case "login.ok", "login.failed", "login.second_failed", "login.factor_missing":
		m.signIns.WithLabelValues(strings.TrimPrefix(string(e), "login."), cmp.Or(c.risk, "none")).Inc()
	}
}

func (m *metrics) operated(o store.Operation) {
	operation := "read"
	if o.Write {
		operation = "write"
	}
	m.asked.WithLabelValues(operation).Observe(o.Took.Seconds())
	if o.Failure != store.Succeeded {
		m.failures.WithLabelValues(operation, string(o.Failure)).Inc()
	}
}

func (m *metrics) swept(err error) {
	result := "done"
	if err != nil {
		result = "failed"
	}
	m.sweeps.WithLabelValues(result).Inc()
}

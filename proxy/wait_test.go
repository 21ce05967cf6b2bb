package proxy_test

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-mcp/postern/proxy"
)

// refusesToStart changes what a good stand was made from.
func refusesToStart(t *testing.T, name string, changes ...change) {
	t.Helper()
	conf := newStand(t).conf
	conf.Metrics, conf.Issuers = prometheus.NewRegistry(), slices.Clone(conf.Issuers)
	for _, c := range changes {
		c(&conf)
	}
	if _, err := proxy.New(conf); err == nil {
		t.Errorf("%s: started", name)
	}
}

// inFlight is the number of requests in the proxy right now.
func (s *stand) inFlight() int {
	s.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		s.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "postern_requests_in_flight" {
			return int(f.GetMetric()[0].GetGauge().GetValue())
		}
	}
	s.Fatal("no such metric")
	return 0
}

// waitFor polls until it is so; for things that must happen some time.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

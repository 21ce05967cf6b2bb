package proxy

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// The log of what never became a request has a bound; the next line says how
// many went without.
func TestFramingLinesAreBounded(t *testing.T) {
	var log bytes.Buffer
	p := &Proxy{audit: newAudit(&log), metrics: newMetrics(prometheus.NewRegistry()), log: slog.New(slog.DiscardHandler), now: time.Now}
	p.framing.lines = rate.NewLimiter(0, 2)
	peer := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 7}
	for range 10 {
		p.FramingRefused(peer, "bare_lf")
	}
	p.framing.lines = rate.NewLimiter(0, 1)
	p.FramingRefused(peer, "host")
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines, want 3:\n%s", len(lines), log.String())
	}
	for i, want := range []struct {
		reason     string
		unrecorded float64
	}{{"bare_lf", 0}, {"bare_lf", 0}, {"host", 8}} {
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatal(err)
		}
		unrecorded, _ := got["unrecorded"].(float64)
		if got["reason"] != want.reason || got["stage"] != "framing" || got["peer"] != "192.0.2.1" || unrecorded != want.unrecorded {
			t.Errorf("line %d: %s", i, lines[i])
		}
	}
}

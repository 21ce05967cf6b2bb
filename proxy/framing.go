package proxy

import (
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// framingLines is how many audit lines a second are written about messages
// that never became requests; the next line says how many had none.
const framingLines = 50

// framingLog bounds those lines.
type framingLog struct {
	lines      *rate.Limiter
	unrecorded atomic.Int64
}

// FramingRefused counts and records a message that package wire refused;
// reason is one of its closed set. Nothing else is known of it.
func (p *Proxy) FramingRefused(peer net.Addr, why string) {
	p.metrics.framing.WithLabelValues(why).Inc()
	if !p.framing.lines.AllowN(time.Now(), 1) {
		p.framing.unrecorded.Add(1)
		return
	}
	event := p.audit.open(p.now(), &http.Request{RemoteAddr: peer.String()})
	event.Unrecorded = int(p.framing.unrecorded.Swap(0))
	event.refuse(stageFraming, reason(why))
	event.close(p.now(), http.StatusBadRequest)
	if err := p.audit.write(event); err != nil {
		p.log.Error("audit line not written: calls are refused until it can be", "error", err, "request_id", event.RequestID)
	}
}

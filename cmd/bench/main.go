// Command bench measures what authorization costs per call: direct, a bare
// httputil.ReverseProxy, and the real postern binary with bearer tokens, DPoP
// and DPoP with Redis, in one run on this machine. It prints calls per second,
// CPU per call of the proxy process, latencies, memory and the ratios.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	var s settings
	flag.StringVar(&s.binary, "binary", "bin/postern", "the postern binary to measure")
	flag.IntVar(&s.calls, "calls", 8000, "calls per case and round")
	flag.IntVar(&s.rounds, "rounds", 5, "rounds; the median counts")
	flag.IntVar(&s.clients, "clients", 8, "calls in flight at a time")
	flag.StringVar(&s.role, "role", "", "internal: upstream or bare")
	flag.StringVar(&s.address, "address", "", "internal: where the role listens")
	flag.StringVar(&s.target, "target", "", "internal: where bare forwards to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := s.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type settings struct {
	binary                 string
	calls, rounds, clients int
	role, address, target  string
}

func (s settings) run(ctx context.Context) error {
	switch s.role {
	case "upstream":
		return serveUpstream(s.address)
	case "bare":
		return serveBare(s.address, s.target)
	case "":
		return s.measure(ctx)
	}
	return fmt.Errorf("unknown role %q", s.role)
}

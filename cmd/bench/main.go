// Command bench measures what authorization costs per call: direct, a bare
// httputil.ReverseProxy, and the real postern binary with bearer tokens, DPoP
// and DPoP with Redis, in one run on this machine. It prints calls per second,
// CPU per call of the proxy process, latencies, memory and the ratios. Then the
// same of the authorization server: tokens by credentials, code and refresh
// token, and introspection, on SQLite, PostgreSQL, and PostgreSQL with Redis,
// against the signatures that each call needs.
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
	flag.IntVar(&s.grants, "grants", 1000, "calls of the authorization server per case and round")
	flag.StringVar(&s.part, "part", "", "proxy or issuer: measure only that")
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
	binary, part           string
	calls, rounds, clients int
	grants                 int
	role, address, target  string
}

func (s settings) run(ctx context.Context) error {
	switch s.role {
	case "upstream":
		return serveUpstream(s.address)
	case "bare":
		return serveBare(s.address, s.target)
	case "":
		return s.parts(ctx)
	}
	return fmt.Errorf("unknown role %q", s.role)
}

func (s settings) parts(ctx context.Context) error {
	if s.part != "issuer" {
		if err := s.measure(ctx); err != nil {
			return err
		}
	}
	if s.part == "proxy" {
		return nil
	}
	return s.measureIssuers(ctx)
}

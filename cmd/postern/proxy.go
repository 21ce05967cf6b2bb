package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver/trail"
	"github.com/postern-mcp/postern/config"
	"github.com/postern-mcp/postern/proxy"
	"github.com/postern-mcp/postern/proxy/stdio"
	"github.com/postern-mcp/postern/proxy/wire"
)

const (
	nonceLife  = 5 * time.Minute
	proofAhead = 5 * time.Minute // how far ahead of now a proof's iat is accepted
	grace      = 10 * time.Second
)

func (p program) proxyCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "proxy -c postern.yaml",
		Short: "Run the proxy in front of the MCP servers of a configuration file",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.runProxy(c.Context(), path)
		},
	}
	configFlag(c, &path)
	return c
}

func configFlag(c *cobra.Command, path *string) {
	c.Flags().StringVarP(path, "config", "c", "postern.yaml", "the configuration file")
}

func (p program) runProxy(ctx context.Context, path string) error {
	s, err := load(path, p.lookup)
	if err != nil {
		return err
	}
	if len(s.file.Servers) == 0 {
		return usageError{fmt.Errorf("%s names no servers, so there is nothing to stand in front of", path)}
	}
	log := p.logger(slog.LevelInfo)
	node, err := s.proxyNode(log, p.stdout)
	if err != nil {
		return err
	}
	defer node.close()
	services, err := node.listen(s.file)
	if err != nil {
		return err
	}
	log.Info("the proxy listens", "address", s.file.Listen, "public_url", s.file.PublicURL, "admin", s.file.Admin.Listen)
	go warnUnready(ctx, log, node.proxy)
	return node.run(ctx, log, grace, services...)
}

// warnUnready says at the start what /readyz would say, where people look first.
func warnUnready(ctx context.Context, log *slog.Logger, p *proxy.Proxy) {
	if err := p.Ready(ctx); err != nil && ctx.Err() == nil {
		log.Warn("calls are refused until this is mended", "cause", err)
	}
}

// node is a proxy with what it holds open.
type node struct {
	proxy    *proxy.Proxy
	registry *prometheus.Registry
	log      *slog.Logger
	trail    *trail.Trail  // nil: audit lines are not asked for
	client   *redis.Client // once there is one
	draining atomic.Bool
	children []*stdio.Child
	stdio    *stdio.Metrics // nil without children
	closers  []func() error
}

// newNode has a registry with what every process has.
func newNode(log *slog.Logger) *node {
	n := &node{registry: prometheus.NewRegistry(), log: log}
	n.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return n
}

func (s setup) proxyNode(log *slog.Logger, stdout io.Writer) (*node, error) {
	n := newNode(log)
	conf, err := s.proxyConfig(n, stdout)
	if err != nil {
		n.close()
		return nil, usageError{err}
	}
	conf.Metrics, conf.Log = n.registry, log
	n.proxy, err = proxy.New(conf)
	if err != nil {
		n.close()
		return nil, usageError{err}
	}
	return n, nil
}

func (s setup) proxyConfig(n *node, stdout io.Writer) (proxy.Config, error) {
	secret, err := proxySecret(s.file.State)
	if err != nil {
		return proxy.Config{}, fmt.Errorf("state.secret_file: %w", err)
	}
	outfit, err := s.outfit(n, secret)
	if err != nil {
		return proxy.Config{}, err
	}
	servers, err := s.servers(n, outfit)
	if err != nil {
		return proxy.Config{}, err
	}
	documents, err := outfit.documents(s.file.Servers)
	if err != nil {
		return proxy.Config{}, err
	}
	issuers, err := s.issuers(n)
	if err != nil {
		return proxy.Config{}, err
	}
	proofs, err := n.proofs(s.file.State, "proxy", secret, s.file.DPoPNonce == "required")
	if err != nil {
		return proxy.Config{}, fmt.Errorf("state.redis: %w", err)
	}
	buckets, err := n.buckets(s.file.State)
	if err != nil {
		return proxy.Config{}, fmt.Errorf("state.redis: %w", err)
	}
	if err := n.openTrail(s.file.Audit, stdout); err != nil {
		return proxy.Config{}, err
	}
	return proxy.Config{
		PublicURL: s.file.PublicURL, Hosts: s.file.Hosts, Origins: s.file.Origins,
		Issuers: issuers, Servers: servers, Documents: documents,
		Secret: secret, Proofs: proofs, Buckets: buckets, Limits: proxyLimits(s.file.Limits),
		Audit: n.trail, Now: time.Now,
		ClientCertificates: s.file.TLS.RequestsCertificates(),
	}, nil
}

func proxyLimits(l config.Limits) proxy.Limits {
	return proxy.Limits{
		Body: l.Body, BodyTime: l.BodyTime, WriteTime: l.WriteTime, AnswerTime: l.AnswerTime,
		InFlight: l.InFlight, SubjectInFlight: l.SubjectInFlight, SubjectStreams: l.SubjectStreams,
		Rates: proxyRates(l.Rates),
	}
}

func proxyRates(r config.Rates) proxy.Rates {
	if r.Subject == nil {
		return proxy.Rates{SubjectHere: config.DefaultSubject, Client: r.Client, Server: r.Server}
	}
	return proxy.Rates{Subject: *r.Subject, Client: r.Client, Server: r.Server}
}

// proxySecret is made anew at each start when no file keeps it: sessions and
// nonces then end with the process.
func proxySecret(state config.State) ([]byte, error) {
	if state.SecretFile != "" {
		return readKey(state.SecretFile)
	}
	secret := make([]byte, 32)
	_, err := rand.Read(secret)
	return secret, err
}

// openTrail is where audit lines go; nowhere when the configuration does not say.
func (n *node) openTrail(conf config.Audit, stdout io.Writer) error {
	if conf.Stdout {
		n.trail = trail.Of(stdout)
	}
	if conf.File == "" {
		return nil
	}
	f, err := os.OpenFile(conf.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	n.closers = append(n.closers, f.Sync, f.Close)
	n.trail = trail.Of(f)
	return nil
}

func (n *node) listen(file *config.File) ([]service, error) {
	public, err := listen(file.Listen, "the key listen", n.log)
	if err != nil {
		return nil, err
	}
	admin, err := listen(file.Admin.Listen, "the key admin.listen", n.log)
	if err != nil {
		_ = public.Close()
		return nil, err
	}
	services, err := n.services(file, public, admin)
	if err != nil {
		_, _ = public.Close(), admin.Close()
	}
	return services, err
}

func (n *node) services(file *config.File, public, admin net.Listener) ([]service, error) {
	guard := wire.Guard{MaxHeader: maxHeader, WriteTime: file.Limits.WriteTime, Refused: n.proxy.FramingRefused}
	public = withinFiles(wire.Seats{Most: file.Limits.Connections, Each: file.Limits.PerAddress, Full: n.proxy.ConnectionRefused}, n.log).Listener(public)
	guarded := guard.Listener(public)
	if file.TLS != nil {
		pair, err := openCertificate(file.TLS, "tls", measured(n.registry, reloads(n.log, "proxy")))
		if err != nil {
			return nil, err
		}
		n.registry.MustRegister(expiry(pair))
		if guarded, err = secured(public, file.TLS, pair, guard.Conn, n.log); err != nil {
			return nil, err
		}
	}
	return []service{
		{name: "proxy", listener: guarded, handler: n.proxy, piece: file.Limits.WriteTime},
		{name: "admin", listener: framed(admin, n.log), handler: adminHosts(file.Admin.Hosts, n.admin()), arrival: 10 * time.Second, answer: time.Minute},
	}, nil
}

// run serves until ctx ends, with readiness off from that moment.
func (n *node) run(ctx context.Context, log *slog.Logger, grace time.Duration, services ...service) error {
	defer context.AfterFunc(ctx, func() { n.draining.Store(true) })()
	defer n.startChildren()()
	return serve(ctx, log, grace, services...)
}

// admin answers metrics and health, never calls.
func (n *node) admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(n.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", n.ready)
	return mux
}

func (n *node) ready(w http.ResponseWriter, r *http.Request) {
	err := errors.Join(n.proxy.Ready(r.Context()), n.childrenReady())
	if n.draining.Load() {
		err = errors.New("shutting down")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

func (n *node) close() {
	for _, c := range n.closers {
		_ = c() // the process ends; audit lines are already written
	}
}

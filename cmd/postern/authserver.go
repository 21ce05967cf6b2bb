package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver"
	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/keyring"
	"github.com/postern-mcp/postern/authserver/notes"
	"github.com/postern-mcp/postern/authserver/pace"
	"github.com/postern-mcp/postern/authserver/revoked"
	"github.com/postern-mcp/postern/authserver/shortlived"
	"github.com/postern-mcp/postern/config"
	"github.com/postern-mcp/postern/proxy/wire"
)

func (p program) authserverCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "authserver -c postern.yaml",
		Short: "Run the authorization server of a configuration file",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.runAuthserver(c.Context(), path)
		},
	}
	configFlag(c, &path)
	return c
}

func (p program) runAuthserver(ctx context.Context, path string) error {
	s, err := load(path, p.lookup)
	if err != nil {
		return err
	}
	if s.file.AuthServer == nil {
		return usageError{fmt.Errorf("%s has no authserver block", path)}
	}
	log := p.logger(slog.LevelInfo)
	holder := newNode(log)
	defer holder.close()
	if err := holder.openTrail(s.file.Audit, p.stdout); err != nil {
		return usageError{err}
	}
	server, err := s.openAuthserver(ctx, holder, log)
	if err != nil {
		return err
	}
	defer server.Close()
	ln, err := listen(s.file.AuthServer.Listen, "the key authserver.listen", log)
	if err != nil {
		return err
	}
	issuer, err := issuerService(s.file.AuthServer, ln, log)
	if err != nil {
		return err
	}
	issuer.handler = server.Handler()
	if onServer(s.file.AuthServer) && s.file.State.Redis == nil {
		log.Warn("this process alone remembers which proofs were used and what was tried: several instances need state.redis")
	}
	health, err := issuerHealth(ctx, s.file, holder.registry, server.Ready, log)
	if err != nil {
		return err
	}
	log.Info("the authorization server listens", "address", s.file.AuthServer.Listen, "issuer", s.file.AuthServer.Issuer)
	return serve(ctx, log, grace, append(health, issuer)...)
}

// issuerService is all of the authorization server's listener but its handler.
func issuerService(conf *config.AuthServer, ln net.Listener, log *slog.Logger) (service, error) {
	turned := &seldom{log: log}
	ln = withinFiles(wire.Seats{
		Most: conf.Limits.Connections, Each: conf.Limits.PerAddress, Free: conf.Networks(),
		Full: func(peer net.Addr) {
			turned.warn("connection.refused", "peer", peer.String(), "bounds", "authserver.limits")
		},
	}, log).Listener(ln)
	guard := guardOf(log)
	guarded := guard.Listener(ln)
	if conf.TLS != nil {
		pair, err := openCertificate(conf.TLS, "authserver.tls", reloads(log, "authserver"))
		if err != nil {
			return service{}, err
		}
		if guarded, err = secured(ln, conf.TLS, pair, guard.Conn, log); err != nil {
			return service{}, err
		}
	}
	return service{name: "authserver", listener: guarded, idle: 30 * time.Second, answer: time.Minute}, nil
}

// announcer tells proxies of revocations through Redis; nil without one.
func (n *node) announcer(state config.State, issuer string) (authserver.Announcer, error) {
	if state.Redis == nil {
		return nil, nil
	}
	client, err := openRedis(*state.Redis)
	if err != nil {
		return nil, err
	}
	n.closers = append(n.closers, client.Close)
	return revoked.NewPublisher(client, issuer), nil
}

// throughRedis says what goes through Redis; nothing without one.
func (n *node) throughRedis(c *authserver.Config, s setup) (err error) {
	if c.Revocations, err = n.announcer(s.file.State, c.Issuer); err != nil {
		return err
	}
	if c.Shared, err = n.shared(s.file.State); err != nil || s.file.AuthServer.ShortLived != config.InRedis {
		return err
	}
	client, err := n.redis(s.waiting)
	if err != nil {
		return err
	}
	c.ShortLived = shortlived.NewRedis(client, "postern:short:", redisTimeout)
	return nil
}

// shared is what instances of an authorization server remember together; nil
// without a Redis.
func (n *node) shared(state config.State) (*authserver.Shared, error) {
	client, err := n.redis(state)
	if client == nil || err != nil {
		return nil, err
	}
	return &authserver.Shared{
		Tries:   pace.NewRedis(client, "postern:tries:", redisTimeout),
		StepUps: notes.NewRedis(client, "postern:stepup:", redisTimeout),
	}, nil
}

func (s setup) openAuthserver(ctx context.Context, holder *node, log *slog.Logger) (*authserver.Server, error) {
	conf := s.file.AuthServer
	secret, previous, err := s.sealingSecrets()
	if err != nil {
		return nil, usageError{err}
	}
	proofs, err := holder.proofs(s.file.State, "authserver", secret, conf.DPoPNonce == "required")
	if err != nil {
		return nil, usageError{fmt.Errorf("state.redis: %w", err)}
	}
	c := authserver.Config{
		Issuer: conf.Issuer, Hosts: conf.Hosts, Secret: secret, PreviousSecret: previous, Resources: s.resources(), Roles: conf.RoleSet(), SignIn: conf.SignIn.Rules(),
		Keys:            keyring.Policy{Algorithm: jose.Algorithm(conf.Keys.Algorithm), RotateEvery: conf.Keys.RotateEvery, PublishBefore: conf.Keys.PublishBefore},
		Registration:    authserver.Registration(conf.Registration),
		AccessTokenLife: conf.AccessTokenLife, RefreshTokenLife: conf.RefreshLife, CodeLife: conf.CodeLife,
		LoopbackDocuments: conf.ClientDocuments.Loopback,
		RedirectSchemes:   conf.RedirectSchemes, TrustedProxies: conf.Networks(),
		SignUp: authserver.SignUp(conf.SignUp), File: s.path, Command: s.inviting(), SecondFactor: authserver.FactorPolicy{Always: conf.SecondFactor.Ask == "always", Remember: *conf.SecondFactor.Remember},
		Proofs: proofs, Audit: holder.trail, Log: log, Now: time.Now,
	}
	if holder.registry != nil {
		c.Metrics = holder.registry
	}
	for _, t := range conf.Details {
		c.DetailTypes = append(c.DetailTypes, authserver.DetailType(t))
	}
	if c.Providers, err = providers(conf); err != nil {
		return nil, usageError{err}
	}
	if c.Clients, err = clientPolicy(conf); err != nil {
		return nil, usageError{fmt.Errorf("authserver.client_ca_file: %w", err)}
	}
	if err := holder.throughRedis(&c, s); err != nil {
		return nil, usageError{fmt.Errorf("state.redis: %w", err)}
	}
	if conf.StepUpFile != "" {
		if c.StepUpSecret, err = readSecret(conf.StepUpFile); err != nil {
			return nil, usageError{fmt.Errorf("authserver.step_up_secret_file: %w", err)}
		}
	}
	if conf.TokenFile != "" {
		if c.RegistrationToken, err = readSecret(conf.TokenFile); err != nil {
			return nil, usageError{fmt.Errorf("authserver.registration_token_file: %w", err)}
		}
	}
	database, err := databaseURL(conf)
	if err != nil {
		return nil, usageError{fmt.Errorf("authserver.database_url_file: %w", err)}
	}
	server, err := authserver.New(ctx, c, database)
	if err != nil {
		return nil, fmt.Errorf("authorization server: %w", err)
	}
	return server, nil
}

// inviting is the command that makes an invitation on this machine.
func (s setup) inviting() string {
	if s.state != "" {
		return "postern admin --state " + shellWord(s.state) + " invite --role ROLE"
	}
	return "postern admin invite --role ROLE -c " + shellWord(s.path)
}

// shellWord is s as one word of a shell's command line (POSIX.1-2024 XCU 2.2).
func shellWord(s string) string {
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/._-+:@%", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func clientPolicy(conf *config.AuthServer) (authserver.ClientPolicy, error) {
	policy := authserver.ClientPolicy{
		Profile: authserver.Profile(conf.Profile), Certificates: conf.TLS.RequestsCertificates(), Hosts: conf.ClientDocuments.Hosts,
	}
	if conf.AuthoritiesFile == "" {
		return policy, nil
	}
	text, err := os.ReadFile(conf.AuthoritiesFile)
	if err != nil {
		return policy, err
	}
	policy.Authorities = x509.NewCertPool()
	if !policy.Authorities.AppendCertsFromPEM(text) {
		return policy, fmt.Errorf("%s holds no PEM certificate", conf.AuthoritiesFile)
	}
	return policy, nil
}

// onServer says whether other machines could share the database.
func onServer(conf *config.AuthServer) bool {
	return conf.DatabaseFile != "" || !strings.HasPrefix(conf.Database, "sqlite:")
}

// databaseURL is what the configuration says, or the file it names.
func databaseURL(conf *config.AuthServer) (string, error) {
	if conf.DatabaseFile == "" {
		return conf.Database, nil
	}
	text, err := readSecret(conf.DatabaseFile)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(text, "postgres://") && !strings.HasPrefix(text, "postgresql://") {
		return "", fmt.Errorf("%s must hold one postgres:// URL", conf.DatabaseFile)
	}
	return text, nil
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver"
	"github.com/postern-mcp/postern/config"
	"github.com/postern-mcp/postern/config/example"
	"github.com/postern-mcp/postern/mcpservers"
	"github.com/postern-mcp/postern/mcpservers/calculator"
	"github.com/postern-mcp/postern/mcpservers/externaldb"
)

const (
	answerTime = 20 * time.Second // until everything must answer
	upGrace    = 2 * time.Second
)

// ports of `postern up`.
type ports struct{ proxy, issuer, calculator, externaldb, admin int }

var usualPorts = ports{proxy: 8080, issuer: 8090, calculator: 8101, externaldb: 8102, admin: 9464}

func portsFrom(base int) ports {
	return ports{proxy: base, issuer: base + 1, calculator: base + 2, externaldb: base + 3, admin: base + 4}
}

func (p program) upCommand() *cobra.Command {
	var folder string
	var base int
	c := &cobra.Command{
		Use:   "up",
		Short: "Run everything on this machine, with nothing to configure",
		Long: "Run the proxy, the authorization server and two MCP servers on loopback.\n" +
			"The state folder keeps configuration, policies, secrets and data between starts.",
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			at := usualPorts
			if c.Flags().Changed("port-base") {
				if base < 1 || base > 65535-4 {
					return usageError{fmt.Errorf("--port-base must lie between 1 and %d", 65535-4)}
				}
				at = portsFrom(base)
			}
			return p.up(c.Context(), folder, at)
		},
	}
	c.Flags().StringVar(&folder, "state", "./.postern", "the folder that keeps the state")
	c.Flags().IntVar(&base, "port-base", 0, "use five ports from this one on, instead of 8080, 8090, 8101, 8102 and 9464")
	return c
}

// up runs until ctx ends.
func (p program) up(ctx context.Context, folder string, at ports) error {
	state, err := openState(folder)
	if err != nil {
		return err
	}
	defer state.close()
	s, err := load(filepath.Join(state.folder, "postern.yaml"), at.lookup(p.lookup))
	if err != nil {
		return err
	}
	if s.file.AuthServer == nil {
		return usageError{fmt.Errorf("%s has no authserver block; postern up needs one", filepath.Join(state.folder, "postern.yaml"))}
	}
	s.state = state.folder
	log := p.logger(slog.LevelWarn)
	node, err := s.proxyNode(log, p.stdout)
	if err != nil {
		return err
	}
	defer node.close()
	services, err := listenAll(s.file, at, node)
	if err != nil {
		return err
	}
	record, err := state.openLog("authserver.log")
	if err != nil {
		return err
	}
	defer record.Close()
	issuer, err := s.openAuthserver(ctx, node, logBoth(log, record))
	if err != nil {
		return err
	}
	defer issuer.Close()
	services.issuer.handler = issuer.Handler()
	closer, err := services.fillBundled(ctx, state)
	if err != nil {
		return err
	}
	defer closer()
	demo, err := state.demo(ctx, issuer, s)
	if err != nil {
		return err
	}
	sum := s.summary(demo, node, at)
	for _, who := range []*demoUser{&sum.User, &sum.Boss} {
		if err := who.withhold(ctx, issuer); err != nil {
			return err
		}
	}
	return p.runUp(ctx, log, node, services, sum, state)
}

// runUp serves, announces once everything answers, and waits for the end.
func (p program) runUp(ctx context.Context, log *slog.Logger, n *node, all upServices, sum summary, state *state) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	announced := make(chan error, 1)
	go func() {
		err := answering(ctx, sum.probes())
		if err == nil {
			err = state.announce(sum)
		}
		if err == nil {
			sum.print(p.stdout, p.again(), state.folder)
		}
		announced <- err
		if err != nil {
			cancel()
		}
	}()
	err := n.run(ctx, log, upGrace, all.list()...)
	cancel()
	if failed := <-announced; failed != nil && !errors.Is(failed, context.Canceled) {
		return errors.Join(failed, err)
	}
	return err
}

// logBoth writes all that log shows there, and everything from Info up to a
// file, one JSON object a line.
func logBoth(log *slog.Logger, file io.Writer) *slog.Logger {
	return slog.New(slog.NewMultiHandler(log.Handler(), slog.NewJSONHandler(file, nil)))
}

// lookup answers the port references of the example configuration.
func (at ports) lookup(next config.Lookup) config.Lookup {
	own := map[string]int{
		"POSTERN_PROXY_PORT": at.proxy, "POSTERN_ISSUER_PORT": at.issuer, "POSTERN_CALCULATOR_PORT": at.calculator,
		"POSTERN_EXTERNALDB_PORT": at.externaldb, "POSTERN_ADMIN_PORT": at.admin,
	}
	return func(name string) (string, bool) {
		if port, ok := own[name]; ok {
			return strconv.Itoa(port), true
		}
		return next(name)
	}
}

// upServices are all listeners of `postern up`.
type upServices struct {
	public, admin, issuer, calculator, externaldb service
}

func (u upServices) list() []service {
	return []service{u.public, u.admin, u.issuer, u.calculator, u.externaldb}
}

// listenAll binds every port before anything starts.
func listenAll(file *config.File, at ports, n *node) (upServices, error) {
	var u upServices
	var bound []net.Listener
	for _, want := range []struct {
		name, address string
		into          *service
	}{
		{"proxy", file.Listen, &u.public},
		{"admin", file.Admin.Listen, &u.admin},
		{"authserver", file.AuthServer.Listen, &u.issuer},
		{"calculator", loopback(at.calculator), &u.calculator},
		{"externaldb", loopback(at.externaldb), &u.externaldb},
	} {
		ln, err := listen(want.address, "--port-base N (ports N to N+4), with make: make up UPFLAGS='--port-base N'", n.log)
		if err != nil {
			for _, b := range bound {
				_ = b.Close()
			}
			return upServices{}, fmt.Errorf("%s: %w", want.name, err)
		}
		bound = append(bound, ln)
		*want.into = service{name: want.name, listener: ln}
	}
	front, err := n.services(file, u.public.listener, u.admin.listener)
	if err != nil {
		return upServices{}, err
	}
	u.public, u.admin = front[0], front[1]
	if u.issuer, err = issuerService(file.AuthServer, u.issuer.listener, n.log); err != nil {
		return upServices{}, err
	}
	for _, inner := range []*service{&u.calculator, &u.externaldb} {
		inner.listener = framed(inner.listener, n.log)
	}
	return u, nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// fillBundled starts the two MCP servers behind the proxy's own credential.
func (u *upServices) fillBundled(ctx context.Context, s *state) (func(), error) {
	credential, err := readSecret(s.path("secrets", "upstream"))
	if err != nil {
		return nil, err
	}
	sample := s.path("sample.db")
	if err := externaldb.Sample(ctx, sample); err != nil {
		return nil, fmt.Errorf("sample database: %w", err)
	}
	db, closer, err := externaldb.New(ctx, databaseConfig("sqlite:"+sample))
	if err != nil {
		return nil, fmt.Errorf("sample database: %w", err)
	}
	if u.calculator.handler, err = mcpservers.Handler(calculator.New(), credential); err != nil {
		return nil, err
	}
	u.externaldb.handler, err = mcpservers.Handler(db, credential)
	return func() { _ = closer() }, err // the sample is on disk; nothing waits to be written
}

// answering waits until every URL answers 200.
func answering(ctx context.Context, urls []string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	for _, u := range urls {
		for {
			err := probe(ctx, u)
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return errors.Join(ctx.Err(), fmt.Errorf("%s does not answer: %w", u, err))
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

func probe(ctx context.Context, u string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// copyExample writes the shipped configuration where none is.
func copyExample(folder string) error {
	return fs.WalkDir(example.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		target := filepath.Join(folder, filepath.FromSlash(name))
		if _, err := os.Stat(target); err == nil {
			return nil
		}
		text, err := example.Files.ReadFile(name)
		if err != nil {
			return err
		}
		return writeFile(target, text, 0o644)
	})
}

// demoAccounts are the accounts `postern up` makes for its state folder.
type demoAccounts struct {
	User   demoUser   `json:"user"`
	Admin  demoUser   `json:"administrator"`
	Client demoClient `json:"client"`
}

// demoUser is a person with the password that was made for them; in a summary
// it is "" once they have another.
type demoUser struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

func (u demoUser) String() string {
	if u.Password == "" {
		return u.Username + "  with the password that was chosen since the first start"
	}
	return u.Username + "  password " + u.Password
}

type demoClient struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

// demo finds the demo accounts of this state folder, or makes them. What was
// chosen is on disk before the authorization server learns it, so an end at
// any moment leaves accounts that the next start can use.
func (s *state) demo(ctx context.Context, issuer *authserver.Server, conf setup) (demoAccounts, error) {
	d, err := s.readDemo()
	if err != nil {
		return d, err
	}
	if err := s.demoPerson(ctx, issuer, &d, &d.User, "demo", conf.role("user")); err != nil {
		return d, err
	}
	if err := s.demoPerson(ctx, issuer, &d, &d.Admin, "admin", conf.role("admin")); err != nil {
		return d, err
	}
	known, err := issuer.HasClient(ctx, d.Client.ID)
	if known || err != nil {
		return d, err
	}
	d.Client.ID, d.Client.Secret, err = issuer.CreateClient(ctx, "demo machine", conf.scopes())
	if err != nil {
		return d, fmt.Errorf("demo client: %w", err)
	}
	return d, s.writeDemo(d)
}

// withhold takes the made password away when it is not the person's any more.
func (u *demoUser) withhold(ctx context.Context, issuer *authserver.Server) error {
	good, err := issuer.HasPassword(ctx, u.Username, u.Password)
	if err != nil {
		return fmt.Errorf("demo user %s: %w", u.Username, err)
	}
	if !good {
		u.Password = ""
	}
	return nil
}

// role is the role of a name, or none where none is configured.
func (s setup) role(name string) []string {
	for _, r := range s.file.AuthServer.RoleSet() {
		if r.Name == name {
			return []string{name}
		}
	}
	return nil
}

// demoPerson makes one of the people, with a password that was made for this folder.
func (s *state) demoPerson(ctx context.Context, issuer *authserver.Server, d *demoAccounts, p *demoUser, name string, roles []string) error {
	if p.Password == "" {
		*p = demoUser{Username: name, Password: randomText(16)}
		if err := s.writeDemo(*d); err != nil {
			return err
		}
	}
	err := issuer.CreateUser(ctx, p.Username, p.Password, roles...)
	if err != nil && !errors.Is(err, authserver.ErrExists) {
		return fmt.Errorf("demo user %s: %w", name, err)
	}
	return nil
}

func (s *state) readDemo() (demoAccounts, error) {
	var d demoAccounts
	text, err := os.ReadFile(s.path("demo.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(text, &d)
}

func (s *state) writeDemo(d demoAccounts) error {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(s.path("demo.json"), text, 0o600)
}

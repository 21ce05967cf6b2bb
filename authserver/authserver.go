// Package authserver is an OAuth 2.1 authorization server for MCP.
//
// Its laws: every token has one audience, a registered resource; a client
// that has a secret proves it on every request; a code or refresh token works
// for the client, the key and the grant it was made for, and for no other; a
// person's yes belongs to the browser it was given in; what goes wrong is
// refused with a reason of one closed table (error.go).
package authserver

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/keyring"
	"github.com/postern-mcp/postern/authserver/passkey"
	"github.com/postern-mcp/postern/authserver/role"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/token"
)

// ErrExists says that the name is taken.
var ErrExists = store.ErrExists

// Server is the authorization server.
type Server struct {
	config     Config
	site       site
	catalogue  catalogue
	roles      role.Set
	store      Store
	keys       *keyring.Ring
	rules      token.Rules
	target     dpop.Target
	devicesAt  dpop.Target
	userinfoAt dpop.Target
	pushesAt   dpop.Target
	seals      seals
	passwords  *passwords
	limits     limits
	documents  *clientdoc.Fetcher
	profile    profile
	api        *admin.API
	party      *passkey.Party // nil: the issuer has no name that passkeys could be for
	handler    http.Handler
	beside     *background
	arrival    time.Duration // within which a request must be here
	patience   time.Duration // with the store and whoever else is asked, for one request
	stepUps    stepUps
	lists      statusLists
	providers  providers
	streams    streams
	failures   failures
	crowd      *crowd
	metrics    *metrics
	untold     atomic.Bool // revocations, to resource servers
}

// seals has one key per purpose.
type seals struct {
	keys, requests, approvals, successors, known, pushed, entries, errands, forms, sessions seal
	generators, passkeys, setups                                                            seal
}

// New opens the database (sqlite:PATH or postgres://…), migrates it, and loads or makes the
// signing key. A secret that does not open the stored key is an error.
func New(ctx context.Context, c Config, databaseURL string) (*Server, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	if at := db.Created(); at != "" {
		c.Log.Info("database.created", "at", at, "meaning", "nothing was there: it has no people, clients or keys from before")
	}
	kept, err := c.keeping(db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s, err := newServer(ctx, c, kept)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	db.Observe(s.metrics.operated)
	return s, nil
}

func newServer(ctx context.Context, c Config, db Store) (*Server, error) {
	s := &Server{config: c, store: db, site: newSite(c.Issuer), catalogue: newCatalogue(c.Resources, adminResource(newSite(c.Issuer))), arrival: arrivalTime, patience: patience, failures: make(failures, waitingFailures)}
	s.crowd, s.metrics = newCrowd(), newMetrics()
	s.passwords = newPasswords()
	s.profile = profiles[c.Clients.Profile]
	s.documents = s.fetcher(clientdoc.Patience)
	with, err := newShared(c)
	if err != nil {
		return nil, err
	}
	if with.tries != nil {
		with.returns = newReturns(with.tries, c.Now, with.outage)
	}
	s.limits, s.stepUps.with = newLimits(c.Now, with, s.metrics.limited), with
	if s.roles, err = role.New(c.Roles); err != nil {
		return nil, err
	}
	if s.providers, err = c.openProviders(); err != nil {
		return nil, err
	}
	if err := s.takeBack(ctx); err != nil {
		return nil, err
	}
	if err := s.sayShared(ctx); err != nil {
		return nil, err
	}
	if err := s.deriveSeals(); err != nil {
		return nil, err
	}
	if err := s.openParty(); err != nil {
		return nil, err
	}
	if err := s.prepareTokens(ctx); err != nil {
		return nil, err
	}
	if err := s.openAPI(); err != nil {
		return nil, err
	}
	s.handler = s.routes()
	s.expose(c.Metrics)
	work := []func(context.Context){s.sweepUntil, s.listUntil, s.keys.KeepUntil, s.recordFailuresUntil}
	if c.Revocations != nil {
		work = append(work, s.announceUntil)
	}
	if with.returns != nil {
		work = append(work, with.returns.until)
	}
	s.beside = inBackground(work...)
	return s, nil
}

// fetcher fetches what clients publish. Those that fail are told after failAfter.
func (s *Server) fetcher(failAfter time.Duration) *clientdoc.Fetcher {
	return clientdoc.NewFetcher(clientdoc.Options{Rules: s.documentRules(), Hosts: s.config.Clients.Hosts, Now: s.config.Now, FailAfter: failAfter})
}

func (s *Server) deriveSeals() error {
	for purpose, to := range map[string]*seal{
		"generators": &s.seals.generators, "passkeys": &s.seals.passkeys, "setting up": &s.seals.setups,
		"signing keys": &s.seals.keys, "pending requests": &s.seals.requests,
		"approvals": &s.seals.approvals, "successors": &s.seals.successors, "known browsers": &s.seals.known,
		"pushed requests": &s.seals.pushed, "sign-ins": &s.seals.entries, "errands": &s.seals.errands,
		"forms": &s.seals.forms, "session cookies": &s.seals.sessions,
	} {
		v, err := newSeal(s.config.Secret, s.config.PreviousSecret, purpose)
		if err != nil {
			return err
		}
		*to = v
	}
	return nil
}

func (s *Server) prepareTokens(ctx context.Context) (err error) {
	s.keys, err = keyring.Open(ctx, s.store, keyring.Config{
		Policy: s.config.Keys, Allowed: s.profile.allows, Kept: keptSigned,
		Seal: keyring.Seal{Close: s.seals.keys.close, Open: s.seals.keys.open}, Now: s.config.Now, Log: s.config.Log,
		Report: func(ctx context.Context, level slog.Level, name string, fields ...any) {
			s.report(ctx, level, event(name), fields...)
		},
	})
	if err != nil {
		return err
	}
	if s.rules, err = token.NewRules(s.config.Issuer, s.catalogue.audiences(), token.RFC9068, 0); err != nil {
		return err
	}
	if s.pushesAt, err = dpop.ParseTarget(s.site.url("/par")); err != nil {
		return err
	}
	if s.target, err = dpop.ParseTarget(s.site.url("/token")); err != nil {
		return err
	}
	if s.userinfoAt, err = dpop.ParseTarget(s.site.url("/userinfo")); err != nil {
		return err
	}
	if s.devicesAt, err = dpop.ParseTarget(s.site.url("/device_authorization")); err != nil {
		return err
	}
	return nil
}

// Handler serves every endpoint.
func (s *Server) Handler() http.Handler { return s.handler }

// ErrUnrecorded says that audit lines cannot be written.
var ErrUnrecorded = errors.New("audit lines cannot be written")

// Ready says whether requests can be answered: nil when the store answers and
// what they do can be put on record; otherwise it is ErrUnrecorded.
func (s *Server) Ready(ctx context.Context) error {
	if s.config.Audit != nil && s.config.Audit.Ready() != nil {
		return ErrUnrecorded
	}
	return s.store.Ping(ctx)
}

// Close ends the background work and closes the store.
func (s *Server) Close() error {
	s.beside.stop()
	return s.store.Close()
}

// CreateUser adds a person who can sign in and holds roles. ErrExists when the
// name is taken.
func (s *Server) CreateUser(ctx context.Context, username, password string, roles ...string) error {
	if err := s.knownRoles(roles); err != nil {
		return err
	}
	if err := checkUsername(username); err != nil {
		return err
	}
	hash, err := s.newPassword(ctx, actorsTurn(admin.Operator()), password, username)
	if err != nil {
		return err
	}
	u := store.User{ID: newID("user_"), Name: username, PasswordHash: hash}
	if err := s.store.AddUser(ctx, u, s.config.Now(), roles...); err != nil {
		return err
	}
	return s.reportAsOperator(ctx, "user.created", "subject", u.ID, "user", u.Name, "roles", roles)
}

// CreateClient adds a confidential machine client (client credentials) for all
// resources; scopes bounds what it may ask for, and asking for nothing gets
// the defaults of the resource. It returns the generated id and secret.
func (s *Server) CreateClient(ctx context.Context, name string, scopes []string) (id, secret string, err error) {
	if err := s.catalogue.known(scopes); err != nil {
		return "", "", err
	}
	return s.createConfidential(ctx, store.Client{Name: name, Scope: scopes, Bounded: true, Grants: []string{grantMachine}})
}

// CreateResourceServer adds a client that may introspect every token issued
// for the given resources, and do nothing else. It returns the generated id and secret.
func (s *Server) CreateResourceServer(ctx context.Context, name string, resources []string) (id, secret string, err error) {
	if err := s.serves(resources); err != nil {
		return "", "", err
	}
	return s.createConfidential(ctx, store.Client{Name: name, Bounded: true, Resources: resources})
}

func (s *Server) createConfidential(ctx context.Context, c store.Client) (id, secret string, err error) {
	if !slices.Contains(s.methods(), authBasic) {
		return "", "", errNoSecrets
	}
	secret = newSecret("pcs_")
	h := hashOf(secret)
	c.ID, c.SecretHash, c.AuthMethod, c.CreatedAt = newID("client_"), h[:], authBasic, s.config.Now()
	if err := s.addOperators(ctx, c); err != nil {
		return "", "", err
	}
	return c.ID, secret, nil
}

const (
	arrivalTime      = 20 * time.Second
	patience         = 30 * time.Second
	maxUnusedClients = 1000
)

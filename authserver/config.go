package authserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/keyring"
	"github.com/postern-mcp/postern/authserver/revoked"
	"github.com/postern-mcp/postern/authserver/risk"
	"github.com/postern-mcp/postern/authserver/role"
	"github.com/postern-mcp/postern/authserver/shortlived"
	"github.com/postern-mcp/postern/authserver/trail"
)

// Scope is one scope a resource understands.
type Scope struct {
	Name        string
	Description string   // words for the consent page
	Default     bool     // granted when a request names no scope
	Risk        string   // low, medium or high, for the consent page; "" shows none
	Implies     []string // scopes that come with it, directly; people are shown all they lead to
}

// Resource is a protected resource tokens may be issued for (RFC 8707).
type Resource struct {
	URL    string // exact identifier, becomes aud
	Name   string
	About  string // what it is, in words for people; "" says nothing
	Scopes []Scope
}

// Registration says who may register a client (RFC 7591).
type Registration string

const (
	RegistrationClosed Registration = "closed"
	RegistrationToken  Registration = "token" // an initial access token is required
	RegistrationOpen   Registration = "open"
)

// Proofs lets each verified proof through once; package replay has one.
type Proofs interface {
	// Nonce is for the caller's next proof, "" while there is none to give.
	Nonce(ctx context.Context, now time.Time) string

	// Spend refuses with *dpop.Error what must not pass; any other error says
	// that it cannot tell.
	Spend(ctx context.Context, now time.Time, proof dpop.Proof) error
}

// Announcer tells resource servers of revocations; package revoked has one.
type Announcer interface {
	// Publish tells of what the source has that was not told yet: called
	// every revoked.Interval, by one goroutine.
	Publish(ctx context.Context, source revoked.Source) error
}

// Config is everything New needs. A required field that is empty is an error, never a check less.
type Config struct {
	Issuer            string   // https, or http on a loopback host; no trailing slash
	Hosts             []string // further values of Host that are answered, beside the issuer's
	Secret            []byte   // ≥32 bytes: seals keys at rest and form tokens
	PreviousSecret    []byte   // ≥32 bytes: opens what an earlier Secret sealed; nil: there is none
	Keys              keyring.Policy
	Clients           ClientPolicy
	Resources         []Resource
	DetailTypes       []DetailType // nil: no authorization details are taken
	Roles             []role.Role  // at least one; role.Default has those there are without any configured
	SignIn            risk.Rules   // how sign-ins are judged; risk.Defaults has those of whoever sets none
	Providers         []Provider   // nil: people sign in here only
	Registration      Registration
	RegistrationToken string // required with RegistrationToken
	SignUp            SignUp // who may create an account; "" is closed
	File              string // the configuration file, for administrators to read of; "" where nobody says
	Command           string // what makes an invitation on the machine, for a shell; "" where nobody says
	SecondFactor      FactorPolicy
	StepUpSecret      string         // shared with resource servers that tell of step-ups; "": none does, and /step-up does not exist
	AccessTokenLife   time.Duration  // 1…60 min
	RefreshTokenLife  time.Duration  // 1 min … 366 days without use
	CodeLife          time.Duration  // ≤10 min
	LoopbackDocuments bool           // client ID metadata documents may live on http loopback: for development only
	RedirectSchemes   []string       // private-use schemes without a dot that redirect URIs may have
	TrustedProxies    []netip.Prefix // whose X-Forwarded-For says where a request comes from
	Proofs            Proofs
	Revocations       Announcer             // nil: only the status lists tell of revocations
	Shared            *Shared               // nil: no other instance has this issuer
	ShortLived        *shortlived.Redis     // has codes, devices that wait and sessions; nil: the database does
	Audit             *trail.Trail          // nil: what happens is in the log only
	Metrics           prometheus.Registerer // nil: nobody reads them
	Log               *slog.Logger
	Now               func() time.Time
}

func (c Config) validate() error {
	return errors.Join(
		checkIssuer(c.Issuer),
		checkHosts(c.Hosts),
		demand(len(c.Secret) >= 32, "Secret must have at least 32 bytes"),
		demand(c.PreviousSecret == nil || len(c.PreviousSecret) >= 32, "PreviousSecret must have at least 32 bytes"),
		c.Keys.Check(),
		checkResources(c.Resources),
		checkDetailTypes(c.DetailTypes),
		checkRoles(c.Roles),
		c.SignIn.Check(),
		c.checkRegistration(),
		c.SignUp.check(),
		c.SecondFactor.check(),
		clientdoc.CheckSchemes(c.RedirectSchemes),
		checkProxies(c.TrustedProxies),
		within("AccessTokenLife", c.AccessTokenLife, time.Minute, longestToken),
		within("RefreshTokenLife", c.RefreshTokenLife, time.Minute, 366*24*time.Hour),
		c.Clients.validate(),
		demand(slices.Contains(profiles[c.Clients.Profile].algorithms, c.Keys.Algorithm), "Keys.Algorithm is not one of the profile's"),
		within("CodeLife", c.CodeLife, time.Second, profiles[c.Clients.Profile].codeLife),
		demand(c.StepUpSecret == "" || len(c.StepUpSecret) >= minNoteAuth, "StepUpSecret must have at least 32 characters"),
		demand(c.Proofs != nil, "Proofs is required"),
		demand(c.Shared == nil || c.Shared.Tries != nil && c.Shared.StepUps != nil, "Shared has Tries and StepUps"),
		demand(c.Log != nil, "Log is required"),
		demand(c.Now != nil, "Now is required"),
	)
}

func demand(ok bool, problem string) error {
	if ok {
		return nil
	}
	return errors.New("authserver: " + problem)
}

func within(name string, d, low, high time.Duration) error {
	return demand(d >= low && d <= high, fmt.Sprintf("%s must be from %v to %v", name, low, high))
}

// RFC 8414 §2: https, no query, no fragment. Plain http on loopback only.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" {
		return demand(false, "Issuer must be an absolute URL")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !clientdoc.IsLoopback(u.Hostname())) {
		return demand(false, "Issuer must be https, or http on a loopback host")
	}
	if strings.ContainsAny(issuer, "?#") || strings.HasSuffix(issuer, "/") {
		return demand(false, "Issuer must have no query, no fragment and no trailing slash")
	}
	return nil
}

func (c Config) checkRegistration() error {
	switch c.Registration {
	case RegistrationClosed, RegistrationOpen:
		return nil
	case RegistrationToken:
		return demand(len(c.RegistrationToken) >= 16, "RegistrationToken must have at least 16 characters")
	}
	return demand(false, "Registration must be closed, token or open")
}

func checkResources(list []Resource) error {
	if len(list) == 0 {
		return demand(false, "Resources must name at least one resource")
	}
	seen := map[string]bool{}
	for _, r := range list {
		u, err := url.Parse(r.URL)
		if err != nil || u.Host == "" || u.Fragment != "" || seen[r.URL] {
			return demand(false, fmt.Sprintf("resource %q must be an absolute URL without fragment, named once", r.URL))
		}
		seen[r.URL] = true
		if err := checkScopes(r); err != nil {
			return err
		}
	}
	return nil
}

func checkRoles(list []role.Role) error {
	_, err := role.New(list)
	if err != nil {
		return fmt.Errorf("authserver: Roles: %w", err)
	}
	return nil
}

func checkScopes(r Resource) error {
	seen := map[string]bool{}
	for _, s := range r.Scopes {
		if !isScopeToken(s.Name) || seen[s.Name] {
			return demand(false, fmt.Sprintf("resource %q: scope %q must be a scope token (RFC 6749 §3.3), named once", r.URL, s.Name))
		}
		if s.Risk != "" && !slices.Contains([]string{"low", "medium", "high"}, s.Risk) {
			return demand(false, fmt.Sprintf("resource %q: scope %q: Risk must be low, medium or high", r.URL, s.Name))
		}
		if strings.HasPrefix(s.Name, role.Reserved) {
			return demand(false, fmt.Sprintf("resource %q: scope %q: scopes of the administration begin with %s, and no others", r.URL, s.Name, role.Reserved))
		}
		if clientdoc.IsIdentityScope(s.Name) {
			return demand(false, fmt.Sprintf("resource %q: scope %q is about a person: a resource needs a scope of its own", r.URL, s.Name))
		}
		seen[s.Name] = true
	}
	return nil
}

package authserver

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/role"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/upstream"
)

// Provider is another OpenID Connect provider at which people sign in.
type Provider struct {
	Name       string // in paths, and the source of roles; a-z, 0-9 and -
	Label      string // on its button
	Issuer     string // https, or http on a loopback host
	ClientID   string
	Credential upstream.Credential
	Scopes     []string          // openid among them
	Networks   []netip.Prefix    // where it may be reached beside public addresses
	Admit      []string          // domains of verified addresses; nil: whoever comes
	Link       bool              // by verified address, to the account that has it verified here
	Domains    []string          // whose addresses it alone gives out
	Create     bool              // somebody new gets an account
	Roles      []ClaimRole       // nil: it gives none
	ACR        map[string]string // its acr values, and the level they are here: mfa or phr
}

// ClaimRole gives a role to those of whom the provider says that.
type ClaimRole struct{ Claim, Value, Role string }

// provider is one that can be asked.
type provider struct {
	Provider
	at *upstream.Provider
}

// providers are in the order of the configuration.
type providers []*provider

func (ps providers) named(name string) *provider {
	i := slices.IndexFunc(ps, func(p *provider) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return ps[i]
}

func (ps providers) issuers() []string {
	var all []string
	for _, p := range ps {
		all = append(all, p.Issuer)
	}
	return all
}

// buttons are those of the sign-in page.
func (ps providers) buttons(but string) []pages.Way {
	var all []pages.Way
	for _, p := range ps {
		if p.Name != but {
			all = append(all, pages.Way{Name: p.Name, Label: p.Label})
		}
	}
	return all
}

func (c Config) openProviders() (providers, error) {
	roles, err := role.New(c.Roles)
	if err != nil {
		return nil, err
	}
	var all providers
	for _, p := range c.Providers {
		if all.named(p.Name) != nil || slices.Contains(all.issuers(), p.Issuer) {
			return nil, fmt.Errorf("authserver: provider %q: name and issuer must be its own", p.Name)
		}
		if err := p.check(roles); err != nil {
			return nil, fmt.Errorf("authserver: provider %q: %w", p.Name, err)
		}
		at, err := upstream.New(upstream.Settings{
			Issuer: p.Issuer, ClientID: p.ClientID, Credential: p.Credential, Scopes: p.Scopes, Networks: p.Networks,
			Callback: c.Issuer + withPrefix + p.Name + "/callback", Now: c.Now,
		})
		if err != nil {
			return nil, fmt.Errorf("authserver: provider %q: %w", p.Name, err)
		}
		all = append(all, &provider{p, at})
	}
	return all, nil
}

func (p Provider) check(roles role.Set) error {
	if p.Name == "" || p.Name == store.Assigned || strings.Trim(p.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("a name has a-z, 0-9 and -, and is not %s", store.Assigned)
	}
	for _, r := range p.Roles {
		if _, ok := roles.Find(r.Role); !ok || r.Claim == "" || r.Value == "" {
			return fmt.Errorf("a claim and its value give a role that there is: %+v", r)
		}
	}
	for theirs, ours := range p.ACR {
		if level(ours) != levelMulti && level(ours) != levelResistant {
			return fmt.Errorf("acr %q is %s or %s here", theirs, levelMulti, levelResistant)
		}
	}
	return nil
}

// admits says whether somebody is let in at all.
func (p *provider) admits(who upstream.Identity) bool {
	return p.Admit == nil || who.EmailVerified && inDomains(p.Admit, who.Email)
}

// decides says whether an address is one that nobody else gives out.
func (p *provider) decides(who upstream.Identity) bool {
	return who.EmailVerified && inDomains(p.Domains, who.Email)
}

// inDomains: an upstream.Address has exactly one @.
func inDomains(domains []string, address string) bool {
	_, domain, ok := strings.Cut(address, "@")
	return ok && slices.Contains(domains, domain)
}

// classes are the provider's words for what meets a level.
func (p *provider) classes(wanted level) []string {
	var words []string
	for _, theirs := range slices.Sorted(maps.Keys(p.ACR)) {
		if wanted != "" && level(p.ACR[theirs]).meets(wanted) {
			words = append(words, theirs)
		}
	}
	return words
}

// methods are what a provider's word is worth here (RFC 8176).
func (p *provider) methods(who upstream.Identity) []string {
	all := []string{amrElsewhere}
	if slices.Contains(who.AMR, amrMultiple) {
		all = append(all, amrMultiple)
	}
	switch level(p.ACR[who.ACR]) {
	case levelMulti:
		all = append(all, amrMultiple)
	case levelResistant:
		all = append(all, amrSoftware, amrMultiple)
	}
	return all
}

// roles are those that the claims give, each once.
func (p *provider) roles(who upstream.Identity) []string {
	var all []string
	for _, r := range p.Roles {
		if who.Claims.Has(r.Claim, r.Value) {
			all = append(all, r.Role)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

type givenRoles interface {
	KeepGiven(ctx context.Context, may map[string][]string, now time.Time, wider store.Wider) (users []string, err error)
}

// give makes these the roles that a provider gives somebody.
func (s *Server) give(ctx context.Context, p *provider, userID string, roles []string) error {
	return s.store.SetRoles(ctx, userID, store.GivenRoles{Source: p.Name, Roles: roles}, s.config.Now(), s.wider)
}

// takeBack ends what providers gave that they give no more: the configuration
// says something else now.
func (s *Server) takeBack(ctx context.Context) error {
	may := map[string][]string{}
	for _, p := range s.providers {
		may[p.Name] = []string{}
		for _, r := range p.Roles {
			may[p.Name] = append(may[p.Name], r.Role)
		}
	}
	_, err := s.store.KeepGiven(ctx, may, s.config.Now(), s.wider)
	return err
}

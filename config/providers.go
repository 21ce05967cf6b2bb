package config

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Provider is another OpenID Connect provider at which people sign in.
type Provider struct {
	Name       string            `yaml:"name"`  // in URLs, and as the source of roles
	Label      string            `yaml:"label"` // on the button; default: the preset's, or the name
	Preset     string            `yaml:"preset"`
	Issuer     string            `yaml:"issuer"`
	ClientID   string            `yaml:"client_id"`
	SecretFile string            `yaml:"client_secret_file"`
	KeyFile    string            `yaml:"client_key_file"` // instead of the secret: PEM private key
	KeyID      string            `yaml:"client_key_id"`   // default: its thumbprint
	Scopes     []string          `yaml:"scopes"`
	Networks   []Network         `yaml:"networks"` // where it may be reached beside public addresses
	Admit      []string          `yaml:"admit"`    // domains of verified addresses that are let in; absent: everybody
	Link       string            `yaml:"link"`     // never (default) or verified_email
	Domains    []string          `yaml:"domains"`  // of addresses that it alone decides about
	Create     bool              `yaml:"create"`
	Roles      []ClaimRole       `yaml:"claims_to_roles"`
	ACR        map[string]string `yaml:"acr"` // its classes and what they are here: mfa or phr
}

// ClaimRole gives a role to people of whom the provider says something.
type ClaimRole struct {
	Claim string `yaml:"claim"`
	Value string `yaml:"value"`
	Role  string `yaml:"role"`
}

var presets = map[string]Provider{
	"google": {Label: "Google", Issuer: "https://accounts.google.com"},
}

func (p *Provider) complete(folder string) {
	preset := presets[p.Preset]
	fill(&p.Label, cmp.Or(preset.Label, p.Name))
	fill(&p.Issuer, preset.Issuer)
	fill(&p.Link, "never")
	if p.Scopes == nil {
		p.Scopes = []string{"openid", "email", "profile"}
	}
	absolute(folder, &p.SecretFile)
	absolute(folder, &p.KeyFile)
}

func (a *AuthServer) validateProviders(c *check) {
	seen := map[string]bool{}
	for i, p := range a.Providers {
		at := func(key ...any) []any { return append([]any{"authserver", "providers", i}, key...) }
		p.validate(c, at)
		if seen[p.Name] {
			c.fail("named before", at("name")...)
		}
		seen[p.Name] = true
		for j, r := range p.Roles {
			c.oneOf(r.Role, a.roleNames(), at("claims_to_roles", j, "role")...)
		}
	}
}

func (a *AuthServer) roleNames() []string {
	var names []string
	for _, r := range a.RoleSet() {
		names = append(names, r.Name)
	}
	return names
}

var providerName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

func (p Provider) validate(c *check, at func(key ...any) []any) {
	if !providerName.MatchString(p.Name) || p.Name == "assigned" {
		c.fail("must be 1 to 32 of a-z, 0-9 and -, such as corp, and not assigned", at("name")...)
	}
	if p.Preset != "" {
		c.oneOf(p.Preset, []string{"google"}, at("preset")...)
	}
	c.httpsOrLoopback(p.Issuer, at("issuer")...)
	c.needs(p.ClientID, "missing: what the provider calls this server", at("client_id")...)
	if (p.SecretFile == "") == (p.KeyFile == "") {
		c.fail("give exactly one of client_secret_file and client_key_file", at("client_secret_file")...)
	}
	if !slices.Contains(p.Scopes, "openid") {
		c.fail("must have openid among them", at("scopes")...)
	}
	p.validateLink(c, at)
	for j, r := range p.Roles {
		c.needs(r.Claim, "missing: such as groups", at("claims_to_roles", j, "claim")...)
		c.needs(r.Value, "missing: what the claim is, or has in its list", at("claims_to_roles", j, "value")...)
	}
	for _, theirs := range slices.Sorted(maps.Keys(p.ACR)) {
		c.oneOf(p.ACR[theirs], []string{"mfa", "phr"}, at("acr", theirs)...)
	}
}

func (p Provider) validateLink(c *check, at func(key ...any) []any) {
	c.oneOf(p.Link, []string{"never", "verified_email"}, at("link")...)
	if p.Domains != nil && p.Link != "verified_email" {
		c.fail("is for link: verified_email", at("domains")...)
	}
	checkDomains(c, p.Domains, func(i int) []any { return at("domains", i) })
	checkDomains(c, p.Admit, func(i int) []any { return at("admit", i) })
}

func checkDomains(c *check, domains []string, at func(int) []any) {
	for i, domain := range domains {
		if domain != strings.ToLower(domain) || !strings.Contains(domain, ".") || strings.ContainsAny(domain, "@*/: ") {
			c.fail("must be a domain in lower case, such as corp.example.com, without @ and *", at(i)...)
		}
	}
}

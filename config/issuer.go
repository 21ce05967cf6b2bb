package config

import (
	"slices"
	"time"
)

// Issuer is an authorization server whose access tokens are accepted.
type Issuer struct {
	Issuer        string         `yaml:"issuer"`
	DPoP          string         `yaml:"dpop"`          // required (default), accepted or off
	Profile       string         `yaml:"profile"`       // rfc9068 (default) or jwt
	StepUp        StepUp         `yaml:"step_up"`       // whom to tell of missing scope
	Introspection *Introspection `yaml:"introspection"` // absent: its access tokens are JWTs
	Revocations   string         `yaml:"revocations"`   // status_list (default), redis or none
}

// Introspection is how the issuer is asked about tokens (RFC 7662).
type Introspection struct {
	URL        string        `yaml:"url"`         // absent: the metadata's introspection_endpoint
	ClientID   string        `yaml:"client_id"`   // of the proxy at the issuer
	SecretFile string        `yaml:"secret_file"` // its client secret
	Tokens     string        `yaml:"tokens"`      // opaque (default), or all: JWTs too
	Cache      time.Duration `yaml:"cache"`       // how long an answer counts; default 5s
}

// StepUp is where a Postern authorization server hears of step-ups.
type StepUp struct {
	URL        string `yaml:"url"`         // its /step-up
	SecretFile string `yaml:"secret_file"` // the same as its step_up_secret_file
}

func (i *Issuer) complete(folder string) {
	fill(&i.DPoP, "required")
	fill(&i.Profile, "rfc9068")
	fill(&i.Revocations, "status_list")
	absolute(folder, &i.StepUp.SecretFile)
	if i.Introspection != nil {
		fill(&i.Introspection.Tokens, "opaque")
		fillDuration(&i.Introspection.Cache, 5*time.Second)
		absolute(folder, &i.Introspection.SecretFile)
	}
}

func (f *File) validateIssuers(c *check) {
	seen := map[string]bool{}
	for i, issuer := range f.Issuers {
		c.httpsOrLoopback(issuer.Issuer, "issuers", i, "issuer")
		c.oneOf(issuer.DPoP, dpopModes, "issuers", i, "dpop")
		c.oneOf(issuer.Profile, []string{"rfc9068", "jwt"}, "issuers", i, "profile")
		if (issuer.StepUp.URL == "") != (issuer.StepUp.SecretFile == "") {
			c.fail("url and secret_file go together", "issuers", i, "step_up")
		}
		if issuer.StepUp.URL != "" {
			c.httpsOrLoopback(issuer.StepUp.URL, "issuers", i, "step_up", "url")
		}
		if issuer.Introspection != nil {
			issuer.Introspection.validate(c, "issuers", i, "introspection")
		}
		c.oneOf(issuer.Revocations, []string{"status_list", "redis", "none"}, "issuers", i, "revocations")
		if issuer.Revocations == "redis" && f.State.Redis == nil {
			c.fail("redis needs state.redis, the one the authorization server tells of revocations", "issuers", i, "revocations")
		}
		if seen[issuer.Issuer] {
			c.fail("this issuer is listed twice", "issuers", i, "issuer")
		}
		seen[issuer.Issuer] = true
	}
}

func (n *Introspection) validate(c *check, at ...any) {
	key := func(name string) []any { return append(slices.Clone(at), name) }
	if n.URL != "" {
		c.httpsOrLoopback(n.URL, key("url")...)
	}
	c.needs(n.ClientID, "missing: the proxy's client id at the issuer", key("client_id")...)
	c.needs(n.SecretFile, "missing: the file with the client secret", key("secret_file")...)
	c.oneOf(n.Tokens, []string{"opaque", "all"}, key("tokens")...)
	c.between(n.Cache, time.Second, time.Minute, key("cache")...)
}

// validateModes refuses a server no token could satisfy.
func (f *File) validateModes(c *check) {
	for i, server := range f.Servers {
		for _, issuer := range f.Issuers {
			if server.DPoP == "off" && issuer.DPoP == "required" {
				c.fail("off contradicts issuer "+issuer.Issuer+", which requires DPoP", "servers", i, "dpop")
			}
		}
	}
}

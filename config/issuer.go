package config

// Issuer is an authorization server whose access tokens are accepted.
type Issuer struct {
	Issuer  string `yaml:"issuer"`
	DPoP    string `yaml:"dpop"`    // required (default), accepted or off
	Profile string `yaml:"profile"` // rfc9068 (default) or jwt
	StepUp  StepUp `yaml:"step_up"` // whom to tell of missing scope
}

// StepUp is where a Postern authorization server hears of step-ups.
type StepUp struct {
	URL        string `yaml:"url"`         // its /step-up
	SecretFile string `yaml:"secret_file"` // the same as its step_up_secret_file
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
		if seen[issuer.Issuer] {
			c.fail("this issuer is listed twice", "issuers", i, "issuer")
		}
		seen[issuer.Issuer] = true
	}
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

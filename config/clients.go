package config

import (
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/clientdoc"
)

// validateClients checks how clients of the authorization server prove
// themselves, and which are let in.
func (a *AuthServer) validateClients(c *check) {
	c.oneOf(a.Profile, []string{"mcp", "fapi2"}, "authserver", "profile")
	if a.Profile == "fapi2" {
		a.validateFAPI2(c)
	}
	if a.AuthoritiesFile != "" && !a.TLS.RequestsCertificates() {
		c.fail("needs authserver.tls with client_certificates: request: a certificate is believed only on this server's own connection", "authserver", "client_ca_file")
	}
	for i, host := range a.ClientDocuments.Hosts {
		if err := clientdoc.CheckHosts([]string{host}); err != nil {
			c.fail(err.Error(), "authserver", "client_documents", "hosts", i)
		}
	}
}

// validateHosts checks further values of Host.
func (a *AuthServer) validateHosts(c *check) {
	for i, host := range a.Hosts {
		if host == "" || host != strings.ToLower(host) || strings.ContainsAny(host, "/*@ ") {
			c.fail("must be a Host as clients send it: a name in lower case, such as postern-authserver:8090", "authserver", "hosts", i)
		}
	}
}

// validateFAPI2: what the profile demands of other keys.
func (a *AuthServer) validateFAPI2(c *check) {
	// FAPI 2.0 §5.3.2.2
	if a.CodeLife > time.Minute {
		c.fail("must be at most 1m0s with profile: fapi2", "authserver", "code_life")
	}
	// FAPI 2.0 §5.4.1
	if a.Keys.Algorithm == "RS256" {
		c.fail("must be ES256, PS256 or EdDSA with profile: fapi2", "authserver", "keys", "algorithm")
	}
}

package authserver

import (
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/token"
)

// Profile is a set of demands that go together.
type Profile string

const (
	ProfileMCP   Profile = "mcp"   // what MCP clients do
	ProfileFAPI2 Profile = "fapi2" // the FAPI 2.0 Security Profile
)

// ClientPolicy says how clients prove themselves, and which are let in.
type ClientPolicy struct {
	Profile      Profile        // required
	Certificates bool           // the listener speaks TLS itself and asks for certificates (RFC 8705)
	Authorities  *x509.CertPool // of certificates for tls_client_auth; nil: there is none
	Hosts        []string       // whose metadata documents are taken: names, or *.example.com for all below; nil: everybody's
}

func (c ClientPolicy) validate() error {
	_, ok := profiles[c.Profile]
	return errors.Join(
		demand(ok, "Clients.Profile must be mcp or fapi2"),
		demand(c.Authorities == nil || c.Certificates, "Clients.Authorities need Clients.Certificates"),
		clientdoc.CheckHosts(c.Hosts),
	)
}

// profile is everything that depends on the configured profile.
type profile struct {
	methods    []string         // of client authentication (FAPI 2.0 §5.3.2.1)
	algorithms []jose.Algorithm // of assertions, proofs and tokens (§5.4.1)
	devices    bool             // there is a device flow: the FAPI 2.0 Security Profile knows none, and it binds no browser to the request
	pushedOnly bool             // authorization requests are pushed by authenticated clients (§5.3.2.2)
	bound      bool             // every access token is bound to a key or a certificate (§5.3.2.1)
	codeLife   time.Duration    // the most that can be configured (§5.3.2.2)
	proofs     dpop.Window      // how far from now a proof's iat may lie (§5.3.2.1)
}

var profiles = map[Profile]profile{
	ProfileMCP: {
		methods:    []string{authNone, authBasic, authPost, authKey, authSelfSigned, authAuthority},
		algorithms: jose.Algorithms(),
		codeLife:   10 * time.Minute,
		devices:    true,
		// MCP takes proofs up to five minutes old or ahead.
		proofs: dpop.Window{Past: 5 * time.Minute, Future: 5 * time.Minute},
	},
	ProfileFAPI2: {
		methods:    []string{authKey, authSelfSigned, authAuthority},
		algorithms: []jose.Algorithm{jose.ES256, jose.EdDSA, jose.PS256},
		pushedOnly: true,
		bound:      true,
		codeLife:   time.Minute,
		proofs:     dpop.Window{Past: time.Minute, Future: 30 * time.Second},
	},
}

func (p profile) allows(a jose.Algorithm) bool { return slices.Contains(p.algorithms, a) }

// permits holds the algorithm of a verified proof against the profile's (FAPI 2.0 §5.4.1).
func (p profile) permits(proof string) error {
	jws, err := jose.Parse(proof, len(proof))
	if err != nil {
		return refuseFor(BadProof, err) // unreachable: it was verified
	}
	if !p.allows(jose.Algorithm(jws.Algorithm)) {
		return refuse(ProofAlgorithm)
	}
	return nil
}

// takes says whether an access token may be used: one that is bound to nothing
// may have been issued before the profile was chosen.
func (p profile) takes(c token.Claims) bool {
	return !p.bound || c.Thumbprint != "" || c.Certificate != ""
}

// proofAlgorithms are those of proofs, for the metadata.
func (p profile) proofAlgorithms() []string {
	return slices.DeleteFunc(dpop.Algorithms(), func(a string) bool { return !p.allows(jose.Algorithm(a)) })
}

// assertionAlgorithms are those of client assertions, for the metadata.
func (p profile) assertionAlgorithms() []string {
	var names []string
	for _, a := range p.algorithms {
		names = append(names, string(a))
	}
	return names
}

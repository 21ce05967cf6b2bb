package proxy

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/policy"
)

const wellKnown = "/.well-known/oauth-protected-resource"

// resource is a protected resource as RFC 9728 and its challenges describe
// it: both come out of this one value, so they cannot disagree.
type resource struct {
	url          string   // the resource identifier
	metadataPath string   // where its metadata is served
	metadataURL  string   // the same as clients see it
	metadata     []byte   // the document
	bearer, dpop bool     // schemes accepted
	first        []string // scopes a first challenge asks for
}

// metadataDocument is RFC 9728 §2; empty members are left out (§3.2).
type metadataDocument struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	ScopesSupported      []string `json:"scopes_supported,omitempty"`
	BearerMethods        []string `json:"bearer_methods_supported"`
	Name                 string   `json:"resource_name,omitempty"`
	ProofAlgorithms      []string `json:"dpop_signing_alg_values_supported,omitempty"`
	ProofRequired        bool     `json:"dpop_bound_access_tokens_required,omitempty"`
	CertificateBound     bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
}

func newResource(c Config, conf Server) (resource, error) {
	r := resource{url: c.PublicURL + conf.Path}
	if conf.Path == "/" {
		r.url = c.PublicURL
	}
	// RFC 9728 §3.1: a lone slash after the host goes before the insertion.
	r.metadataPath = wellKnown + strings.TrimPrefix(r.url, c.PublicURL)
	r.metadataURL = c.PublicURL + r.metadataPath
	doc := metadataDocument{Resource: r.url, Name: conf.Name, BearerMethods: []string{"header"}}
	doc.CertificateBound = c.ClientCertificates
	for _, i := range c.Issuers {
		doc.AuthorizationServers = append(doc.AuthorizationServers, i.URL)
		mode := effective(i.DPoP, conf.DPoP)
		r.bearer = r.bearer || mode != Required
		r.dpop = r.dpop || mode != Off
	}
	for _, s := range conf.Policy.Scopes() {
		doc.ScopesSupported = append(doc.ScopesSupported, s.Name)
	}
	r.first = defaultScope(conf.Policy)
	doc.ProofRequired = !r.bearer
	if r.dpop {
		doc.ProofAlgorithms = dpop.Algorithms()
	}
	text, err := json.Marshal(doc)
	r.metadata = text
	return r, err
}

func defaultScope(p *policy.Policy) []string {
	var names []string
	for _, s := range p.Scopes() {
		if s.Default {
			names = append(names, s.Name)
		}
	}
	return names
}

// effective joins what the issuer and the server say. The server's word
// counts where it has one, except that it cannot loosen a required proof.
func effective(issuer, server Mode) Mode {
	if server == "" || issuer == Required {
		return issuer
	}
	return server
}

// challenges are the WWW-Authenticate values of a refusal, one line per
// scheme, Bearer first because some clients read only the first.
func (r resource) challenges(row outcome, why *refusal) []string {
	scope := why.scope
	if row.status == 401 && len(scope) == 0 {
		scope = r.first
	}
	var lines []string
	if r.bearer && !r.proofOnly(row, why) {
		lines = append(lines, r.challenge("Bearer", row, r.blames(bearerScheme, row, why), scope))
	}
	if r.dpop {
		lines = append(lines, r.challenge("DPoP", row, r.blames(dpopScheme, row, why), scope))
	}
	return lines
}

// proofOnly: a caller whose proof is at fault is told about proofs and nothing else.
func (r resource) proofOnly(row outcome, why *refusal) bool {
	return r.dpop && why.scheme == dpopScheme && (row.oauth == invalidProof || row.oauth == useNonce || why.reason == reasonKeyMismatch)
}

// blames says whether this scheme's challenge carries the error (RFC 9449
// §7.1): none without credentials, the scheme that was used when it is clear,
// both for a missing scope, which is nobody's scheme.
func (r resource) blames(s scheme, row outcome, why *refusal) bool {
	switch {
	case row.oauth == "":
		return false
	case row.oauth == insufficientScope, why.scheme == noScheme:
		return true
	case r.bearer != r.dpop: // the only line there is
		return true
	}
	return s == why.scheme
}

func (r resource) challenge(name string, row outcome, blamed bool, scope []string) string {
	var params []string
	add := func(key, value string) { params = append(params, key+"="+quoted(value)) }
	if blamed {
		add("error", row.oauth)
		add("error_description", row.public)
	}
	add("resource_metadata", r.metadataURL)
	if len(scope) > 0 {
		add("scope", joinScope(scope))
	}
	if name == "DPoP" {
		add("algs", strings.Join(dpop.Algorithms(), " "))
	}
	return name + " " + strings.Join(params, ", ")
}

// quoted makes a quoted-string (RFC 9110 §5.6.4). What no header may carry is
// left out: nothing here comes from a caller, but this must not depend on it.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		if c < 0x20 || c > 0x7e {
			continue
		}
		if c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	b.WriteByte('"')
	return b.String()
}

func joinScope(scope []string) string { return strings.Join(slices.Clip(scope), " ") }

package clientdoc

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/postern-mcp/postern/authserver/jose"
)

// How a client proves that a request is its own (the OAuth Token Endpoint
// Authentication Methods registry).
const (
	None       = "none"
	Basic      = "client_secret_basic"
	Post       = "client_secret_post"
	Key        = "private_key_jwt"             // RFC 7523 §2.2
	SelfSigned = "self_signed_tls_client_auth" // RFC 8705 §2.2
	Authority  = "tls_client_auth"             // RFC 8705 §2.1
)

// Secret says whether a method is by a secret that both sides know.
func Secret(method string) bool { return method == Basic || method == Post }

// CertificateName is what a certificate of an authority must say to be the
// client's (RFC 8705 §2.1.2): exactly one member is set.
type CertificateName struct {
	Subject string `json:"tls_client_auth_subject_dn,omitzero"` // RFC 4514
	DNS     string `json:"tls_client_auth_san_dns,omitzero"`
	URI     string `json:"tls_client_auth_san_uri,omitzero"`
	IP      string `json:"tls_client_auth_san_ip,omitzero"`
	Email   string `json:"tls_client_auth_san_email,omitzero"`
}

func (n CertificateName) given() (members int) {
	for _, v := range []string{n.Subject, n.DNS, n.URI, n.IP, n.Email} {
		if v != "" {
			members++
		}
	}
	return members
}

const (
	maxKeys     = 16       // every one may be tried on an assertion without kid
	maxKeyBytes = 16 << 10 // of a set inside metadata
)

func (m *Metadata) checkAuthentication(rules Rules) error {
	if m.AuthMethod == "" && len(rules.Methods) > 0 {
		m.AuthMethod = rules.Methods[0]
	}
	if !slices.Contains(rules.Methods, m.AuthMethod) {
		return fmt.Errorf("%w: token_endpoint_auth_method must be one of %s", ErrMetadata, strings.Join(rules.Methods, ", "))
	}
	if err := m.checkKeys(rules); err != nil {
		return err
	}
	if m.AuthMethod == Authority {
		if err := m.CertificateName.check(); err != nil {
			return err
		}
	}
	// RFC 8705 §4: a refresh token of a client without authentication would
	// have to be bound as well.
	if m.CertificateBound && m.AuthMethod == None {
		return fmt.Errorf("%w: tls_client_certificate_bound_access_tokens is for clients that authenticate", ErrMetadata)
	}
	return nil
}

func (m *Metadata) checkKeys(rules Rules) error {
	keyed := m.AuthMethod == Key || m.AuthMethod == SelfSigned
	if keyed && m.Keys == nil && m.KeysURI == "" {
		return fmt.Errorf("%w: %s needs jwks or jwks_uri", ErrMetadata, m.AuthMethod)
	}
	// RFC 7591 §2
	if m.Keys != nil && m.KeysURI != "" {
		return fmt.Errorf("%w: jwks and jwks_uri exclude each other", ErrMetadata)
	}
	if m.Keys != nil {
		if _, err := ParseKeys(m.Keys); err != nil {
			return err
		}
	}
	if m.KeysURI != "" && !webPage(m.KeysURI) && !(rules.Loopback && onLoopback(m.KeysURI)) {
		return fmt.Errorf("%w: jwks_uri must be an https URL", ErrMetadata)
	}
	m.AssertionAlgorithm = string(jose.Named(m.AssertionAlgorithm))
	if a := m.AssertionAlgorithm; a != "" && !slices.Contains(jose.Algorithms(), jose.Algorithm(a)) {
		return fmt.Errorf("%w: token_endpoint_auth_signing_alg must be an asymmetric algorithm of token_endpoint_auth_signing_alg_values_supported", ErrMetadata)
	}
	return nil
}

func onLoopback(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && len(raw) <= maxURI && printable(raw) && u.Scheme == "http" && IsLoopback(u.Hostname()) && u.User == nil
}

// ParseKeys reads a client's JWK Set: at most 16 KiB and 16 keys, at least one
// of them usable, and none private or symmetric, which would be no secret any more.
func ParseKeys(doc []byte) (jose.KeySet, error) {
	if len(doc) > maxKeyBytes {
		return jose.KeySet{}, fmt.Errorf("%w: jwks must have at most %d bytes", ErrMetadata, maxKeyBytes)
	}
	var set struct {
		Keys []struct {
			Private   jsontext.Value `json:"d"`
			Symmetric jsontext.Value `json:"k"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(doc, &set); err != nil || len(set.Keys) > maxKeys {
		return jose.KeySet{}, fmt.Errorf("%w: jwks must be a JWK Set of at most %d keys", ErrMetadata, maxKeys)
	}
	for _, k := range set.Keys {
		if k.Private != nil || k.Symmetric != nil {
			return jose.KeySet{}, fmt.Errorf("%w: jwks must hold public keys only; this one is no secret any more, make another", ErrMetadata)
		}
	}
	keys, err := jose.ParseKeySet(doc)
	if err != nil {
		return jose.KeySet{}, fmt.Errorf("%w: jwks has no key that can be used here", ErrMetadata)
	}
	return keys, nil
}

func (n CertificateName) check() error {
	// RFC 8705 §2.1.2
	if n.given() != 1 {
		return fmt.Errorf("%w: tls_client_auth needs exactly one of tls_client_auth_subject_dn and tls_client_auth_san_dns, _uri, _ip or _email", ErrMetadata)
	}
	if n.Subject != "" {
		if _, err := parseSubject(n.Subject); err != nil {
			return fmt.Errorf("%w: tls_client_auth_subject_dn must be a name as RFC 4514 writes it, like CN=robot,O=Example: last step first, no space beside a comma", ErrMetadata)
		}
	}
	if n.IP != "" {
		if _, err := netip.ParseAddr(n.IP); err != nil {
			return fmt.Errorf("%w: tls_client_auth_san_ip must be an address", ErrMetadata)
		}
	}
	return nil
}

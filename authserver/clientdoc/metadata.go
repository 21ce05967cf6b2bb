// Package clientdoc reads what clients say about themselves: client metadata
// (RFC 7591 §2) sent to the registration endpoint or fetched from the URL that
// is the client's id (draft-ietf-oauth-client-id-metadata-document), and the
// rules for redirect URIs that go with it. Nothing it reads is proven, except
// that a document fetched over https is that host's.
package clientdoc

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Why metadata is refused (RFC 7591 §3.2.2): the error text names the member
// and the rule, and never repeats what was sent.
var (
	ErrMetadata = errors.New("client metadata")
	ErrRedirect = errors.New("redirect URI")
)

// Metadata is what a client says about itself, checked by Parse.
type Metadata struct {
	ClientID    string   `json:"client_id"` // of a document; not of a registration
	Name        string   `json:"client_name"`
	URI         string   `json:"client_uri"`
	Redirects   []string `json:"redirect_uris"`
	AfterLogout []string `json:"post_logout_redirect_uris"`
	AuthMethod  string   `json:"token_endpoint_auth_method"`
	Grants      []string `json:"grant_types"`
	Responses   []string `json:"response_types"`
	ScopeText   string   `json:"scope"`
	Type        string   `json:"application_type"` // native or web; derived from the redirect URIs when absent
	DPoPBound   bool     `json:"dpop_bound_access_tokens"`

	Keys               jsontext.Value `json:"jwks"`     // a JWK Set, of public keys only
	KeysURI            string         `json:"jwks_uri"` // where the set is, instead
	AssertionAlgorithm string         `json:"token_endpoint_auth_signing_alg"`
	CertificateBound   bool           `json:"tls_client_certificate_bound_access_tokens"`
	PushedOnly         bool           `json:"require_pushed_authorization_requests"`
	CertificateName
}

// Rules are what a caller of Parse accepts.
type Rules struct {
	Schemes  []string // private-use schemes without a dot that redirect URIs may have
	Loopback bool     // jwks_uri may be http on a loopback host: for development only
	Methods  []string // of authentication; the first stands for an absent one
	Machines bool     // client_credentials may be asked for, and then no redirect URI is needed
}

// Scope is the scope member as a list.
func (m Metadata) Scope() []string { return strings.Fields(m.ScopeText) }

const (
	native = "native"
	web    = "web"

	codeGrant    = "authorization_code"
	deviceGrant  = "urn:ietf:params:oauth:grant-type:device_code"
	machineGrant = "client_credentials"

	maxRedirects = 10
	maxURI       = 2000
	maxName      = 100
	maxScope     = 4000
)

// Parse reads client metadata, strictly: one JSON object, no member twice, no
// member of the wrong type. Members it does not know are passed over (RFC 7591
// §2). Keys behind jwks_uri are not looked at.
func Parse(doc []byte, rules Rules) (Metadata, error) {
	var m Metadata
	if err := json.Unmarshal(doc, &m); err != nil {
		return Metadata{}, fmt.Errorf("%w: must be one JSON object with members of the registered types, none twice", ErrMetadata)
	}
	if err := m.checkWords(); err != nil {
		return Metadata{}, err
	}
	if err := m.checkFlows(rules); err != nil {
		return Metadata{}, err
	}
	if err := m.checkRedirects(rules); err != nil {
		return Metadata{}, err
	}
	if err := m.checkAuthentication(rules); err != nil {
		return Metadata{}, err
	}
	return m, nil
}

func (m Metadata) checkWords() error {
	if utf8.RuneCountInString(m.Name) > maxName || !Plain(m.Name) {
		return fmt.Errorf("%w: client_name must be at most %d visible characters, without spaces at its ends", ErrMetadata, maxName)
	}
	if m.URI != "" && !webPage(m.URI) {
		return fmt.Errorf("%w: client_uri must be an https URL", ErrMetadata)
	}
	if len(m.ScopeText) > maxScope || !printable(m.ScopeText) {
		return fmt.Errorf("%w: scope must be space-separated scope tokens", ErrMetadata)
	}
	return nil
}

func printable(s string) bool {
	for _, b := range []byte(s) {
		if b < 0x20 || b > 0x7e || b == '"' || b == '\\' {
			return false
		}
	}
	return true
}

func webPage(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxURI && printable(s) && u.Scheme == "https" && hostName(u.Hostname()) && u.User == nil
}

func (m Metadata) checkFlows(rules Rules) error {
	for _, g := range m.Grants {
		if g == machineGrant && rules.Machines {
			continue
		}
		if g != codeGrant && g != deviceGrant && g != "refresh_token" {
			return fmt.Errorf("%w: grant_types may hold authorization_code, refresh_token and %s; an operator creates machine clients", ErrMetadata, deviceGrant)
		}
	}
	if len(m.Grants) > 0 && !slices.ContainsFunc(m.Grants, begins) {
		return fmt.Errorf("%w: grant_types must hold authorization_code or %s: a refresh token comes from one of them", ErrMetadata, deviceGrant)
	}
	for _, r := range m.Responses {
		if r != "code" {
			return fmt.Errorf("%w: response_types may hold code only", ErrMetadata)
		}
	}
	return nil
}

// begins: the other grants go on with what these began.
func begins(grant string) bool {
	return grant == codeGrant || grant == deviceGrant || grant == machineGrant
}

// direct says whether nobody is redirected: no person is asked, or one at another device.
func (m Metadata) direct() bool { return len(m.Grants) > 0 && !slices.Contains(m.Grants, codeGrant) }

func (m *Metadata) checkRedirects(rules Rules) error {
	if len(m.AfterLogout) > maxRedirects {
		return fmt.Errorf("%w: post_logout_redirect_uris must hold at most %d URIs", ErrRedirect, maxRedirects)
	}
	if len(m.Redirects) > maxRedirects || len(m.Redirects) == 0 && !m.direct() {
		return fmt.Errorf("%w: redirect_uris must hold 1 to %d URIs", ErrRedirect, maxRedirects)
	}
	// What the type allows depends on it, so it is settled first.
	if m.Type == "" && len(m.Redirects) > 0 {
		m.Type = m.impliedType()
	}
	if m.Type != native && m.Type != web && m.Type != "" {
		return fmt.Errorf("%w: application_type must be native or web", ErrMetadata)
	}
	if err := m.checkEach(m.AfterLogout, "post_logout_redirect_uris", rules); err != nil {
		return err
	}
	return m.checkEach(m.Redirects, "redirect_uris", rules)
}

func (m Metadata) checkEach(uris []string, member string, rules Rules) error {
	for i, u := range uris {
		if err := checkRedirect(u, m.Type, rules.Schemes); err != nil {
			return fmt.Errorf("%w: %s[%d]: %w", ErrRedirect, member, i, err)
		}
	}
	return nil
}

// impliedType: RFC 7591 clients of before SEP-837 send no application_type,
// desktop applications with loopback redirects among them.
func (m Metadata) impliedType() string {
	for _, r := range m.Redirects {
		if !strings.HasPrefix(r, "https://") {
			return native
		}
	}
	return web
}

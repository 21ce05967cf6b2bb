package authserver

import (
	"crypto/subtle"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/store"
)

// registered is RFC 7591 §3.2.1: everything as it was registered.
type registered struct {
	ID              string         `json:"client_id"`
	IssuedAt        int64          `json:"client_id_issued_at"`
	Secret          string         `json:"client_secret,omitzero"`
	SecretExpires   *int64         `json:"client_secret_expires_at,omitzero"` // 0: never; only with a secret
	ManagementToken string         `json:"registration_access_token"`         // RFC 7592 §3
	ManagementURI   string         `json:"registration_client_uri"`
	Name            string         `json:"client_name,omitzero"`
	URI             string         `json:"client_uri,omitzero"`
	Redirects       []string       `json:"redirect_uris"`
	AfterLogout     []string       `json:"post_logout_redirect_uris,omitempty"`
	AuthMethod      string         `json:"token_endpoint_auth_method"`
	Algorithm       string         `json:"token_endpoint_auth_signing_alg,omitzero"`
	Keys            jsontext.Value `json:"jwks,omitzero"`
	KeysURI         string         `json:"jwks_uri,omitzero"`
	Grants          []string       `json:"grant_types"`
	Responses       []string       `json:"response_types"`
	Type            string         `json:"application_type"`
	Scope           string         `json:"scope,omitzero"`
	DPoPBound       bool           `json:"dpop_bound_access_tokens,omitzero"`
	CertBound       bool           `json:"tls_client_certificate_bound_access_tokens,omitzero"`
	PushedOnly      bool           `json:"require_pushed_authorization_requests,omitzero"`
	clientdoc.CertificateName
}

// register: RFC 7591 §3. The path exists only when registration is not closed.
func (s *Server) register(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.limits.register.try(s.network(r)); err != nil {
		return err
	}
	if err := s.mayRegister(r); err != nil {
		return err
	}
	m, _, err := s.readMetadata(w, r)
	if err != nil {
		return err
	}
	c, secret := s.newClient(m)
	management := newSecret("prm_")
	h := hashOf(management)
	c.Dynamic, c.ManagementHash, c.Network = true, h[:], s.network(r)
	err = s.store.AddClient(r.Context(), c, maxUnusedClients)
	if errors.Is(err, store.ErrFull) {
		return &Error{Reason: RegistrationFull, RetryAfter: time.Minute}
	}
	if err != nil {
		return err
	}
	s.audit(r, "client.registered", "client_id", c.ID, "name", c.Name, "type", c.Type,
		"redirect_uris", c.Redirects, "auth_method", c.AuthMethod)
	return writeJSON(w, http.StatusCreated, s.registration(c, secret, management))
}

// mayRegister: RFC 7591 §3: under policy "token" the initial access token is demanded.
func (s *Server) mayRegister(r *http.Request) error {
	if s.config.Registration == RegistrationOpen {
		return nil
	}
	if s.config.Registration != RegistrationToken {
		return refuse(RegistrationOff)
	}
	fields := r.Header.Values("Authorization")
	if len(fields) != 1 {
		return refuse(BadInitialToken)
	}
	scheme, given, _ := strings.Cut(fields[0], " ")
	want, got := hashOf(s.config.RegistrationToken), hashOf(given)
	if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return refuse(BadInitialToken)
	}
	return nil
}

// readMetadata gives the checked metadata, and the document it was read from.
func (s *Server) readMetadata(w http.ResponseWriter, r *http.Request) (clientdoc.Metadata, []byte, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return clientdoc.Metadata{}, nil, refuse(BadContentType)
	}
	body, err := readBody(w, r)
	if err != nil {
		return clientdoc.Metadata{}, nil, err
	}
	m, err := clientdoc.Parse(body, s.registrationRules())
	if errors.Is(err, clientdoc.ErrRedirect) {
		return clientdoc.Metadata{}, nil, refuseFor(BadRedirect, err)
	}
	if err != nil {
		return clientdoc.Metadata{}, nil, refuseFor(BadMetadata, err)
	}
	return m, body, nil
}

// registrationRules are those of what clients register.
func (s *Server) registrationRules() clientdoc.Rules {
	methods := s.methods()
	// RFC 7591 §2: absent means client_secret_basic.
	if i := slices.Index(methods, authBasic); i > 0 {
		methods = append([]string{authBasic}, slices.Delete(methods, i, i+1)...)
	}
	return clientdoc.Rules{Schemes: s.config.RedirectSchemes, Loopback: s.config.LoopbackDocuments, Methods: methods}
}

// documentRules are those of metadata documents, which everybody can read: no
// client with one has a secret (CIMD §4.1).
func (s *Server) documentRules() clientdoc.Rules {
	return clientdoc.Rules{Schemes: s.config.RedirectSchemes, Loopback: s.config.LoopbackDocuments,
		Methods: slices.DeleteFunc(s.methods(), clientdoc.Secret)}
}

// newClient gives the client that metadata describes, and its secret when it has one.
func (s *Server) newClient(m clientdoc.Metadata) (store.Client, string) {
	c := described(m)
	c.ID, c.CreatedAt = newID("client_"), s.config.Now()
	// RFC 7591 §2
	if len(c.Grants) == 0 {
		c.Grants = []string{grantCode}
	}
	if !clientdoc.Secret(c.AuthMethod) {
		return c, ""
	}
	secret := newSecret("pcs_")
	h := hashOf(secret)
	c.SecretHash = h[:]
	return c, secret
}

func described(m clientdoc.Metadata) store.Client {
	return store.Client{
		Name: m.Name, URI: m.URI, AuthMethod: m.AuthMethod, Type: m.Type,
		Redirects: m.Redirects, AfterLogout: m.AfterLogout, Grants: m.Grants, Scope: m.Scope(), DPoPBound: m.DPoPBound,
		Keys: m.Keys, KeysURI: m.KeysURI, AssertionAlgorithm: m.AssertionAlgorithm, Certificate: m.CertificateName,
		CertificateBound: m.CertificateBound, PushedOnly: m.PushedOnly,
	}
}

func (s *Server) registration(c store.Client, secret, management string) registered {
	v := registered{
		ID: c.ID, IssuedAt: c.CreatedAt.Unix(), Secret: secret, Name: c.Name, URI: c.URI, Redirects: c.Redirects, AfterLogout: c.AfterLogout,
		AuthMethod: c.AuthMethod, Algorithm: c.AssertionAlgorithm, Keys: c.Keys, KeysURI: c.KeysURI,
		Grants: c.Grants, Responses: []string{"code"}, Type: c.Type,
		Scope: strings.Join(c.Scope, " "), DPoPBound: c.DPoPBound, CertBound: c.CertificateBound, PushedOnly: c.PushedOnly,
		CertificateName: c.Certificate, ManagementToken: management, ManagementURI: s.site.url(managementPrefix + c.ID),
	}
	if secret != "" {
		v.SecretExpires = new(int64)
	}
	return v
}

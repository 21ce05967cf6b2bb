package authserver

import (
	"crypto/subtle"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/store"
)

// registered is RFC 7591 §3.2.1: everything as it was registered.
type registered struct {
	ID            string   `json:"client_id"`
	IssuedAt      int64    `json:"client_id_issued_at"`
	Secret        string   `json:"client_secret,omitzero"`
	SecretExpires *int64   `json:"client_secret_expires_at,omitzero"` // 0: never; only with a secret
	Name          string   `json:"client_name,omitzero"`
	URI           string   `json:"client_uri,omitzero"`
	Redirects     []string `json:"redirect_uris"`
	AuthMethod    string   `json:"token_endpoint_auth_method"`
	Grants        []string `json:"grant_types"`
	Responses     []string `json:"response_types"`
	Type          string   `json:"application_type"`
	Scope         string   `json:"scope,omitzero"`
	DPoPBound     bool     `json:"dpop_bound_access_tokens,omitzero"`
}

// register: RFC 7591 §3. The path exists only when registration is not closed.
func (s *Server) register(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.limits.register.try(s.network(r)); err != nil {
		return err
	}
	if err := s.mayRegister(r); err != nil {
		return err
	}
	m, err := s.readMetadata(w, r)
	if err != nil {
		return err
	}
	c, secret := s.newClient(m)
	if err := s.store.AddClient(r.Context(), c, maxUnusedClients); err != nil {
		return err
	}
	s.audit(r, "client.registered", "client_id", c.ID, "name", c.Name, "type", c.Type,
		"redirect_uris", c.Redirects, "auth_method", c.AuthMethod)
	return writeJSON(w, http.StatusCreated, registration(c, secret))
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

func (s *Server) readMetadata(w http.ResponseWriter, r *http.Request) (clientdoc.Metadata, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return clientdoc.Metadata{}, refuse(BadContentType)
	}
	body, err := readBody(w, r)
	if err != nil {
		return clientdoc.Metadata{}, err
	}
	m, err := clientdoc.Parse(body, s.config.RedirectSchemes)
	if errors.Is(err, clientdoc.ErrRedirect) {
		return clientdoc.Metadata{}, refuseFor(BadRedirect, err)
	}
	if err != nil {
		return clientdoc.Metadata{}, refuseFor(BadMetadata, err)
	}
	// RFC 7591 §2: absent means client_secret_basic.
	if m.AuthMethod == "" {
		m.AuthMethod = authBasic
	}
	if !slices.Contains([]string{authNone, authBasic, authPost}, m.AuthMethod) {
		return clientdoc.Metadata{}, refuse(BadMetadata)
	}
	return m, nil
}

func (s *Server) newClient(m clientdoc.Metadata) (store.Client, string) {
	c := store.Client{
		ID: newID("client_"), Dynamic: true, Name: m.Name, URI: m.URI, AuthMethod: m.AuthMethod, Type: m.Type,
		Redirects: m.Redirects, Grants: m.Grants, Scope: m.Scope(), DPoPBound: m.DPoPBound, CreatedAt: s.config.Now(),
	}
	// RFC 7591 §2
	if len(c.Grants) == 0 {
		c.Grants = []string{grantCode}
	}
	if m.AuthMethod == authNone {
		return c, ""
	}
	secret := newSecret("pcs_")
	h := hashOf(secret)
	c.SecretHash = h[:]
	return c, secret
}

func registration(c store.Client, secret string) registered {
	v := registered{
		ID: c.ID, IssuedAt: c.CreatedAt.Unix(), Secret: secret, Name: c.Name, URI: c.URI, Redirects: c.Redirects,
		AuthMethod: c.AuthMethod, Grants: c.Grants, Responses: []string{"code"}, Type: c.Type,
		Scope: strings.Join(c.Scope, " "), DPoPBound: c.DPoPBound,
	}
	if secret != "" {
		v.SecretExpires = new(int64)
	}
	return v
}

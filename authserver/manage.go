package authserver

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/store"
)

// managementPrefix comes before the client_id in the address of a registration
// (RFC 7592 §2).
const managementPrefix = "/register/"

// managed finds the client of a request to its registration. Whoever holds no
// token of it learns nothing, not even that it exists.
func (s *Server) managed(r *http.Request) (store.Client, string, error) {
	giveBack, err := s.limits.guess.try(s.network(r))
	if err != nil {
		return store.Client{}, "", err
	}
	fields := r.Header.Values("Authorization")
	if len(fields) != 1 {
		return store.Client{}, "", refuse(BadManagementToken)
	}
	scheme, given, _ := strings.Cut(fields[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return store.Client{}, "", refuse(BadManagementToken)
	}
	c, err := s.store.Client(r.Context(), strings.TrimPrefix(r.URL.Path, s.site.local(managementPrefix)))
	// RFC 7592 §2: the same 401 for a client that is gone
	if errors.Is(err, store.ErrNotFound) {
		return store.Client{}, "", refuse(BadManagementToken)
	}
	if err != nil {
		return store.Client{}, "", err
	}
	h := hashOf(given)
	if len(c.ManagementHash) == 0 || subtle.ConstantTimeCompare(h[:], c.ManagementHash) != 1 {
		return store.Client{}, "", refuse(BadManagementToken)
	}
	giveBack()
	return c, given, nil
}

// readRegistration: RFC 7592 §2.1. The secret is not told again: only its hash is here.
func (s *Server) readRegistration(w http.ResponseWriter, r *http.Request) error {
	c, management, err := s.managed(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.registration(c, "", management))
}

// replaceRegistration: RFC 7592 §2.2: what the request leaves out is gone.
func (s *Server) replaceRegistration(w http.ResponseWriter, r *http.Request) error {
	old, management, err := s.managed(r)
	if err != nil {
		return err
	}
	m, body, err := s.readMetadata(w, r)
	if err != nil {
		return err
	}
	if err := checkReplacement(old, m, body); err != nil {
		return err
	}
	c, secret := s.newClient(m)
	c.ID, c.CreatedAt, c.Dynamic, c.ManagementHash = old.ID, old.CreatedAt, old.Dynamic, old.ManagementHash
	if clientdoc.Secret(c.AuthMethod) && len(old.SecretHash) > 0 {
		c.SecretHash, secret = old.SecretHash, ""
	}
	anew := !sameProof(old, c)
	if err := s.store.ReplaceClient(r.Context(), c, anew); err != nil {
		return gonePresently(err)
	}
	s.audit(r, "client.replaced", "client_id", c.ID, "name", c.Name, "redirect_uris", c.Redirects,
		"auth_method", c.AuthMethod, "grants_ended", anew)
	return writeJSON(w, http.StatusOK, s.registration(c, secret, management))
}

// sameProof: grants were given to whoever could prove itself like this.
func sameProof(a, b store.Client) bool {
	return a.AuthMethod == b.AuthMethod && slices.Equal(a.Keys, b.Keys) && a.KeysURI == b.KeysURI && a.Certificate == b.Certificate
}

// deleteRegistration: RFC 7592 §2.3: with everything the client was given.
func (s *Server) deleteRegistration(w http.ResponseWriter, r *http.Request) error {
	c, _, err := s.managed(r)
	if err != nil {
		return err
	}
	if err := s.store.DeleteClient(r.Context(), c.ID); err != nil {
		return gonePresently(err)
	}
	s.audit(r, "client.deleted", "client_id", c.ID, "name", c.Name)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func gonePresently(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return refuse(BadManagementToken)
	}
	return err
}

// ours are the members of a registration that only this server sets (RFC 7592 §2.2).
type ours struct {
	Secret        string         `json:"client_secret"`
	SecretExpires jsontext.Value `json:"client_secret_expires_at"`
	IssuedAt      jsontext.Value `json:"client_id_issued_at"`
	Token         jsontext.Value `json:"registration_access_token"`
	URI           jsontext.Value `json:"registration_client_uri"`
}

var errOurs = fmt.Errorf("%w: client_id is required and stays; registration_access_token, registration_client_uri, client_secret_expires_at and client_id_issued_at are left out; client_secret is the one there is", clientdoc.ErrMetadata)

func checkReplacement(old store.Client, m clientdoc.Metadata, body []byte) error {
	var set ours
	if err := json.Unmarshal(body, &set); err != nil {
		return refuseFor(BadMetadata, err)
	}
	if m.ClientID != old.ID || set.SecretExpires != nil || set.IssuedAt != nil || set.Token != nil || set.URI != nil {
		return refuseFor(BadMetadata, errOurs)
	}
	h := hashOf(set.Secret)
	if set.Secret != "" && subtle.ConstantTimeCompare(h[:], old.SecretHash) != 1 {
		return refuseFor(BadMetadata, errOurs)
	}
	return nil
}

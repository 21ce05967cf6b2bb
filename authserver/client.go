package authserver

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/store"
)

const (
	authNone  = "none"
	authBasic = "client_secret_basic"
	authPost  = "client_secret_post"

	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantMachine = "client_credentials"
)

// client is a registered client, or one known by its metadata document.
type client struct {
	store.Client
	host     string // whose document it is, "" for a registered client
	verified bool   // the host proved the document is its own (https)
}

func (c client) public() bool { return len(c.SecretHash) == 0 }

// label is what people call it.
func (c client) label() string {
	if c.Name != "" {
		return c.Name
	}
	return "An unnamed application"
}

// within keeps of scope what the client may have: a bound that is empty means nothing.
func (c client) within(scope []string) []string {
	if !c.Bounded {
		return scope
	}
	return intersect(scope, c.Scope)
}

func (c client) mayUse(grant string) bool { return slices.Contains(c.Grants, grant) }

// client finds a client by id: a URL is a metadata document, anything else is registered.
func (s *Server) client(r *http.Request, id string) (client, error) {
	if s.documents.IsID(id) {
		return s.documentClient(r, id)
	}
	c, err := s.store.Client(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return client{}, refuse(UnknownClient)
	}
	return client{Client: c}, err
}

// documentClient fetches at the cost of the caller's address: nobody takes up
// all fetches with documents that come slowly.
func (s *Server) documentClient(r *http.Request, id string) (client, error) {
	d, err := s.documents.Fetch(r.Context(), id, func() error {
		_, err := s.limits.documents.try(s.network(r))
		return err
	})
	switch {
	case reasonOf(err) == TooMany:
		return client{}, err
	case errors.Is(err, clientdoc.ErrBusy):
		return client{}, refuseFor(TooMany, err)
	case errors.Is(err, clientdoc.ErrUnreachable):
		return client{}, refuseFor(DocumentUnreachable, err)
	case err != nil:
		return client{}, refuseFor(BadDocument, err)
	}
	c := store.Client{
		ID: id, Name: d.Name, URI: d.URI, AuthMethod: authNone, Type: d.Type, Redirects: d.Redirects,
		Grants: documentGrants(d.Grants), Scope: d.Scope(), DPoPBound: d.DPoPBound, Dynamic: true,
	}
	return client{Client: c, host: d.Host, verified: d.Verified}, nil
}

// documentGrants: a document that names its grants means them; one that names
// none is a client of a person, who should not have to sign in every hour.
func documentGrants(named []string) []string {
	if len(named) == 0 {
		return []string{grantCode, grantRefresh}
	}
	return named
}

// credential is how a request says which client it is from.
type credential struct {
	id, secret string
	header     bool // by the Authorization header
}

// authenticate: OAuth 2.1 §2.4. A client with a secret must show it, one
// without must not; anything half-way is refused.
func (s *Server) authenticate(r *http.Request, p params) (client, error) {
	cred, err := readCredential(r, p)
	if err != nil {
		return client{}, err
	}
	c, err := s.client(r, cred.id)
	if err != nil {
		return client{}, err
	}
	if c.public() && cred.secret == "" && !cred.header {
		return c, nil
	}
	h := hashOf(cred.secret)
	if c.public() || cred.secret == "" || subtle.ConstantTimeCompare(h[:], c.SecretHash) != 1 {
		return client{}, refuse(WrongClientSecret)
	}
	return c, nil
}

func readCredential(r *http.Request, p params) (credential, error) {
	fields := r.Header.Values("Authorization")
	if len(fields) == 0 {
		if p["client_id"] == "" {
			return credential{}, refuse(NoClient)
		}
		return credential{id: p["client_id"], secret: p["client_secret"]}, nil
	}
	// OAuth 2.1 §2.4 (B4): one method per request.
	if len(fields) > 1 || p["client_secret"] != "" {
		return credential{}, refuse(SeveralCredentials)
	}
	cred, ok := parseBasic(fields[0])
	if !ok {
		return credential{}, refuse(WrongClientSecret)
	}
	if p["client_id"] != "" && p["client_id"] != cred.id {
		return credential{}, refuse(SeveralCredentials)
	}
	return cred, nil
}

// parseBasic: RFC 7617, with id and secret form-urlencoded inside (OAuth 2.1 §2.4.1).
func parseBasic(field string) (credential, bool) {
	scheme, encoded, _ := strings.Cut(field, " ")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !strings.EqualFold(scheme, "Basic") || err != nil {
		return credential{}, false
	}
	user, pass, ok := strings.Cut(string(raw), ":")
	id, err1 := url.QueryUnescape(user)
	secret, err2 := url.QueryUnescape(pass)
	if !ok || err1 != nil || err2 != nil || id == "" {
		return credential{}, false
	}
	return credential{id: id, secret: secret, header: true}, true
}

package authserver

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
)

const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantMachine = "client_credentials"
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"
)

// client is a registered client, or one known by its metadata document.
type client struct {
	store.Client
	host     string // whose document it is, "" for a registered client
	verified bool   // the host proved the document is its own (https)
	version  string // of what it says, in its document or as it is registered: a person allows what they were shown
}

// public says whether anybody can speak for the client.
func (c client) public() bool { return c.AuthMethod == authNone }

// label is what people call it.
func (c client) label() string {
	if strings.TrimSpace(c.Name) != "" {
		return c.Name
	}
	return "An application without a name"
}

// asker is the client as the pages of a site on the way to an answer at redirect show it.
func (c client) asker(site, redirect string) pages.Asker {
	itself := c.itself(redirect)
	return pages.Asker{Client: c.Name, Site: site, ClientHost: c.host, Verified: c.verified && itself, Known: !c.Dynamic && itself, Command: c.ID == adminClient}
}

// vetted: an operator registered it, or a host answers for it with a document.
// Who registers itself has nothing but its own word, so people see the page
// every time (RFC 6749 §10.2).
func (c client) vetted() bool { return !c.Dynamic || c.host != "" }

// itself: nobody else gets what it is given: it proves itself at every request,
// or the answer reaches the owner of an address. A public client's id is anybody's
// to use on a device (RFC 8252 §8.6, RFC 8628 §5.6).
func (c client) itself(redirect string) bool { return !c.public() || provable(redirect) }

// within keeps of scope what the client may have: a bound that is empty means nothing.
func (c client) within(scope []string) []string {
	if !c.Bounded {
		return scope
	}
	return intersect(scope, c.Scope)
}

func (c client) mayUse(grant string) bool { return slices.Contains(c.Grants, grant) }

// client finds a client by id: a URL is a metadata document, anything else but the command line is registered.
func (s *Server) client(r *http.Request, id string) (client, error) {
	if id == adminClient {
		return s.commandClient(), nil
	}
	if s.documents.IsID(id) {
		return s.documentClient(r, id)
	}
	c, err := s.store.Client(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return client{}, refuse(UnknownClient)
	}
	return client{Client: c, version: c.Version}, err
}

// begun notes that somebody came with a client, the first time: until they have
// answered it is not dropped for others that register.
func (s *Server) begun(ctx context.Context, c client) error {
	if !c.Fresh {
		return nil
	}
	return s.store.StartClient(ctx, c.ID, s.config.Now())
}

// documentClient fetches at the cost of the caller's address: nobody takes up
// all fetches with documents that come slowly.
func (s *Server) documentClient(r *http.Request, id string) (client, error) {
	d, err := s.documents.Fetch(r.Context(), id, s.fetching(r))
	switch {
	case reasonOf(err) == TooMany:
		return client{}, err
	case errors.Is(err, clientdoc.ErrBusy):
		return client{}, refuseFor(TooMany, err)
	case errors.Is(err, clientdoc.ErrUntrusted):
		return client{}, refuseFor(UntrustedDocument, err)
	case errors.Is(err, clientdoc.ErrForbidden), errors.Is(err, clientdoc.ErrUnreachable), errors.Is(err, clientdoc.ErrNotDocument):
		return client{}, refuseFor(DocumentUnreachable, err) // one answer, whatever the network said
	case err != nil:
		return client{}, refuseFor(BadDocument, err)
	}
	c := store.Client{
		ID: id, Name: d.Name, URI: d.URI, AuthMethod: d.AuthMethod, Type: d.Type, Redirects: d.Redirects, AfterLogout: d.AfterLogout,
		Grants: documentGrants(d.Grants), Scope: d.Scope(), DPoPBound: d.DPoPBound, Dynamic: true,
		Keys: d.Keys, KeysURI: d.KeysURI, AssertionAlgorithm: d.AssertionAlgorithm, Certificate: d.CertificateName,
		CertificateBound: d.CertificateBound, PushedOnly: d.PushedOnly,
	}
	return client{Client: c, host: d.Host, verified: d.Verified, version: d.Version}, nil
}

// fetching is the caller for whom something is fetched, and whose address pays.
func (s *Server) fetching(r *http.Request) clientdoc.Caller {
	from := s.network(r)
	return clientdoc.Caller{From: from, Pay: func() error {
		_, err := s.limits.documents.try(from)
		return err
	}}
}

// documentGrants: a document that names its grants means them; one that names
// none is a client of a person, who should not have to sign in every hour.
func documentGrants(named []string) []string {
	if len(named) == 0 {
		return []string{grantCode, grantRefresh}
	}
	return named
}

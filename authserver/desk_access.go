package authserver

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/authserver/trail"
)

// adminResource is the administration API in the catalogue: tokens are issued
// for it like for any other, and only to whoever names it.
func adminResource(at site) Resource {
	r := Resource{URL: at.url(admin.Prefix), Name: "the administration of " + at.name()}
	for _, w := range admin.ScopeWords {
		r.Scopes = append(r.Scopes, Scope{Name: w.Name, Description: w.Words, Risk: "high"})
	}
	return r
}

// adminClient is the client_id of `postern admin`, which is there without being
// registered. Anybody may say they are it: what it gets is what a person with
// a role allows it, at a device's page, for a key of its own.
const adminClient = "postern-admin"

func (s *Server) commandClient() client {
	return client{Client: store.Client{
		ID: adminClient, Name: "postern admin (the command line)", AuthMethod: authNone, Grants: []string{grantDevice, grantRefresh},
		Scope: s.catalogue.admin.names(), Bounded: true, DPoPBound: true,
	}}
}

// openAPI makes the handler of the administration API.
func (s *Server) openAPI() (err error) {
	s.api, err = admin.New(s.config.Issuer, s.Desk(), gate{s}, s.config.Log)
	return err
}

// OperatorAPI is the administration API for whoever can open the database: it
// asks for no token, so it must not be served to anybody.
func (s *Server) OperatorAPI() (http.Handler, error) {
	api, err := admin.New(s.config.Issuer, s.Desk(), operators{s}, s.config.Log)
	if err != nil {
		return nil, err
	}
	return s.operated(api), nil
}

type operators struct{ s *Server }

// Refused is on record as what anybody else is refused.
func (o operators) Refused(r *http.Request, why admin.Reason) { gate(o).Refused(r, why) }

// Admit lets everybody do everything.
func (operators) Admit(http.ResponseWriter, *http.Request, string) (admin.Actor, error) {
	return admin.Operator(), nil
}

// Passing is so of a database that is away, and of Redis.
func (operators) Passing(err error) admin.Reason { return passing[reasonOf(err)] }

var passing = map[Reason]admin.Reason{DatabaseAway: admin.Unavailable, RedisAway: admin.RedisAway}

// gate admits to the administration API by access tokens of this server for
// it, shown as they are bound. Cookies are not read: no page of another site
// makes a browser do anything here.
type gate struct{ s *Server }

// Admit is every check that a resource server owes (RFC 9068 §4, RFC 9449 §7),
// with revocations as the database has them now.
func (g gate) Admit(w http.ResponseWriter, r *http.Request, scope string) (admin.Actor, error) {
	giveBack, err := g.s.limits.guess.try(g.s.network(r))
	if err != nil {
		return admin.Actor{}, g.refused(w, r, err, scope)
	}
	at, err := dpop.ParseTarget(g.s.site.origin + r.URL.EscapedPath())
	if err != nil {
		return admin.Actor{}, &admin.Error{Reason: admin.UnknownPath, Cause: err}
	}
	c, err := g.s.bearer(r, at)
	if err != nil {
		return admin.Actor{}, g.refused(w, r, err, scope)
	}
	if err := g.s.mayBePlain(r.Context(), c); err != nil {
		return admin.Actor{}, g.refused(w, r, err, scope)
	}
	giveBack()
	g.s.nextNonce(w, r)
	if !slices.Contains(c.Audience, g.s.catalogue.admin.URL) {
		return admin.Actor{}, g.refused(w, r, refuse(DeadAccessToken), scope)
	}
	if !slices.Contains(c.Scope, scope) {
		return admin.Actor{}, g.refused(w, r, refuse(LacksAdminScope), scope)
	}
	if _, err := g.s.limits.admin.try(c.Subject + " " + c.ClientID); err != nil {
		return admin.Actor{}, g.refused(w, r, err, scope)
	}
	by, err := g.actor(r, c)
	if err != nil {
		return admin.Actor{}, g.refused(w, r, err, scope)
	}
	return by, nil
}

// mayBePlain: a token that is bound to nothing is whoever's holds it. Only a
// client that proved itself to get it may carry one here (RFC 9700 §2.2.1).
func (s *Server) mayBePlain(ctx context.Context, c token.Claims) error {
	if c.Thumbprint != "" || c.Certificate != "" {
		return nil
	}
	by, err := s.store.Client(ctx, c.ClientID)
	if errors.Is(err, store.ErrNotFound) {
		return refuse(DeadAccessToken)
	}
	if err != nil {
		return err
	}
	if by.AuthMethod == authNone {
		return refuse(PlainAccessToken)
	}
	return nil
}

// Passing is so of a database that is away, and of Redis.
func (gate) Passing(err error) admin.Reason { return passing[reasonOf(err)] }

// Refused puts it on record; the API has it in the log already.
func (g gate) Refused(r *http.Request, why admin.Reason) {
	g.s.record(callerOf(r), "admin.refused", append([]any{"path", clip(trail.Path(r.URL.Path)), "method", clip(r.Method), "reason", string(why),
		"address", g.s.address(r), "request_id", callerOf(r).id}, callerOf(r).fields()...))
}

func (g gate) actor(r *http.Request, c token.Claims) (admin.Actor, error) {
	by := admin.Actor{Kind: admin.KindPerson, ID: c.Subject, Client: c.ClientID, Address: g.s.address(r), Scopes: c.Scope, Token: c.ID}
	if c.Subject == c.ClientID {
		by.Kind, by.Client = admin.KindClient, ""
		return by, nil
	}
	u, err := g.s.store.UserByID(r.Context(), c.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return admin.Actor{}, refuse(DeadAccessToken)
	}
	by.Era = u.Era
	return by, err
}

// adminReasons are the API's words for what is refused at its gate.
var adminReasons = map[Reason]admin.Reason{
	NoAccessToken: admin.NoToken, DeadAccessToken: admin.DeadToken, PlainAccessToken: admin.PlainToken, BadResourceProof: admin.BadProof, ProofAlgorithm: admin.BadProof,
	ResourceNonce: admin.NonceNeeded, LacksAdminScope: admin.LacksScope, TooMany: admin.TooMany, ReplayUnavailable: admin.Unavailable,
	Busy: admin.Unavailable,
}

// refused says why, with the header that goes with it. An error that has no
// word there is a failure.
func (g gate) refused(w http.ResponseWriter, r *http.Request, err error, scope string) error {
	reason, ok := adminReasons[reasonOf(err)]
	if !ok {
		return err
	}
	h, a := w.Header(), answerTo(err)
	setRetryAfter(h, retryAfter(err))
	if reason == admin.NonceNeeded {
		h.Set("DPoP-Nonce", g.s.config.Proofs.Nonce(r.Context(), g.s.config.Now()))
	}
	if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden {
		g.challenge(h, r, a, scope, reason == admin.PlainToken)
	}
	out := &admin.Error{Reason: reason, Cause: err}
	if reason == admin.LacksScope {
		out.Detail = "The access token lacks the scope " + scope + ": get one that has it."
	}
	return out
}

// challenge: RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1: both schemes to who
// showed nothing, then without an error; else the one that was used, unless
// only a bound token will do.
func (g gate) challenge(h http.Header, r *http.Request, a answer, scope string, bound bool) {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	rest := ` realm="` + g.s.config.Issuer + `", resource_metadata="` + g.s.adminMetadataURL() + `", scope="` + scope + `"`
	if scheme != "" {
		rest += `, error="` + a.code + `"`
	}
	if bound || !strings.EqualFold(scheme, "Bearer") {
		h.Add("WWW-Authenticate", "DPoP"+rest+`, algs="`+strings.Join(g.s.profile.proofAlgorithms(), " ")+`"`)
	}
	if !bound && !strings.EqualFold(scheme, "DPoP") && !g.s.profile.bound {
		h.Add("WWW-Authenticate", "Bearer"+rest)
	}
}

// adminMetadataPath inserts between host and path of the resource (RFC 9728 §3.1).
func (s *Server) adminMetadataPath() string {
	return "/.well-known/oauth-protected-resource" + s.site.local(admin.Prefix)
}

func (s *Server) adminMetadataURL() string { return s.site.origin + s.adminMetadataPath() }

// adminMetadata is RFC 9728 §2.
type resourceMetadata struct {
	Resource   string   `json:"resource"`
	Servers    []string `json:"authorization_servers"`
	Name       string   `json:"resource_name"`
	Scopes     []string `json:"scopes_supported"`
	Methods    []string `json:"bearer_methods_supported"`
	Algorithms []string `json:"dpop_signing_alg_values_supported"`
	Bound      bool     `json:"dpop_bound_access_tokens_required,omitzero"`
	Docs       string   `json:"resource_documentation"`
}

func (s *Server) adminMetadata(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, resourceMetadata{
		Resource: s.catalogue.admin.URL, Servers: []string{s.config.Issuer}, Name: "Postern administration",
		Scopes: s.catalogue.admin.names(), Methods: []string{"header"}, Algorithms: s.profile.proofAlgorithms(),
		Bound: s.profile.bound, Docs: s.catalogue.admin.URL + "/docs",
	})
}

// administration are the paths of the API, and of what says where it lies.
func (s *Server) administration(path string) route {
	switch {
	case path == s.adminMetadataPath():
		return route{get: s.adminMetadata, cors: true, open: true}
	case strings.HasPrefix(path, s.site.local(admin.Prefix+"/")):
		return route{every: s.administer}
	}
	return route{}
}

// administer hands a request to the API, which writes its own errors.
func (s *Server) administer(w http.ResponseWriter, r *http.Request) error {
	s.api.ServeHTTP(w, r)
	return nil
}

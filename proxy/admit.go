package proxy

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// gate holds who may knock: Host and Origin values (MCP transport security,
// DNS rebinding).
type gate struct {
	hosts   []string
	origins []string
}

func newGate(publicURL string, hosts, origins []string) (gate, error) {
	u, err := url.Parse(publicURL)
	if err != nil || u.Host == "" || u.Path != "" {
		return gate{}, errors.New("proxy: PublicURL must be a scheme and host")
	}
	return gate{
		hosts:   append([]string{u.Host}, hosts...),
		origins: append([]string{publicURL}, origins...),
	}, nil
}

func (g gate) check(r *http.Request) error {
	if !slices.Contains(g.hosts, strings.ToLower(r.Host)) {
		why := refused(stageAdmit, reasonHost, nil)
		why.public = "This Host is not served here: use " + g.origins[0] + "."
		return why
	}
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return nil
	}
	if len(origins) > 1 || !slices.Contains(g.origins, origins[0]) {
		return refused(stageAdmit, reasonOrigin, nil)
	}
	return nil
}

// framed holds HTTP/2 requests to what package wire demands of HTTP/1: one
// host, one length, nothing behind the body.
func framed(r *http.Request) error {
	if r.ProtoMajor < 2 {
		return nil
	}
	// RFC 9113 §8.3.1: a Host field that differs from :authority is malformed.
	if host := r.Header["Host"]; len(host) > 1 || len(host) == 1 && host[0] != r.Host {
		return refused(stageAdmit, reasonHost, nil)
	}
	// RFC 9113 §8.1.1: a length that does not say how long the content is.
	if length := r.Header["Content-Length"]; len(length) > 1 || len(length) == 1 && !digits(length[0]) {
		return refused(stageAdmit, reasonLength, nil)
	}
	if len(r.Trailer) > 0 {
		return refused(stageAdmit, reasonTrailer, nil)
	}
	return nil
}

func digits(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return c < '0' || c > '9' })
}

// visit is a request that came through the gate to a server that exists.
type visit struct {
	server   *server
	answered bool // a public document or a preflight: nothing more to do
	share    *share
	leave    func()
}

// admit checks Host, Origin and path, answers what is public, and finds room
// for the rest.
func (p *Proxy) admit(w http.ResponseWriter, r *http.Request, event *event) (visit, error) {
	event.Stage = stageAdmit
	if s := p.metadata[r.URL.Path]; s != nil && plainPath(r) {
		return p.publish(w, r, s.name, s.resource.metadata, event)
	}
	if doc := p.documents[r.URL.Path]; doc != nil && plainPath(r) {
		return p.publish(w, r, "", doc, event)
	}
	if err := p.gate.check(r); err != nil {
		return visit{}, err
	}
	preflight := allowBrowser(w.Header(), r)
	if err := framed(r); err != nil {
		return visit{}, err
	}
	if !plainPath(r) {
		return visit{}, refused(stageAdmit, reasonPathForm, nil)
	}
	s := p.servers[r.URL.Path]
	if s == nil {
		return visit{}, refused(stageAdmit, reasonPath, nil)
	}
	event.Server = s.name
	if preflight {
		w.WriteHeader(http.StatusNoContent)
		return visit{answered: true}, nil
	}
	if r.URL.RawQuery != "" && hasToken(r.URL.RawQuery) {
		return visit{}, placed(refused(stageAdmit, reasonQueryToken, nil), visit{server: s})
	}
	return p.room(s)
}

// room takes one of the slots and makes sure the call can be recorded.
func (p *Proxy) room(s *server) (visit, error) {
	if err := p.audit.ready(); err != nil {
		return visit{}, refused(stageAdmit, reasonAuditDown, err)
	}
	select {
	case p.slots <- struct{}{}:
		held := &share{of: p.memory}
		return visit{server: s, share: held, leave: func() { held.leave(); <-p.slots }}, nil
	default:
		return visit{}, refused(stageAdmit, reasonBusy, nil)
	}
}

func placed(r *refusal, v visit) *refusal {
	r.visit = v
	return r
}

// plainPath: the path reads the same escaped, unescaped and cleaned (P13).
func plainPath(r *http.Request) bool {
	p := r.URL.Path
	if r.URL.Host != "" || r.URL.RawPath != "" || r.URL.EscapedPath() != p || !strings.HasPrefix(p, "/") {
		return false
	}
	return !strings.Contains(p, "//") && !strings.ContainsAny(p, `;\%#`) && !dotSegment(p)
}

func dotSegment(p string) bool {
	for segment := range strings.SplitSeq(p, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// hasToken finds a token in the query however it is spelt (RFC 9700 §4.3.2).
// A query that cannot be parsed may hide one.
func hasToken(query string) bool {
	values, err := url.ParseQuery(query)
	if err != nil {
		return true
	}
	for name := range values {
		if strings.EqualFold(name, "access_token") {
			return true
		}
	}
	return false
}

// publish serves a document, such as that of RFC 9728: public, for every
// origin and host.
func (p *Proxy) publish(w http.ResponseWriter, r *http.Request, server string, doc []byte, event *event) (visit, error) {
	event.Server, event.public = server, true
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "public, max-age=300")
		_, _ = w.Write(doc) // the caller may be gone
	case http.MethodOptions:
		h.Set("Access-Control-Allow-Methods", "GET, HEAD")
		h.Set("Access-Control-Allow-Headers", "MCP-Protocol-Version")
		w.WriteHeader(http.StatusNoContent)
	default:
		why := refused(stageAdmit, reasonMethod, nil)
		why.allowed, why.public = "GET, HEAD, OPTIONS", "Use GET."
		return visit{}, why
	}
	return visit{answered: true}, nil
}

const (
	exposedHeaders = "WWW-Authenticate, DPoP-Nonce, Mcp-Session-Id, Mcp-Protocol-Version, X-Request-Id, Retry-After"
	allowedHeaders = "Authorization, DPoP, Content-Type, Accept, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, Last-Event-ID, Traceparent, Tracestate"
)

// allowBrowser lets an accepted origin read the answer, and says whether the
// request was only a preflight.
func allowBrowser(h http.Header, r *http.Request) (preflight bool) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", exposedHeaders)
	h.Add("Vary", "Origin")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "POST, GET, DELETE")
	h.Set("Access-Control-Allow-Headers", allowedHeaders+askedParams(r))
	h.Set("Access-Control-Max-Age", "600")
	return true
}

// askedParams are the Mcp-Param-* names of a preflight, which no list can know.
func askedParams(r *http.Request) string {
	var names strings.Builder
	for name := range strings.SplitSeq(r.Header.Get("Access-Control-Request-Headers"), ",") {
		name = strings.TrimSpace(name)
		if isParam(http.CanonicalHeaderKey(name)) {
			names.WriteString(", " + name)
		}
	}
	return names.String()
}

// isParam recognises Mcp-Param-{name} with a name of plain characters.
func isParam(canonical string) bool {
	rest, ok := strings.CutPrefix(canonical, "Mcp-Param-")
	return ok && rest != "" && !strings.ContainsFunc(rest, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("!#$%&'*+-.^`|~", c))
	})
}

package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/config/strictyaml"
)

// check gathers problems, each placed at its key.
type check struct {
	doc      *strictyaml.Document
	problems strictyaml.Problems
}

func (c *check) fail(message string, at ...any) {
	c.problems = append(c.problems, c.doc.Problem(keyPath(at)+": "+message, at...))
}

// keyPath is how people write the place of a key, such as servers[0].path.
func keyPath(at []any) string {
	var b strings.Builder
	for _, part := range at {
		switch part := part.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", part)
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(part)
		}
	}
	return b.String()
}

func (c *check) needs(value, message string, at ...any) bool {
	if value == "" {
		c.fail(message, at...)
	}
	return value != ""
}

func (c *check) readable(path string, at ...any) {
	f, err := os.Open(path)
	if err != nil {
		c.fail("cannot be read: "+err.Error(), at...)
		return
	}
	_ = f.Close()
}

func (c *check) oneOf(value string, allowed []string, at ...any) {
	if !slices.Contains(allowed, value) {
		c.fail("must be one of: "+strings.Join(allowed, ", "), at...)
	}
}

func (c *check) between(d, least, most time.Duration, at ...any) {
	if d < least || d > most {
		c.fail("must lie between "+least.String()+" and "+most.String(), at...)
	}
}

func (c *check) address(value string, at ...any) {
	if !c.needs(value, "missing: say where to listen, such as 127.0.0.1:8080", at...) {
		return
	}
	if _, _, err := net.SplitHostPort(value); err != nil {
		c.fail("must be host:port, such as 127.0.0.1:8080", at...)
	}
}

var (
	dpopModes = []string{"required", "accepted", "off"}
	nonces    = []string{"required", "optional"}
)

func (f *File) validate(doc *strictyaml.Document) strictyaml.Problems {
	c := &check{doc: doc}
	if f.AuthServer == nil || len(f.Servers) > 0 {
		f.validateProxy(c)
	}
	if f.AuthServer != nil {
		f.AuthServer.validate(c)
	}
	return c.problems
}

func (f *File) validateProxy(c *check) {
	c.address(f.Listen, "listen")
	c.address(f.Admin.Listen, "admin", "listen")
	c.publicURL(f.PublicURL, "public_url")
	c.oneOf(f.DPoPNonce, nonces, "dpop_nonce")
	for i, origin := range f.Origins {
		c.origin(origin, "origins", i)
	}
	if len(f.Issuers) == 0 {
		c.fail("name at least one issuer whose tokens are accepted", "issuers")
	}
	if len(f.Servers) == 0 {
		c.fail("name at least one MCP server", "servers")
	}
	f.validateIssuers(c)
	f.validateServers(c)
	f.validateModes(c)
	f.validateState(c)
	f.Limits.validate(c)
}

func (f *File) validateIssuers(c *check) {
	seen := map[string]bool{}
	for i, issuer := range f.Issuers {
		c.httpsOrLoopback(issuer.Issuer, "issuers", i, "issuer")
		c.oneOf(issuer.DPoP, dpopModes, "issuers", i, "dpop")
		c.oneOf(issuer.Profile, []string{"rfc9068", "jwt"}, "issuers", i, "profile")
		if (issuer.StepUp.URL == "") != (issuer.StepUp.SecretFile == "") {
			c.fail("url and secret_file go together", "issuers", i, "step_up")
		}
		if issuer.StepUp.URL != "" {
			c.httpsOrLoopback(issuer.StepUp.URL, "issuers", i, "step_up", "url")
		}
		if seen[issuer.Issuer] {
			c.fail("this issuer is listed twice", "issuers", i, "issuer")
		}
		seen[issuer.Issuer] = true
	}
}

func (f *File) validateServers(c *check) {
	names, paths := map[string]bool{}, map[string]bool{}
	for i, server := range f.Servers {
		server.validate(c, i)
		if names[server.Name] {
			c.fail("two servers have this name", "servers", i, "name")
		}
		if paths[server.Path] {
			c.fail("two servers have this path", "servers", i, "path")
		}
		names[server.Name], paths[server.Path] = true, true
	}
}

// validateModes refuses a server no token could satisfy.
func (f *File) validateModes(c *check) {
	for i, server := range f.Servers {
		for _, issuer := range f.Issuers {
			if server.DPoP == "off" && issuer.DPoP == "required" {
				c.fail("off contradicts issuer "+issuer.Issuer+", which requires DPoP", "servers", i, "dpop")
			}
		}
	}
}

func (s Server) validate(c *check, i int) {
	at := func(keys ...any) []any { return append([]any{"servers", i}, keys...) }
	c.needs(s.Name, "missing: a server needs a name", at("name")...)
	if c.needs(s.Policy, "missing: a server needs a policy file", at("policy")...) {
		c.readable(s.Policy, at("policy")...)
	}
	c.path(s.Path, at("path")...)
	c.upstream(s.Upstream, at("upstream")...)
	if s.DPoP != "" {
		c.oneOf(s.DPoP, dpopModes, at("dpop")...)
	}
	if slices.Contains(s.Audiences, "") {
		c.fail("an audience must not be empty", at("audiences")...)
	}
	c.between(s.Timeout, time.Second, 24*time.Hour, at("timeout")...)
	s.Credential.validate(c, at)
}

func (k Credential) validate(c *check, at func(...any) []any) {
	switch k.Type {
	case "none":
		if k.Header+k.Prefix+k.File != "" {
			c.fail("type none takes no other key", at("credential")...)
		}
	case "header":
		c.needs(k.File, "missing: the file that holds the secret", at("credential", "file")...)
	case "":
		c.fail("missing: say {type: none} or {type: header, file: …}", at("credential")...)
	default:
		c.fail("must be one of: none, header", at("credential", "type")...)
	}
}

func (f *File) validateState(c *check) {
	if f.State.Redis != nil {
		c.needs(f.State.Redis.URLFile, "missing: the file that holds the redis:// URL", "state", "redis", "url_file")
		c.needs(f.State.SecretFile, "missing: replicas that share Redis share a secret too; make one with: head -c 32 /dev/urandom > FILE", "state", "secret_file")
	}
	if (f.Audit.File != "") == f.Audit.Stdout {
		c.fail("say where audit lines go: either file: PATH or stdout: true", "audit")
	}
}

func (l Limits) validate(c *check) {
	if l.Body < 1<<10 || l.Body > 64<<20 {
		c.fail("must lie between 1024 and 67108864 bytes", "limits", "body")
	}
	if l.InFlight < 1 || l.InFlight > 1<<20 {
		c.fail("must lie between 1 and 1048576", "limits", "in_flight")
	}
	c.between(l.BodyTime, time.Second, 10*time.Minute, "limits", "body_time")
}

func (a *AuthServer) validate(c *check) {
	c.address(a.Listen, "authserver", "listen")
	c.httpsOrLoopback(a.Issuer, "authserver", "issuer")
	c.needs(a.SecretFile, "missing: make one with: head -c 32 /dev/urandom > FILE", "authserver", "secret_file")
	if _, ok := sqlitePath(a.Database); !ok {
		c.fail("must be sqlite:PATH", "authserver", "database")
	}
	for i, scheme := range a.RedirectSchemes {
		if err := clientdoc.CheckScheme(scheme); err != nil {
			c.fail(err.Error(), "authserver", "redirect_schemes", i)
		}
	}
	c.oneOf(a.DPoPNonce, nonces, "authserver", "dpop_nonce")
	c.oneOf(a.Registration, []string{"closed", "token", "open"}, "authserver", "registration")
	if (a.Registration == "token") != (a.TokenFile != "") {
		c.fail("registration: token and registration_token_file go together", "authserver", "registration")
	}
	c.between(a.AccessTokenLife, time.Minute, time.Hour, "authserver", "access_token_life")
	c.between(a.RefreshLife, time.Hour, 365*24*time.Hour, "authserver", "refresh_token_life")
	c.between(a.CodeLife, 10*time.Second, 10*time.Minute, "authserver", "code_life")
	for i, resource := range a.Resources {
		c.httpsOrLoopback(resource.Resource, "authserver", "resources", i, "resource")
	}
}

func sqlitePath(database string) (string, bool) {
	file, ok := strings.CutPrefix(database, "sqlite:")
	return file, ok && file != ""
}

// httpsOrLoopback: plain HTTP never leaves the machine.
func (c *check) httpsOrLoopback(value string, at ...any) {
	if !c.needs(value, "missing: an https URL", at...) {
		return
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		c.fail("must be an absolute URL without user, query or fragment", at...)
		return
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !Loopback(u.Hostname())) {
		c.fail("must be https; http is for loopback hosts only", at...)
	}
}

func (c *check) publicURL(value string, at ...any) {
	before := len(c.problems)
	c.httpsOrLoopback(value, at...)
	if len(c.problems) > before {
		return
	}
	if u, _ := url.Parse(value); u.Path != "" || value != strings.ToLower(value) {
		c.fail("must be a lower-case scheme and host without a path, such as https://mcp.example.com", at...)
	}
}

func (c *check) origin(value string, at ...any) {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != value {
		c.fail("must be an origin: scheme and host, such as https://app.example.com", at...)
	}
}

func (c *check) path(value string, at ...any) {
	if !c.needs(value, "missing: the path of the MCP endpoint, such as /calculator/mcp", at...) {
		return
	}
	u, err := url.ParseRequestURI(value)
	plain := err == nil && u.Host == "" && u.EscapedPath() == value && path.Clean(value) == value
	if !plain || strings.ContainsAny(value, "%;\\?#") || strings.HasPrefix(value, "/.well-known") {
		c.fail("must be a plain absolute path, such as /calculator/mcp", at...)
	}
}

func (c *check) upstream(value string, at ...any) {
	if !c.needs(value, "missing: the URL of the MCP endpoint behind, such as http://127.0.0.1:8101/mcp", at...) {
		return
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.Fragment != "" {
		c.fail("must be the http or https URL of the MCP endpoint behind, such as http://127.0.0.1:8101/mcp", at...)
	}
}

// Loopback says whether host (without a port) can only be this machine.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

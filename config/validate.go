package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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

// mostWords is as much as a line of a page has room for.
const mostWords = 200

// words are for people, on a line of their own; none is fine.
func (c *check) words(value string, at ...any) {
	if utf8.RuneCountInString(value) > mostWords || strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		c.fail("must be one line of at most 200 characters that can be seen", at...)
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
	if f.AuthServer != nil && len(f.Servers) == 0 && doc.Has("admin") {
		f.Admin.validate(c)
	}
	if f.AuthServer != nil && len(f.Servers) == 0 && doc.Has("audit") {
		f.Audit.validate(c)
	}
	if f.AuthServer != nil {
		f.AuthServer.validate(c)
		f.validateResources(c)
		f.validateShortLived(c)
	}
	if f.State.Redis != nil {
		c.needs(f.State.Redis.URLFile, "missing: the file that holds the redis:// URL", "state", "redis", "url_file")
	}
	return c.problems
}

func (f *File) validateProxy(c *check) {
	c.address(f.Listen, "listen")
	f.Admin.validate(c)
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
	f.TLS.validate(c, []any{"tls"}, f.PublicURL, "public_url")
}

func (a Admin) validate(c *check) {
	c.address(a.Listen, "admin", "listen")
	for i, host := range a.Hosts {
		if host == "" || host != strings.ToLower(host) || strings.ContainsAny(host, ":/*@ ") {
			c.fail("must be a lower-case host name without a port, such as postern-admin", "admin", "hosts", i)
		}
	}
}

func (f *File) validateState(c *check) {
	if f.State.Redis != nil {
		c.needs(f.State.SecretFile, "missing: replicas that share Redis share a secret too; make one with: head -c 32 /dev/urandom > FILE", "state", "secret_file")
	}
	f.Audit.validate(c)
}

func (a Audit) validate(c *check) {
	if (a.File != "") == a.Stdout {
		c.fail("say where audit lines go: either file: PATH or stdout: true", "audit")
	}
}

func (a *AuthServer) validate(c *check) {
	c.address(a.Listen, "authserver", "listen")
	a.validateIssuer(c)
	a.TLS.validate(c, []any{"authserver", "tls"}, a.Issuer, "authserver", "issuer")
	a.validateSecrets(c)
	a.Keys.validate(c, "authserver", "keys")
	a.validateDatabase(c)
	for i, scheme := range a.RedirectSchemes {
		if err := clientdoc.CheckScheme(scheme); err != nil {
			c.fail(err.Error(), "authserver", "redirect_schemes", i)
		}
	}
	a.validateHosts(c)
	a.validateClients(c)
	a.SignIn.validate(c, "authserver", "sign_in")
	a.Limits.validate(c)
	c.oneOf(a.DPoPNonce, nonces, "authserver", "dpop_nonce")
	c.oneOf(a.Registration, []string{"closed", "token", "open"}, "authserver", "registration")
	if (a.Registration == "token") != (a.TokenFile != "") {
		c.fail("registration: token and registration_token_file go together", "authserver", "registration")
	}
	c.between(a.AccessTokenLife, time.Minute, time.Hour, "authserver", "access_token_life")
	c.between(a.RefreshLife, time.Hour, 365*24*time.Hour, "authserver", "refresh_token_life")
	c.between(a.CodeLife, 10*time.Second, 10*time.Minute, "authserver", "code_life")
	validateDetails(c, a.Details)
	a.validateRoles(c)
	a.validateAccounts(c)
	a.validateProviders(c)
}

func validateDetails(c *check, types []DetailType) {
	seen := map[string]bool{}
	for i, t := range types {
		at := []any{"authserver", "authorization_details", i}
		c.needs(t.Type, "missing: the type that clients name", append(at, "type")...)
		c.needs(t.Description, "missing: words for the person who is asked", append(at, "description")...)
		if seen[t.Type] {
			c.fail("named before", append(at, "type")...)
		}
		seen[t.Type] = true
		for j, field := range t.Fields {
			if field == "" || field == "type" || field == "locations" {
				c.fail("type and locations are there without being named", append(at, "fields", j)...)
			}
		}
	}
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

// Loopback says whether host (without a port) can only be this machine.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

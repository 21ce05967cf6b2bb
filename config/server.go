package config

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// Server is one MCP server behind the proxy.
type Server struct {
	Name       string        `yaml:"name"`
	About      string        `yaml:"description"` // what it is, in words for the people who are asked
	Path       string        `yaml:"path"`        // of the MCP endpoint under public_url
	Upstream   string        `yaml:"upstream"`    // http(s) URL of the MCP endpoint behind, or unix:SOCKET[:PATH]
	Stdio      *Stdio        `yaml:"stdio"`       // in place of upstream: a program that speaks MCP on stdin and stdout
	Policy     string        `yaml:"policy"`      // path of the policy file
	Audiences  []string      `yaml:"audiences"`   // further aud values accepted, beside the resource URL
	DPoP       string        `yaml:"dpop"`        // per server: required, accepted or off; absent: as the issuer says. An issuer's required stays required
	Credential Credential    `yaml:"credential"`
	TLS        *UpstreamTLS  `yaml:"tls"`      // of an https upstream
	Identity   *Identity     `yaml:"identity"` // absent: the upstream is not told who calls
	Timeout    time.Duration `yaml:"timeout"`  // until the upstream's response header, with stdio until the next message of an answer; default 5m
}

func (s *Server) complete(folder string) {
	if s.Timeout == 0 {
		s.Timeout = 5 * time.Minute
	}
	absolute(folder, &s.Policy)
	s.completeSocket(folder)
	if s.Stdio != nil {
		s.Stdio.complete(folder)
	}
	s.Credential.complete(folder)
	s.completeTrust(folder)
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

func (s Server) validate(c *check, i int) {
	at := func(keys ...any) []any { return append([]any{"servers", i}, keys...) }
	c.needs(s.Name, "missing: a server needs a name", at("name")...)
	if c.needs(s.Policy, "missing: a server needs a policy file", at("policy")...) {
		c.readable(s.Policy, at("policy")...)
	}
	c.words(s.About, at("description")...)
	c.path(s.Path, at("path")...)
	s.validateUpstream(c, at)
	if s.DPoP != "" {
		c.oneOf(s.DPoP, dpopModes, at("dpop")...)
	}
	if slices.Contains(s.Audiences, "") {
		c.fail("an audience must not be empty", at("audiences")...)
	}
	c.between(s.Timeout, time.Second, 24*time.Hour, at("timeout")...)
	s.Credential.validate(c, at)
	s.validateTrust(c, at)
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

package config

import (
	"net/url"
	"path/filepath"
	"strings"
)

const upstreamForms = "http://127.0.0.1:8101/mcp or unix:/run/mcp.sock:/mcp"

// socketLimit is what Linux takes as the path of a socket.
const socketLimit = 107 // bytes

// Socket splits an upstream of the form unix:SOCKET[:PATH]; PATH is /mcp when
// it is left out.
func (s Server) Socket() (socket, path string, ok bool) {
	rest, ok := strings.CutPrefix(s.Upstream, "unix:")
	if !ok {
		return "", "", false
	}
	socket, path, found := strings.Cut(rest, ":")
	if !found {
		path = "/mcp"
	}
	return socket, path, true
}

func (s *Server) completeSocket(folder string) {
	socket, path, ok := s.Socket()
	if ok && socket != "" {
		absolute(folder, &socket)
		s.Upstream = "unix:" + filepath.Clean(socket) + ":" + path
	}
}

func (s Server) validateUpstream(c *check, at func(...any) []any) {
	switch {
	case s.Stdio != nil && s.Upstream != "":
		c.fail("a server has either upstream or stdio", at("stdio")...)
	case s.Stdio != nil:
		s.Stdio.validate(c, at)
		if s.Credential.Type != "none" {
			c.fail("with stdio it must be {type: none}: secrets go to the child by stdio.env_files", at("credential")...)
		}
	case strings.HasPrefix(s.Upstream, "unix:"):
		s.validateSocket(c, at)
	case c.needs(s.Upstream, "missing: the URL of the MCP endpoint behind, such as "+upstreamForms+", or stdio: {command: […]}", at("upstream")...):
		u, err := url.Parse(s.Upstream)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.Fragment != "" {
			c.fail("must be the http or https URL of the MCP endpoint behind, such as "+upstreamForms, at("upstream")...)
		}
	}
}

func (s Server) validateSocket(c *check, at func(...any) []any) {
	socket, path, _ := s.Socket()
	u, err := url.ParseRequestURI(path)
	if socket == "" || err != nil || u.Host != "" || u.Fragment != "" || strings.ContainsAny(path, " #") {
		c.fail("must be unix:SOCKET or unix:SOCKET:PATH, such as unix:/run/mcp.sock:/mcp", at("upstream")...)
	}
	if len(socket) > socketLimit {
		c.fail("the path of a socket has at most 107 bytes", at("upstream")...)
	}
}

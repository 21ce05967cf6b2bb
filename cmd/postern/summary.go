package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/postern-mcp/postern/authserver/console"
)

// summary is what `postern up` tells people and, as up.json, programs.
type summary struct {
	Proxy   string            `json:"proxy"`
	Issuer  string            `json:"issuer"`
	Servers map[string]string `json:"servers"` // name → MCP endpoint URL
	User    demoUser          `json:"user"`
	Boss    demoUser          `json:"administrator"`
	Client  demoClient        `json:"client"`
	Admin   string            `json:"admin"` // metrics and health, without a page
	Account string            `json:"account_url"`
	Console string            `json:"admin_url"`
}

func (s setup) summary(d demoAccounts, n *node, at ports) summary {
	return summary{
		Proxy: s.file.PublicURL, Issuer: s.file.AuthServer.Issuer, Servers: n.proxy.Resources(),
		User: d.User, Boss: d.Admin, Client: d.Client, Admin: "http://" + s.file.Admin.Listen,
		Account: s.file.AuthServer.Issuer + "/account", Console: s.file.AuthServer.Issuer + console.Path,
	}
}

// probes are the URLs that answer 200 once everything works.
func (s summary) probes() []string {
	urls := []string{s.Issuer + "/.well-known/oauth-authorization-server", s.Admin + "/readyz"}
	for _, u := range s.Servers {
		urls = append(urls, s.Proxy+"/.well-known/oauth-protected-resource"+strings.TrimPrefix(u, s.Proxy))
	}
	return urls
}

func (s summary) names() []string {
	var names []string
	for name := range s.Servers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s summary) print(w io.Writer, program, folder string) {
	fmt.Fprintf(w, "Postern is up. Ctrl-C ends it; its state stays in %s\n\n", folder)
	for _, name := range s.names() {
		fmt.Fprintf(w, "  %-12s %s\n", name, s.Servers[name])
	}
	fmt.Fprintf(w, "  %-12s %s\n  %-12s %s/metrics\n\n", "issuer", s.Issuer, "metrics", s.Admin)
	fmt.Fprintf(w, "At a browser:\n\n  %-14s %s\n  %-14s %s (asks for a second factor)\n\n", "account", s.Account, "administration", s.Console)
	fmt.Fprintf(w, "Sign in as    %s\nAdministrator %s\n", s.User, s.Boss)
	fmt.Fprintf(w, "Machine       client_id %s\n              client_secret %s\n\n", s.Client.ID, s.Client.Secret)
	fmt.Fprintf(w, "Administer it:\n\n  %s admin --state %s user list\n\n", program, shellWord(folder))
	fmt.Fprintf(w, "Paste into an MCP client:\n\n%s\n\n", s.clientConfig())
	first := s.Servers[s.names()[0]]
	fmt.Fprintf(w, "See the challenge:\n\n  curl -i %s\n\n", first)
	fmt.Fprintf(w, "Call a tool as the machine:\n\n%s\n\n", s.call(first))
}

// call is a token request and a tool call for a shell, with nothing but curl and sed.
func (s summary) call(resource string) string {
	return fmt.Sprintf(`  token=$(curl -s -u '%s:%s' -d grant_type=client_credentials -d resource=%s %s/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  curl -s %s -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":2,"b":3}}}'`,
		s.Client.ID, s.Client.Secret, resource, s.Issuer, resource)
}

// clientConfig is the form most MCP clients read.
func (s summary) clientConfig() string {
	type entry struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	}
	servers := map[string]entry{}
	for name, u := range s.Servers {
		servers[name] = entry{Type: "http", URL: u}
	}
	text, err := json.MarshalIndent(map[string]any{"mcpServers": servers}, "  ", "  ")
	if err != nil {
		return "" // unreachable: strings always marshal
	}
	return "  " + string(text)
}

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// place is one of several servers of a proxy.
type place struct {
	name  string
	way   string   // upstream: … or stdio: …, one line
	tools []string // of its policy, all with the scope use
}

// several is a proxy in front of several servers, with a bearer token for each.
type several struct {
	*sidecar
	issuer *issuer
	base   string
}

// startSeveral launches and waits until the proxy is ready for calls.
func startSeveral(t *testing.T, places ...place) *several {
	t.Helper()
	s := launchSeveral(t, places...)
	eventually(t, func() error { return s.answers("/readyz") })
	return s
}

func launchSeveral(t *testing.T, places ...place) *several {
	t.Helper()
	dir, issuer := t.TempDir(), newIssuer(t)
	p := &sidecar{address: loopback(freePort(t)), admin: "http://" + loopback(freePort(t)), audit: filepath.Join(dir, "audit.jsonl")}
	var text strings.Builder
	fmt.Fprintf(&text, "listen: %[1]s\npublic_url: http://%[1]s\nissuers:\n  - {issuer: %[2]q, dpop: accepted}\nservers:\n", p.address, issuer.url)
	for _, at := range places {
		fmt.Fprintf(&text, "  - name: %[1]s\n    path: /%[1]s/mcp\n    %[2]s\n    policy: %[1]s.yaml\n    credential: {type: none}\n    timeout: 20s\n", at.name, at.way)
		write(t, filepath.Join(dir, at.name+".yaml"), at.policy())
	}
	fmt.Fprintf(&text, "audit: {file: audit.jsonl}\nadmin: {listen: %s}\nstate: {secret_file: %s}\n", strings.TrimPrefix(p.admin, "http://"), newSecret(t, dir))
	p.process = start(t, binary, "proxy", "-c", write(t, filepath.Join(dir, "postern.yaml"), text.String()))
	return &several{sidecar: p, issuer: issuer, base: "http://" + p.address}
}

func (at place) policy() string {
	var text strings.Builder
	fmt.Fprintf(&text, "apiVersion: postern.dev/v1\nkind: ToolPolicy\nserver: %s\nscopes:\n  use: {description: \"Use it\", default: true}\ntools:\n", at.name)
	for _, tool := range at.tools {
		fmt.Fprintf(&text, "  %s: {scopes: [use]}\n", tool)
	}
	return text.String()
}

func (s *several) url(name string) string { return s.base + "/" + name + "/mcp" }

// caller has a token for one of the servers.
func (s *several) caller(subject, name string) *caller {
	return &caller{url: s.url(name), token: s.issuer.token(subject, s.url(name), "use", nil)}
}

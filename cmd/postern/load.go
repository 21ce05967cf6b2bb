package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/postern-mcp/postern/authserver"
	"github.com/postern-mcp/postern/config"
	"github.com/postern-mcp/postern/policy"
)

// setup is a configuration file with the policies it names.
type setup struct {
	path     string // of the file, absolute
	state    string // the folder of postern up, or ""
	file     *config.File
	waiting  config.State // where short_lived: redis keeps things: also for a command that shares no state with who serves
	lookup   config.Lookup
	policies map[string]*policy.Policy // by server name
}

// load reads the configuration and every policy. All mistakes of all files
// are reported at once.
func load(path string, lookup config.Lookup) (setup, error) {
	file, err := config.Load(path, lookup)
	if err != nil {
		return setup{}, usageError{err}
	}
	if path, err = filepath.Abs(path); err != nil {
		return setup{}, usageError{err}
	}
	s := setup{path: path, file: file, waiting: file.State, lookup: lookup, policies: map[string]*policy.Policy{}}
	var failures []error
	for _, server := range file.Servers {
		p, err := loadPolicy(server)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		s.policies[server.Name] = p
	}
	if len(failures) == 0 && file.AuthServer != nil {
		failures = append(s.strayScopes(), s.checkDatabase())
	}
	if err := errors.Join(failures...); err != nil {
		return setup{}, usageError{err}
	}
	return s, nil
}

func loadPolicy(server config.Server) (*policy.Policy, error) {
	src, err := os.ReadFile(server.Policy)
	if err != nil {
		return nil, fmt.Errorf("policy of server %q: %w", server.Name, err)
	}
	p, err := policy.Parse(server.Policy, src)
	if err != nil {
		return nil, err
	}
	if p.Server() != server.Name {
		return nil, fmt.Errorf("%s: the policy is for server %q, but the configuration gives it to %q", server.Policy, p.Server(), server.Name)
	}
	return p, nil
}

// readSecret reads a file of one line.
func readSecret(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return secret, nil
}

// readKey reads a file of at least 32 bytes.
func readKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(key) < 32 {
		return nil, fmt.Errorf("%s holds %d bytes; a secret needs at least 32: head -c 32 /dev/urandom > %s", path, len(key), path)
	}
	return key, nil
}

// resources are what the authorization server issues tokens for: the servers
// of this file with the scopes of their policies, and what it names besides.
func (s setup) resources() []authserver.Resource {
	var all []authserver.Resource
	for _, server := range s.file.Servers {
		r := authserver.Resource{URL: s.file.URL(server), Name: server.Name, About: server.About}
		for _, scope := range s.policies[server.Name].Scopes() {
			r.Scopes = append(r.Scopes, authserver.Scope{Name: scope.Name, Description: scope.Description, Default: scope.Default, Risk: scope.Risk, Implies: scope.Implies})
		}
		all = append(all, r)
	}
	for _, extra := range s.file.AuthServer.Resources {
		r := authserver.Resource{URL: extra.Resource, Name: extra.Name, About: extra.About}
		for _, scope := range extra.Scopes {
			r.Scopes = append(r.Scopes, authserver.Scope{Name: scope.Name, Description: scope.Description, Default: scope.Default, Risk: scope.Risk})
		}
		all = append(all, r)
	}
	return all
}

// scopes are the names of all scopes of all resources, each once.
func (s setup) scopes() []string {
	seen := map[string]bool{}
	var names []string
	for _, r := range s.resources() {
		for _, scope := range r.Scopes {
			if !seen[scope.Name] {
				seen[scope.Name] = true
				names = append(names, scope.Name)
			}
		}
	}
	return names
}

package main

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/role"
	"github.com/postern-mcp/postern/authserver/store"
)

// strayScopes are the scopes of roles that no resource has: a misspelt one would
// silently give nothing.
func (s setup) strayScopes() []error {
	var stray []error
	known := s.scopes()
	for _, own := range admin.ScopeWords {
		known = append(known, own.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(s.file.AuthServer.Roles)) {
		for i, pattern := range s.file.AuthServer.Roles[name].Scopes {
			if pattern == "*" || covers(pattern, known) {
				continue
			}
			err := errors.New("no resource has such a scope; there are: " + strings.Join(known, " "))
			stray = append(stray, s.file.At(err, "authserver", "roles", name, "scopes", i))
		}
	}
	return stray
}

func covers(pattern string, known []string) bool {
	only, err := role.New([]role.Role{{Name: "one", Scopes: []string{pattern}}})
	return err == nil && len(only.Bound([]string{"one"}, true).Within(known)) > 0
}

// checkDatabase looks at the URL of a PostgreSQL database without connecting. A
// file that is not there is no mistake of this one: secrets may be on another machine.
func (s setup) checkDatabase() error {
	key := "database"
	if s.file.AuthServer.DatabaseFile != "" {
		key = "database_url_file"
	}
	url, err := databaseURL(s.file.AuthServer)
	if errors.Is(err, fs.ErrNotExist) || err == nil && strings.HasPrefix(url, "sqlite:") {
		return nil
	}
	if err == nil {
		err = store.CheckURL(url)
	}
	if err != nil {
		return s.file.At(err, "authserver", key)
	}
	return nil
}

package config

import (
	"maps"
	"slices"

	"github.com/postern-mcp/postern/authserver/role"
)

// Role is a name for a set of scopes, which people and machine clients hold.
type Role struct {
	Description  string   `yaml:"description"`   // words for administrators
	Scopes       []string `yaml:"scopes"`        // names, or beginnings with a * at their end
	Everyone     bool     `yaml:"everyone"`      // every person holds it
	SecondFactor bool     `yaml:"second_factor"` // it counts only in sign-ins with a second factor
}

// RoleSet are the configured roles by name, or those there are without any.
func (a *AuthServer) RoleSet() []role.Role {
	if len(a.Roles) == 0 {
		return role.Default()
	}
	var list []role.Role
	for _, name := range slices.Sorted(maps.Keys(a.Roles)) {
		r := a.Roles[name]
		list = append(list, role.Role{Name: name, Description: r.Description, Scopes: r.Scopes, Everyone: r.Everyone, Factor: r.SecondFactor})
	}
	return list
}

func (a *AuthServer) validateRoles(c *check) {
	for name, r := range a.Roles {
		for i, pattern := range r.Scopes {
			if err := role.CheckPattern(pattern); err != nil {
				c.fail(err.Error(), "authserver", "roles", name, "scopes", i)
				return
			}
		}
		one := []role.Role{{Name: name, Scopes: r.Scopes, Everyone: r.Everyone}}
		if _, err := role.New(one); err != nil {
			c.fail(err.Error(), "authserver", "roles", name)
		}
	}
}

package clientdoc

import "slices"

// Scopes about a person and their sign-in (OpenID Connect Core §5.4, §11).
var identityScopes = []string{"openid", "profile", "email", "address", "phone", "offline_access"}

// IsIdentityScope says whether clients mean by a scope the person, whatever the
// resource. A resource with one of that name would get a yes that was given to
// something else.
func IsIdentityScope(name string) bool { return slices.Contains(identityScopes, name) }

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/pages"
)

// now is when all stories happen.
var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// Texts that break what is not built for them.
const (
	longWord  = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
	rightLeft = "שלום עולם"
	invisible = "Clau\u200bde\u202e\u3164"
	markup    = `<b onclick="x">&amp;`
)

func ago(d time.Duration) time.Time { return now.Add(-d) }

const day = 24 * time.Hour

var calculator = []pages.Scope{
	{Name: "calc:basic", Words: "Add, subtract, multiply and divide", Risk: "low"},
	{Name: "calc:power", Words: "Raise to powers and evaluate whole expressions", Risk: "medium"},
	{Name: "calc:admin", Words: "Change what other people’s calculations give", Risk: "high"},
	{Name: "calc:none"},
}

// bringing is a scope that others come with, beside one of them.
var bringing = []pages.Scope{calculator[0], {Name: "calc:power", Words: calculator[1].Words, Risk: "medium", Implied: []pages.Scope{calculator[0], {Name: "calc:round", Words: "Round what comes out"}}}}

func manyScopes(n int) []pages.Scope {
	var all []pages.Scope
	for i := range n {
		all = append(all, pages.Scope{Name: fmt.Sprintf("records:department-%d:write", i), Words: fmt.Sprintf("Change the records of department %d", i)})
	}
	return all
}

func manyNames(n int) []string {
	var all []string
	for _, s := range manyScopes(n) {
		all = append(all, s.Name)
	}
	return all
}

var session = []pages.Session{
	{ID: "one", Agent: "Firefox on Linux", Address: "203.0.113.7", Methods: []string{"pwd", "otp", "mfa"}, SignedIn: ago(2 * time.Hour), Seen: ago(0), Here: true},
	{ID: "two", Agent: "Safari on iOS", Address: "2001:db8:85a3:8d3:1319:8a2e:370:7348", Methods: []string{"hwk", "user", "mfa"}, SignedIn: ago(7 * time.Hour), Seen: ago(90 * time.Minute)},
	{ID: "three", Agent: "Unknown browser", Address: "unknown", Methods: []string{"pwd", "recovery", "mfa"}, SignedIn: ago(day), Seen: ago(day)},
}

var signIns = []pages.SignIn{
	{At: ago(5 * time.Minute), Outcome: "step_up", Reasons: []string{"new_network", "new_agent"}, Agent: "Chrome on Windows", Address: "198.51.100.23", Client: "Claude", Methods: []string{"pwd"}},
	{At: ago(time.Hour), Outcome: "allow", Reasons: []string{"known_context"}, Agent: "Firefox on Linux", Address: "203.0.113.7", Methods: []string{"pwd", "otp", "mfa"}},
	{At: ago(26 * time.Hour), Outcome: "refuse", Reasons: []string{"impossible_travel", "recent_failures", "pace"}, Agent: "python-requests", Address: "192.0.2.200"},
	{At: ago(3 * day), Outcome: "failed", Reasons: []string{"wrong_password"}, Agent: "Unknown browser", Address: "2001:db8::1", Client: longWord},
	{At: ago(4 * day), Outcome: "failed", Reasons: []string{"wrong_code"}, Agent: "Safari on iOS", Address: "2001:db8::1", Methods: []string{"pwd"}},
	{At: ago(5 * day), Outcome: "allow", Agent: "Safari on iOS", Address: "2001:db8::1", Methods: []string{"pwd", "recovery", "mfa"}},
	{At: ago(80 * day), Outcome: "allow", Reasons: []string{"first_sign_in", "a_reason_of_tomorrow"}, Agent: "Firefox on Linux", Address: "203.0.113.7"},
}

func named(all []pages.SignIn, names ...string) []pages.SignIn {
	var with []pages.SignIn
	for i, s := range all {
		s.Name = names[i%len(names)]
		with = append(with, s)
	}
	return with
}

var tokens = []pages.Token{
	{ID: "t1", Client: "Claude", Resource: "Calculator", Scope: bringing, Expires: now.Add(9 * time.Minute)},
	{ID: "t2", Client: longWord, Resource: "https://mcp.example.com/" + strings.ToLower(longWord) + "/mcp", Scope: manyScopes(12), Expires: now.Add(time.Minute)},
	{ID: "t3", Client: rightLeft, Resource: "Database", Expires: now.Add(30 * time.Second)},
}

var grants = []pages.Grant{
	{ID: "grant_1", ClientID: "https://claude.ai/client.json", Client: "Claude", User: "ada", UserID: "user_1", Resource: "Calculator", Scope: bringing, Since: ago(3 * day), Expires: now.Add(27 * day)},
	{ID: "grant_2", ClientID: "client_2", Client: longWord, User: longWord, UserID: "user_2", Resource: longWord, Scope: manyScopes(30), Since: ago(day), Expires: now.Add(time.Hour)},
	{ID: "grant_3", ClientID: "client_3", Client: rightLeft, User: invisible, UserID: "user_3", Resource: "Database", Since: ago(time.Minute), Expires: now.Add(day)},
}

var application = pages.Application{
	ID: "https://claude.ai/client.json", Name: "Claude", Host: "claude.ai", Verified: true, Since: ago(40 * day), Tokens: 1,
	Allowed: []pages.Allowed{{Resource: "Calculator", About: "Sums, powers and whole expressions", Scope: calculator}, {Resource: "Database"}}, Back: []string{"claude.ai"},
}

var applications = []pages.Application{
	application,
	{ID: "client_x", Name: longWord, Local: true, Since: ago(day), Tokens: 200, Allowed: []pages.Allowed{{Resource: longWord, Scope: manyScopes(200)}}},
	{ID: "client_y", Name: invisible, Host: rightLeft, Since: ago(time.Hour)},
}

var people = []pages.Person{
	{ID: "user_1", Name: "ada", FullName: "Ada Lovelace", Email: "ada@example.com", Verified: true, Roles: []string{"user", "admin"}, Factors: []pages.Factor{{ID: "f1", Name: "Codes from an app"}, {ID: "f2", Name: "Passkey “" + longWord + "”"}},
		Identities: []string{"password", "google: ada@example.com"}, Created: ago(300 * day), Changed: ago(30 * day)},
	{ID: "user_2", Name: longWord, FullName: longWord, Email: strings.ToLower(longWord) + "@example.com", Roles: manyNames(6), Created: ago(day)},
	{ID: "user_3", Name: "omar", FullName: rightLeft, Roles: []string{"user"}, Created: ago(20 * day), Disabled: ago(day)},
	{ID: "user_4", Name: "mallory", FullName: invisible, Email: markup, Created: ago(time.Minute)},
}

var roles = []pages.Role{
	{Name: "user", Description: "Everybody who signs in", Scopes: []string{"*"}, Everyone: true},
	{Name: "admin", Description: "Looks after this server", Scopes: []string{"*", "postern:*"}, Factor: true},
	{Name: longWord, Description: rightLeft, Scopes: manyNames(20)},
}

var choices = []pages.RoleChoice{
	{Name: "user", Fixed: "everybody has it"}, {Name: "admin", Description: "Looks after this server", Administers: true, Factor: true, Has: true}, {Name: "dba", Description: "Writes to the database"},
	{Name: "guest", Fixed: "given by the provider google"},
}

var clients = []pages.Client{
	{ID: "client_1", Name: "Nightly report", How: "added by an administrator", Proves: "with a secret", Grants: []string{"client_credentials"}, Scope: []string{"db:read"}, Bounded: true, Secret: true, Created: ago(90 * day), SecretUntil: now.Add(day)},
	{ID: "client_2", Name: longWord, How: "registered itself", Proves: "not at all: anybody can use its name", Redirects: []string{"http://127.0.0.1/callback", "https://" + strings.ToLower(longWord) + ".example/callback"}, Grants: []string{"authorization_code", "refresh_token"}, Created: ago(day), DPoP: true},
	{ID: "client_3", How: "registered itself", Scope: manyNames(15), Created: ago(time.Hour)},
	{ID: "client_4", Name: rightLeft, How: "added by an administrator", Resources: []string{"https://mcp.example.com/calculator/mcp"}, Bounded: true, Created: ago(2 * day)},
}

var keys = []pages.Key{
	{ID: "k3-next", Algorithm: "ES256", State: "next", Signs: now.Add(12 * time.Hour), Until: now.Add(31 * day)},
	{ID: "Zr0qz7jM3wZ0m2pJ0a6l8xGQ4cH0q6v1p3dYtK5uW8s", Algorithm: "ES256", State: "signs", Signs: ago(29 * day), Until: now.Add(14 * time.Hour)},
	{ID: "k0-revoked", State: "revoked", Signs: ago(90 * day), Until: ago(80 * day)},
	{ID: "k1-kept", Algorithm: "ES256", State: "kept", Signs: ago(59 * day), Until: now.Add(time.Hour)},
}

var providers = []pages.Way{{Name: "google", Label: "Google"}, {Name: "corp", Label: "Corporate directory of " + longWord}}

var invitations = []pages.Invitation{
	{ID: "i1", Email: "grace@example.com", Roles: []string{"admin"}, By: "ada", Created: ago(day), Expires: now.Add(2 * day)},
	{ID: "i2", By: longWord, Created: ago(time.Hour), Expires: now.Add(3 * day)},
}

package main

import (
	"net/http"

	"github.com/postern-mcp/postern/authserver/pages"
)

// stories is every page in every state.
func stories() []story {
	var all []story
	for _, chapter := range [][]story{signingIn(), consenting(), afterwards(), proving(), account(), administration(), managing()} {
		all = append(all, chapter...)
	}
	return all
}

// writer is a method of pages.Frame that writes one kind of page.
type writer[P any] func(f pages.Frame, w http.ResponseWriter, status int, p P) error

// alone is a page without navigation.
func alone[P any](name, page, about string, write writer[P], p P) story {
	return story{name, page, about, func(w http.ResponseWriter, f pages.Frame) error { return write(f, w, http.StatusOK, p) }}
}

// signed is a page of somebody who is signed in, and may do everything.
func signed[P any](name, page, about string, write writer[P], p P) story {
	return visited(name, page, about, pages.Visitor{Name: "ada", Token: "token-of-the-session", May: pages.AdminPaths()}, write, p)
}

func visited[P any](name, page, about string, v pages.Visitor, write writer[P], p P) story {
	return story{name, page, about, func(w http.ResponseWriter, f pages.Frame) error {
		f.Visitor = &v
		return write(f, w, http.StatusOK, p)
	}}
}

var claudeAsks = pages.Asker{Client: "Claude", ClientHost: "claude.ai", Verified: true}

func signingIn() []story {
	login := pages.Frame.Login
	return []story{
		alone("login", "Login", "for an application", login, pages.Login{Asker: claudeAsks, Resource: "Calculator"}),
		alone("login-unverified", "Login", "for one that nobody vouches for", login, pages.Login{Asker: pages.Asker{Client: "Claude” (verified by Anthropic) “"}, Resource: "Calculator"}),
		alone("login-imitation", "Login", "for one whose name imitates another", login, pages.Login{Asker: pages.Asker{Client: "Cl\u0430ude"}, Resource: "Calculator"}),
		alone("login-command", "Login", "for the command line of this server", login, pages.Login{Asker: pages.Asker{Client: "postern admin", Command: true}, Resource: "the administration of auth.example.com"}),
		alone("login-own", "Login", "for the account pages", login, pages.Login{}),
		alone("login-again", "Login", "the last sign-in is too old", login, pages.Login{Asker: claudeAsks, Resource: "Calculator", Username: "ada", Again: true}),
		alone("login-again-wrong", "Login", "the last sign-in is too old, and the password wrong", login, pages.Login{Username: longWord, Again: true, Ways: providers, Passkey: &pages.Passkey{Options: "{}", State: "s"}, Problem: "The name or the password is wrong, or this sign-in is too unusual."}),
		alone("login-identity", "Login", "for an application that wants to know who it is", login, pages.Login{Asker: claudeAsks, Resource: "Calculator", Knows: true}),
		alone("login-wrong", "Login", "after a wrong password", login, pages.Login{Asker: claudeAsks, Resource: "Calculator", Username: "ada", Problem: "The name or the password is wrong, or this sign-in is too unusual. Type both again: capital letters count in the password. If they are right, sign in where you did before, or ask an administrator of this server."}),
		alone("login-ended", "Login", "whoever was signed in is no more", login, pages.Login{Ended: true}),
		alone("login-ways", "Login", "with other providers", login, pages.Login{Asker: claudeAsks, Resource: "Calculator", Ways: providers}),
		alone("login-refused-there", "Login", "after a provider refused", login, pages.Login{Asker: claudeAsks, Resource: "Calculator", Ways: providers, Problem: "Google: You did not sign in there. Try again, or sign in another way."}),
		alone("login-linking", "Login", "to link an account elsewhere", login, pages.Login{Linking: "Google", Address: "ada@example.com", Ways: providers[1:]}),
		alone("away", "Away", "on the way to a provider", pages.Frame.Away, pages.Away{Label: "Google", To: "https://accounts.google.com/o/oauth2/v2/auth"}),
		alone("login-long", "Login", "long words", login, pages.Login{Asker: pages.Asker{Client: longWord}, Resource: longWord, Username: longWord}),
	}
}

func consenting() []story {
	consent := pages.Frame.Consent
	claude := pages.Consent{User: "ada", Asker: claudeAsks, RedirectHost: "claude.ai", Resource: "Calculator", ResourceURL: "https://mcp.example.com/calculator/mcp", New: calculator[:3],
		Lasts: "Until you take it back. It ends by itself when it is not used for 30 days.", TakeBack: "https://auth.example.com/account/applications"}
	with := func(change func(*pages.Consent)) pages.Consent {
		c := claude
		change(&c)
		return c
	}
	return []story{
		alone("consent", "Consent", "a verified application asks for the first time", consent, claude),
		alone("consent-identity", "Consent", "it asks for nothing but who the person is", consent, with(func(c *pages.Consent) {
			c.Knows, c.New = true, []pages.Scope{{Name: "openid", Words: "Know that it is you when you come back"}, {Name: "profile", Words: "See your user name"}}
		})),
		alone("consent-described", "Consent", "for a server that is described", consent, with(func(c *pages.Consent) { c.About = "Sums, powers and whole expressions" })),
		alone("consent-wordless", "Consent", "a scope that nobody described", consent, with(func(c *pages.Consent) { c.New = calculator })),
		alone("consent-implied", "Consent", "a scope that others come with", consent, with(func(c *pages.Consent) {
			c.New = []pages.Scope{calculator[2]}
			c.New[0].Implied = calculator[:2]
		})),
		alone("consent-more", "Consent", "it asks for more", consent, with(func(c *pages.Consent) { c.New, c.Held = calculator[2:3], calculator[:2] })),
		alone("consent-again", "Consent", "it asks for what it has", consent, with(func(c *pages.Consent) { c.New, c.Held = nil, calculator[:2] })),
		alone("consent-nothing", "Consent", "it asks for nothing in particular", consent, with(func(c *pages.Consent) { c.New = nil })),
		alone("consent-beyond", "Consent", "it asks for what the person's roles do not give", consent, with(func(c *pages.Consent) { c.New, c.Beyond = calculator[:2], calculator[2:3] })),
		alone("consent-unverified", "Consent", "nobody vouches for it", consent, with(func(c *pages.Consent) { c.ClientHost, c.Verified, c.RedirectHost = "", false, "elsewhere.example" })),
		alone("consent-unproved-host", "Consent", "it names a host and does not prove it", consent, with(func(c *pages.Consent) { c.Verified = false })),
		alone("consent-known", "Consent", "an administrator registered it", consent, with(func(c *pages.Consent) { c.ClientHost, c.Verified, c.Known = "", false, true })),
		alone("consent-local", "Consent", "a program on this device", consent, with(func(c *pages.Consent) {
			c.ClientHost, c.Verified, c.RedirectHost, c.Local = "", false, "127.0.0.1", true
		})),
		alone("consent-scheme", "Consent", "whoever opens its links", consent, with(func(c *pages.Consent) { c.RedirectHost, c.Local, c.Scheme = "cursor:", true, "cursor" })),
		alone("consent-command", "Consent", "the command line of this server", consent, with(func(c *pages.Consent) {
			c.Client, c.ClientHost, c.Verified, c.RedirectHost, c.Command, c.Administers, c.UserCode = "postern admin (the command line)", "", false, "", true, true, "BDFG-HJKL"
			c.Resource, c.ResourceURL = "the administration of auth.example.com", "https://auth.example.com/api/v1"
			c.New = []pages.Scope{{Name: "postern:read", Words: "See everybody's account, clients, grants, sessions and sign-ins, and the keys", Risk: "high"}, {Name: "postern:users", Words: "Create, change and delete anybody's account, invite people, and give and take roles", Risk: "high"}}
		})),
		alone("consent-imitation", "Consent", "a name that imitates another", consent, with(func(c *pages.Consent) {
			c.Client, c.ClientHost, c.Verified, c.RedirectHost = "Cl\u0430ude", "", false, "elsewhere.example"
		})),
		alone("consent-nameless", "Consent", "one without a name", consent, with(func(c *pages.Consent) {
			c.Asker, c.RedirectHost = pages.Asker{}, "elsewhere.example"
		})),
		alone("consent-quotes", "Consent", "a name that ends its quotation", consent, with(func(c *pages.Consent) {
			c.Asker, c.RedirectHost = pages.Asker{Client: "Claude” (verified by Anthropic) “"}, "elsewhere.example"
		})),
		alone("consent-device", "Consent", "a device waits", consent, with(func(c *pages.Consent) { c.UserCode = "BDFG-HJKL" })),
		alone("consent-details", "Consent", "authorization details", consent, with(func(c *pages.Consent) {
			c.Details = []pages.Detail{{Type: "payment", Words: "Pay somebody", Fields: []pages.Field{{Name: "creditor", Value: invisible}, {Name: "amount", Value: "EUR 1,000.00"}, {Name: "note", Value: ""}}}, {Type: "look", Words: "Look at the balance"}}
		})),
		alone("consent-odd", "Consent", "names that hide something", consent, with(func(c *pages.Consent) { c.Client, c.User, c.Resource = invisible, rightLeft, markup })),
		alone("consent-long", "Consent", "long words", consent, with(func(c *pages.Consent) {
			c.Client, c.ClientHost, c.RedirectHost, c.Resource, c.User = longWord, longWord, longWord, longWord, longWord
			c.New = []pages.Scope{{Name: longWord, Words: longWord, Risk: "high"}}
		})),
		alone("consent-many", "Consent", "200 scopes", consent, with(func(c *pages.Consent) { c.New, c.Held = manyScopes(160), calculator })),
	}
}

func afterwards() []story {
	device, problem := pages.Frame.Device, pages.Frame.Problem
	return []story{
		alone("device", "Device", "asks for a code", device, pages.Device{}),
		alone("device-link", "Device", "came by a link", device, pages.Device{Code: "BDFG-HJKL", Given: true}),
		alone("device-wrong", "Device", "no device shows it", device, pages.Device{Problem: "No device shows this code right now."}),
		alone("done", "Done", "a device is connected", pages.Frame.Done, pages.Done{Asker: pages.Asker{Client: "Television"}, Resource: "Calculator", Allowed: true, TakeBack: "https://auth.example.com/account/applications"}),
		alone("done-described", "Done", "a device is connected to a server that is described", pages.Frame.Done, pages.Done{Asker: pages.Asker{Client: "Television"}, Resource: "Calculator", About: "Sums, powers and whole expressions", Allowed: true, TakeBack: "https://auth.example.com/account/applications"}),
		alone("done-identity", "Done", "a device knows who it is", pages.Frame.Done, pages.Done{Asker: pages.Asker{Client: "Television"}, Resource: "Calculator", Knows: true, Allowed: true, TakeBack: "https://auth.example.com/account/applications"}),
		alone("done-denied", "Done", "a device is not connected", pages.Frame.Done, pages.Done{Asker: pages.Asker{Client: invisible}, Resource: "Calculator"}),
		alone("logout", "Logout", "asks", pages.Frame.Logout, pages.Logout{User: "ada"}),
		alone("logout-anybody", "Logout", "asks whoever it is", pages.Frame.Logout, pages.Logout{}),
		{"signed-out", "SignedOut", "after it", func(w http.ResponseWriter, f pages.Frame) error { return f.SignedOut(w, http.StatusOK) }},
		alone("problem", "Problem", "with a way back", problem, pages.Problem{Text: "A requested scope does not exist here.", Code: "invalid_scope", Reason: "bad_scope", Back: "https://claude.ai/callback?error=invalid_scope", BackHost: "claude.ai"}),
		alone("problem-dead-end", "Problem", "without one", problem, pages.Problem{Text: "The application asked to send you to an address (redirect_uri) that it never registered, so we stopped.", Code: "invalid_request", Reason: "unregistered_redirect"}),
		alone("problem-ours", "Problem", "of our own pages", problem, pages.Problem{Text: "This page is too old or belongs to another browser.", Code: "invalid_request", Reason: "bad_request_state", Next: pages.Link{Text: "Go to your account", Path: "/account"}}),
		alone("problem-disabled", "Problem", "of a disabled account", problem, pages.Problem{Text: "This account is disabled: nobody can sign in to it, and its applications get nothing. Ask an administrator of this server to enable it.", Code: "access_denied", Reason: "account_off", Next: pages.Link{Text: "Sign in with another account", Path: "/account"}}),
		alone("problem-inside", "Problem", "our fault", problem, pages.Problem{Text: "Something went wrong here. Try again in a while."}),
	}
}

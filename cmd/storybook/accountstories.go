package main

import "github.com/postern-mcp/postern/authserver/pages"

func account() []story {
	notice := []pages.Notice{{Tone: pages.Good, Text: "Signed out there."}}
	overview, person := pages.Frame.Overview, pages.Visitor{Name: "ada", Token: "t"}
	return []story{
		visited("account", "Overview", "with new sign-ins", person, overview, pages.Overview{Now: now, Address: "https://auth.example.com/account", Name: "ada", FullName: "Ada Lovelace", HasPassword: true, News: signIns[:2], Sessions: 3, Applications: 2, Tokens: 1, Factors: []string{"authenticator app", "2 passkeys"}, Roles: []string{"user"}}),
		visited("account-kept-out", "Overview", "with a password that is newer than the new sign-ins", person, overview, pages.Overview{Now: now, Address: "https://auth.example.com/account", Name: "ada", HasPassword: true, PasswordAt: now, News: signIns[:2], Sessions: 1}),
		visited("account-bare", "Overview", "of somebody new", person, overview, pages.Overview{Now: now, Address: "https://auth.example.com/account", Name: "ada", Sessions: 1}),
		signed("account-admin", "Overview", "of an administrator with odd names", overview, pages.Overview{Now: now, Address: "https://auth.example.com/account", Name: longWord, FullName: invisible, Sessions: 1, Roles: manyNames(40), Notices: []pages.Notice{{Tone: pages.Warn, Text: "A role of yours needs a second factor when you sign in.", Link: pages.Link{Text: "Set it up", Path: "/account/security"}}}}),
		signed("profile", "Profile", "a verified address", pages.Frame.Profile, pages.Profile{Name: "ada", FullName: "Ada Lovelace", Email: "ada@example.com", Verified: true, Notices: notice}),
		signed("profile-empty", "Profile", "nothing known", pages.Frame.Profile, pages.Profile{Name: "ada"}),
		signed("profile-wrong", "Profile", "not an address", pages.Frame.Profile, pages.Profile{Name: longWord, FullName: rightLeft, Email: longWord, Problem: "This is no e-mail address: write it as name@example.com."}),
		signed("sessions", "Sessions", "several", pages.Frame.Sessions, pages.Sessions{Now: now, All: session, Notices: notice}),
		signed("sessions-one", "Sessions", "only this one", pages.Frame.Sessions, pages.Sessions{Now: now, All: session[:1]}),
		signed("sessions-end", "Confirm", "sign out everywhere else", pages.Frame.Confirm, pages.Confirm{At: "/account/sessions", Title: "Sign out everywhere else?", Effects: []string{"You stay signed in here.", "2 other browsers have to sign in again."}, Button: "Sign out everywhere else", Path: "/account/sessions/end-others", Back: pages.Link{Text: "Signed-in browsers", Path: "/account/sessions"}}),
		signed("stranger", "Confirm", "somebody else was there", pages.Frame.Confirm, pages.Confirm{At: "/account", Title: "Somebody else was at your account?", Lead: "Then they may know your password. Two steps keep them out.", Effects: []string{"Now: you are signed out everywhere but here, and no browser is remembered any more.", "On the next page: you choose a new password, and the old one opens nothing."}, Button: "Sign out everywhere else, then choose a password", Path: "/account/activity/stranger", Back: pages.Link{Text: "Overview", Path: "/account"}}),
		signed("applications", "Applications", "several", pages.Frame.Applications, pages.Applications{Now: now, All: applications, Tokens: tokens}),
		visited("applications-few", "Applications", "one", person, pages.Frame.Applications, pages.Applications{Now: now, All: applications[:1], Tokens: tokens[:1]}),
		signed("applications-none", "Applications", "none", pages.Frame.Applications, pages.Applications{Now: now}),
		signed("application", "Application", "one", pages.Frame.Application, pages.ApplicationOf{Now: now, Of: application, Grants: grants[:1], Tokens: tokens[:1]}),
		signed("application-many", "Application", "200 scopes, odd names", pages.Frame.Application, pages.ApplicationOf{Now: now, Of: applications[1], Grants: grants}),
		signed("activity", "Activity", "several", pages.Frame.Activity, pages.Activity{Now: now, All: signIns, First: "/account/activity", Next: "/account/activity?before=5"}),
		signed("activity-none", "Activity", "none", pages.Frame.Activity, pages.Activity{Now: now}),
	}
}

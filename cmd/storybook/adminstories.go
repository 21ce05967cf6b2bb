package main

import "github.com/postern-mcp/postern/authserver/pages"

// administration is people and roles.
func administration() []story {
	home := pages.AdminHome{Facts: []pages.Fact{{Name: "People", Cell: pages.Cell{Text: "12 people", Path: "/admin/users"}}, {Name: "Signing key", Cell: pages.Cell{Text: keys[1].ID, Code: true}}, {Name: "Nothing", Cell: pages.Cell{}}},
		Notices: []pages.Notice{{Tone: pages.Warn, Text: "Nobody but you is an administrator.", Link: pages.Link{Text: "Roles", Path: "/admin/roles"}}}}
	person := pages.PersonOf{Now: now, Of: people[0], Roles: choices, Sessions: session, Grants: grants[:1], SignIns: signIns, Change: true, End: true}
	self, closed, reading := person, person, person
	self.Self, closed.Of, reading.Change, reading.End = true, people[2], false, false
	closed.Sessions, closed.Grants, closed.SignIns = nil, nil, nil
	return []story{
		signed("admin", "AdminHome", "the first page", pages.Frame.AdminHome, home),
		visited("admin-keys-only", "AdminHome", "of somebody who may see keys alone", pages.Visitor{Name: "kay", May: []string{"/admin", "/admin/keys"}}, pages.Frame.AdminHome, home),
		signed("people", "People", "several", pages.Frame.People, pages.People{Now: now, All: people, Next: "/admin/users?after=x", Create: true}),
		signed("people-few", "People", "two", pages.Frame.People, pages.People{Now: now, All: []pages.Person{people[0], people[2]}, Create: true}),
		signed("people-none", "People", "none found", pages.Frame.People, pages.People{Now: now, Query: longWord}),
		signed("person", "Person", "one", pages.Frame.Person, person),
		signed("person-self", "Person", "the visitor", pages.Frame.Person, self),
		signed("person-disabled", "Person", "disabled, nothing there", pages.Frame.Person, closed),
		signed("person-reading", "Person", "for those who may only look", pages.Frame.Person, reading),
		signed("person-odd", "Person", "odd names", pages.Frame.Person, pages.PersonOf{Now: now, Of: people[3], Change: true, End: true, Grants: grants}),
		signed("person-new", "PersonForm", "add", pages.Frame.PersonForm, pages.PersonForm{Roles: choices[1:3], Problem: "The name is taken."}),
		signed("person-edit", "PersonForm", "edit", pages.Frame.PersonForm, pages.PersonForm{ID: "user_1", Name: "ada", FullName: "Ada Lovelace", Email: "ada@example.com", Verified: true}),
		signed("person-delete", "Confirm", "delete", pages.Frame.Confirm, pages.Confirm{At: "/admin/users", Title: "Delete " + longWord + "?", Lead: "This cannot be undone.", Effects: []string{"They are signed out everywhere.", "Every client loses access in their name within seconds."}, Button: "Delete the account", Path: "/admin/user/delete", Back: pages.Link{Text: longWord, Path: "/admin/user?id=x"}}),
		signed("secret", "Secret", "shown once", pages.Frame.Secret, pages.Secret{At: "/admin/users", Title: "A new password for ada", Name: "Password", Value: "abcde-fghij-kmnpq-rstuv", Facts: []pages.Fact{{Name: "User name", Cell: pages.Cell{Text: "ada"}}}, Back: pages.Link{Text: "ada", Path: "/admin/user?id=x"}}),
		signed("invitations", "Invitations", "several", pages.Frame.Invitations, pages.Invitations{Now: now, All: invitations, Roles: choices[1:3], Create: true}),
		signed("invitations-none", "Invitations", "none", pages.Frame.Invitations, pages.Invitations{Now: now, Create: true, Closed: true, File: "/etc/postern/postern.yaml", Command: "postern admin invite -c /etc/postern/postern.yaml"}),
		signed("roles", "Roles", "several", pages.Frame.Roles, pages.Roles{All: roles}),
		signed("role", "Role", "one", pages.Frame.Role, pages.RoleOf{Now: now, Of: roles[2], Holders: []pages.Holder{{ID: "user_1", Name: "ada", Source: "assigned", Since: ago(day)}, {ID: "client_1", Name: longWord, Client: true, Source: "assigned", Since: ago(day)}, {ID: "user_3", Name: invisible, Source: "google", Since: ago(0)}}, Next: "/admin/role?after=x"}),
		signed("role-everyone", "Role", "everybody’s", pages.Frame.Role, pages.RoleOf{Now: now, Of: roles[0]}),
	}
}

// managing is applications, grants, keys, sign-ins and risk.
func managing() []story {
	verdict := pages.Verdict{Outcome: "step_up", Score: 40, Ask: 30, Stop: 90, Reasons: []string{"The person did not sign in from this network before, or not since the password last changed.", "Somebody just failed to sign in from here."}}
	risk := pages.Risk{Name: "ada", Address: "198.51.100.23", Agent: "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"}
	wrong, answered := risk, risk
	wrong.Problem, wrong.Unknown, answered.Verdict = "This is no IP address.", "Nobody has this user name.", &verdict
	return []story{
		signed("clients", "Clients", "several", pages.Frame.Clients, pages.Clients{Now: now, All: clients, Create: true}),
		signed("clients-none", "Clients", "none", pages.Frame.Clients, pages.Clients{Now: now}),
		signed("client", "Client", "a machine", pages.Frame.Client, pages.ClientOf{Now: now, Of: clients[0], Roles: choices[1:3], Change: true}),
		signed("client-person", "Client", "for people", pages.Frame.Client, pages.ClientOf{Now: now, Of: clients[1], Grants: grants, Change: true, End: true}),
		signed("client-unnamed", "Client", "without a name, to look at", pages.Frame.Client, pages.ClientOf{Now: now, Of: clients[2], Grants: grants[:1]}),
		signed("client-new", "ClientForm", "add", pages.Frame.ClientForm, pages.ClientForm{Scopes: []pages.Option{{Value: "calc:basic", Text: "calc:basic", Hint: "Add, subtract, multiply and divide"}, {Value: "db:read", Text: "db:read", Hint: "Look at tables", Chosen: true}}, Problem: "Choose at least one scope."}),
		signed("grants", "Grants", "several", pages.Frame.Grants, pages.Grants{Now: now, Query: "ada", All: grants, First: "/admin/grants", Next: "/admin/grants?after=x", Change: true}),
		signed("grants-none", "Grants", "none", pages.Frame.Grants, pages.Grants{Now: now, Query: "nobody"}),
		signed("grants-ask", "Grants", "asks whose", pages.Frame.Grants, pages.Grants{Now: now}),
		signed("keys", "Keys", "three", pages.Frame.Keys, pages.Keys{Now: now, All: keys, Change: true}),
		signed("keys-reading", "Keys", "for those who may only look", pages.Frame.Keys, pages.Keys{Now: now, All: keys}),
		signed("key-revoke", "Confirm", "revoke a key", pages.Frame.Confirm, pages.Confirm{At: "/admin/keys", Title: "Revoke this key?", About: []pages.Fact{{Name: "Key (kid)", Cell: pages.Cell{Text: keys[1].ID, Code: true}}}, Effects: []string{"Only for a key that was stolen. If it is merely old, rotate instead.", "Every token it signed is dead at once: clients have to get new ones, and people do not notice.", "A key that nobody knows yet signs instead: some servers refuse its first tokens for a few seconds, those that are slow to look for new keys for longer.", "The key that signs now signs no more, even if you revoke another.", "This cannot be undone."}, Button: "Revoke the key", Path: "/admin/keys/revoke", Hidden: []pages.Hidden{{Name: "kid", Value: keys[1].ID}}, Back: pages.Link{Text: "Keys", Path: "/admin/keys"}}),
		signed("key-rotate", "Confirm", "rotate the key", pages.Frame.Confirm, pages.Confirm{At: "/admin/keys", Title: "Rotate the signing key?", Effects: []string{"Tokens that are out stay good until they expire: nobody signs in again, and no client has to do anything.", "Proxies and other servers that check tokens notice nothing: they fetch the published keys by themselves.", "The next key is published now, and signs in 24 hours. Until then the one of now signs on.", "The key that signs now stays published 1 hour after that, until its last token has expired, and then goes by itself."}, Button: "Rotate the key", Path: "/admin/keys/rotate", Back: pages.Link{Text: "Keys", Path: "/admin/keys"}}),
		signed("sign-ins", "SignIns", "several", pages.Frame.SignIns, pages.SignIns{Now: now, All: named(signIns, "ada", longWord, invisible), Next: "/admin/sign-ins?before=5"}),
		signed("sign-ins-none", "SignIns", "none", pages.Frame.SignIns, pages.SignIns{Now: now, Query: "nobody"}),
		signed("risk", "Risk", "asks", pages.Frame.Risk, pages.Risk{}),
		signed("risk-wrong", "Risk", "not an address", pages.Frame.Risk, wrong),
		signed("risk-answer", "Risk", "answers", pages.Frame.Risk, answered),
	}
}

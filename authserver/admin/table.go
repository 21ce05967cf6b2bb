package admin

import "net/http"

const (
	get   = http.MethodGet
	post  = http.MethodPost
	put   = http.MethodPut
	patch = http.MethodPatch
	del   = http.MethodDelete
)

// Every operation there is. What is here is served, documented and callable;
// what is not, is not.
var (
	ListUsers = Operation[UserQuery, Page[User]]{"listUsers", get, "/users", ScopeRead, 200,
		"List users, by name", "", Desk.Users}
	CreateUser = Operation[NewUser, CreatedUser]{"createUser", post, "/users", ScopeUsers, 201,
		"Create a user", "Nobody gives roles with scopes of this API that they lack.", Desk.CreateUser}
	GetUser = Operation[UserRef, User]{"getUser", get, "/users/{user}", ScopeRead, 200,
		"Get a user", "", Desk.User}
	ListIdentities = Operation[UserRef, Page[Identity]]{"listUserIdentities", get, "/users/{user}/identities", ScopeRead, 200,
		"List a user's accounts at other providers", "The person signs in by each of them, the oldest first.", Desk.Identities}
	UpdateUser = Operation[UserChange, User]{"updateUser", patch, "/users/{user}", ScopeUsers, 200,
		"Change a user", "Disabling ends every session, grant and token of the person.", Desk.UpdateUser}
	DeleteUser = Operation[UserRef, None]{"deleteUser", del, "/users/{user}", ScopeUsers, 204,
		"Delete a user", "Sessions, consents and grants go too, and access tokens that are out are revoked. One who is gone is no error.", Desk.DeleteUser}
	SetUserRoles = Operation[UserRoles, User]{"setUserRoles", put, "/users/{user}/roles", ScopeUsers, 200,
		"Set a user's roles", "Live tokens that have more than the roles allow are revoked. Roles that a provider gives stay.", Desk.SetUserRoles}
	SetPassword = Operation[PasswordChange, Password]{"setPassword", put, "/users/{user}/password", ScopeUsers, 200,
		"Set a user's password", "Ends all sessions of the person.", Desk.SetPassword}
	RemoveFactor = Operation[FactorRef, None]{"removeFactor", del, "/users/{user}/factors/{factor}", ScopeUsers, 204,
		"Remove second factors of a user", "For somebody who lost them: they set up new ones after they signed in. Ends all sessions of the person.", Desk.RemoveFactor}
	ResetLink = Operation[UserRef, Link]{"createResetLink", post, "/users/{user}/reset-link", ScopeUsers, 201,
		"Make a link with which a user chooses a new password", "It works once, and the links before end. Nothing is sent: hand it out. Second factors stay.", Desk.ResetLink}
	EndUserSessions = Operation[UserRef, None]{"endUserSessions", del, "/users/{user}/sessions", ScopeSessions, 204,
		"End all sessions of a user", "Grants and tokens of clients stay.", Desk.EndSessions}

	ListInvitations = Operation[None, Page[Invitation]]{"listInvitations", get, "/invitations", ScopeRead, 200,
		"List invitations that nobody used yet, the latest first", "", Desk.Invitations}
	Invite = Operation[NewInvitation, Link]{"createInvitation", post, "/invitations", ScopeUsers, 201,
		"Make a link to create one account with", "It works once. Nothing is sent: hand it out. Nobody gives roles with scopes of this API that they lack.", Desk.Invite}
	CancelInvitation = Operation[InvitationRef, None]{"cancelInvitation", del, "/invitations/{invitation}", ScopeUsers, 204,
		"Cancel an invitation", "One that is gone is no error.", Desk.CancelInvitation}

	ListRoles = Operation[None, Page[Role]]{"listRoles", get, "/roles", ScopeRead, 200,
		"List the roles there are", "Roles are configured: authserver.roles.", Desk.Roles}
	ListHolders = Operation[HolderQuery, Page[Holder]]{"listHolders", get, "/roles/{role}/holders", ScopeRead, 200,
		"List who was given a role", "", Desk.Holders}

	ListClients = Operation[ClientQuery, Page[Client]]{"listClients", get, "/clients", ScopeRead, 200,
		"List clients, the newest first", "Clients known by a metadata document are not stored, and not listed.", Desk.Clients}
	CreateClient = Operation[NewClient, CreatedClient]{"createClient", post, "/clients", ScopeClients, 201,
		"Create a machine client or a resource server", "Nobody gives scopes of this API that they lack.", Desk.CreateClient}
	RegisterClient = Operation[Registration, CreatedClient]{"registerClient", post, "/clients/register", ScopeClients, 201,
		"Register a client of any kind by its metadata", "", Desk.RegisterClient}
	GetClient = Operation[ClientRef, Client]{"getClient", get, "/clients/{client}", ScopeRead, 200,
		"Get a client", "", Desk.Client}
	UpdateClient = Operation[ClientChange, Client]{"updateClient", patch, "/clients/{client}", ScopeClients, 200,
		"Change a client", "What people allowed it stays.", Desk.UpdateClient}
	DeleteClient = Operation[ClientRef, None]{"deleteClient", del, "/clients/{client}", ScopeClients, 204,
		"Delete a client", "With all consents and grants it was given, also of a client known by its metadata document; access tokens that are out are revoked. One that is gone is no error.", Desk.DeleteClient}
	SetClientRoles = Operation[ClientRoles, Client]{"setClientRoles", put, "/clients/{client}/roles", ScopeClients, 200,
		"Set a machine client's roles", "Live tokens that have more than the roles allow are revoked.", Desk.SetClientRoles}
	RotateSecret = Operation[SecretRotation, CreatedClient]{"rotateClientSecret", post, "/clients/{client}/secret", ScopeClients, 200,
		"Make another secret for a client", "The one before ends at once, or after overlap_seconds.", Desk.RotateSecret}

	ListGrants = Operation[GrantQuery, Page[Grant]]{"listGrants", get, "/grants", ScopeRead, 200,
		"List what people allowed clients", "", Desk.Grants}
	RevokeGrant = Operation[GrantRef, None]{"revokeGrant", del, "/grants/{grant}", ScopeSessions, 204,
		"Revoke a grant with all its tokens", "One that is gone is no error.", Desk.RevokeGrant}
	ListTokens = Operation[TokenQuery, Page[Token]]{"listTokens", get, "/tokens", ScopeRead, 200,
		"List live access tokens", "", Desk.Tokens}
	RevokeToken = Operation[TokenRef, None]{"revokeToken", del, "/tokens/{token}", ScopeSessions, 204,
		"Revoke an access token", "One that is gone is no error.", Desk.RevokeToken}
	ListSessions = Operation[SessionQuery, Page[Session]]{"listSessions", get, "/sessions", ScopeRead, 200,
		"List browsers in which people are signed in", "", Desk.Sessions}
	EndSession = Operation[SessionRef, None]{"endSession", del, "/sessions/{session}", ScopeSessions, 204,
		"End a session", "One that is gone is no error.", Desk.EndSession}

	ListKeys = Operation[None, Page[Key]]{"listKeys", get, "/keys", ScopeRead, 200,
		"List the signing keys", "", Desk.Keys}
	RotateKey = Operation[KeyRotation, Key]{"rotateKey", post, "/keys/rotate", ScopeKeys, 200,
		"Publish the next signing key, or hasten it", "It signs once it has been published for a while.", Desk.RotateKey}
	RevokeKey = Operation[KeyRef, Key]{"revokeKey", post, "/keys/{key}/revoke", ScopeKeys, 200,
		"Take a signing key back at once", "As when it was stolen: every token it signed is refused from then on. Answers the key that signs instead.", Desk.RevokeKey}

	ListSignIns = Operation[SignInQuery, Page[SignIn]]{"listSignIns", get, "/sign-ins", ScopeRead, 200,
		"List sign-ins, with why they went as they did", "", Desk.SignIns}
	ExplainSignIn = Operation[RiskQuery, Risk]{"explainSignIn", get, "/users/{user}/risk", ScopeRead, 200,
		"Say what a sign-in would get, and why", "By the rules of authserver.sign_in and what is known of the person, for a browser that shows no cookie. It changes nothing.", Desk.ExplainSignIn}
	GetStatus = Operation[None, Status]{"getStatus", get, "/status", ScopeRead, 200,
		"Say how the server is", "", Desk.Status}
)

// table is all of them, in the order of the page.
var table = []row{
	ListUsers, CreateUser, GetUser, ListIdentities, UpdateUser, DeleteUser, SetUserRoles, SetPassword, RemoveFactor, ResetLink, EndUserSessions,
	ListInvitations, Invite, CancelInvitation,
	ListRoles, ListHolders,
	ListClients, CreateClient, RegisterClient, GetClient, UpdateClient, DeleteClient, SetClientRoles, RotateSecret,
	ListGrants, RevokeGrant, ListTokens, RevokeToken, ListSessions, EndSession,
	ListKeys, RotateKey, RevokeKey, ListSignIns, ExplainSignIn, GetStatus,
}

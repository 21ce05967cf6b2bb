// Package admin is the administration API of the authorization server: one
// table of operations (table.go), from which the handler, the OpenAPI document,
// its page and the client are made, so that none of them says what another
// does not.
//
// Its laws: an operation is on the desk's side or it does not exist; whoever
// asks is admitted before anything is read but the path; JSON is strict in
// both directions; what goes wrong is one of a closed set of reasons
// (problem.go), as RFC 9457 writes them. It knows nothing of how people and
// clients are stored: that is the Desk's.
package admin

import (
	"context"
	"net/http"
	"slices"
)

// Prefix is where the API lies, under the issuer.
const Prefix = "/api/v1"

// The scopes of the API.
const (
	ScopeRead     = "postern:read"
	ScopeUsers    = "postern:users"
	ScopeClients  = "postern:clients"
	ScopeSessions = "postern:sessions"
	ScopeKeys     = "postern:keys"
)

// ScopeWords are all scopes of the API, and what they let somebody do.
var ScopeWords = []struct{ Name, Words string }{
	{ScopeRead, "See everybody's account, clients, grants, sessions and sign-ins, and the keys"},
	{ScopeUsers, "Create, change and delete anybody's account, invite people, and give and take roles"},
	{ScopeClients, "Create, change and delete clients, and give and take their roles"},
	{ScopeSessions, "End anybody's sessions, grants and tokens"},
	{ScopeKeys, "Rotate and revoke the signing keys"},
}

// Prefixed says whether a scope is the API's own, which no * of a role reaches.
func Prefixed(scope string) bool {
	return slices.ContainsFunc(ScopeWords, func(w struct{ Name, Words string }) bool { return w.Name == scope })
}

// Who asks.
const (
	KindOperator = "operator" // who has the machine
	KindPerson   = "person"
	KindClient   = "client"
)

// Actor is who asks, and by what: it stands in the audit line of every change.
type Actor struct {
	Kind    string   // one of those above
	ID      string   // sub of a person, client_id of a client; "" of an operator
	Client  string   // the client that a person uses, or ""
	Address string   // where the request came from, or ""
	Scopes  []string // what they may do here
	Era     int64    // of a person, in which they were let in
	Token   string   // the jti of the access token they showed, or ""
}

// Operator is whoever can open the database.
func Operator() Actor {
	a := Actor{Kind: KindOperator}
	for _, s := range ScopeWords {
		a.Scopes = append(a.Scopes, s.Name)
	}
	return a
}

// May says whether the actor has all of these scopes, as far as they are the API's.
func (a Actor) May(scopes []string) bool {
	for _, s := range scopes {
		if Prefixed(s) && !slices.Contains(a.Scopes, s) {
			return false
		}
	}
	return true
}

// Gate says who a request is from, if they have the scope: any error is a
// refusal. It may set headers that go with a refusal, such as a challenge.
type Gate interface {
	Admit(w http.ResponseWriter, r *http.Request, scope string) (Actor, error)

	// Passing is the reason of a failure, of the gate or the desk, that time mends;
	// "" for any other.
	Passing(err error) Reason

	// Refused hears of every refusal, for the record.
	Refused(r *http.Request, why Reason)
}

// Desk is everything that can be done. Each method is one transaction, and
// one audit line when it changes something; it trusts the Actor's scopes and
// checks only that nobody gives or takes more than they have. An *Error says
// what was wrong with what was asked; any other error is a failure.
type Desk interface {
	UserReader
	UserWriter
	UserWays
	RoleReader
	ClientReader
	ClientWriter
	ClientWays
	GrantDesk
	TokenDesk
	SessionDesk
	KeyDesk
	SignInReader
	StatusReader
	InvitationDesk
	Resetter
}

// UserReader reads who can sign in.
type UserReader interface {
	Users(ctx context.Context, by Actor, q UserQuery) (Page[User], error)
	User(ctx context.Context, by Actor, q UserRef) (User, error)
	Identities(ctx context.Context, by Actor, q UserRef) (Page[Identity], error)
}

// UserWriter changes who can sign in.
type UserWriter interface {
	CreateUser(ctx context.Context, by Actor, u NewUser) (CreatedUser, error)
	UpdateUser(ctx context.Context, by Actor, u UserChange) (User, error)
	DeleteUser(ctx context.Context, by Actor, q UserRef) (None, error)
}

// UserWays changes what a person has and may have.
type UserWays interface {
	SetUserRoles(ctx context.Context, by Actor, q UserRoles) (User, error)
	SetPassword(ctx context.Context, by Actor, q PasswordChange) (Password, error)
	RemoveFactor(ctx context.Context, by Actor, q FactorRef) (None, error)
}

// RoleReader reads the roles there are, and who holds them.
type RoleReader interface {
	Roles(ctx context.Context, by Actor, q None) (Page[Role], error)
	Holders(ctx context.Context, by Actor, q HolderQuery) (Page[Holder], error)
}

// ClientReader reads the clients that are stored.
type ClientReader interface {
	Clients(ctx context.Context, by Actor, q ClientQuery) (Page[Client], error)
	Client(ctx context.Context, by Actor, q ClientRef) (Client, error)
}

// ClientWriter changes clients.
type ClientWriter interface {
	CreateClient(ctx context.Context, by Actor, c NewClient) (CreatedClient, error)
	UpdateClient(ctx context.Context, by Actor, c ClientChange) (Client, error)
	DeleteClient(ctx context.Context, by Actor, q ClientRef) (None, error)
}

// ClientWays are registrations, secrets and roles of clients.
type ClientWays interface {
	RegisterClient(ctx context.Context, by Actor, r Registration) (CreatedClient, error)
	RotateSecret(ctx context.Context, by Actor, r SecretRotation) (CreatedClient, error)
	SetClientRoles(ctx context.Context, by Actor, q ClientRoles) (Client, error)
}

// GrantDesk is about what people allowed clients.
type GrantDesk interface {
	Grants(ctx context.Context, by Actor, q GrantQuery) (Page[Grant], error)
	RevokeGrant(ctx context.Context, by Actor, q GrantRef) (None, error)
}

// TokenDesk is about access tokens that are out.
type TokenDesk interface {
	Tokens(ctx context.Context, by Actor, q TokenQuery) (Page[Token], error)
	RevokeToken(ctx context.Context, by Actor, q TokenRef) (None, error)
}

// SessionDesk is about browsers in which people are signed in.
type SessionDesk interface {
	Sessions(ctx context.Context, by Actor, q SessionQuery) (Page[Session], error)
	EndSession(ctx context.Context, by Actor, q SessionRef) (None, error)
	EndSessions(ctx context.Context, by Actor, q UserRef) (None, error)
}

// KeyDesk is about the keys that tokens are signed with.
type KeyDesk interface {
	Keys(ctx context.Context, by Actor, q None) (Page[Key], error)
	RotateKey(ctx context.Context, by Actor, q KeyRotation) (Key, error)
	RevokeKey(ctx context.Context, by Actor, q KeyRef) (Key, error)
}

// SignInReader reads how sign-ins went, and would go.
type SignInReader interface {
	SignIns(ctx context.Context, by Actor, q SignInQuery) (Page[SignIn], error)
	ExplainSignIn(ctx context.Context, by Actor, q RiskQuery) (Risk, error)
}

// InvitationDesk is about links to create an account with.
type InvitationDesk interface {
	Invitations(ctx context.Context, by Actor, q None) (Page[Invitation], error)
	Invite(ctx context.Context, by Actor, n NewInvitation) (Link, error)
	CancelInvitation(ctx context.Context, by Actor, q InvitationRef) (None, error)
}

// Resetter makes links to choose a new password with.
type Resetter interface {
	ResetLink(ctx context.Context, by Actor, q UserRef) (Link, error)
}

// StatusReader says how the server is.
type StatusReader interface {
	Status(ctx context.Context, by Actor, q None) (Status, error)
}

package admin

import "time"

// None is nothing to send, or nothing to answer (204).
type None struct{}

// Paging chooses a part of a list.
type Paging struct {
	Limit int    `query:"limit" json:"-" min:"1" max:"200" doc:"How many at most; 50 when absent"`
	After string `query:"after" json:"-" max:"600" doc:"next of the page before"`
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitzero" doc:"Send it as after for what follows; absent at the end"`
}

// User is somebody who can sign in.
type User struct {
	ID         string     `json:"id" doc:"sub of the person's tokens"`
	Name       string     `json:"name" doc:"What they sign in with"`
	FullName   string     `json:"full_name" doc:"Empty when it is not known"`
	Email      string     `json:"email" doc:"Empty when it is not known"`
	Verified   bool       `json:"email_verified"`
	Disabled   bool       `json:"disabled" doc:"They cannot sign in, and nothing of theirs works"`
	Password   bool       `json:"has_password"`
	Factors    []string   `json:"factors" enum:"totp,recovery_codes,passkey" doc:"Second factors that are set up"`
	Roles      []HeldRole `json:"roles" doc:"Without those that everybody has"`
	CreatedAt  time.Time  `json:"created_at"`
	PasswordAt time.Time  `json:"password_changed_at,omitzero"`
	DisabledAt time.Time  `json:"disabled_at,omitzero"`
	SignedInAt time.Time  `json:"signed_in_at,omitzero" doc:"The last time; absent: never"`
}

// Tag changes with everything that administrators can change of the person.
func (u User) Tag() string {
	u.SignedInAt = time.Time{}
	return tagOf(u)
}

// HeldRole is a role that somebody has.
type HeldRole struct {
	Role   string `json:"role"`
	Source string `json:"source" doc:"assigned, or the name of the provider whose claims give it"`
}

// Identity is an account of a person at another provider, by which they sign in here.
type Identity struct {
	Provider string    `json:"provider" doc:"Its name in the configuration, when the account was linked"`
	Issuer   string    `json:"issuer" doc:"Who says who the person is"`
	Subject  string    `json:"sub" doc:"What the person is called there"`
	Email    string    `json:"email" doc:"As the provider said last; empty when it did not"`
	LinkedAt time.Time `json:"linked_at"`
	UsedAt   time.Time `json:"used_at,omitzero" doc:"When the person signed in by it last; absent: never"`
}

// UserQuery chooses among users, by name.
type UserQuery struct {
	Paging
	Search string `query:"search" json:"-" max:"320" doc:"Only those who have this in their name, full name or address, in capitals or not"`
	Name   string `query:"name" json:"-" max:"100" doc:"Only this name"`
	Email  string `query:"email" json:"-" max:"320" doc:"Only this address"`
}

// UserRef names one person.
type UserRef struct {
	ID string `path:"user" json:"-" doc:"id of the person"`
}

// How a new person gets in.
const (
	WithPassword = "password" // the one given, or one that is made and answered, once
	WithNothing  = "none"     // not by a password: by a provider
)

// NewUser is somebody to create.
type NewUser struct {
	Name     string   `json:"name" max:"100" doc:"What they will sign in with"`
	FullName string   `json:"full_name,omitzero" max:"200"`
	Email    string   `json:"email,omitzero" max:"320" format:"email"`
	Verified bool     `json:"email_verified,omitzero" doc:"The address is known to be theirs"`
	SignIn   string   `json:"sign_in,omitzero" enum:"password,none" doc:"How they get in: with a password (this is what absent means), or with none, by another provider"`
	Password string   `json:"password,omitzero" max:"1024" doc:"Absent: one is made, and answered once"`
	Roles    []string `json:"roles,omitempty" max:"32"`
}

// CreatedUser is the new person, and what is told once.
type CreatedUser struct {
	User     User   `json:"user"`
	Password string `json:"password,omitzero" doc:"The password that was made; it is not told again"`
}

// UserChange is what becomes different: absent members stay.
type UserChange struct {
	UserRef
	IfMatch  string  `header:"If-Match" json:"-" max:"100" doc:"ETag of what was read: refused with 412 when it is not that any more"`
	FullName *string `json:"full_name,omitzero" max:"200"`
	Email    *string `json:"email,omitzero" max:"320" doc:"Empty for none. Another address is not verified, unless email_verified says so too"`
	Verified *bool   `json:"email_verified,omitzero"`
	Disabled *bool   `json:"disabled,omitzero" doc:"true ends all sessions, grants and tokens of the person"`
}

// Words are what changes, for the audit: not what becomes of it.
func (c UserChange) Words() []any {
	var all []any
	for _, m := range []struct {
		name string
		set  bool
	}{{"full_name", c.FullName != nil}, {"email", c.Email != nil}, {"email_verified", c.Verified != nil}} {
		if m.set {
			all = append(all, "changed_"+m.name, true)
		}
	}
	if c.Disabled != nil {
		all = append(all, "disabled", *c.Disabled)
	}
	return all
}

// UserRoles are the roles a person shall have, beside those that providers give.
type UserRoles struct {
	UserRef
	IfMatch string   `header:"If-Match" json:"-" max:"100" doc:"ETag of what was read: refused with 412 when it is not that any more"`
	Roles   []string `json:"roles" max:"32" doc:"All of them: what is not named is taken away"`
}

// PasswordChange sets a password.
type PasswordChange struct {
	UserRef
	Password string `json:"password,omitzero" max:"1024" doc:"Absent: one is made, and answered"`
}

// Password is what is told once.
type Password struct {
	Password string `json:"password,omitzero" doc:"The password that was made; it is not told again"`
}

// FactorRef names a kind of second factor of one person.
type FactorRef struct {
	UserRef
	Factor string `path:"factor" json:"-" enum:"totp,recovery_codes,passkey,browsers,all" doc:"Which kind; browsers are those at which no second factor is asked for"`
}

// Invitation is a link to create one account with. What opens it is told once.
type Invitation struct {
	ID            string    `json:"id"`
	Email         string    `json:"email" doc:"The account's address; empty when it was not given"`
	Roles         []string  `json:"roles" doc:"What the account gets"`
	CreatedBy     string    `json:"created_by" doc:"operator, or person or client with their id"`
	CreatedByName string    `json:"created_by_name,omitzero" doc:"The user name of the person who made it, while there is one"`
	CreatedAt     time.Time `json:"created_at"`
	ExpiresAt     time.Time `json:"expires_at"`
}

// NewInvitation is one to make.
type NewInvitation struct {
	Email string   `json:"email,omitzero" max:"320" doc:"To whom it goes: the account's address, not verified by it"`
	Roles []string `json:"roles,omitempty" max:"32"`
}

// InvitationRef names one invitation.
type InvitationRef struct {
	ID string `path:"invitation" json:"-" doc:"id of the invitation"`
}

// Link works once, until then.
type Link struct {
	URL       string    `json:"url" format:"uri" doc:"It is not told again: hand it to the person"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Role is a name for scopes.
type Role struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Scopes      []string `json:"scopes" doc:"* at an end stands for anything, but for the scopes of this API"`
	Everyone    bool     `json:"everyone" doc:"Everybody has it"`
	Factor      bool     `json:"second_factor" doc:"Who has it needs a second factor"`
}

// HolderQuery chooses among those who were given a role.
type HolderQuery struct {
	Paging
	Role string `path:"role" json:"-" doc:"Name of the role"`
	Kind string `query:"kind" json:"-" enum:"user,client" doc:"user when absent"`
}

// Holder is somebody who was given a role.
type Holder struct {
	Kind   string    `json:"kind" enum:"user,client"`
	ID     string    `json:"id"`
	Name   string    `json:"name"`
	Source string    `json:"source" doc:"assigned, or the name of the provider whose claims give it"`
	Since  time.Time `json:"since"`
}

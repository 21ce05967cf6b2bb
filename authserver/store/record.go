// Package store keeps what the authorization server must remember: clients,
// people, consents, grants, and the hashes of everything it handed out. No
// secret is stored in a form that works: passwords, client secrets, codes,
// refresh tokens and session ids are hashes, signing keys and successor
// tokens are sealed by the caller.
package store

import (
	"errors"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/postern-mcp/postern/authserver/clientdoc"
)

// The errors callers act on. Any other is a failure of the database.
var (
	ErrNotFound = errors.New("not in the store")
	ErrExists   = errors.New("already in the store")
	ErrSpent    = errors.New("already used")
	ErrFull     = errors.New("as many as there may be")
	ErrChanged  = errors.New("changed meanwhile")
)

// Hash is the SHA-256 of a secret this server made up.
type Hash [32]byte

// Client is a registered OAuth client (RFC 7591 §2).
type Client struct {
	ID          string    `json:"-"`
	SecretHash  []byte    `json:"-"` // SHA-256, nil for a public client
	Dynamic     bool      `json:"-"` // registered by itself, not by an operator
	Version     string    `json:"-"` // of what it says, as the store has it
	Network     string    `json:"-"` // it registered itself from; only written
	Fresh       bool      `json:"-"` // it registered itself, and nobody came with it yet; only read
	Name        string    `json:"name"`
	URI         string    `json:"uri,omitzero"`
	AuthMethod  string    `json:"auth_method"` // as registered
	Type        string    `json:"type,omitzero"`
	Redirects   []string  `json:"redirects,omitempty"`
	AfterLogout []string  `json:"after_logout,omitempty"` // post_logout_redirect_uris
	Grants      []string  `json:"grants,omitempty"`
	Scope       []string  `json:"scope,omitempty"`
	Bounded     bool      `json:"bounded,omitzero"`    // Scope is all it may ever have, not just its default
	Resources   []string  `json:"resources,omitempty"` // of a resource server: tokens it may introspect
	DPoPBound   bool      `json:"dpop_bound,omitzero"` // dpop_bound_access_tokens
	CreatedAt   time.Time `json:"-"`

	Keys               jsontext.Value            `json:"jwks,omitzero"` // a JWK Set, or it is at KeysURI
	KeysURI            string                    `json:"jwks_uri,omitzero"`
	AssertionAlgorithm string                    `json:"assertion_algorithm,omitzero"` // the only one it signs assertions with
	Certificate        clientdoc.CertificateName `json:"certificate,omitzero"`         // what its certificate says
	CertificateBound   bool                      `json:"certificate_bound,omitzero"`   // tls_client_certificate_bound_access_tokens
	PushedOnly         bool                      `json:"pushed_only,omitzero"`         // require_pushed_authorization_requests
	SecretBefore       []byte                    `json:"secret_before,omitzero"`       // SHA-256 of the secret that was rotated
	SecretBeforeUntil  int64                     `json:"secret_before_until,omitzero"` // milliseconds; it is good until then
	ManagementHash     []byte                    `json:"management_hash,omitzero"`     // SHA-256 of its registration access token
}

// User is a person who can sign in.
type User struct {
	ID            string
	Name          string // they sign in with
	PasswordHash  string // PHC string; "" when no password lets them in
	FullName      string
	Email         string
	EmailVerified bool
	CreatedAt     time.Time
	PasswordAt    time.Time // when the password was last changed; zero: never
	DisabledAt    time.Time // zero while they may sign in
	Era           int64     // what was proved in an earlier one lets nobody in
}

// Session is one browser in which a user signed in.
type Session struct {
	Hash      Hash
	UserID    string
	UserName  string
	Methods   []string // how they proved who they are (RFC 8176)
	AuthTime  time.Time
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time
	Address   string // where they signed in from
	Agent     string // with what browser, as that says
	Era       int64  // the person's, when it was read or begun
}

// Consent is what a user allowed a client at one redirect host for one resource.
type Consent struct {
	UserID       string
	ClientID     string
	RedirectHost string
	Resource     string
	Scope        []string
}

// Grant is one approval: the family of every token that comes from it.
type Grant struct {
	ID        string
	ClientID  string
	UserID    string
	Resource  string
	Scope     []string
	Details   string   // authorization details, or ""
	Era       int64    // of the session it is allowed in; Grant does not say it
	Methods   []string // how the person proved who they are (RFC 8176)
	AuthTime  time.Time
	CreatedAt time.Time
	ExpiresAt time.Time // after the last token of the family
	Revoked   bool
}

// Code is an authorization code of a grant.
type Code struct {
	Hash        Hash
	GrantID     string
	RedirectURI string
	Challenge   string // PKCE, S256
	Thumbprint  string // dpop_jkt, or ""
	Nonce       string // of an OpenID request, or ""
	ExpiresAt   time.Time
}

// RefreshToken is one refresh token of a grant.
type RefreshToken struct {
	Hash       Hash
	GrantID    string
	Thumbprint string // key it is bound to, or ""
	ExpiresAt  time.Time
	UsedAt     time.Time // zero until it is rotated
	Successor  []byte    // the next token, sealed, once rotated
}

// AccessToken is an access token that was given out. Which one, not the token.
type AccessToken struct {
	Place     uint64 // given by the store, never twice: its index in the status lists
	ID        string // jti
	GrantID   string // "" for a machine's own
	ClientID  string
	Subject   string
	ExpiresAt time.Time // when nobody accepts it any more
	Revoked   bool
}

// Revocation is one access token that was revoked.
type Revocation struct {
	Number    uint64 // later ones have higher numbers
	TokenID   string // jti
	ExpiresAt time.Time
}

// Approval is a decided authorization request, written as one.
type Approval struct {
	Request      Hash // of the pending request, which this spends
	RequestUntil time.Time
	Version      string // of a client that is stored, as the person saw it; else ""
	Remembered   bool   // nobody was asked: the consent must be there
	Consent      Consent
	Grant        Grant
	Code         Code
}

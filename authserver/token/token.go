// Package token signs and verifies JWT access tokens (RFC 9068), side by side.
// It is pure: keys and the time are arguments, nothing is fetched.
package token

import (
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
)

// Reason is why a token was refused: a closed set, safe for metrics and audit.
type Reason string

const (
	Malformed    Reason = "token_malformed"
	WrongType    Reason = "token_type"
	UnknownKey   Reason = "token_unknown_key"
	BadSignature Reason = "token_signature"
	WrongIssuer  Reason = "token_issuer"
	WrongTarget  Reason = "token_audience"
	Expired      Reason = "token_expired"
	NotYetValid  Reason = "token_not_yet_valid"
	MissingClaim Reason = "token_missing_claim"
	BadBinding   Reason = "token_binding" // cnf present without a member this project can check (D16)
)

// Error is a refusal. Cause is for the log only.
type Error struct {
	Reason Reason
	Cause  error
}

func (e *Error) Error() string { panic("unwritten") }
func (e *Error) Unwrap() error { return e.Cause }

// Claims are what an issuer states. Scope is in order and without repeats.
type Claims struct {
	Issuer     string
	Subject    string
	Audience   []string
	ClientID   string   // "" when a foreign issuer sends none (client_id, else azp, is read)
	ID         string   // jti
	Scope      []string // scope as a string or an array, else scp in either form
	IssuedAt   time.Time
	NotBefore  time.Time
	Expiry     time.Time
	AuthTime   time.Time
	ACR        string
	AMR        []string
	Thumbprint string // cnf.jkt, "" when the token is not bound to a proof key
}

// Profile says how strict an issuer's tokens are (PROTOCOL-independent names).
type Profile string

const (
	RFC9068 Profile = "rfc9068" // typ at+jwt (or application/at+jwt) required
	JWT     Profile = "jwt"     // typ absent, JWT or at+jwt
)

// Rules are what a resource demands of a token. Build them with NewRules.
type Rules struct{ _ int }

// NewRules: issuer and at least one audience are required and compared as
// strings; leeway (0…5 min) applies to exp and nbf.
func NewRules(issuer string, audiences []string, profile Profile, leeway time.Duration) (Rules, error) {
	panic("unwritten")
}

// Unverified is a token taken apart. Nothing in it is proven.
type Unverified struct{ _ int }

// Parse bounds (16 KiB) and decodes strictly. Any error is an *Error.
func Parse(raw string) (Unverified, error) { panic("unwritten") }

// Issuer is the claimed iss: good for choosing which keys to try, for nothing else.
func (u Unverified) Issuer() string { panic("unwritten") }

// Access is a verified access token: only Verify makes one.
type Access struct{ _ int }

// Claims of the verified token.
func (a Access) Claims() Claims { panic("unwritten") }

// Verify checks in this order: type, signature, issuer, audience, times,
// required claims (RFC 9068 §4). It does not check revocation, scope or proof.
func (u Unverified) Verify(now time.Time, rules Rules, keys jose.KeySet) (Access, error) {
	panic("unwritten")
}

// Sign makes an at+jwt with every claim RFC 9068 §2.2 requires; a missing one is an error.
func Sign(key jose.PrivateKey, c Claims) (string, error) { panic("unwritten") }

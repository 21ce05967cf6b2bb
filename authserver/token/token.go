// Package token signs and verifies JWT access tokens (RFC 9068), side by side,
// and holds what issuers answer about opaque ones (RFC 7662) to the same rules.
// It is pure: keys and the time are arguments, nothing is fetched.
//
// An accepted token has a known type, a signature by one of the given keys,
// the issuer and an audience the rules name, and is within its time. What it
// does not check: revocation, scope, possession of the key it is bound to,
// and whether iat lies in the future.
package token

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
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
	BadBinding   Reason = "token_binding"  // cnf present without a member this project can check (D16)
	Inactive     Reason = "token_inactive" // the issuer says so (RFC 7662 §2.2)
	BadStatus    Reason = "token_status"   // status present without a status list this project can ask
)

// Error is a refusal. Cause is for the log only.
type Error struct {
	Reason Reason
	Cause  error
}

func (e *Error) Error() string {
	if e.Cause == nil {
		return string(e.Reason)
	}
	return string(e.Reason) + ": " + e.Cause.Error()
}

func (e *Error) Unwrap() error { return e.Cause }

func refuse(reason Reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Cause: fmt.Errorf(format, args...)}
}

// Claims are what an issuer states. Scope is in order and without repeats.
type Claims struct {
	Issuer      string
	Subject     string
	Audience    []string
	ClientID    string   // "" when a foreign issuer sends none (client_id, else azp, is read)
	ID          string   // jti
	Scope       []string // scope as a string or an array, else scp in either form
	IssuedAt    time.Time
	NotBefore   time.Time
	Expiry      time.Time
	AuthTime    time.Time
	ACR         string
	AMR         []string
	Thumbprint  string         // cnf.jkt, "" when the token is not bound to a proof key
	Certificate string         // cnf.x5t#S256, "" when the token is not bound to a client certificate
	Details     jsontext.Value // authorization_details (RFC 9396 §9.1), nil for none; passed on, not understood
	Status      Status         // where to ask whether it was revoked; zero when the token names no list
}

// Status is the place of a token in its issuer's status list: the claim
// status.status_list (draft-ietf-oauth-status-list §6.2).
type Status struct {
	URI   string
	Index uint64
}

// Package dpop makes and verifies DPoP proofs (RFC 9449), side by side, and
// the stateless nonces servers hand out for them. It is pure: time, keys and
// targets are arguments. What it does not check: replay (see package replay),
// the nonce (see Nonces), and whether the token is bound to the proof's key
// (Proof.Thumbprint).
package dpop

import (
	"fmt"

	"github.com/postern-mcp/postern/authserver/jose"
)

// Reason is why a proof was refused: a closed set, safe for metrics and audit.
type Reason string

const (
	Missing       Reason = "proof_missing"
	Several       Reason = "proof_several" // two headers, or one with a comma (D1)
	Malformed     Reason = "proof_malformed"
	WrongType     Reason = "proof_type"
	BadAlgorithm  Reason = "proof_algorithm"
	BadKey        Reason = "proof_key"
	BadSignature  Reason = "proof_signature"
	WrongMethod   Reason = "proof_method"
	WrongTarget   Reason = "proof_target"
	WrongToken    Reason = "proof_token_hash"
	TooOld        Reason = "proof_too_old"
	InFuture      Reason = "proof_in_future"
	MissingClaim  Reason = "proof_missing_claim"
	NonceRequired Reason = "proof_nonce_required"
	NonceInvalid  Reason = "proof_nonce_invalid"
	Replayed      Reason = "proof_replayed"
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

// Algorithms are those accepted in proofs, for metadata and challenges, the
// preferred one first. RS256 is not among them: no profile asks for it.
func Algorithms() []string {
	return []string{string(jose.ES256), string(jose.EdDSA), string(jose.PS256), string(jose.ES384)}
}

func accepts(alg jose.Algorithm) bool {
	switch alg {
	case jose.ES256, jose.EdDSA, jose.PS256, jose.ES384:
		return true
	}
	return false
}

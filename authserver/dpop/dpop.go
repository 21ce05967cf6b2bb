// Package dpop makes and verifies DPoP proofs (RFC 9449), side by side, and
// the stateless nonces servers hand out for them. It is pure: time, keys and
// targets are arguments. What it does not check: replay (see package replay)
// and whether the token is bound to the proof's key (Proof.Thumbprint).
package dpop

import (
	"time"

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
)

// Error is a refusal. Cause is for the log only.
type Error struct {
	Reason Reason
	Cause  error
}

func (e *Error) Error() string { panic("unwritten") }
func (e *Error) Unwrap() error { return e.Cause }

// Algorithms are those accepted in proofs, for metadata and challenges.
func Algorithms() []string { panic("unwritten") }

// Target is a request URI in the normal form of RFC 3986 §6.2.2–6.2.3 without
// query and fragment. Targets compare with ==.
type Target struct{ uri string }

// ParseTarget normalises an absolute http(s) URI; userinfo is refused.
func ParseTarget(uri string) (Target, error) { panic("unwritten") }

func (t Target) String() string { return t.uri }

// Window is how far a proof's iat may lie from now, both in whole seconds > 0.
type Window struct{ Past, Future time.Duration }

// Want is what a request demands of its proof. Build it with AtResource or AtEndpoint.
type Want struct{ _ int }

// AtResource: the proof must carry ath for this access token (§7).
func AtResource(method string, target Target, accessToken string, w Window) Want { panic("unwritten") }

// AtEndpoint: a proof at the authorization server, without a token (§5). An
// ath that is present is ignored.
func AtEndpoint(method string, target Target, w Window) Want { panic("unwritten") }

// Proof is a verified proof: only Verify makes one.
type Proof struct{ _ int }

// Verify checks the DPoP header fields of one request (all values of the
// header) in the order of §4.3. The nonce is not checked: see Nonces.
func Verify(now time.Time, headers []string, want Want) (Proof, error) { panic("unwritten") }

// Thumbprint of the key that signed (RFC 7638), for comparison with cnf.jkt.
func (p Proof) Thumbprint() string { panic("unwritten") }

// Nonce as sent, or "".
func (p Proof) Nonce() string { panic("unwritten") }

// IssuedAt is the proof's iat.
func (p Proof) IssuedAt() time.Time { panic("unwritten") }

// ReplayKey identifies the proof for replay memory: SHA-256 over key, target and jti (D19).
func (p Proof) ReplayKey() [32]byte { panic("unwritten") }

// Make signs a proof. accessToken "" leaves ath out, nonce "" leaves nonce out.
func Make(key jose.PrivateKey, now time.Time, method string, target Target, accessToken, nonce string) (string, error) {
	panic("unwritten")
}

// Nonces seals the time into nonces (AES-256-GCM), so that no server keeps
// any. Nonces of another secret or label are refused.
type Nonces struct{ _ int }

// NewNonces derives its key from secret (≥32 bytes) and label by HKDF; life is how long a nonce is good.
func NewNonces(secret []byte, label string, life time.Duration) (*Nonces, error) {
	panic("unwritten")
}

// Issue makes a nonce (NQCHAR only). The same one may be handed out to many for a while.
func (n *Nonces) Issue(now time.Time) string { panic("unwritten") }

// Check returns *Error NonceRequired for "" and NonceInvalid for a foreign, forged or expired one.
func (n *Nonces) Check(now time.Time, nonce string) error { panic("unwritten") }

// Package jose reads JSON Web Keys and makes and checks compact JSON Web
// Signatures. It is the only package that knows the JOSE library underneath.
package jose

import "time"

// Algorithm is a registered asymmetric JWS algorithm (RFC 7518 §3.1, RFC 8037).
type Algorithm string

// The algorithms this project verifies. "none" and the HMAC family have no
// name here, so no input can select them.
const (
	ES256 Algorithm = "ES256"
	ES384 Algorithm = "ES384"
	PS256 Algorithm = "PS256"
	RS256 Algorithm = "RS256"
	EdDSA Algorithm = "EdDSA"
)

// PublicKey is a well-formed asymmetric public key. The zero value verifies nothing.
type PublicKey struct{ _ int }

// ParsePublicKey reads one public JWK (RFC 7517). It refuses private members,
// symmetric keys, duplicate members, points off the curve, RSA moduli outside
// 2048…8192 bits and documents over 8 KiB.
func ParsePublicKey(jwk []byte) (PublicKey, error) { panic("unwritten") }

// Thumbprint is the base64url SHA-256 JWK thumbprint (RFC 7638).
func (k PublicKey) Thumbprint() string { panic("unwritten") }

// ID is the key's kid, or "".
func (k PublicKey) ID() string { panic("unwritten") }

// JWK is the public key as one JSON object with kty, its parameters and, when
// known, kid, alg and use.
func (k PublicKey) JWK() []byte { panic("unwritten") }

// KeySet is an immutable set of public keys. The zero value is empty.
type KeySet struct{ _ int }

// NewKeySet gathers keys.
func NewKeySet(keys ...PublicKey) KeySet { panic("unwritten") }

// ParseKeySet reads a JWK Set (RFC 7517 §5). Keys it cannot use (symmetric,
// unknown type, use=enc) are passed over; a set with no usable key is an error.
func ParseKeySet(doc []byte) (KeySet, error) { panic("unwritten") }

// Len is the number of usable keys.
func (s KeySet) Len() int { panic("unwritten") }

// Has says whether a key with this kid is in the set.
func (s KeySet) Has(kid string) bool { panic("unwritten") }

// MarshalJSON writes {"keys":[…]}, public parts only.
func (s KeySet) MarshalJSON() ([]byte, error) { panic("unwritten") }

// PrivateKey signs. It has no String or JSON form that shows the secret.
type PrivateKey struct{ _ int }

// GenerateKey makes a key for alg with its thumbprint as kid.
func GenerateKey(alg Algorithm) (PrivateKey, error) { panic("unwritten") }

// ParsePrivateKey reads one private JWK; the alg member fixes the algorithm.
func ParsePrivateKey(jwk []byte) (PrivateKey, error) { panic("unwritten") }

// SecretJWK is the private JWK, for storage under a seal.
func (k PrivateKey) SecretJWK() []byte { panic("unwritten") }

// Public is the public half.
func (k PrivateKey) Public() PublicKey { panic("unwritten") }

// Sign makes a compact JWS over payload with header {alg, typ, kid}.
func (k PrivateKey) Sign(typ string, payload []byte) (string, error) { panic("unwritten") }

// SignWithKey is Sign with the public JWK in the header instead of a kid (RFC 9449 §4.2).
func (k PrivateKey) SignWithKey(typ string, payload []byte) (string, error) { panic("unwritten") }

// Unverified is a compact JWS taken apart and not yet checked by any key.
type Unverified struct {
	Algorithm string // as claimed; compared with the key's, never obeyed
	Type      string // typ, as sent
	KeyID     string // kid, or ""
	JWK       []byte // embedded public key as sent, or nil
	Payload   []byte // decoded, unverified
	_         int
}

// Parse takes a compact JWS of at most limit bytes apart. The header must be
// one strict JSON object; crit is refused (nothing critical is understood),
// as are b64, and signatures or payloads in non-canonical base64url.
func Parse(compact string, limit int) (Unverified, error) { panic("unwritten") }

// VerifyWith checks the signature with one key. The key fixes the algorithm:
// a header that names another is refused before any cryptography.
func (u Unverified) VerifyWith(k PublicKey) error { panic("unwritten") }

// VerifyIn checks the signature with the key of that kid, or, when the header
// has no kid, with every key of the right type. ErrUnknownKey says that no
// key of the set is a candidate, so a refresh may help.
func (u Unverified) VerifyIn(s KeySet) error { panic("unwritten") }

// A NumericDate is seconds since the epoch (RFC 7519 §2). Only whole or
// fractional numbers from 0 to 253402300799 decode; anything else is an error.
type NumericDate struct{ time.Time }

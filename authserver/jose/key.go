package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxKeyLength = 8 << 10 // of a public JWK, in bytes
	minRSABits   = 2048
	maxRSABits   = 8192
)

// PublicKey is a well-formed asymmetric public key. The zero value verifies nothing.
type PublicKey struct {
	material   any       // *ecdsa.PublicKey, *rsa.PublicKey or ed25519.PublicKey
	alg        Algorithm // "" for an RSA key whose JWK names none
	kid        string
	required   string // the members RFC 7638 §3.2 hashes, in its order, as one object
	thumbprint string
}

// members of a JWK that mean something here (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).
type members struct {
	Type       Text   `json:"kty"`
	Curve      Text   `json:"crv"`
	X          Text   `json:"x"`
	Y          Text   `json:"y"`
	Modulus    Text   `json:"n"`
	Exponent   Text   `json:"e"`
	KeyID      Text   `json:"kid"`
	Algorithm  Text   `json:"alg"`
	Use        Text   `json:"use"`
	Operations []Text `json:"key_ops"`

	D         present `json:"d"`
	P         present `json:"p"`
	Q         present `json:"q"`
	DP        present `json:"dp"`
	DQ        present `json:"dq"`
	QI        present `json:"qi"`
	Others    present `json:"oth"`
	Symmetric present `json:"k"`
}

func (m *members) private() bool {
	return bool(m.D || m.P || m.Q || m.DP || m.DQ || m.QI || m.Others || m.Symmetric)
}

// ParsePublicKey reads one public JWK (RFC 7517). It refuses private members,
// symmetric keys, duplicate members, points off the curve, RSA moduli outside
// 2048…8192 bits, RSA exponents over 17 bits, keys not meant for signatures and documents over 8 KiB.
// Every error is an ErrKey.
func ParsePublicKey(jwk []byte) (PublicKey, error) {
	if len(jwk) > maxKeyLength {
		return PublicKey{}, fmt.Errorf("%w: over %d bytes", ErrKey, maxKeyLength)
	}
	var m members
	if err := decodeObject(jwk, &m); err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if m.private() {
		return PublicKey{}, fmt.Errorf("%w: private or symmetric member", ErrKey)
	}
	return m.public()
}

// public builds the key from its public members alone.
func (m *members) public() (PublicKey, error) {
	if m.Use != "" && m.Use != "sig" {
		return PublicKey{}, fmt.Errorf("%w: use %q", ErrKey, m.Use)
	}
	if m.Operations != nil && !slices.Contains(m.Operations, "verify") && !slices.Contains(m.Operations, "sign") {
		return PublicKey{}, fmt.Errorf("%w: key_ops without verify", ErrKey)
	}
	k, err := m.material()
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	stated := Named(string(m.Algorithm))
	if stated != "" && !k.permits(stated) {
		return PublicKey{}, fmt.Errorf("%w: alg %q on this type of key", ErrKey, m.Algorithm)
	}
	if stated != "" {
		k.alg = stated
	}
	k.kid = string(m.KeyID)
	digest := sha256.Sum256([]byte(k.required))
	k.thumbprint = strictBase64.EncodeToString(digest[:])
	return k, nil
}

func (m *members) material() (PublicKey, error) {
	switch {
	case m.Type == "EC" && m.Curve == "P-256":
		return m.elliptic(elliptic.P256(), 32, ES256)
	case m.Type == "EC" && m.Curve == "P-384":
		return m.elliptic(elliptic.P384(), 48, ES384)
	case m.Type == "OKP" && m.Curve == "Ed25519":
		return m.edwards()
	case m.Type == "RSA":
		return m.rsa()
	}
	return PublicKey{}, fmt.Errorf("kty %q crv %q", m.Type, m.Curve)
}

func (m *members) elliptic(curve elliptic.Curve, size int, alg Algorithm) (PublicKey, error) {
	point := make([]byte, 1+2*size)
	point[0] = 4 // uncompressed, SEC 1 §2.3.3
	if err := decodeExactly(point[1:1+size], m.X); err != nil {
		return PublicKey{}, fmt.Errorf("x: %w", err)
	}
	if err := decodeExactly(point[1+size:], m.Y); err != nil {
		return PublicKey{}, fmt.Errorf("y: %w", err)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return PublicKey{}, err
	}
	required := `{"crv":"` + string(m.Curve) + `","kty":"EC","x":"` + string(m.X) + `","y":"` + string(m.Y) + `"}`
	return PublicKey{material: key, alg: alg, required: required}, nil
}

func (m *members) edwards() (PublicKey, error) {
	key := make(ed25519.PublicKey, ed25519.PublicKeySize)
	if err := decodeExactly(key, m.X); err != nil {
		return PublicKey{}, fmt.Errorf("x: %w", err)
	}
	required := `{"crv":"Ed25519","kty":"OKP","x":"` + string(m.X) + `"}`
	return PublicKey{material: key, alg: EdDSA, required: required}, nil
}

func (m *members) rsa() (PublicKey, error) {
	n, err := decodeInteger(m.Modulus)
	if err != nil {
		return PublicKey{}, fmt.Errorf("n: %w", err)
	}
	e, err := decodeInteger(m.Exponent)
	if err != nil {
		return PublicKey{}, fmt.Errorf("e: %w", err)
	}
	if bits := n.BitLen(); bits < minRSABits || bits > maxRSABits {
		return PublicKey{}, fmt.Errorf("RSA of %d bits", bits)
	}
	if n.Bit(0) == 0 {
		return PublicKey{}, errors.New("even RSA modulus")
	}
	// 65537 has 17 bits. A larger exponent only makes a stranger's proof dearer to check.
	if e.BitLen() > 17 || e.Bit(0) == 0 || e.Int64() < 3 {
		return PublicKey{}, errors.New("RSA exponent")
	}
	key := &rsa.PublicKey{N: n, E: int(e.Int64())}
	required := `{"e":"` + string(m.Exponent) + `","kty":"RSA","n":"` + string(m.Modulus) + `"}`
	return PublicKey{material: key, required: required}, nil
}

// decodeExactly wants the full size, leading zeros included (RFC 7518 §6.2.1.2).
func decodeExactly(into []byte, s Text) error {
	if len(s) != strictBase64.EncodedLen(len(into)) {
		return errors.New("wrong length")
	}
	_, err := appendBase64(into[:0], []byte(s))
	return err
}

// decodeInteger wants the fewest octets there are (RFC 7518 §2, Base64urlUInt).
func decodeInteger(s Text) (*big.Int, error) {
	b, err := appendBase64(nil, []byte(s))
	if err != nil {
		return nil, err
	}
	if len(b) == 0 || b[0] == 0 {
		return nil, errors.New("empty, zero or padded with zeros")
	}
	return new(big.Int).SetBytes(b), nil
}

// permits says whether a signature by this key may have been made with alg.
func (k PublicKey) permits(alg Algorithm) bool {
	if k.alg != "" {
		return alg == k.alg
	}
	_, isRSA := k.material.(*rsa.PublicKey)
	return isRSA && (alg == RS256 || alg == PS256)
}

// Thumbprint is the base64url SHA-256 JWK thumbprint (RFC 7638).
func (k PublicKey) Thumbprint() string { return k.thumbprint }

// ID is the key's kid, or "".
func (k PublicKey) ID() string { return k.kid }

// JWK is the public key as one JSON object with kty, its parameters and, when
// known, kid, alg and use; nil for the zero key.
func (k PublicKey) JWK() []byte {
	if k.required == "" {
		return nil
	}
	out := append([]byte(nil), k.required[:len(k.required)-1]...)
	if k.kid != "" {
		out = append(out, `,"kid":`...)
		out, _ = jsontext.AppendQuote(out, k.kid) // kid came out of valid JSON
	}
	if k.alg != "" {
		out = append(out, `,"alg":"`+string(k.alg)+`"`...)
	}
	return append(out, `,"use":"sig"}`...)
}

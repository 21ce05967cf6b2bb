package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

const (
	maxPrivateKeyLength = 16 << 10 // of a private JWK, in bytes
	newRSABits          = 3072
)

// PrivateKey signs. It has no String or JSON form that shows the secret.
type PrivateKey struct {
	public PublicKey
	held   *held // behind a pointer, so that printing a struct that holds the key shows an address
}

type held struct{ signer crypto.Signer }

// GenerateKey makes a key for alg with its thumbprint as kid.
func GenerateKey(alg Algorithm) (PrivateKey, error) {
	signer, err := generate(alg)
	if err != nil {
		return PrivateKey{}, err
	}
	return newPrivateKey(signer, alg, "")
}

func generate(alg Algorithm) (crypto.Signer, error) {
	switch alg {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ES384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case EdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case PS256, RS256:
		return rsa.GenerateKey(rand.Reader, newRSABits)
	}
	return nil, fmt.Errorf("%w: alg %q", ErrKey, alg)
}

// ParsePrivateKey reads one private JWK of at most 16 KiB; the alg member
// fixes the algorithm. The public members must be those of the private one.
// A key without kid gets its thumbprint.
func ParsePrivateKey(secret []byte) (PrivateKey, error) {
	if len(secret) > maxPrivateKeyLength {
		return PrivateKey{}, fmt.Errorf("%w: over %d bytes", ErrKey, maxPrivateKeyLength)
	}
	var m members
	if err := decodeObject(secret, &m); err != nil {
		return PrivateKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if m.Algorithm == "" {
		return PrivateKey{}, fmt.Errorf("%w: private key without alg", ErrKey)
	}
	if !m.D || m.Others || m.Symmetric {
		return PrivateKey{}, fmt.Errorf("%w: not an asymmetric private key", ErrKey)
	}
	stated, err := m.public()
	if err != nil {
		return PrivateKey{}, err
	}
	signer, err := parseSigner(secret)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	key, err := newPrivateKey(signer, stated.alg, stated.kid)
	if err != nil {
		return PrivateKey{}, err
	}
	if key.public.required != stated.required {
		return PrivateKey{}, fmt.Errorf("%w: public members belong to another key", ErrKey)
	}
	return key, nil
}

func parseSigner(secret []byte) (crypto.Signer, error) {
	parsed, err := jwk.ParseKey(secret)
	if err != nil {
		return nil, err
	}
	var raw any
	if err := parsed.Raw(&raw); err != nil {
		return nil, err
	}
	switch key := raw.(type) {
	case *ecdsa.PrivateKey:
		return recomputed(key)
	case ed25519.PrivateKey:
		return ed25519.NewKeyFromSeed(key.Seed()), nil
	case *rsa.PrivateKey:
		key.Precompute()
		return key, key.Validate()
	}
	return nil, errors.New("no private key")
}

// recomputed takes only the secret number from key; the point follows from it.
func recomputed(key *ecdsa.PrivateKey) (crypto.Signer, error) {
	size := (key.Curve.Params().BitSize + 7) / 8
	if key.D.BitLen() > 8*size {
		return nil, errors.New("d is too long")
	}
	return ecdsa.ParseRawPrivateKey(key.Curve, key.D.FillBytes(make([]byte, size)))
}

func newPrivateKey(signer crypto.Signer, alg Algorithm, kid string) (PrivateKey, error) {
	doc, err := marshalKey(signer.Public())
	if err != nil {
		return PrivateKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	public, err := ParsePublicKey(doc)
	if err != nil {
		return PrivateKey{}, err
	}
	if !public.permits(alg) {
		return PrivateKey{}, fmt.Errorf("%w: alg %q on this type of key", ErrKey, alg)
	}
	public.alg, public.kid = alg, kid
	if kid == "" {
		public.kid = public.thumbprint
	}
	return PrivateKey{public: public, held: &held{signer}}, nil
}

func marshalKey(raw any) ([]byte, error) {
	key, err := jwk.FromRaw(raw)
	if err != nil {
		return nil, err
	}
	return json.Marshal(key)
}

// SecretJWK is the private JWK, for storage under a seal; nil for the zero key.
func (k PrivateKey) SecretJWK() []byte {
	if k.held == nil {
		return nil
	}
	doc, err := marshalKey(k.held.signer)
	if err != nil {
		return nil // unreachable: the key came through marshalKey's inverse
	}
	doc = append(doc[:len(doc)-1], `,"alg":"`+string(k.public.alg)+`","kid":`...)
	doc, _ = jsontext.AppendQuote(doc, k.public.kid) // kid came out of valid JSON
	return append(doc, '}')
}

// Public is the public half.
func (k PrivateKey) Public() PublicKey { return k.public }

// Algorithm is what the key signs with.
func (k PrivateKey) Algorithm() Algorithm { return k.public.alg }

// Sign makes a compact JWS over payload with header {alg, typ, kid}.
func (k PrivateKey) Sign(typ string, payload []byte) (string, error) {
	kid, err := jsontext.AppendQuote(nil, k.public.kid)
	if err != nil {
		return "", err
	}
	return k.sign(typ, `"kid":`+string(kid), payload)
}

// SignWithKey is Sign with the public JWK in the header instead of a kid (RFC 9449 §4.2).
func (k PrivateKey) SignWithKey(typ string, payload []byte) (string, error) {
	return k.sign(typ, `"jwk":`+k.public.required, payload)
}

func (k PrivateKey) sign(typ, member string, payload []byte) (string, error) {
	if k.held == nil {
		return "", fmt.Errorf("%w: none given", ErrKey)
	}
	quoted, err := jsontext.AppendQuote(nil, typ)
	if err != nil {
		return "", err
	}
	signer, err := jws.NewSigner(jwa.SignatureAlgorithm(k.public.alg))
	if err != nil {
		return "", err
	}
	header := `{"alg":"` + string(k.public.alg) + `","typ":` + string(quoted) + `,` + member + `}`
	signed := strictBase64.EncodeToString([]byte(header)) + "." + strictBase64.EncodeToString(payload)
	signature, err := signer.Sign([]byte(signed), k.held.signer)
	if err != nil {
		return "", err
	}
	return signed + "." + strictBase64.EncodeToString(signature), nil
}

// String names the key without its secret.
func (k PrivateKey) String() string { return "private key " + k.public.kid }

// Format is String under every verb.
func (k PrivateKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// MarshalText is String, for encoders that would look inside.
func (k PrivateKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue is String.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

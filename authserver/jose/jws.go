package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"math/big"

	"github.com/go-json-experiment/json/jsontext"
)

// Unverified is a compact JWS taken apart and not yet checked by any key.
type Unverified struct {
	Algorithm string // as claimed, Ed25519 under its older name; compared with the key's, never obeyed
	Type      string // typ, as sent
	KeyID     string // kid, or ""
	JWK       []byte // embedded public key as sent, or nil
	Payload   []byte // decoded, unverified
	signed    []byte // header and payload as sent, with the dot between
	signature []byte
	header    header
	encoded   []byte    // the header as sent
	key       PublicKey // the embedded key, when the header was seen before
}

type header struct {
	Algorithm Text           `json:"alg"`
	Type      Text           `json:"typ"`
	KeyID     Text           `json:"kid"`
	JWK       jsontext.Value `json:"jwk"`
	Critical  present        `json:"crit"`
	Encoded   present        `json:"b64"`
}

// Parse takes a compact JWS of at most limit bytes apart. The header must be
// one strict JSON object; crit is refused (nothing critical is understood),
// as are b64, and signatures or payloads in non-canonical base64url. Every
// error is an ErrMalformed.
func Parse(compact string, limit int) (Unverified, error) {
	if len(compact) > limit {
		return Unverified{}, fmt.Errorf("%w: over %d bytes", ErrMalformed, limit)
	}
	raw := []byte(compact)
	first, last := bytes.IndexByte(raw, '.'), bytes.LastIndexByte(raw, '.')
	if first == last {
		return Unverified{}, fmt.Errorf("%w: not three parts", ErrMalformed)
	}
	known, seen := keyedHeaders.get(raw[:first])
	h := known.header
	var err error
	if !seen {
		h, err = parseHeader(raw[:first])
	}
	if err != nil {
		return Unverified{}, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	// A fourth part would be a dot in here, which is not base64url.
	payload, err := appendBase64(nil, raw[first+1:last])
	if err != nil {
		return Unverified{}, fmt.Errorf("%w: payload: %w", ErrMalformed, err)
	}
	signature, err := appendBase64(nil, raw[last+1:])
	if err != nil {
		return Unverified{}, fmt.Errorf("%w: signature: %w", ErrMalformed, err)
	}
	if len(signature) == 0 {
		return Unverified{}, fmt.Errorf("%w: no signature", ErrMalformed)
	}
	return Unverified{
		Algorithm: string(Named(string(h.Algorithm))), Type: string(h.Type), KeyID: string(h.KeyID), JWK: h.JWK,
		Payload: payload, signed: raw[:last], signature: signature,
		header: h, encoded: raw[:first], key: known.key,
	}, nil
}

// EmbeddedKey is ParsePublicKey of JWK.
func (u Unverified) EmbeddedKey() (PublicKey, error) {
	if u.key.material != nil {
		return u.key, nil
	}
	key, err := ParsePublicKey(u.JWK)
	if err != nil {
		return PublicKey{}, err
	}
	keyedHeaders.put(u.encoded, keyedHeader{header: u.header, key: key})
	return key, nil
}

func parseHeader(encoded []byte) (header, error) {
	doc, err := appendBase64(nil, encoded)
	if err != nil {
		return header{}, err
	}
	var h header
	if err := decodeObject(doc, &h); err != nil {
		return header{}, err
	}
	// RFC 7515 §4.1.1
	if h.Algorithm == "" {
		return header{}, fmt.Errorf("no alg")
	}
	// RFC 7515 §4.1.11
	if h.Critical {
		return header{}, fmt.Errorf("crit")
	}
	// RFC 7797 §6 wants it in crit; without, it is a trap for the next reader.
	if h.Encoded {
		return header{}, fmt.Errorf("b64")
	}
	return h, nil
}

// Claims decodes the payload, which must be one strict JSON object: no
// duplicate names, no trailing data, names with their exact case. Unknown
// members are passed over.
func (u Unverified) Claims(into any) error {
	if err := decodeObject(u.Payload, into); err != nil {
		return fmt.Errorf("%w: payload: %w", ErrMalformed, err)
	}
	return nil
}

// VerifyWith checks the signature with one key. The key fixes the algorithm:
// a header that names another is refused before any cryptography.
func (u Unverified) VerifyWith(k PublicKey) error {
	if k.material == nil {
		return fmt.Errorf("%w: none given", ErrKey)
	}
	if !k.permits(Algorithm(u.Algorithm)) {
		return fmt.Errorf("%w: %q", ErrAlgorithm, u.Algorithm)
	}
	if !u.verifies(k) {
		return ErrSignature
	}
	return nil
}

// VerifyIn checks the signature with the key of that kid, or, when the header
// has no kid, with every key of the right type. ErrUnknownKey says that no
// key of the set is a candidate, so a refresh may help.
func (u Unverified) VerifyIn(s KeySet) error {
	if !Algorithm(u.Algorithm).known() {
		return fmt.Errorf("%w: %q", ErrAlgorithm, u.Algorithm)
	}
	result := fmt.Errorf("%w: kid %q", ErrUnknownKey, u.KeyID)
	for _, k := range s.keys {
		if u.KeyID != "" && k.kid != u.KeyID {
			continue
		}
		if u.KeyID == "" && !k.permits(Algorithm(u.Algorithm)) {
			continue
		}
		if result = u.VerifyWith(k); result == nil {
			return nil
		}
	}
	return result
}

// verifies is called with an algorithm that the key permits.
func (u Unverified) verifies(k PublicKey) bool {
	switch key := k.material.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, u.signed, u.signature)
	case *ecdsa.PublicKey:
		return verifiesEC(key, Algorithm(u.Algorithm), u.signed, u.signature)
	case *rsa.PublicKey:
		return verifiesRSA(key, Algorithm(u.Algorithm), u.signed, u.signature)
	}
	return false // unreachable
}

func verifiesEC(key *ecdsa.PublicKey, alg Algorithm, signed, signature []byte) bool {
	var digest []byte
	if alg == ES384 {
		sum := sha512.Sum384(signed)
		digest = sum[:]
	} else {
		sum := sha256.Sum256(signed)
		digest = sum[:]
	}
	// RFC 7518 §3.4: R and S, each of the curve's size, which is the digest's here.
	if len(signature) != 2*len(digest) {
		return false
	}
	var r, s big.Int
	r.SetBytes(signature[:len(digest)])
	s.SetBytes(signature[len(digest):])
	return ecdsa.Verify(key, digest, &r, &s)
}

func verifiesRSA(key *rsa.PublicKey, alg Algorithm, signed, signature []byte) bool {
	digest := sha256.Sum256(signed)
	if alg == PS256 {
		// RFC 7518 §3.5: the salt is as long as the hash.
		salt := rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		return rsa.VerifyPSS(key, crypto.SHA256, digest[:], signature, &salt) == nil
	}
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
}

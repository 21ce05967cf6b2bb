package jose

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxSetLength = 512 << 10 // of a JWK Set, in bytes
	maxSetKeys   = 64        // every one may be tried on a token without kid
)

// KeySet is an immutable set of public keys. The zero value is empty.
type KeySet struct{ keys []PublicKey }

// NewKeySet gathers keys; zero keys are left out.
func NewKeySet(keys ...PublicKey) KeySet {
	var set KeySet
	for _, k := range keys {
		if k.material != nil {
			set.keys = append(set.keys, k)
		}
	}
	return set
}

// ParseKeySet reads a JWK Set (RFC 7517 §5) of at most 512 KiB and 64 keys.
// Keys it cannot use (symmetric, private, unknown or malformed, use=enc) are
// passed over; a set with no usable key is an error.
func ParseKeySet(doc []byte) (KeySet, error) {
	if len(doc) > maxSetLength {
		return KeySet{}, fmt.Errorf("%w: set over %d bytes", ErrKey, maxSetLength)
	}
	var raw struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := decodeObject(doc, &raw); err != nil {
		return KeySet{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if len(raw.Keys) > maxSetKeys {
		return KeySet{}, fmt.Errorf("%w: set of %d keys", ErrKey, len(raw.Keys))
	}
	var set KeySet
	for _, jwk := range raw.Keys {
		if k, err := ParsePublicKey(jwk); err == nil {
			set.keys = append(set.keys, k)
		}
	}
	if len(set.keys) == 0 {
		return KeySet{}, fmt.Errorf("%w: no usable key in the set", ErrKey)
	}
	return set, nil
}

// Len is the number of usable keys.
func (s KeySet) Len() int { return len(s.keys) }

// Has says whether a key with this kid is in the set.
func (s KeySet) Has(kid string) bool {
	for _, k := range s.keys {
		if kid != "" && k.kid == kid {
			return true
		}
	}
	return false
}

// MarshalJSON writes {"keys":[…]}, public parts only.
func (s KeySet) MarshalJSON() ([]byte, error) {
	out := []byte(`{"keys":[`)
	for i, k := range s.keys {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, k.JWK()...)
	}
	return append(out, "]}"...), nil
}

package jose

import (
	"crypto"
	"fmt"
)

// Algorithms are those this project verifies, strong ones first.
func Algorithms() []Algorithm { return []Algorithm{ES256, EdDSA, PS256, ES384, RS256} }

// ImportPublic takes a public key that came in another form, such as that of a
// certificate, under the bounds of ParsePublicKey. Every error is an ErrKey.
func ImportPublic(raw crypto.PublicKey) (PublicKey, error) {
	doc, err := marshalKey(raw)
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return ParsePublicKey(doc)
}

// Holds says whether a key is in the set, whatever the two are called.
func (s KeySet) Holds(k PublicKey) bool {
	for _, known := range s.keys {
		if k.thumbprint != "" && known.thumbprint == k.thumbprint {
			return true
		}
	}
	return false
}

package jose

import (
	"crypto"
	"errors"
	"fmt"
)

// Algorithms are those this project verifies, strong ones first.
func Algorithms() []Algorithm { return []Algorithm{ES256, EdDSA, PS256, ES384, RS256} }

// Named is an algorithm by a name others use. RFC 9864 §2.2: Ed25519 is what
// EdDSA with an Ed25519 key was before, and here there is no other EdDSA.
func Named(name string) Algorithm {
	if name == "Ed25519" {
		return EdDSA
	}
	return Algorithm(name)
}

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

// VerifyInOwn is VerifyIn for a set that its owner may have written by hand: a
// kid that no key has may be that of any key without one.
func (u Unverified) VerifyInOwn(s KeySet) error {
	result := u.VerifyIn(s)
	if !errors.Is(result, ErrUnknownKey) {
		return result
	}
	for _, k := range s.keys {
		if k.kid != "" || !k.permits(Algorithm(u.Algorithm)) {
			continue
		}
		if result = u.VerifyWith(k); result == nil {
			return nil
		}
	}
	return result
}

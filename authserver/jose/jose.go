// Package jose reads JSON Web Keys and makes and checks compact JSON Web
// Signatures. It is the only package that knows the JOSE library underneath.
//
// Its laws: a document is bounded before it is looked at; everything is
// decoded strictly, so that one text has one meaning; the key fixes the
// algorithm; an error comes with a zero value.
package jose

import "errors"

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

func (a Algorithm) known() bool {
	switch a {
	case ES256, ES384, PS256, RS256, EdDSA:
		return true
	}
	return false
}

// Every error of this package is one of these, wrapped with its cause.
var (
	ErrMalformed  = errors.New("malformed JWS")
	ErrKey        = errors.New("unusable JWK")
	ErrAlgorithm  = errors.New("algorithm is not the key's")
	ErrSignature  = errors.New("signature does not verify")
	ErrUnknownKey = errors.New("no key of the set is a candidate")
)

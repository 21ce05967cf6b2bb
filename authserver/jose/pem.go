package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// ParsePEM reads one private key from the first block of a PEM text of at most
// 16 KiB (PKCS #8, SEC 1 or PKCS #1, not encrypted). The kind of key fixes the
// algorithm; for RSA, whose keys sign with either, it is rsaAlg (RS256 or
// PS256). kid "" takes the thumbprint. Every error is an ErrKey.
func ParsePEM(text []byte, rsaAlg Algorithm, kid string) (PrivateKey, error) {
	if len(text) > maxPrivateKeyLength {
		return PrivateKey{}, fmt.Errorf("%w: over %d bytes", ErrKey, maxPrivateKeyLength)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return PrivateKey{}, fmt.Errorf("%w: no PEM block", ErrKey)
	}
	signer, err := parseBlock(block)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return Import(signer, rsaAlg, kid)
}

func parseBlock(block *pem.Block) (crypto.Signer, error) {
	switch block.Type {
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
		return nil, fmt.Errorf("a %T does not sign", key)
	}
	return nil, fmt.Errorf("the PEM block is %q, not a private key without a passphrase", block.Type)
}

// Import takes a key that was made elsewhere, with ParsePEM's meaning of
// rsaAlg and kid. Every error is an ErrKey.
func Import(signer crypto.Signer, rsaAlg Algorithm, kid string) (PrivateKey, error) {
	switch key := signer.(type) {
	case *ecdsa.PrivateKey:
		if key.Curve.Params().BitSize == 384 {
			return newPrivateKey(key, ES384, kid)
		}
		return newPrivateKey(key, ES256, kid)
	case ed25519.PrivateKey:
		return newPrivateKey(key, EdDSA, kid)
	case *rsa.PrivateKey:
		return newPrivateKey(key, rsaAlg, kid)
	}
	return PrivateKey{}, fmt.Errorf("%w: a %T", ErrKey, signer)
}

package authserver

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/postern-mcp/postern/authserver/store"
)

var errSeal = errors.New("the seal does not open")

// A seal keeps values secret and whole (AES-256-GCM) outside this process.
// Each purpose has its own key, so that a value sealed for one never opens
// for another; the context (AAD) says which thing or whom it belongs to. What
// the previous secret sealed opens as well.
type seal struct {
	current  cipher.AEAD
	previous cipher.AEAD // nil when there is no previous secret
}

func newSeal(secret, previous []byte, purpose string) (s seal, err error) {
	if s.current, err = derive(secret, purpose); err != nil {
		return seal{}, err
	}
	if previous != nil {
		s.previous, err = derive(previous, purpose)
	}
	return s, err
}

func derive(secret []byte, purpose string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "postern authserver "+purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key for %s: %w", purpose, err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (s seal) close(plain []byte, context string) []byte {
	return s.current.Seal(nil, nil, plain, []byte(context))
}

func (s seal) open(sealed []byte, context string) ([]byte, error) {
	plain, err := s.current.Open(nil, nil, sealed, []byte(context))
	if err != nil && s.previous != nil {
		plain, err = s.previous.Open(nil, nil, sealed, []byte(context))
	}
	if err != nil {
		return nil, errSeal
	}
	return plain, nil
}

// newSecret is 256 random bits as 43 URL-safe characters, after a prefix that
// says what it is.
func newSecret(prefix string) string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

// newID is 128 random bits: a name, not a secret.
func newID(prefix string) string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

func hashOf(secret string) store.Hash { return sha256.Sum256([]byte(secret)) }

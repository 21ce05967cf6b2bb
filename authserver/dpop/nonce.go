package dpop

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	minSecretLength = 32
	// a sealed nonce: 12 bytes of randomness, 8 of time, 16 of tag, in base64url
	nonceLength = 48
)

// Nonces seals the time into nonces (AES-256-GCM), so that no server keeps
// any. Nonces of another secret or label are refused. Safe for concurrent use.
type Nonces struct {
	seal   cipher.AEAD
	life   time.Duration
	step   time.Duration // how long one nonce is handed out, and how far ahead another server's clock may be
	latest atomic.Pointer[issued]
}

type issued struct {
	at    time.Time
	born  time.Time
	nonce string
}

// NewNonces derives its key from secret (≥32 bytes) and label by HKDF; life
// (≥4 s) is how long a nonce is good. Servers that share secret and label
// accept each other's nonces; use a label of its own for every kind of server (D24).
func NewNonces(secret []byte, label string, life time.Duration) (*Nonces, error) {
	if len(secret) < minSecretLength {
		return nil, fmt.Errorf("nonce secret under %d bytes", minSecretLength)
	}
	if label == "" {
		return nil, errors.New("nonces need a label")
	}
	if life < 4*time.Second {
		return nil, errors.New("nonces need to live at least four seconds")
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "dpop nonce "+label, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Nonces{seal: seal, life: life, step: life / 4}, nil
}

// Issue makes a nonce (NQCHAR only) that is good while replay memory is the
// one born then. The same one is handed out to all for a quarter of its life,
// so a nonce is good for at least three quarters.
func (n *Nonces) Issue(now, born time.Time) string {
	last := n.latest.Load()
	if last != nil && last.born.Equal(born) && !now.Before(last.at) && now.Sub(last.at) < n.step {
		return last.nonce
	}
	sealed := n.seal.Seal(nil, nil, binary.BigEndian.AppendUint64(nil, uint64(now.UnixNano())), memoryOf(born))
	fresh := &issued{at: now, born: born, nonce: base64.RawURLEncoding.EncodeToString(sealed)}
	n.latest.Store(fresh)
	return fresh.nonce
}

// memoryOf binds a nonce to the replay memory it was made for.
func memoryOf(born time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(born.UnixNano()))
}

// Check returns *Error NonceRequired for "" and NonceInvalid for one that is
// foreign, forged, expired, or made for a replay memory other than the one born then.
func (n *Nonces) Check(now, born time.Time, nonce string) error {
	if nonce == "" {
		return refuse(NonceRequired, "no nonce")
	}
	if len(nonce) != nonceLength {
		return refuse(NonceInvalid, "nonce of %d characters", len(nonce))
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil {
		return &Error{NonceInvalid, err}
	}
	plain, err := n.seal.Open(nil, nil, sealed, memoryOf(born))
	if err != nil {
		return &Error{NonceInvalid, err}
	}
	age := now.Sub(time.Unix(0, int64(binary.BigEndian.Uint64(plain))))
	if age > n.life {
		return refuse(NonceInvalid, "nonce is %v old", age)
	}
	if age < -n.step {
		return refuse(NonceInvalid, "nonce is from %v ahead", -age)
	}
	return nil
}

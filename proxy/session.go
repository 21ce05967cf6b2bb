package proxy

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

const (
	sessionLimit = 512 // bytes of an upstream's session id
	sealedLimit  = 1024
)

// sessions seals upstream session ids for their owner: what a client holds
// opens only with the issuer, subject, client and server it was given to, so
// no replica has to remember who owns what.
type sessions struct {
	seal   cipher.AEAD
	events []byte // key of the tags on event ids
}

func newSessions(secret []byte) (*sessions, error) {
	if len(secret) < 32 {
		return nil, errors.New("proxy: Secret must be at least 32 bytes")
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "postern session", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	events, err := hkdf.Key(sha256.New, secret, nil, "postern event", 32)
	return &sessions{seal: aead, events: events}, err
}

// owner names who a session belongs to, length-prefixed so that no two
// owners share a name.
func owner(s *server, g *grant) []byte {
	h := sha256.New()
	for _, part := range []string{s.name, g.claims.Issuer, g.claims.Subject, g.claims.ClientID} {
		var length [4]byte
		length[0], length[1], length[2], length[3] = byte(len(part)>>24), byte(len(part)>>16), byte(len(part)>>8), byte(len(part))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}

// wrap gives the id a client may hold, or "" for an id no client should get.
func (s *sessions) wrap(id string, c caller) string {
	if id == "" || len(id) > sessionLimit {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(s.seal.Seal(nil, nil, []byte(id), owner(c.visit.server, c.grant)))
}

// unwrap gives the upstream's id when the caller owns it.
func (s *sessions) unwrap(sealed string, c caller) (string, bool) {
	if len(sealed) > sealedLimit {
		return "", false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil {
		return "", false
	}
	id, err := s.seal.Open(nil, nil, raw, owner(c.visit.server, c.grant))
	return string(id), err == nil
}

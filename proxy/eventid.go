package proxy

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"unicode"
)

const (
	eventLimit = 512 // bytes of an upstream's event id
	tagSize    = 16
)

// eventIDs says of the ids of one owner's events that they were given to this
// owner. An id is no secret to its owner, so a tag is enough; unlike a cipher
// with random nonces it does not wear out, however many events pass.
type eventIDs struct{ key []byte }

func (s *sessions) eventIDs(c caller) eventIDs {
	return eventIDs{key: tag(s.events, owner(c.visit.server, c.grant))}
}

func tag(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return h.Sum(nil)
}

// wrap gives the id a client may hold, or nil for an id no client should get.
func (e eventIDs) wrap(id []byte) []byte {
	if len(id) > eventLimit || bytes.ContainsFunc(id, unicode.IsControl) { // no header could bring it back
		return nil
	}
	return base64.RawURLEncoding.AppendEncode(nil, append(tag(e.key, id)[:tagSize], id...))
}

// unwrap gives the upstream's id when it was given to this owner.
func (e eventIDs) unwrap(wrapped string) (string, bool) {
	if len(wrapped) > sealedLimit {
		return "", false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(wrapped)
	if err != nil || len(raw) <= tagSize {
		return "", false
	}
	id := raw[tagSize:]
	return string(id), hmac.Equal(raw[:tagSize], tag(e.key, id)[:tagSize])
}

// lastEvent finds the upstream's id of the event after which a stream is
// resumed (MCP 2025-11-25 transports, "Resumability and Redelivery"). Streams
// are resumed by GET; elsewhere the header is ignored.
func lastEvent(r *http.Request, c caller) (string, error) {
	sent := r.Header["Last-Event-Id"]
	if len(sent) == 0 || r.Method != http.MethodGet {
		return "", nil
	}
	if len(sent) > 1 {
		return "", refused(stageDecode, reasonEvent, nil)
	}
	id, ok := c.visit.server.sessions.eventIDs(c).unwrap(sent[0])
	if !ok {
		return "", refused(stageDecode, reasonEvent, nil)
	}
	return id, nil
}

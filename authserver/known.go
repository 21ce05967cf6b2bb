package authserver

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"
)

const (
	knownCookie = "known" // who signed in at this browser before
	knownLife   = 180 * 24 * time.Hour
	knownBytes  = 16 + 8 // an id, and when it ends
)

// known is the id a browser got when this name signed in at it, "" when that
// never was. It proves nothing about who is there now: it only keeps the
// tries of strangers from using up those of the account's owner.
func (s *Server) known(r *http.Request, name string) string {
	found := r.CookiesNamed(s.site.cookie(knownCookie))
	if len(found) != 1 {
		return ""
	}
	sealed, err := base64.RawURLEncoding.DecodeString(found[0].Value)
	if err != nil {
		return ""
	}
	plain, err := s.seals.known.open(sealed, contextOf(hashOf(name)))
	if err != nil || len(plain) != knownBytes {
		return ""
	}
	if s.config.Now().Unix() >= int64(binary.BigEndian.Uint64(plain[16:])) {
		return ""
	}
	return string(plain[:16])
}

// remember makes this browser a known one of the name, or one for longer.
func (s *Server) remember(w http.ResponseWriter, r *http.Request, name string) {
	id := s.known(r, name)
	if id == "" {
		id = string(randomBytes(16))
	}
	plain := binary.BigEndian.AppendUint64([]byte(id), uint64(s.config.Now().Add(knownLife).Unix()))
	sealed := s.seals.known.close(plain, contextOf(hashOf(name)))
	s.setCookie(w, knownCookie, base64.RawURLEncoding.EncodeToString(sealed), knownLife)
}

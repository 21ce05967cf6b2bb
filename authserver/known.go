package authserver

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

const (
	knownCookie = "known" // who signed in at this browser before
	knownLife   = 180 * 24 * time.Hour
	knownBytes  = 16 + 8 + 16 // an id, when it ends, and what the person signed in with
)

// known is the id a browser got when this name signed in at it, "" when that
// never was, or when the person has another password or other factors by now.
// It proves nothing about who is there now: it only keeps the tries of
// strangers from using up those of the account's owner.
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
	user, err := s.store.User(r.Context(), name)
	if err != nil {
		return ""
	}
	means, err := s.meansOf(r.Context(), user)
	if err != nil || subtle.ConstantTimeCompare(means, plain[24:]) == 0 {
		return ""
	}
	return string(plain[:16])
}

// remember makes this browser a known one of a person, or one for longer.
func (s *Server) remember(w http.ResponseWriter, r *http.Request, user store.User) error {
	id := s.known(r, user.Name)
	if id == "" {
		id = string(randomBytes(16))
	}
	means, err := s.meansOf(r.Context(), user)
	if err != nil {
		return err
	}
	plain := binary.BigEndian.AppendUint64([]byte(id), uint64(s.config.Now().Add(knownLife).Unix()))
	sealed := s.seals.known.close(append(plain, means...), contextOf(hashOf(user.Name)))
	s.setCookie(w, knownCookie, base64.RawURLEncoding.EncodeToString(sealed), knownLife)
	return nil
}

// rememberAs is remember for whoever changed what they sign in with.
func (s *Server) rememberAs(w http.ResponseWriter, r *http.Request, userID string) error {
	user, err := s.store.UserByID(r.Context(), userID)
	if err != nil {
		return err
	}
	return s.remember(w, r, user)
}

// meansOf is another one as soon as the person, their password or their
// factors are others.
func (s *Server) meansOf(ctx context.Context, user store.User) ([]byte, error) {
	f, err := s.factorsOf(ctx, user.ID)
	if err != nil {
		return nil, err
	}
	all := user.ID + "\x00" + user.PasswordHash + "\x00" + f.since.UTC().Format(time.RFC3339Nano)
	for _, k := range f.passkeys {
		all += "\x00" + string(k.ID) + k.ClonedAt.UTC().Format(time.RFC3339Nano)
	}
	h := hashOf(all)
	return h[:16], nil
}

// familiarTry takes a try from a known browser, and from all known ones of its
// account: whoever made many of them known has no more tries for it.
func familiarTry(of, all *limiter, browser, account string) (giveBack func(), err error) {
	one, err := of.try(browser)
	if err != nil {
		return nil, err
	}
	together, err := all.try(account)
	if err != nil {
		one()
		return nil, err
	}
	return func() { one(); together() }, nil
}

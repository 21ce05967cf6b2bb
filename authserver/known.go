package authserver

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

const (
	knownCookie = "known" // who signed in at this browser before
	knownLife   = 180 * 24 * time.Hour
	tryBytes    = 8                        // names a bucket of tries
	knownBytes  = 16 + 8 + 2*tryBytes + 16 // an id, when it ends, two buckets, and what the person signed in with
)

// familiar is a browser at which somebody signed in before. It proves nothing
// about who is there now: it only keeps the tries of strangers from using up
// those of the account's owner. What was right here once has tries of its own
// here, in a bucket that is another one each time it is right again: nobody
// empties it who has only the password, another browser, or an old copy of the
// cookie. "" is where a browser has none of its own.
type familiar struct {
	id       string
	password string // tries of passwords
	factor   string // tries of second factors
}

// known is what a browser got when this name signed in at it, zero when that
// never was, or when what the person proved was ended, or they have another
// password or other factors by now.
func (s *Server) known(r *http.Request, name string) familiar {
	found := r.CookiesNamed(s.site.cookie(knownCookie))
	if len(found) != 1 {
		return familiar{}
	}
	sealed, err := base64.RawURLEncoding.DecodeString(found[0].Value)
	if err != nil {
		return familiar{}
	}
	plain, err := s.seals.known.open(sealed, knownTo(name))
	if err != nil || len(plain) != knownBytes {
		return familiar{}
	}
	id, rest := plain[:16], plain[16:]
	if s.config.Now().Unix() >= int64(binary.BigEndian.Uint64(rest)) {
		return familiar{}
	}
	user, err := s.store.User(r.Context(), name)
	if err != nil {
		return familiar{}
	}
	means, err := s.meansOf(r.Context(), user)
	if err != nil || subtle.ConstantTimeCompare(means, rest[8+2*tryBytes:]) == 0 {
		return familiar{}
	}
	return familiar{id: string(id), password: bucketOf(rest[8:]), factor: bucketOf(rest[8+tryBytes:])}
}

func knownTo(name string) string { return contextOf(hashOf(store.Folded(name))) }

// bucketOf reads the name of a bucket, "" of none.
func bucketOf(raw []byte) string {
	if binary.BigEndian.Uint64(raw) == 0 {
		return ""
	}
	return string(raw[:tryBytes])
}

// remember makes this browser a known one of a person, or one for longer, with
// tries of its own for what they have just proved.
func (s *Server) remember(w http.ResponseWriter, r *http.Request, user store.User, methods []string) error {
	k := s.known(r, user.Name)
	if k.id == "" {
		k.id = string(randomBytes(16))
	}
	if slices.Contains(methods, amrPassword) {
		k.password = string(randomBytes(tryBytes))
	}
	if levelOf(methods).meets(levelMulti) {
		k.factor = string(randomBytes(tryBytes))
	}
	means, err := s.meansOf(r.Context(), user)
	if err != nil {
		return err
	}
	plain := binary.BigEndian.AppendUint64([]byte(k.id), uint64(s.config.Now().Add(knownLife).Unix()))
	for _, bucket := range []string{k.password, k.factor} {
		plain = append(plain, (bucket + string(make([]byte, tryBytes)))[:tryBytes]...)
	}
	sealed := s.seals.known.close(append(plain, means...), knownTo(user.Name))
	s.setCookie(w, knownCookie, base64.RawURLEncoding.EncodeToString(sealed), knownLife)
	return nil
}

// rememberAs is remember for whoever changed what they sign in with, or ended
// what they had proved elsewhere.
func (s *Server) rememberAs(w http.ResponseWriter, r *http.Request, v store.Session) error {
	user, err := s.store.UserByID(r.Context(), v.UserID)
	if err != nil {
		return err
	}
	return s.remember(w, r, user, v.Methods)
}

// meansOf is another one as soon as the person, their era, their password or
// their factors are others.
func (s *Server) meansOf(ctx context.Context, user store.User) ([]byte, error) {
	f, err := s.factorsOf(ctx, user.ID)
	if err != nil {
		return nil, err
	}
	all := user.ID + "\x00" + strconv.FormatInt(user.Era, 10) + "\x00" + user.PasswordHash + "\x00" + f.since.UTC().Format(time.RFC3339Nano)
	for _, k := range f.passkeys {
		all += "\x00" + string(k.ID) + k.ClonedAt.UTC().Format(time.RFC3339Nano)
	}
	h := hashOf(all)
	return h[:16], nil
}

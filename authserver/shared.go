package authserver

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/postern-mcp/postern/authserver/notes"
	"github.com/postern-mcp/postern/authserver/shortlived"
	"github.com/postern-mcp/postern/authserver/store"
)

// Notes are short texts, each kept for a while; package notes has them.
type Notes interface {
	Put(ctx context.Context, key notes.Key, text []byte, life time.Duration) error

	// Get gives nil for what there is no note of.
	Get(ctx context.Context, key notes.Key) ([]byte, error)
}

// Shared is what instances of one issuer, which have one Secret, remember
// together. Nothing rests on it: while it cannot be had, each instance goes by
// what it knows itself.
type Shared struct {
	Tries   Buckets
	StepUps Notes
}

// shared is Shared with what this server needs to use it.
type shared struct {
	tries   Buckets  // nil: this instance is the only one
	stepUps Notes    // nil as well, then
	returns *returns // nil: whoever gives a try back waits until it is
	salt    string   // in every key, so that whoever reads Redis cannot guess names and addresses
	outage  *outage
}

func newShared(c Config) (shared, error) {
	salt, err := saltOf(c.Secret, "shared names")
	if err != nil {
		return shared{}, err
	}
	s := shared{salt: salt + c.Issuer, outage: &outage{log: c.Log}}
	if c.Shared != nil {
		s.tries, s.stepUps = c.Shared.Tries, c.Shared.StepUps
	}
	return s, nil
}

// saltOf is what names of a kind have in them, so that nobody without the secret
// can guess them.
func saltOf(secret []byte, kind string) (string, error) {
	salt, err := hkdf.Key(sha256.New, secret, nil, "postern authserver "+kind, 32)
	if err != nil {
		return "", fmt.Errorf("derive the key for %s: %w", kind, err)
	}
	return string(salt), nil
}

// keeping is where everything is kept: the database, and Redis for what is
// short-lived when there is one for it.
func (c Config) keeping(db *store.DB) (Store, error) {
	if c.ShortLived == nil {
		return db, nil
	}
	sealed, err := newSeal(c.Secret, c.PreviousSecret, "short-lived state")
	if err != nil {
		return nil, err
	}
	keys := shortlived.Keys{Issuer: c.Issuer, Close: sealed.close, Open: sealed.open}
	for _, secret := range [][]byte{c.Secret, c.PreviousSecret} {
		if secret == nil {
			continue
		}
		salt, err := saltOf(secret, "short-lived names")
		if err != nil {
			return nil, err
		}
		keys.Salts = append(keys.Salts, salt)
	}
	return shortlived.New(db, c.ShortLived, keys, c.Now), nil
}

// outage says in the log that what is shared cannot be had: once, when it
// begins, and once when it ends.
type outage struct {
	log *slog.Logger
	on  atomic.Bool
}

// note takes the outcome of something that was asked of it.
func (o *outage) note(err error) {
	if err != nil && o.on.CompareAndSwap(false, true) {
		o.log.Warn("shared.away", "cause", err.Error())
	}
	if err == nil && o.on.CompareAndSwap(true, false) {
		o.log.Info("shared.back")
	}
}

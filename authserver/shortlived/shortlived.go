// Package shortlived keeps what lives for minutes or hours in a Redis, for an
// authorization server whose database keeps everything else.
//
// Its law: Redis holds what waits, the database what was decided. What Redis has
// lost is unknown, and whoever comes with it begins again. What Redis brings back,
// after a crash or out of an old copy, is measured against what the database says
// was spent, answered or ended. Values are sealed for the name they stand under:
// whoever reads Redis learns nothing of them, and whoever writes to it can
// delete, or put back what was there.
package shortlived

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/store"
)

// Store is a database whose short-lived things are in Redis.
type Store struct {
	*store.DB
	redis *Redis
	keys  Keys
	now   func() time.Time
}

// Keys are what a Store seals with, and names things by.
type Keys struct {
	Issuer string

	// Close seals for a name; Open gives an error for what was not sealed for it.
	Close func(plain []byte, name string) []byte
	Open  func(sealed []byte, name string) ([]byte, error)

	// Salts are secret, and in the names of what could be guessed: the one that
	// new names have, and then those that names may still have.
	Salts []string
}

// New keeps short-lived things of a database in Redis. Redis measures how long
// by its own clock; when they are over is judged by now.
func New(db *store.DB, redis *Redis, keys Keys, now func() time.Time) *Store {
	return &Store{DB: db, redis: redis, keys: keys, now: now}
}

// Ping says whether both answer.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.DB.Ping(ctx); err != nil {
		return err
	}
	return s.redis.ping(ctx)
}

// name is where a thing of a kind stands that nobody can guess, such as the
// hash of a secret.
func (s *Store) name(kind, thing string) string {
	return s.redis.prefix + kind + ":" + hashed(s.keys.Issuer, kind, thing)
}

// names are where a thing stands that could be guessed: a new one under the
// first, an older one under any.
func (s *Store) names(kind, thing string) []string {
	var all []string
	for _, salt := range s.keys.Salts {
		all = append(all, s.redis.prefix+kind+":"+hashed(salt+s.keys.Issuer, kind, thing))
	}
	return all
}

func hashed(salt, kind, thing string) string {
	sum := sha256.Sum256([]byte(salt + "\x00" + kind + "\x00" + thing))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// late is how long a thing is kept after its time, so that whoever comes then
// hears that it is over, as with the rows of the database.
const late = time.Minute

// life is how long Redis keeps what is over at a time.
func (s *Store) life(until time.Time) time.Duration {
	return max(until.Sub(s.now()), 0) + late
}

// put keeps a value under a name, in the place of what was there.
func (s *Store) put(ctx context.Context, name string, value any, until time.Time) error {
	sealed, err := s.seal(name, value)
	if err != nil {
		return err
	}
	return s.redis.put(ctx, name, sealed, s.life(until))
}

// putNew is put where nothing is: store.ErrExists otherwise.
func (s *Store) putNew(ctx context.Context, name string, value any, until time.Time) error {
	sealed, err := s.seal(name, value)
	if err != nil {
		return err
	}
	return s.redis.putNew(ctx, name, sealed, s.life(until))
}

// get reads what is kept under a name: store.ErrNotFound for nothing, and for
// what was not sealed for that name.
func (s *Store) get(ctx context.Context, name string, into any) error {
	sealed, err := s.redis.get(ctx, name)
	if err != nil {
		return err
	}
	return s.open(name, sealed, into)
}

func (s *Store) seal(name string, value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("short-lived state: %w", err)
	}
	return s.keys.Close(text, name), nil
}

func (s *Store) open(name string, sealed []byte, into any) error {
	text, err := s.keys.Open(sealed, name)
	if err != nil {
		return store.ErrNotFound // of another secret, or nobody's who has one
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("short-lived state: %w", err)
	}
	return nil
}

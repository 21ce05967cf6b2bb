// Package keyring keeps the keys that tokens are signed with: published before
// they sign, kept until what they signed has expired, the same at every process
// on one database, and sealed there.
package keyring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/store"
)

// Soonest is for how long at least a key is published before it signs: those
// who verify fetch keys for a kid they do not know every ten seconds.
const Soonest = 15 * time.Second

// Policy says what signs tokens, and for how long.
type Policy struct {
	Algorithm     jose.Algorithm // ES256, RS256, PS256 or EdDSA
	RotateEvery   time.Duration  // 1 h … 3 years: how long a key signs
	PublishBefore time.Duration  // 15 s … half of RotateEvery: how long a key is published before it signs
}

// Algorithms are those a Policy may name.
func Algorithms() []jose.Algorithm {
	return []jose.Algorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA}
}

// Check says everything that is wrong with a policy.
func (p Policy) Check() error {
	var wrong []error
	if !slices.Contains(Algorithms(), p.Algorithm) {
		wrong = append(wrong, fmt.Errorf("Keys.Algorithm must be one of %v", Algorithms()))
	}
	if low, high := time.Hour, 3*365*24*time.Hour; p.RotateEvery < low || p.RotateEvery > high {
		wrong = append(wrong, fmt.Errorf("Keys.RotateEvery must be from %v to %v", low, high))
	}
	if half := p.RotateEvery / 2; p.PublishBefore < Soonest || p.PublishBefore > half {
		wrong = append(wrong, fmt.Errorf("Keys.PublishBefore must be from %v to %v", Soonest, half))
	}
	return errors.Join(wrong...)
}

// Config is what a ring needs; nothing in it is optional.
type Config struct {
	Policy  Policy
	Allowed func(jose.Algorithm) bool // what may sign at all: with others nothing is signed any more
	Kept    time.Duration             // how long a key stays published that signs no more: what it signed lives no longer
	Seal    Seal
	Now     func() time.Time
	Log     *slog.Logger

	// Report puts on record what became of a key.
	Report func(ctx context.Context, level slog.Level, event string, fields ...any)
}

// Seal keeps secret keys secret in the store. The context is the key's kid.
type Seal struct {
	Close func(plain []byte, context string) []byte
	Open  func(sealed []byte, context string) ([]byte, error)
}

// Store remembers the keys of all processes.
type Store interface {
	seen
	changes
}

type seen interface {
	SigningKeys(ctx context.Context) ([]store.SigningKey, error)
	AddSigningKey(ctx context.Context, k store.SigningKey) error
	DropSigningKey(ctx context.Context, id string) error
}

// Ring is the signing keys as this process saw them last.
type Ring struct {
	Config
	store Store
	known atomic.Pointer[[]signingKey] // in the order in which they sign; never empty

	telling sync.Mutex
	told    news
}

// signingKey is a key of the store that is good and open.
type signingKey struct {
	store.SigningKey
	private jose.PrivateKey
}

// Open reads the keys, and makes the first one. Of several processes starting
// at once on one database all end with the same key.
func Open(ctx context.Context, db Store, c Config) (*Ring, error) {
	r := &Ring{Config: c, store: db}
	kept, err := db.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	if len(kept) == 0 {
		if err := r.add(ctx, 1, 0); err != nil && !errors.Is(err, store.ErrExists) {
			return nil, err
		}
	}
	if err := r.look(ctx); err != nil {
		return nil, err
	}
	if err := r.dismiss(ctx); err != nil {
		return nil, err
	}
	r.told.known = *r.known.Load()
	return r, nil
}

// Signer is the key that signs now: of those whose time has come, the last.
func (r *Ring) Signer() jose.PrivateKey {
	keys := *r.known.Load()
	return keys[signerAt(keys, r.Now())].private
}

func signerAt(keys []signingKey, now time.Time) int {
	signs := 0 // before anybody's time, which is a matter of clocks, the first
	for i, key := range keys {
		if !now.Before(key.SignsFrom) {
			signs = i
		}
	}
	return signs
}

// Published are the keys that have signed what still lives, that sign, and
// that will.
func (r *Ring) Published() jose.KeySet {
	var all []jose.PublicKey
	for _, key := range r.good() {
		all = append(all, key.private.Public())
	}
	return jose.NewKeySet(all...)
}

// Algorithms are those of the published keys, each once.
func (r *Ring) Algorithms() []string {
	var names []string
	for _, key := range r.good() {
		if name := string(key.private.Algorithm()); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (r *Ring) good() (keys []signingKey) {
	all, now := *r.known.Load(), r.Now()
	for i, key := range all {
		if now.Before(r.goneAt(all, i)) {
			keys = append(keys, key)
		}
	}
	return keys
}

// goneAt is when the last thing that the key signed has expired.
func (r *Ring) goneAt(keys []signingKey, i int) time.Time {
	if i+1 == len(keys) {
		return farAway
	}
	return keys[i+1].SignsFrom.Add(r.Kept)
}

var farAway = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// dismiss: with a key whose algorithm is not allowed nothing is signed any more
// (FAPI 2.0 §5.4.1). Another signs at once, which whoever meets it has to fetch,
// as after a revocation. Forbidden ones that wait signed nothing yet, and go.
func (r *Ring) dismiss(ctx context.Context) error {
	keys := *r.known.Load()
	at := signerAt(keys, r.Now())
	if !slices.ContainsFunc(keys[at:], r.forbids) {
		return nil
	}
	number, err := r.nextNumber(ctx)
	if err != nil {
		return err
	}
	if err := r.add(ctx, number, 0); err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	for _, waiting := range keys[at+1:] {
		if !r.forbids(waiting) {
			continue
		}
		if err := r.store.DropSigningKey(ctx, waiting.ID); err != nil {
			return err
		}
	}
	return r.look(ctx)
}

func (r *Ring) forbids(k signingKey) bool { return !r.Allowed(k.private.Algorithm()) }

// look takes the good keys as they are in the store. An error says which do
// not open; when there is none that does, those of the last look serve on.
func (r *Ring) look(ctx context.Context) error {
	kept, err := r.store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	keys, err := r.openAll(kept)
	if len(keys) == 0 {
		return errors.Join(err, errors.New("the database has no signing key that is good"))
	}
	r.known.Store(&keys)
	return err
}

func (r *Ring) openAll(kept []store.SigningKey) (keys []signingKey, err error) {
	for _, k := range kept {
		if !k.RevokedAt.IsZero() {
			continue
		}
		private, failed := r.open(k)
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		keys = append(keys, signingKey{k, private})
	}
	slices.SortFunc(keys, func(a, b signingKey) int {
		return cmp.Or(a.SignsFrom.Compare(b.SignsFrom), cmp.Compare(a.Number, b.Number))
	})
	return keys, err
}

// open opens no key twice: what is known under a kid is that key.
func (r *Ring) open(k store.SigningKey) (jose.PrivateKey, error) {
	if known := r.known.Load(); known != nil {
		for _, key := range *known {
			if key.ID == k.ID {
				return key.private, nil
			}
		}
	}
	jwk, err := r.Seal.Open(k.Sealed, k.ID)
	if err != nil {
		return jose.PrivateKey{}, fmt.Errorf(
			"the signing key %s in the database does not open with this secret: start with the secret it was made with, as the previous one if there is a new one, or with a new database", k.ID)
	}
	return jose.ParsePrivateKey(jwk)
}

// fresh makes a key, sealed for its own row.
func (r *Ring) fresh(number int64, after time.Duration) (store.SigningKey, error) {
	key, err := jose.GenerateKey(r.Policy.Algorithm)
	if err != nil {
		return store.SigningKey{}, err
	}
	id, now := key.Public().ID(), r.Now()
	return store.SigningKey{
		ID: id, Number: number, Sealed: r.Seal.Close(key.SecretJWK(), id), CreatedAt: now, SignsFrom: now.Add(after),
	}, nil
}

// add publishes a key that signs after a while: store.ErrExists when another
// process took the number.
func (r *Ring) add(ctx context.Context, number int64, after time.Duration) error {
	k, err := r.fresh(number, after)
	if err != nil {
		return err
	}
	return r.store.AddSigningKey(ctx, k)
}

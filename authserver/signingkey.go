package authserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/store"
)

const (
	longestToken = time.Hour                 // nothing that is signed here lives longer
	keptSigned   = longestToken + slowClocks // how long a key stays published that signs no more
	soonest      = 15 * time.Second          // a key is published before it signs: proxies fetch keys for an unknown kid every ten
)

// KeyPolicy says what signs tokens, and for how long.
type KeyPolicy struct {
	Algorithm     jose.Algorithm // ES256, RS256, PS256 or EdDSA
	RotateEvery   time.Duration  // 1 h … 3 years: how long a key signs
	PublishBefore time.Duration  // 15 s … half of RotateEvery: how long a key is published before it signs
}

// SigningAlgorithms are those a KeyPolicy may name.
func SigningAlgorithms() []jose.Algorithm {
	return []jose.Algorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA}
}

func (p KeyPolicy) check() error {
	return errors.Join(
		demand(slices.Contains(SigningAlgorithms(), p.Algorithm), fmt.Sprintf("Keys.Algorithm must be one of %v", SigningAlgorithms())),
		within("Keys.RotateEvery", p.RotateEvery, time.Hour, 3*365*24*time.Hour),
		within("Keys.PublishBefore", p.PublishBefore, soonest, p.RotateEvery/2),
	)
}

type keyStore interface {
	SigningKeys(ctx context.Context) ([]store.SigningKey, error)
	AddSigningKey(ctx context.Context, k store.SigningKey) error
	DropSigningKey(ctx context.Context, id string) error
}

// signingKey is a key of the store that is good and open.
type signingKey struct {
	store.SigningKey
	private jose.PrivateKey
}

// keyring is the signing keys as this process saw them last.
type keyring struct {
	now  func() time.Time
	seen atomic.Pointer[[]signingKey] // in the order in which they sign; never empty
}

// signer is the key that signs now: of those whose time has come, the last.
func (k *keyring) signer() jose.PrivateKey {
	keys := *k.seen.Load()
	return keys[signerAt(keys, k.now())].private
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

// published are the keys that have signed what still lives, that sign, and
// that will.
func (k *keyring) published() jose.KeySet {
	keys, now := *k.seen.Load(), k.now()
	var all []jose.PublicKey
	for i, key := range keys {
		if now.Before(goneAt(keys, i)) {
			all = append(all, key.private.Public())
		}
	}
	return jose.NewKeySet(all...)
}

// algorithms are those of the published keys, each once.
func (k *keyring) algorithms() []string {
	keys, now := *k.seen.Load(), k.now()
	var names []string
	for i, key := range keys {
		if name := string(key.private.Algorithm()); now.Before(goneAt(keys, i)) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// goneAt is when the last thing that the key signed has expired.
func goneAt(keys []signingKey, i int) time.Time {
	if i+1 == len(keys) {
		return farAway
	}
	return keys[i+1].SignsFrom.Add(keptSigned)
}

var farAway = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// openKeys reads the keys, and makes the first one. Of several processes
// starting at once on one database all end with the same key.
func (s *Server) openKeys(ctx context.Context) error {
	kept, err := s.store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	if len(kept) == 0 {
		if err := s.addKey(ctx, 1, 0); err != nil && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
	if err := s.lookAtKeys(ctx); err != nil {
		return err
	}
	return s.dismissKeys(ctx)
}

// dismissKeys: with a key whose algorithm the profile forbids nothing is signed
// any more (FAPI 2.0 §5.4.1). Another signs at once, which whoever meets it has to
// fetch, as after a revocation. Forbidden ones that wait signed nothing yet, and go.
func (s *Server) dismissKeys(ctx context.Context) error {
	keys := *s.keys.seen.Load()
	at := signerAt(keys, s.config.Now())
	if !slices.ContainsFunc(keys[at:], s.forbids) {
		return nil
	}
	number, err := s.nextNumber(ctx)
	if err != nil {
		return err
	}
	if err := s.addKey(ctx, number, 0); err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	for _, waiting := range keys[at+1:] {
		if !s.forbids(waiting) {
			continue
		}
		if err := s.store.DropSigningKey(ctx, waiting.ID); err != nil {
			return err
		}
	}
	return s.lookAtKeys(ctx)
}

func (s *Server) forbids(k signingKey) bool { return !s.profile.allows(k.private.Algorithm()) }

// lookAtKeys takes the good keys as they are in the store. An error says which
// do not open; when there is none that does, those of the last look serve on.
func (s *Server) lookAtKeys(ctx context.Context) error {
	kept, err := s.store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	keys, err := s.openAll(kept)
	if len(keys) == 0 {
		return errors.Join(err, errors.New("the database has no signing key that is good"))
	}
	s.keys.seen.Store(&keys)
	return err
}

func (s *Server) openAll(kept []store.SigningKey) (keys []signingKey, err error) {
	for _, k := range kept {
		if !k.RevokedAt.IsZero() {
			continue
		}
		private, failed := s.openKey(k)
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

// openKey opens no key twice: what is known under a kid is that key.
func (s *Server) openKey(k store.SigningKey) (jose.PrivateKey, error) {
	if seen := s.keys.seen.Load(); seen != nil {
		for _, known := range *seen {
			if known.ID == k.ID {
				return known.private, nil
			}
		}
	}
	jwk, err := s.seals.keys.open(k.Sealed, k.ID)
	if err != nil {
		return jose.PrivateKey{}, fmt.Errorf(
			"the signing key %s in the database does not open with this secret: start with the secret it was made with, as the previous one if there is a new one, or with a new database", k.ID)
	}
	return jose.ParsePrivateKey(jwk)
}

// newKey makes a key, sealed for its own row.
func (s *Server) newKey(number int64, after time.Duration) (store.SigningKey, error) {
	key, err := jose.GenerateKey(s.config.Keys.Algorithm)
	if err != nil {
		return store.SigningKey{}, err
	}
	id, now := key.Public().ID(), s.config.Now()
	return store.SigningKey{
		ID: id, Number: number, Sealed: s.seals.keys.close(key.SecretJWK(), id), CreatedAt: now, SignsFrom: now.Add(after),
	}, nil
}

// addKey publishes a key that signs after a while: store.ErrExists when
// another process took the number.
func (s *Server) addKey(ctx context.Context, number int64, after time.Duration) error {
	k, err := s.newKey(number, after)
	if err != nil {
		return err
	}
	return s.store.AddSigningKey(ctx, k)
}

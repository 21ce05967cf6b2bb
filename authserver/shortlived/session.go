package shortlived

import (
	"context"
	"errors"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

// keptSession is a session as Redis has it, under the name of its hash. Times are in
// milliseconds.
type keptSession struct {
	User    string   `json:"user"`
	Era     int64    `json:"era"` // of the person: in another one it has ended
	Methods []string `json:"methods"`
	Auth    int64    `json:"auth"`
	Created int64    `json:"created"`
	Seen    int64    `json:"seen"`
	Expires int64    `json:"expires"`
	Address string   `json:"address"`
	Agent   string   `json:"agent"`
}

func keptOf(v store.Session) keptSession {
	return keptSession{User: v.UserID, Era: v.Era, Methods: v.Methods, Auth: v.AuthTime.UnixMilli(), Created: v.CreatedAt.UnixMilli(),
		Seen: v.SeenAt.UnixMilli(), Expires: v.ExpiresAt.UnixMilli(), Address: v.Address, Agent: v.Agent}
}

func (k keptSession) session(h store.Hash) store.Session {
	return store.Session{Hash: h, UserID: k.User, Era: k.Era, Methods: k.Methods, AuthTime: moment(k.Auth), CreatedAt: moment(k.Created),
		SeenAt: moment(k.Seen), ExpiresAt: moment(k.Expires), Address: k.Address, Agent: k.Agent}
}

func moment(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func (s *Store) sessionName(h store.Hash) string { return s.name("session", string(h[:])) }

// Session finds a session that has not expired and that nothing ended, of a
// person who is not disabled: one look into Redis, and one into the database.
func (s *Store) Session(ctx context.Context, h store.Hash, now time.Time) (store.Session, error) {
	_, v, err := s.readSession(ctx, h)
	if err != nil {
		return store.Session{}, err
	}
	if !v.ExpiresAt.After(now) {
		return store.Session{}, store.ErrNotFound
	}
	return s.Standing(ctx, v)
}

// readSession is what Redis has under a hash, whether or not it has ended: as it
// stands there, and opened.
func (s *Store) readSession(ctx context.Context, h store.Hash) (sealed []byte, v store.Session, err error) {
	name := s.sessionName(h)
	if sealed, err = s.redis.get(ctx, name); err != nil {
		return nil, store.Session{}, err
	}
	var k keptSession
	if err := s.open(name, sealed, &k); err != nil {
		return nil, store.Session{}, err
	}
	return sealed, k.session(h), nil
}

// SeeSession notes that a session was used, and that it is in the lists.
func (s *Store) SeeSession(ctx context.Context, h store.Hash, now time.Time) error {
	sealed, v, err := s.readSession(ctx, h)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || !now.After(v.SeenAt) {
		return err
	}
	v.SeenAt = now
	if there, err := s.replaceSession(ctx, sealed, v); !there || err != nil {
		return err // somebody else has just written it
	}
	return s.listSession(ctx, v)
}

// replaceSession puts a session in the place of what is there, and says whether
// that was. One that is gone does not come back.
func (s *Store) replaceSession(ctx context.Context, was []byte, v store.Session) (there bool, err error) {
	name := s.sessionName(v.Hash)
	sealed, err := s.seal(name, keptOf(v))
	if err != nil {
		return false, err
	}
	return s.redis.replace(ctx, name, was, sealed)
}

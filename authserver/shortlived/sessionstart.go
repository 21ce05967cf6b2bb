package shortlived

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-mcp/postern/authserver/store"
)

// StartSession keeps a new session and ends the one this browser had before (the
// zero hash for none), and of many the oldest. The one before expires no later than
// the new one, and ends also when Redis does not have it. ErrSpent when the era of
// the session is over.
func (s *Store) StartSession(ctx context.Context, v store.Session, before store.Hash) error {
	ends, err := s.outgoing(ctx, v, before)
	if err != nil {
		return err
	}
	return s.begin(ctx, v, ends, func() error { return s.StartElsewhere(ctx, v, ends.known) })
}

// Admit is Admit of the database with a session that is in Redis: one that must
// be held must be in Redis, of the same person and era, and not on record as
// ended.
func (s *Store) Admit(ctx context.Context, a store.Admission, now time.Time, wider store.Wider) error {
	ends, err := s.outgoing(ctx, a.Session, a.Before)
	if err != nil {
		return err
	}
	return s.begin(ctx, a.Session, ends, func() error { return s.AdmitElsewhere(ctx, a, ends.known, now, wider) })
}

// begin writes a session before what it stands on is committed. Until then its
// secret is nobody's; when that fails, nobody ever has it.
func (s *Store) begin(ctx context.Context, v store.Session, ends outgoing, commit func() error) error {
	if err := s.keepSession(ctx, v); err != nil {
		return err
	}
	if err := commit(); err != nil {
		s.forgetSessions(ctx, v)
		return err
	}
	s.forgetSessions(ctx, ends.all...)
	return nil
}

func (s *Store) keepSession(ctx context.Context, v store.Session) error {
	if err := s.put(ctx, s.sessionName(v.Hash), keptOf(v), v.ExpiresAt); err != nil {
		return err
	}
	return s.listSession(ctx, v)
}

// forgetSessions tidies up: what it leaves behind has ended all the same.
func (s *Store) forgetSessions(ctx context.Context, all ...store.Session) {
	if len(all) == 0 {
		return
	}
	ctx, cancel := afterwards(ctx)
	defer cancel()
	_ = s.redis.together(ctx, func(ctx context.Context, to redis.Pipeliner) {
		for _, v := range all {
			to.Del(ctx, s.sessionName(v.Hash))
			to.ZRem(ctx, s.everybodys(), string(v.Hash[:]))
			for _, index := range s.indexesOf(v.UserID) {
				to.ZRem(ctx, index, string(v.Hash[:]))
			}
		}
	})
}

// keptSessions is how many a person has: the oldest end for new ones.
const keptSessions = 100

// outgoing are sessions that end for a new one.
type outgoing struct {
	known []store.Session // by what Redis has of them, and the one before in any case
	all   []store.Session // by hash and person
}

func (s *Store) outgoing(ctx context.Context, v store.Session, before store.Hash) (ends outgoing, err error) {
	others, err := s.hashesOf(ctx, v.UserID)
	if err != nil {
		return outgoing{}, err
	}
	others = slices.DeleteFunc(others, func(h store.Hash) bool { return h == v.Hash || h == before })
	for _, h := range others[min(len(others), keptSessions-1):] {
		ends.all = append(ends.all, store.Session{Hash: h, UserID: v.UserID})
	}
	oldest, none, err := s.readSessions(ctx, append(others[min(len(others), keptSessions-1):], before))
	if err != nil {
		return outgoing{}, err
	}
	ends.known = oldest
	ends.all = append(ends.all, oldest...)
	if before != (store.Hash{}) && slices.Contains(none, before) {
		ends.known = append(ends.known, store.Session{Hash: before, ExpiresAt: v.ExpiresAt}) // Redis may have it again
	}
	return ends, nil
}

// EndSession ends one; one that does not exist is no error. One that Redis does not
// have is on record as ended until then, for Redis may have it again: a caller who
// does not know that it ever was says the zero time.
func (s *Store) EndSession(ctx context.Context, h store.Hash, until time.Time) error {
	_, v, err := s.readSession(ctx, h)
	if errors.Is(err, store.ErrNotFound) {
		if !until.After(s.now()) {
			return nil
		}
		return s.RecordEnded(ctx, store.Session{Hash: h, ExpiresAt: until})
	}
	if err != nil {
		return err
	}
	if err := s.RecordEnded(ctx, v); err != nil {
		return err
	}
	s.forgetSessions(ctx, v)
	return nil
}

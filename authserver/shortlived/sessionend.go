package shortlived

import (
	"context"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

// EndSessions ends the sessions of a person but one, as the era of all of them
// is over, and says how many those were, as far as Redis knows.
func (s *Store) EndSessions(ctx context.Context, user string, but store.Hash) (ended int64, err error) {
	return s.endBut(ctx, user, but, func() error {
		_, err := s.DB.EndSessions(ctx, user, but)
		return err
	})
}

// EndOthers is EndSessions and forgets where the person signed in from but here.
func (s *Store) EndOthers(ctx context.Context, user string, but store.Hash, here store.Place) (ended int64, err error) {
	return s.endBut(ctx, user, but, func() error {
		_, err := s.DB.EndOthers(ctx, user, but, here)
		return err
	})
}

// ChangePassword sets a password and ends the sessions but one.
func (s *Store) ChangePassword(ctx context.Context, was store.User, passwordHash string, but store.Hash, here store.Place, now time.Time) error {
	_, err := s.endBut(ctx, was.ID, but, func() error { return s.DB.ChangePassword(ctx, was, passwordHash, but, here, now) })
	return err
}

// SetGenerator gives a person a generator; alone says which session stays when
// all others end with it, nil that none ends.
func (s *Store) SetGenerator(ctx context.Context, g store.Generator, alone *store.Alone) (ended int64, err error) {
	set := func() error {
		_, err := s.DB.SetGenerator(ctx, g, alone)
		return err
	}
	if alone == nil {
		return 0, set()
	}
	return s.endBut(ctx, g.UserID, alone.But, set)
}

// AddPasskey adds one, and ends what SetGenerator does.
func (s *Store) AddPasskey(ctx context.Context, k store.Passkey, alone *store.Alone) (ended int64, err error) {
	add := func() error {
		_, err := s.DB.AddPasskey(ctx, k, alone)
		return err
	}
	if alone == nil {
		return 0, add()
	}
	return s.endBut(ctx, k.UserID, alone.But, add)
}

// endBut takes one session on into the era that a commit begins. When that
// fails, it has ended as the others have: its person signs in again.
func (s *Store) endBut(ctx context.Context, user string, but store.Hash, commit func() error) (ended int64, err error) {
	before, err := s.Sessions(ctx, user, s.now())
	if err != nil {
		before = nil // they end without being counted
	}
	if err := commit(); err != nil {
		return 0, err
	}
	after, cancel := afterwards(ctx)
	defer cancel()
	_ = s.takeOn(after, user, but)
	var others []store.Session
	for _, v := range before {
		if v.Hash != but {
			others = append(others, v)
		}
	}
	s.forgetSessions(ctx, others...)
	return int64(len(others)), nil
}

const tidying = 5 * time.Second

// afterwards is for what follows from something that is committed, whether or not
// somebody still waits for it.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), tidying)
}

// takeOn is for a session of the era before this one alone: it was to stay at
// the only end there was since. One that another end was for has ended.
func (s *Store) takeOn(ctx context.Context, user string, but store.Hash) error {
	for range 3 { // SeeSession may come between
		was, v, err := s.readSession(ctx, but)
		if err != nil {
			return err
		}
		u, err := s.UserByID(ctx, user)
		if err != nil || v.UserID != user || !store.Follows(u.Era, v.Era) {
			return err
		}
		v.Era = u.Era
		if there, err := s.replaceSession(ctx, was, v); there || err != nil {
			return err
		}
	}
	return nil
}

package shortlived

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-mcp/postern/authserver/store"
)

// Lists of sessions are ordered sets of hashes, by when the sessions began: one
// of everybody's, and one of each person's. They are for looking only: what
// stands in one counts when its session does, and what is missing is as good as
// before, and comes back when it is seen.

func (s *Store) everybodys() string { return s.name("sessions", "everybody's") }

// indexesOf are where the list of a person may stand: a new one is the first.
func (s *Store) indexesOf(user string) []string { return s.names("sessions", user) }

func (s *Store) listSession(ctx context.Context, v store.Session) error {
	member, at, life := string(v.Hash[:]), v.CreatedAt.UnixMilli(), s.life(v.ExpiresAt)
	over := v.CreatedAt.Add(-2 * v.ExpiresAt.Sub(v.CreatedAt)).UnixMilli() // whatever began before has expired
	return s.redis.together(ctx, func(ctx context.Context, to redis.Pipeliner) {
		addMember(ctx, to, s.indexesOf(v.UserID)[0], member, at, life)
		addMember(ctx, to, s.everybodys(), member, at, life)
		to.ZRemRangeByScore(ctx, s.everybodys(), "-inf", "("+strconv.FormatInt(over, 10))
	})
}

// mostListed bounds what is read of the list of a person, which has some
// keptSessions unless somebody else writes to Redis.
const mostListed = 1000

// hashesOf are the hashes in the list of a person, the latest first.
func (s *Store) hashesOf(ctx context.Context, user string) ([]store.Hash, error) {
	var lists []*redis.ZSliceCmd
	err := s.redis.together(ctx, func(ctx context.Context, to redis.Pipeliner) {
		for _, index := range s.indexesOf(user) {
			lists = append(lists, to.ZRevRangeWithScores(ctx, index, 0, mostListed-1))
		}
	})
	if err != nil {
		return nil, err
	}
	var all []redis.Z
	for _, list := range lists {
		all = append(all, list.Val()...)
	}
	slices.SortStableFunc(all, func(a, b redis.Z) int { return cmp.Compare(b.Score, a.Score) })
	var hashes []store.Hash
	for _, z := range all {
		if h, ok := hashOf(z); ok && !slices.Contains(hashes, h) {
			hashes = append(hashes, h)
		}
	}
	return hashes, nil
}

func hashOf(z redis.Z) (h store.Hash, ok bool) {
	member, _ := z.Member.(string)
	return h, copy(h[:], member) == len(h) && len(member) == len(h)
}

// readSessions are what Redis has under hashes, in their order, and those under
// which it has nothing that opens.
func (s *Store) readSessions(ctx context.Context, hashes []store.Hash) (all []store.Session, none []store.Hash, err error) {
	var answers []*redis.StringCmd
	err = s.redis.together(ctx, func(ctx context.Context, to redis.Pipeliner) {
		for _, h := range hashes {
			answers = append(answers, to.Get(ctx, s.sessionName(h)))
		}
	})
	if err != nil {
		return nil, nil, err
	}
	for i, h := range hashes {
		sealed, _ := answers[i].Bytes() // nothing: no session opens
		var k keptSession
		err := s.open(s.sessionName(h), sealed, &k)
		switch {
		case errors.Is(err, store.ErrNotFound):
			none = append(none, h)
		case err != nil:
			return nil, nil, err
		default:
			all = append(all, k.session(h))
		}
	}
	return all, none, nil
}

// Sessions are those of a person that stand, the latest first.
func (s *Store) Sessions(ctx context.Context, user string, now time.Time) ([]store.Session, error) {
	hashes, err := s.hashesOf(ctx, user)
	if err != nil {
		return nil, err
	}
	all, err := s.standing(ctx, hashes, s.indexesOf(user), now)
	return slices.DeleteFunc(all, func(v store.Session) bool { return v.UserID != user }), err
}

// standing are the sessions of hashes that nothing ended; what is not there any
// more leaves the lists that named it.
func (s *Store) standing(ctx context.Context, hashes []store.Hash, lists []string, now time.Time) ([]store.Session, error) {
	if len(hashes) == 0 {
		return nil, nil
	}
	all, none, err := s.readSessions(ctx, hashes)
	if err != nil {
		return nil, err
	}
	s.unlist(ctx, lists, none)
	all = slices.DeleteFunc(all, func(v store.Session) bool { return !v.ExpiresAt.After(now) })
	return s.AllStanding(ctx, all)
}

func (s *Store) unlist(ctx context.Context, lists []string, none []store.Hash) {
	if len(none) == 0 {
		return
	}
	_ = s.redis.together(ctx, func(ctx context.Context, to redis.Pipeliner) {
		for _, list := range lists {
			for _, h := range none {
				to.ZRem(ctx, list, string(h[:]))
			}
		}
	})
}

// AllSessions are at most limit sessions that stand, of a person or of everybody
// (""), the newest first, from the one before on.
func (s *Store) AllSessions(ctx context.Context, user string, before time.Time, hash []byte, now time.Time, limit int) ([]store.Session, error) {
	from := positionOf(before, hash)
	if user != "" {
		all, err := s.Sessions(ctx, user, now)
		all = slices.DeleteFunc(all, func(v store.Session) bool { return !from.isBefore(score(v.CreatedAt), v.Hash) })
		slices.SortFunc(all, latestFirst)
		return all[:min(len(all), limit)], err
	}
	var all []store.Session
	for more := true; more && len(all) < limit; {
		var hashes []store.Hash
		var err error
		if hashes, from, more, err = s.after(ctx, from, limit); err != nil {
			return nil, err
		}
		next, err := s.standing(ctx, hashes, []string{s.everybodys()}, now)
		if err != nil {
			return nil, err
		}
		all = append(all, next...)
	}
	return all[:min(len(all), limit)], nil
}

func latestFirst(a, b store.Session) int {
	if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
		return c
	}
	return bytes.Compare(b.Hash[:], a.Hash[:])
}

// position is a place in the list of everybody's sessions: when one began, in
// milliseconds, and its hash.
type position struct {
	first bool // before all of them
	at    float64
	hash  []byte
}

func score(at time.Time) float64 { return float64(at.UnixMilli()) }

func positionOf(at time.Time, hash []byte) position {
	return position{first: at.IsZero(), at: score(at), hash: hash}
}

// isBefore says whether a session comes after the position, which is to say began
// before it.
func (p position) isBefore(at float64, h store.Hash) bool {
	return p.first || at < p.at || at == p.at && bytes.Compare(h[:], p.hash) < 0
}

// after are some hashes of the list that come after a position, the position of
// the last one, and whether there are more. Many may have begun in one millisecond.
func (s *Store) after(ctx context.Context, from position, some int) (hashes []store.Hash, last position, more bool, err error) {
	highest := "+inf"
	if !from.first {
		highest = strconv.FormatFloat(from.at, 'f', -1, 64)
	}
	for ; ; some *= 2 {
		found, err := s.redis.descending(ctx, s.everybodys(), highest, some)
		if err != nil {
			return nil, position{}, false, err
		}
		for _, z := range found {
			if h, ok := hashOf(z); ok && from.isBefore(z.Score, h) {
				hashes, last = append(hashes, h), position{at: z.Score, hash: h[:]}
			}
		}
		if more = len(found) == some; !more || len(hashes) > 0 {
			return hashes, last, more, nil
		}
	}
}

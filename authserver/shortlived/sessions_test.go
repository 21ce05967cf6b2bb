package shortlived

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/store/storetest"
)

func sessionOf(name string) store.Session {
	return store.Session{Hash: h(name), UserID: "u1", Methods: []string{"pwd"}, AuthTime: t0, CreatedAt: t0, SeenAt: t0, ExpiresAt: t0.Add(time.Hour)}
}

// signedIn is a store with u1 "ada", u2 "eve" and sessions of u1.
func signedIn(t *testing.T, p *place, names ...string) *Store {
	t.Helper()
	s := p.open(t)
	for i, name := range []string{"ada", "eve"} {
		must(t, s.AddUser(t.Context(), store.User{ID: fmt.Sprint("u", i+1), Name: name, PasswordHash: "x"}, t0))
	}
	for _, name := range names {
		must(t, s.StartSession(t.Context(), sessionOf(name), store.Hash{}))
	}
	return s
}

func expectSession(t *testing.T, s *Store, name string, there bool) {
	t.Helper()
	if _, err := s.Session(t.Context(), h(name), t0); there {
		must(t, err)
	} else {
		want(t, err, store.ErrNotFound)
	}
}

// An oldCopy is all that was in Redis, to be brought back.
type oldCopy map[string]string

func (p *place) snapshot(t *testing.T) oldCopy {
	t.Helper()
	all := oldCopy{}
	for _, key := range p.client.Keys(t.Context(), "*").Val() {
		all[key] = p.client.Dump(t.Context(), key).Val()
	}
	return all
}

func (p *place) bringBack(t *testing.T, all oldCopy) {
	t.Helper()
	for key, value := range all {
		must(t, p.client.RestoreReplace(t.Context(), key, time.Hour, value).Err())
	}
}

// Whatever ends the sessions of a person ends those that Redis brings back.
func TestEndedSessionsStayEnded(t *testing.T) {
	for name, end := range storetest.Ends {
		t.Run(name, func(t *testing.T) {
			p := onFile(t)
			s := signedIn(t, p, "one", "two")
			before := p.snapshot(t)
			must(t, end(t.Context(), s))
			p.bringBack(t, before)
			for _, session := range []string{"one", "two"} {
				expectSession(t, s, session, false)
			}
			must(t, s.SeeSession(t.Context(), h("one"), t0.Add(time.Minute)))
			expectSession(t, s, "one", false)
			for _, user := range []string{"u1", ""} {
				if all, err := s.AllSessions(t.Context(), user, time.Time{}, nil, t0, 10); len(all) != 0 || err != nil {
					t.Errorf("listed: %v, %v", all, err)
				}
			}
		})
	}
}

func letIn(name, before string, held bool) store.Admission {
	return store.Admission{Session: sessionOf(name), Before: h(before), Held: held, SignIn: store.SignIn{UserID: "u1", At: t0, Outcome: store.SignedIn}}
}

func none([]string, store.Grant) bool { return false }

// So does whatever ends one of them.
func TestEndedSessionStaysEnded(t *testing.T) {
	for name, end := range map[string]func(context.Context, *Store) error{
		"signed out":         func(ctx context.Context, s *Store) error { return s.EndSession(ctx, h("one"), time.Time{}) },
		"signed in again":    func(ctx context.Context, s *Store) error { return s.StartSession(ctx, sessionOf("next"), h("one")) },
		"let in again":       func(ctx context.Context, s *Store) error { return s.Admit(ctx, letIn("next", "one", false), t0, none) },
		"went on with it":    func(ctx context.Context, s *Store) error { return s.Admit(ctx, letIn("next", "one", true), t0, none) },
		"too many after it":  manyAfter,
		"stopped, and stays": func(ctx context.Context, s *Store) error { _, err := s.EndSessions(ctx, "u1", h("two")); return err },
	} {
		t.Run(name, func(t *testing.T) {
			p := onFile(t)
			s := signedIn(t, p, "one", "two")
			before := p.snapshot(t)
			must(t, end(t.Context(), s))
			p.bringBack(t, before)
			expectSession(t, s, "one", false)
			want(t, s.Admit(t.Context(), letIn("thief", "one", true), t0, none), store.ErrSpent)
			must(t, failed(s.EndSessions(t.Context(), "u1", h("one"))))
			expectSession(t, s, "one", false)
			expectSession(t, s, "thief", false)
		})
	}
}

// hide is a Redis that does not have a session for a while, as after a failover.
func (p *place) hide(t *testing.T, s *Store, name string) (back func()) {
	t.Helper()
	must(t, p.client.Rename(t.Context(), s.sessionName(h(name)), "hidden").Err())
	return func() {
		t.Helper()
		must(t, p.client.Rename(t.Context(), "hidden", s.sessionName(h(name))).Err())
	}
}

// A session that Redis does not have when it ends has ended when Redis has it
// again: for as long as it can be there, and only when somebody says what it was.
func TestSessionsEndWhileRedisHasThemNot(t *testing.T) {
	expires := sessionOf("one").ExpiresAt
	for _, row := range []struct {
		name  string
		end   func(ctx context.Context, s *Store) error
		stays bool
	}{
		{"signed out", func(ctx context.Context, s *Store) error { return s.EndSession(ctx, h("one"), expires) }, false},
		{"signed out twice", func(ctx context.Context, s *Store) error {
			return errors.Join(s.EndSession(ctx, h("one"), expires), s.EndSession(ctx, h("one"), expires))
		}, false},
		{"signed in again", func(ctx context.Context, s *Store) error { return s.StartSession(ctx, sessionOf("next"), h("one")) }, false},
		{"let in again", func(ctx context.Context, s *Store) error { return s.Admit(ctx, letIn("next", "one", false), t0, none) }, false},
		{"nobody says what it was", func(ctx context.Context, s *Store) error { return s.EndSession(ctx, h("one"), time.Time{}) }, true},
		{"it was long ago", func(ctx context.Context, s *Store) error { return s.EndSession(ctx, h("one"), t0) }, true},
		{"somebody comes without one", func(ctx context.Context, s *Store) error { return s.StartSession(ctx, sessionOf("next"), store.Hash{}) }, true},
		{"who must have it does not come in", func(ctx context.Context, s *Store) error {
			if err := s.Admit(ctx, letIn("next", "one", true), t0, none); !errors.Is(err, store.ErrSpent) {
				return fmt.Errorf("let in: %w", err)
			}
			return nil
		}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := onFile(t)
			s := signedIn(t, p, "one")
			back := p.hide(t, s, "one")
			must(t, row.end(t.Context(), s))
			back()
			expectSession(t, s, "one", row.stays)
			standing, err := s.AllStanding(t.Context(), []store.Session{{UserID: "u1"}}) // the zero hash, of nobody's cookie
			if must(t, err); len(standing) != 1 {
				t.Error("no session at all is on record as ended")
			}
			must(t, failed(s.Sweep(t.Context(), expires, t0, 10)))
			expectSession(t, s, "one", row.stays)
		})
	}
}

// Of many who go on with one session at two instances one does, and its end at
// one is its end at both.
func TestTwoInstancesHoldASessionOnce(t *testing.T) {
	p := onServer(t)
	ctx, at := t.Context(), []*Store{signedIn(t, p), p.open(t)}
	for round := range 5 {
		first := sessionOf(fmt.Sprint("first ", round))
		must(t, at[round%2].StartSession(ctx, first, store.Hash{}))
		var all sync.WaitGroup
		var done atomic.Int32
		for i := range 8 {
			on := store.Admission{Session: sessionOf(fmt.Sprint(round, " next ", i)), Before: first.Hash, Held: true,
				SignIn: store.SignIn{UserID: "u1", At: t0, Outcome: store.SignedIn}}
			all.Go(func() {
				err := at[i%2].Admit(ctx, on, t0, func([]string, store.Grant) bool { return false })
				if err == nil {
					done.Add(1)
				} else if !errors.Is(err, store.ErrSpent) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		left, err := at[1].Sessions(ctx, "u1", t0)
		if must(t, err); done.Load() != 1 || len(left) != 1 {
			t.Fatalf("%d went on; left: %v", done.Load(), left)
		}
		must(t, at[0].EndSession(ctx, left[0].Hash, time.Time{}))
		expectSession(t, at[1], string(left[0].Hash[:]), false)
	}
}

func failed[T any](_ T, err error) error { return err }

func manyAfter(ctx context.Context, s *Store) error {
	for i := range keptSessions + 1 {
		v := sessionOf(fmt.Sprint("later ", i))
		v.CreatedAt = t0.Add(time.Duration(1+i) * time.Second)
		if err := s.StartSession(ctx, v, store.Hash{}); err != nil {
			return err
		}
	}
	return nil
}

// Of two ends at once, each of which one session was to outlive, one does at most.
func TestSessionThatAnotherEndWasForIsNotTakenOn(t *testing.T) {
	p := onFile(t)
	s := signedIn(t, p, "one", "two")
	before := p.snapshot(t)
	must(t, failed(s.DB.EndSessions(t.Context(), "u1", h("one"))))
	must(t, failed(s.DB.EndSessions(t.Context(), "u1", h("two"))))
	for _, name := range []string{"two", "one"} {
		must(t, s.takeOn(t.Context(), "u1", h(name)))
		expectSession(t, s, name, false)
	}
	p.bringBack(t, before)
	must(t, failed(s.EndSessions(t.Context(), "u1", h("one"))))
	expectSession(t, s, "one", false)
	must(t, failed(s.EndSessions(t.Context(), "u2", h("one"))))
	expectSession(t, s, "one", false)
}

// A session is written again where it is as it was read, and nowhere else.
func TestReplacedSessions(t *testing.T) {
	p := onFile(t)
	s, ctx := signedIn(t, p, "one"), t.Context()
	life := p.client.PTTL(ctx, s.sessionName(h("one"))).Val()
	was, v, err := s.readSession(ctx, h("one"))
	must(t, err)
	must(t, s.SeeSession(ctx, h("one"), t0.Add(time.Minute)))
	if there, err := s.replaceSession(ctx, was, v); there || err != nil {
		t.Errorf("in the place of another: %v, %v", there, err)
	}
	if v, err := s.Session(ctx, h("one"), t0); err != nil || !v.SeenAt.Equal(t0.Add(time.Minute)) {
		t.Errorf("got %+v, %v", v, err)
	}
	if now := p.client.PTTL(ctx, s.sessionName(h("one"))).Val(); now <= 0 || now > life {
		t.Errorf("was kept for %v, is for %v", life, now)
	}
	was, v, err = s.readSession(ctx, h("one"))
	must(t, err)
	must(t, s.EndSession(ctx, h("one"), time.Time{}))
	if there, err := s.replaceSession(ctx, was, v); there || err != nil || p.client.Exists(ctx, s.sessionName(h("one"))).Val() != 0 {
		t.Errorf("after its end: %v, %v", there, err)
	}
}

// Nothing that somebody writes into Redis is a session, nor says whose one is.
func TestForgedSessions(t *testing.T) {
	p := onFile(t)
	s, ctx := signedIn(t, p, "one"), t.Context()
	hers := sessionOf("hers")
	hers.UserID = "u2"
	must(t, s.StartSession(ctx, hers, store.Hash{}))
	for key, value := range map[string]string{"moved": p.client.Get(ctx, s.sessionName(h("one"))).Val(), "plain": `{"user":"u1","era":0,"expires":9999999999999}`, "empty": ""} {
		must(t, p.client.Set(ctx, s.sessionName(h(key)), value, time.Hour).Err())
		expectSession(t, s, key, false)
		must(t, s.EndSession(ctx, h(key), time.Time{}))
		must(t, s.SeeSession(ctx, h(key), t0.Add(time.Hour)))
		expectSession(t, s, key, false)
	}
	for _, list := range []string{s.indexesOf("u1")[0], s.everybodys()} {
		for _, member := range []string{string(hers.Hash[:]), "no hash", strings.Repeat("n", 32)} {
			must(t, p.client.ZAdd(ctx, list, redis.Z{Score: float64(t0.UnixMilli()), Member: member}).Err())
		}
	}
	odd := []redis.Z{{Score: float64(time.Time{}.UnixMilli()), Member: strings.Repeat("z", 32)}, {Score: math.Inf(1), Member: strings.Repeat("i", 32)}, {Score: math.Inf(-1), Member: strings.Repeat("m", 32)}}
	must(t, p.client.ZAdd(ctx, s.everybodys(), odd...).Err())
	if all, err := s.Sessions(ctx, "u1", t0); len(all) != 1 || err != nil || all[0].Hash != h("one") {
		t.Errorf("ada's: %v, %v", all, err)
	}
	for _, limit := range []int{1, 10} {
		if all, err := s.AllSessions(ctx, "", time.Time{}, nil, t0, limit); len(all) != min(2, limit) || err != nil {
			t.Errorf("everybody's: %v, %v", all, err)
		}
	}
	must(t, failed(s.EndSessions(ctx, "u1", store.Hash{})))
	expectSession(t, s, "hers", true)
}

// Whoever reads Redis learns no name, secret or address.
func TestSessionsSayNothing(t *testing.T) {
	p := onFile(t)
	v := sessionOf("one")
	v.Address, v.Agent = "192.0.2.1", "Firefox"
	must(t, signedIn(t, p).StartSession(t.Context(), v, store.Hash{}))
	for key, value := range p.snapshot(t) {
		for _, word := range []string{"u1", "ada", "192.0.2.1", "Firefox", "pwd"} {
			if strings.Contains(key+value, word) {
				t.Errorf("%q in %q", word, key)
			}
		}
		if life := p.client.PTTL(t.Context(), key).Val(); life <= 0 || life > 2*time.Hour {
			t.Errorf("%q is kept for %v", key, life)
		}
	}
}

func TestRedisForgetsSessions(t *testing.T) {
	p := onFile(t)
	s, ctx := signedIn(t, p, "one"), t.Context()
	must(t, p.client.FlushAll(ctx).Err())
	expectSession(t, s, "one", false)
	if all, err := s.Sessions(ctx, "u1", t0); len(all) != 0 || err != nil {
		t.Errorf("left: %v, %v", all, err)
	}
	must(t, s.EndSession(ctx, h("one"), time.Time{}))
	must(t, s.StartSession(ctx, sessionOf("two"), h("one")))
	expectSession(t, s, "two", true)
}

// Lists lose what is gone, and get back what is seen.
func TestListsMendThemselves(t *testing.T) {
	p := onFile(t)
	s, ctx := signedIn(t, p, "one", "two"), t.Context()
	mine, everybodys := s.indexesOf("u1")[0], s.everybodys()
	count := func() string {
		return fmt.Sprint(p.client.ZCard(ctx, mine).Val(), p.client.ZCard(ctx, everybodys).Val())
	}
	must(t, p.client.Del(ctx, s.sessionName(h("one"))).Err())
	for _, user := range []string{"u1", ""} {
		if all, err := s.AllSessions(ctx, user, time.Time{}, nil, t0, 10); len(all) != 1 || err != nil {
			t.Errorf("listed: %v, %v", all, err)
		}
	}
	if got := count(); got != "1 1" {
		t.Errorf("the lists have %s", got)
	}
	must(t, p.client.Del(ctx, mine, everybodys).Err())
	expectSession(t, s, "two", true)
	must(t, s.SeeSession(ctx, h("two"), t0.Add(time.Minute)))
	if got := count(); got != "1 1" {
		t.Errorf("the lists have %s", got)
	}
	next := sessionOf("days later")
	next.CreatedAt, next.ExpiresAt = t0.Add(72*time.Hour), t0.Add(80*time.Hour)
	must(t, s.StartSession(ctx, next, store.Hash{}))
	if got := count(); got != "2 1" {
		t.Errorf("the lists have %s", got)
	}
}

// A new secret finds the lists and sessions of the one before.
func TestSessionsOutliveASecret(t *testing.T) {
	p := onFile(t)
	ctx := t.Context()
	before, after := p.openWith(t, keysOf(t, "old")), p.openWith(t, keysOf(t, "new", "old"))
	must(t, before.AddUser(ctx, store.User{ID: "u1", Name: "ada"}, t0))
	must(t, before.StartSession(ctx, sessionOf("one"), store.Hash{}))
	later := sessionOf("two")
	later.CreatedAt = t0.Add(time.Second)
	must(t, after.StartSession(ctx, later, store.Hash{}))
	var names []string
	all, err := after.Sessions(ctx, "u1", t0)
	must(t, err)
	for _, v := range all {
		names = append(names, string(v.Hash[:3]))
	}
	if !slices.Equal(names, []string{"two", "one"}) {
		t.Errorf("got %q", names)
	}
	if n, err := after.EndSessions(ctx, "u1", h("two")); n != 1 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
	expectSession(t, after, "one", false)
	expectSession(t, after, "two", true)
}

// While Redis is away nobody is signed in, nobody signs in, and every end holds.
func TestRedisAwayFromSessions(t *testing.T) {
	p := onFile(t)
	s, ctx := signedIn(t, p, "one", "stays"), t.Context()
	nowhere := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	defer nowhere.Close()
	cut := New(s.DB, NewRedis(nowhere, "short:", time.Second), s.keys, s.now)
	for what, err := range map[string]error{
		"session": failed(cut.Session(ctx, h("one"), t0)), "seen": cut.SeeSession(ctx, h("one"), t0.Add(time.Minute)),
		"start": cut.StartSession(ctx, sessionOf("new"), store.Hash{}), "end": cut.EndSession(ctx, h("one"), time.Time{}),
		"admit": cut.Admit(ctx, store.Admission{Session: sessionOf("new")}, t0, nil),
		"list":  failed(cut.Sessions(ctx, "u1", t0)), "all": failed(cut.AllSessions(ctx, "", time.Time{}, nil, t0, 10)),
	} {
		if !store.Unavailable(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	expectSession(t, s, "one", true)
	if n, err := cut.EndSessions(ctx, "u1", h("stays")); n != 0 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
	for _, name := range []string{"one", "stays", "new"} {
		expectSession(t, s, name, false)
	}
}

// turns counts how often Redis is waited for.
type turns struct{ n atomic.Int32 }

func (c *turns) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *turns) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { c.n.Add(1); return next(ctx, cmd) }
}

func (c *turns) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { c.n.Add(1); return next(ctx, cmds) }
}

// A page view waits for Redis once, and for the database once.
func TestTurnsOfAPageView(t *testing.T) {
	p := onFile(t)
	s := signedIn(t, p, "one")
	expectSession(t, s, "one", true)
	var asked turns
	p.client.AddHook(&asked)
	var queries atomic.Int32
	s.Observe(func(store.Operation) { queries.Add(1) })
	expectSession(t, s, "one", true)
	if r, q := asked.n.Load(), queries.Load(); r != 1 || q != 1 {
		t.Errorf("%d turns to Redis, %d queries", r, q)
	}
}

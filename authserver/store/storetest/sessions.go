package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

// SessionStore keeps people and their sessions, and is told what ends them.
type SessionStore interface {
	sessionsKept
	sessionsEnded
	sessionsListed
	sessionPeople
	personChanges
	passwordChanges
	factorChanges
}

type sessionsKept interface {
	Admit(ctx context.Context, a store.Admission, now time.Time, wider store.Wider) error
	StartSession(ctx context.Context, v store.Session, before store.Hash) error
	Session(ctx context.Context, h store.Hash, now time.Time) (store.Session, error)
}

type sessionsEnded interface {
	EndSession(ctx context.Context, h store.Hash, until time.Time) error
	EndSessions(ctx context.Context, user string, but store.Hash) (ended int64, err error)
	EndOthers(ctx context.Context, user string, but store.Hash, here store.Place) (ended int64, err error)
}

type sessionsListed interface {
	SeeSession(ctx context.Context, h store.Hash, now time.Time) error
	Sessions(ctx context.Context, user string, now time.Time) ([]store.Session, error)
	AllSessions(ctx context.Context, user string, before time.Time, hash []byte, now time.Time, limit int) ([]store.Session, error)
}

type sessionPeople interface {
	AddUser(ctx context.Context, u store.User, now time.Time, roles ...string) error
	UserByID(ctx context.Context, id string) (store.User, error)
	DeleteUser(ctx context.Context, name string) error
}

type personChanges interface {
	ChangePerson(ctx context.Context, id string, now time.Time, change func(store.Person) (store.User, error)) error
	RemoveFactors(ctx context.Context, id, kind string, check func(store.Person) error) error
	DeletePerson(ctx context.Context, id string, check func(store.Person) error) error
}

type passwordChanges interface {
	AddReset(ctx context.Context, t store.Ticket, check func(store.Person) error) error
	ResetPassword(ctx context.Context, t store.Ticket, passwordHash string, here store.Place, now time.Time) error
	ChangePassword(ctx context.Context, was store.User, passwordHash string, but store.Hash, here store.Place, now time.Time) error
}

type factorChanges interface {
	SetGenerator(ctx context.Context, g store.Generator, alone *store.Alone) (ended int64, err error)
	AddPasskey(ctx context.Context, k store.Passkey, alone *store.Alone) (ended int64, err error)
}

// Sessions runs what is true of sessions, wherever they are kept.
func Sessions[S SessionStore](t *testing.T, open func(*testing.T) S) {
	for name, test := range map[string]func(*testing.T, func(*testing.T) SessionStore){
		"begin and end": sessionsBegin, "of a person": sessionsOfAPerson, "are bounded": sessionsAreBounded, "held": heldSessions, "held by many": heldByMany,
		"that nobody is let into": refusedSessions, "end with an era": sessionsEndWithAnEra, "one stays": oneSessionStays, "race their end": sessionsRaceTheirEnd,
		"are listed": sessionsAreListed,
	} {
		t.Run(name, func(t *testing.T) { test(t, func(t *testing.T) SessionStore { return open(t) }) })
	}
}

func addPeople(t *testing.T, s SessionStore, names ...string) {
	t.Helper()
	for i, name := range names {
		must(t, s.AddUser(t.Context(), store.User{ID: fmt.Sprint("u", i+1), Name: name, PasswordHash: "x"}, Now))
	}
}

// sessionOf is one of u1 that begins at Now.
func sessionOf(name string) store.Session {
	return store.Session{Hash: Named(name), UserID: "u1", Methods: []string{"pwd"}, AuthTime: Now, CreatedAt: Now, SeenAt: Now, ExpiresAt: Now.Add(time.Hour)}
}

func expectSessions(t *testing.T, s SessionStore, there map[string]bool) {
	t.Helper()
	for name, is := range there {
		v, err := s.Session(t.Context(), Named(name), Now)
		if is && (err != nil || v.Hash != Named(name)) || !is && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("session %s: %+v, %v", name, v, err)
		}
	}
}

func sessionsBegin(t *testing.T, open func(*testing.T) SessionStore) {
	s, ctx := open(t), t.Context()
	addPeople(t, s, "ada")
	v := sessionOf("1")
	must(t, s.StartSession(ctx, v, store.Hash{}))
	got, err := s.Session(ctx, v.Hash, Now)
	if v.UserName = "ada"; err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, v)
	}
	_, err = s.Session(ctx, v.Hash, v.ExpiresAt)
	want(t, err, store.ErrNotFound)
	must(t, s.StartSession(ctx, sessionOf("2"), v.Hash))
	expectSessions(t, s, map[string]bool{"1": false, "2": true, "none": false})
	must(t, s.EndSession(ctx, Named("2"), time.Time{}))
	must(t, s.EndSession(ctx, Named("2"), time.Time{}))
	must(t, s.SeeSession(ctx, Named("2"), Now.Add(time.Minute)))
	must(t, s.StartSession(ctx, sessionOf("3"), Named("2")))
	expectSessions(t, s, map[string]bool{"1": false, "2": false, "3": true})
}

func sessionsOfAPerson(t *testing.T, open func(*testing.T) SessionStore) {
	s, ctx := open(t), t.Context()
	addPeople(t, s, "ada", "eve")
	first := store.Session{Hash: Named("1"), UserID: "u1", UserName: "ada", Methods: []string{"pwd", "otp", "mfa"}, AuthTime: Now, CreatedAt: Now,
		SeenAt: Now, ExpiresAt: Now.Add(time.Hour), Address: "192.0.2.1", Agent: "Firefox"}
	second, third, hers := first, first, first
	second.Hash, second.CreatedAt = Named("2"), Now.Add(time.Minute)
	third.Hash, third.ExpiresAt = Named("3"), Now
	hers.Hash, hers.UserID = Named("4"), "u2"
	for _, v := range []store.Session{first, second, third, hers} {
		must(t, s.StartSession(ctx, v, store.Hash{}))
	}
	got, err := s.Sessions(ctx, "u1", Now)
	must(t, err)
	if want := []store.Session{second, first}; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	must(t, s.SeeSession(ctx, first.Hash, Now.Add(time.Second)))
	must(t, s.SeeSession(ctx, first.Hash, Now))
	if v, err := s.Session(ctx, first.Hash, Now); err != nil || !v.SeenAt.Equal(Now.Add(time.Second)) {
		t.Errorf("%+v, %v", v, err)
	}
}

func sessionsAreBounded(t *testing.T, open func(*testing.T) SessionStore) {
	s, ctx := open(t), t.Context()
	addPeople(t, s, "ada", "eve")
	start := func(user, name string, at int) {
		v := sessionOf(name)
		v.UserID, v.CreatedAt = user, Now.Add(time.Duration(at)*time.Second)
		must(t, s.StartSession(ctx, v, store.Hash{}))
	}
	start("u2", "eve", 0)
	for i := range 103 {
		start("u1", fmt.Sprint(i), i)
	}
	start("u1", "one that goes on", 0)
	all, err := s.Sessions(ctx, "u1", Now)
	must(t, err)
	if len(all) != 100 {
		t.Errorf("%d sessions", len(all))
	}
	expectSessions(t, s, map[string]bool{"0": false, "3": false, "4": true, "102": true, "one that goes on": true, "eve": true})
}

func letIn(name string) store.Admission {
	return store.Admission{Session: sessionOf(name), SignIn: store.SignIn{UserID: "u1", At: Now, Outcome: store.SignedIn, Methods: []string{"pwd"}}}
}

func noneWider([]string, store.Grant) bool { return false }

// What goes on with a session goes on with one that is there, and is theirs.
func heldSessions(t *testing.T, open func(*testing.T) SessionStore) {
	s, ctx := open(t), t.Context()
	addPeople(t, s, "ada", "eve")
	must(t, s.Admit(ctx, letIn("first"), Now, noneWider))
	hers := sessionOf("hers")
	hers.UserID = "u2"
	must(t, s.StartSession(ctx, hers, store.Hash{}))
	on := letIn("second")
	on.Before, on.Held = Named("hers"), true
	want(t, s.Admit(ctx, on, Now, noneWider), store.ErrSpent)
	on.Before = Named("none")
	want(t, s.Admit(ctx, on, Now, noneWider), store.ErrSpent)
	expectSessions(t, s, map[string]bool{"first": true, "hers": true, "second": false})
	on.Before = Named("first")
	must(t, s.Admit(ctx, on, Now, noneWider))
	on.Session.Hash = Named("third")
	want(t, s.Admit(ctx, on, Now, noneWider), store.ErrSpent)
	expectSessions(t, s, map[string]bool{"first": false, "second": true, "third": false, "hers": true})
	other := letIn("another person")
	other.Before = Named("hers") // of this browser, and nobody goes on with it
	must(t, s.Admit(ctx, other, Now, noneWider))
	expectSessions(t, s, map[string]bool{"hers": false, "another person": true})
}

func heldByMany(t *testing.T, open func(*testing.T) SessionStore) {
	s, ctx := open(t), t.Context()
	addPeople(t, s, "ada")
	must(t, s.Admit(ctx, letIn("first"), Now, noneWider))
	outcomes := make([]error, 8)
	var all sync.WaitGroup
	for i := range outcomes {
		on := letIn(fmt.Sprint("next ", i))
		on.Before, on.Held = Named("first"), true
		all.Go(func() { outcomes[i] = s.Admit(ctx, on, Now, noneWider) })
	}
	all.Wait()
	won := 0
	for _, err := range outcomes {
		if err == nil {
			won++
			continue
		}
		want(t, err, store.ErrSpent)
	}
	if left, err := s.Sessions(ctx, "u1", Now); won != 1 || len(left) != 1 || err != nil {
		t.Errorf("%d went on; left: %v, %v", won, left, err)
	}
}

// A session is there when all that it came with is.
func refusedSessions(t *testing.T, open func(*testing.T) SessionStore) {
	s, ctx := open(t), t.Context()
	addPeople(t, s, "ada")
	refused := letIn("refused")
	refused.Identity = &store.Identity{Issuer: "https://gone.example", Subject: "x", UserID: "u1", UsedAt: Now}
	want(t, s.Admit(ctx, refused, Now, noneWider), store.ErrSpent)
	taken := letIn("taken")
	taken.Session.UserID, taken.SignIn.UserID, taken.Newcomer = "u2", "u2", &store.User{ID: "u2", Name: "ada"}
	want(t, s.Admit(ctx, taken, Now, noneWider), store.ErrExists)
	stranger := sessionOf("stranger")
	stranger.UserID = "u9"
	want(t, s.StartSession(ctx, stranger, store.Hash{}), store.ErrSpent)
	expectSessions(t, s, map[string]bool{"refused": false, "taken": false, "stranger": false})
	if all, err := s.AllSessions(ctx, "", time.Time{}, nil, Now, 10); len(all) != 0 || err != nil {
		t.Errorf("left: %v, %v", all, err)
	}
	newcomer := taken
	newcomer.Newcomer = &store.User{ID: "u2", Name: "eve"}
	must(t, s.Admit(ctx, newcomer, Now, noneWider))
	expectSessions(t, s, map[string]bool{"taken": true})
}

package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// heard collects operations.
type heard struct {
	sync.Mutex
	all []Operation
}

func (h *heard) note(o Operation) {
	h.Lock()
	defer h.Unlock()
	h.all = append(h.all, o)
}

// kinds are what was heard since the last time, as words.
func (h *heard) kinds() (words []string) {
	h.Lock()
	defer h.Unlock()
	for _, o := range h.all {
		words = append(words, fmt.Sprintf("write=%v %s", o.Write, o.Failure))
	}
	h.all = nil
	return words
}

// Every way to ask the database is heard of once, and what it refuses for what
// stands in it is no failure of it.
func TestOperationsAreHeardOf(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, h := open(t), &heard{}
		s.Observe(h.note)
		for _, step := range []struct {
			name string
			do   func(ctx context.Context) error
			want []string
		}{
			{"a row", func(ctx context.Context) error { _, err := s.User(ctx, "nobody"); return err }, []string{"write=false "}},
			{"rows", func(ctx context.Context) error { _, err := s.Sessions(ctx, "u", t0); return err }, []string{"write=false "}},
			{"a statement", func(ctx context.Context) error { return s.EndSession(ctx, h0("s"), time.Time{}) }, []string{"write=true "}},
			{"a transaction", func(ctx context.Context) error { return s.AddUser(ctx, User{ID: "u", Name: "ada"}, t0) }, []string{"write=true "}},
			{"a refusal", func(ctx context.Context) error { return s.AddUser(ctx, User{ID: "v", Name: "ada"}, t0) }, []string{"write=true "}},
		} {
			_ = step.do(t.Context()) // what it answers is for other tests
			if got := h.kinds(); !slices.Equal(got, step.want) {
				t.Errorf("%s: %q, want %q", step.name, got, step.want)
			}
		}
		must(t, s.Close())
		if err := s.AddUser(t.Context(), User{ID: "w", Name: "eve"}, t0); err == nil {
			t.Error("a store that is closed took somebody")
		}
	})
}

func h0(text string) Hash { return Hash{text[0]} }

// One operation is one, however often it was tried.
func TestCollisionsAreOneOperation(t *testing.T) {
	s, h := openFile(t), &heard{}
	s.Observe(h.note)
	began := time.Now()
	s.watch.tell(true, began, nil)
	for why, want := range map[error]Failure{
		nil:                 Succeeded,
		ErrNotFound:         Succeeded,
		ErrExists:           Succeeded,
		context.Canceled:    Succeeded,
		io.ErrUnexpectedEOF: Away,
		fmt.Errorf("x: %w", &pgconn.PgError{Code: serializationFailure}): Collided,
		&pgconn.PgError{Code: "42601"}:                                   Failed,
		errors.New("the roof is open"):                                   Succeeded,
	} {
		if got := failureOf(why); got != want {
			t.Errorf("%v: %q, want %q", why, got, want)
		}
	}
	if got := h.kinds(); !slices.Equal(got, []string{"write=true "}) {
		t.Errorf("%q", got)
	}
}

package clientdoc

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func hurried() *places {
	p := newPlaces()
	p.wait = time.Millisecond
	return p
}

func TestPlacesAreShared(t *testing.T) {
	for _, row := range []struct {
		name       string
		host, from func(i int) string
		most       int
	}{
		{"one host", func(int) string { return "a.example" }, func(i int) string { return fmt.Sprint(i) }, maxOfHost},
		{"one caller", func(i int) string { return fmt.Sprint(i) }, func(int) string { return "192.0.2.1" }, maxOfFrom},
		{"many of both", func(i int) string { return fmt.Sprint(i) }, func(i int) string { return fmt.Sprint(i) }, maxAtOnce},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := hurried()
			for range 2 { // places that were left are there again
				var leave []func()
				for i := range maxAtOnce + 1 {
					out, err := p.enter(t.Context(), row.host(i), row.from(i))
					if err == nil {
						leave = append(leave, out)
					} else if !errors.Is(err, ErrBusy) {
						t.Fatal(err)
					}
				}
				if len(leave) != row.most {
					t.Errorf("%d went in, want %d", len(leave), row.most)
				}
				if out, err := p.enter(t.Context(), "other.example", "192.0.2.99"); (err == nil) != (row.most < maxAtOnce) {
					t.Errorf("somebody else: %v", err)
				} else if err == nil {
					out()
				}
				for _, out := range leave {
					out()
				}
			}
			if p.all != 0 || len(p.taken) != 0 || p.waiting != 0 {
				t.Errorf("%d and %v are taken by nobody, %d wait", p.all, p.taken, p.waiting)
			}
		})
	}
}

func TestPlacesAreWaitedFor(t *testing.T) {
	p := newPlaces()
	p.wait = time.Hour
	var leave []func()
	for i := range maxOfHost {
		out, err := p.enter(t.Context(), "a.example", fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, out)
	}
	entered := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	for _, who := range []context.Context{t.Context(), ctx} {
		go func() {
			_, err := p.enter(who, "a.example", "later")
			entered <- err
		}()
	}
	cancel()
	if err := <-entered; !errors.Is(err, ErrUnreachable) {
		t.Errorf("one who left: %v", err)
	}
	leave[0]()
	if err := <-entered; err != nil {
		t.Errorf("one who waited: %v", err)
	}
	p.waiting = maxWaiting
	if _, err := p.enter(t.Context(), "a.example", "latest"); !errors.Is(err, ErrBusy) {
		t.Errorf("one too many waits: %v", err)
	}
}

func TestFetchesTakePlaces(t *testing.T) {
	h, f, _ := newHost(t, good)
	f.places.wait = time.Millisecond
	for range maxOfFrom {
		if _, err := f.places.enter(t.Context(), "b.example", free.From); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Fetch(t.Context(), h.id, free); !errors.Is(err, ErrBusy) || h.count() != 0 {
		t.Error(err)
	}
	other := Caller{From: "192.0.2.2", Pay: free.Pay}
	for range 2 {
		if _, err := f.Fetch(t.Context(), h.id, other); err != nil {
			t.Error(err)
		}
	}
	if len(f.places.taken) != 2 {
		t.Errorf("taken after the fetch: %v", f.places.taken)
	}
}

package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// asked is a Redis that answers as told and counts how often it is asked.
type asked struct {
	answer error
	times  int
}

func (a *asked) process(context.Context, redis.Cmder) error {
	a.times++
	return a.answer
}

func (a *asked) pipeline(context.Context, []redis.Cmder) error {
	a.times++
	return a.answer
}

var errAway = errors.New("connection refused")

func TestBreakerSparesCallersAnAwayRedis(t *testing.T) {
	b, far := newBreaker(slog.New(slog.DiscardHandler)), &asked{answer: errAway}
	one, several := b.ProcessHook(far.process), b.ProcessPipelineHook(far.pipeline)
	for range failuresInARow {
		if err := one(t.Context(), redis.NewCmd(t.Context(), "GET", "x")); !errors.Is(err, errAway) {
			t.Fatalf("got %v", err)
		}
	}
	cmd, piped := redis.NewCmd(t.Context(), "GET", "x"), redis.NewCmd(t.Context(), "GET", "x")
	if err := one(t.Context(), cmd); err == nil || cmd.Err() == nil {
		t.Errorf("%v, and the command says %v", err, cmd.Err())
	}
	if err := several(t.Context(), []redis.Cmder{piped}); err == nil || piped.Err() == nil {
		t.Errorf("%v, and the piped command says %v", err, piped.Err())
	}
	if far.times != failuresInARow {
		t.Errorf("asked %d times, want %d", far.times, failuresInARow)
	}
	far.answer = nil
	for until := time.Now().Add(10 * time.Second); one(t.Context(), redis.NewCmd(t.Context(), "GET", "x")) != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("never asked again")
		}
	}
}

// What Redis answers, and callers who leave, say nothing against Redis.
func TestBreakerKeepsAskingARedisThatAnswers(t *testing.T) {
	b, far := newBreaker(slog.New(slog.DiscardHandler)), &asked{}
	one := b.ProcessHook(far.process)
	for i, answer := range []error{redis.Nil, context.Canceled, redis.Nil, context.Canceled, errAway, errAway, nil, errAway, errAway, redis.Nil, errAway} {
		far.answer = answer
		if err := one(t.Context(), redis.NewCmd(t.Context(), "GET", "x")); !errors.Is(err, answer) {
			t.Errorf("answer %d: %v, want %v", i, err, answer)
		}
	}
}

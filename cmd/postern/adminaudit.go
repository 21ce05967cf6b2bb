package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/postern-mcp/postern/config"
)

// deeds lets through what somebody did, beside what is worth a warning: all the
// record there is of a command, where no file keeps one.
type deeds struct{ slog.Handler }

// Handle is slog's.
func (d deeds) Handle(ctx context.Context, r slog.Record) error {
	done := r.Level >= slog.LevelWarn
	r.Attrs(func(a slog.Attr) bool {
		done = done || a.Key == "actor"
		return !done
	})
	if !done {
		return nil
	}
	return d.Handler.Handle(ctx, r)
}

// ownRecord is a node for a command of the operator: what it does stands in the
// configured audit file, and without one on stderr. stdout has what was asked for.
func (p program) ownRecord(conf config.Audit) (*node, error) {
	if conf.File == "" {
		return &node{log: slog.New(deeds{p.logger(slog.LevelInfo).Handler()})}, nil
	}
	n := &node{log: p.logger(slog.LevelWarn)}
	if err := n.openTrail(config.Audit{File: conf.File}, nil); err != nil {
		return nil, fmt.Errorf("what this does could not be put on record: %w", err)
	}
	return n, nil
}

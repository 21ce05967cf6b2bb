// Package replay lets single-use things (proofs, assertions) through once. It
// remembers exactly: nothing is forgotten before its time and a full memory
// refuses. There is no probabilistic filter and no eviction; any doubt is an
// error, never a pass.
package replay

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrFull: the memory is at its bound; the caller must refuse (503).
	ErrFull = errors.New("replay memory is full")

	// ErrPast: asked to remember something until a time that is not after now.
	// What has expired is for the caller to refuse; here it is never a first use.
	ErrPast = errors.New("replay memory asked for a time that is past")

	// ErrForgot: this is not the memory that the caller asked Born of. What was
	// used before is forgotten, so older things must be refused.
	ErrForgot = errors.New("replay memory began anew")
)

// Store remembers. Memory and Redis are the two there are.
type Store interface {
	// Born is when remembering began. It changes when memory was lost.
	Born(ctx context.Context) (time.Time, error)

	// Use marks key as used until the given time and says whether this call
	// was the first. Of any number of concurrent calls exactly one gets true.
	// born is what Born said; ErrForgot when it is not so any more.
	Use(ctx context.Context, key [32]byte, born, now, until time.Time) (first bool, err error)
}

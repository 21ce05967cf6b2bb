// Package replay remembers single-use things (proofs, assertions) exactly:
// nothing is forgotten before its time and a full memory refuses. There is no
// probabilistic filter and no eviction; any doubt is an error, never a pass.
package replay

import "errors"

// ErrFull: the memory is at its bound; the caller must refuse (503).
var ErrFull = errors.New("replay memory is full")

// ErrPast: asked to remember something until a time that is not after now.
// What has expired is for the caller to refuse; here it is never a first use.
var ErrPast = errors.New("replay memory asked for a time that is past")

// Package pace counts calls against rates, exactly: a bucket holds as many as
// its rate names and gains one at each of its intervals (the generic cell rate
// algorithm, of which one number per bucket is kept).
//
// Laws: a call takes from all of its buckets or from none; what is given back
// is never more than was taken, and fills no bucket beyond its number; a bucket
// is forgotten only while it is full, and then forgetting it changes nothing;
// where no room is left to remember, the answer is an error, never a pass.
package pace

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/postern-mcp/postern/policy/rate"
)

// ErrFull says that no more buckets can be remembered.
var ErrFull = errors.New("pace: no room for another bucket")

// Key names a bucket.
type Key [16]byte

// Charge is one to take from one bucket.
type Charge struct {
	Key  Key
	Rate rate.Rate // one that limits

	until int64 // once it was taken: when time will have given it back, in microseconds
}

// NewCharge names the bucket of whatever parts say together. A rate that
// changes begins a new bucket.
func NewCharge(r rate.Rate, parts ...string) Charge {
	text := make([]byte, 0, 128)
	text = binary.BigEndian.AppendUint64(text, uint64(r.Number))
	text = binary.BigEndian.AppendUint64(text, uint64(r.Per))
	for _, part := range parts {
		text = binary.BigEndian.AppendUint64(text, uint64(len(part)))
		text = append(text, part...)
	}
	sum := sha256.Sum256(text)
	return Charge{Key: Key(sum[:16]), Rate: r}
}

// Verdict answers a call. The zero Verdict refuses.
type Verdict struct {
	Passed bool
	Short  int           // of the charges, the one that takes longest to come good
	Wait   time.Duration // until then
}

// late says by how much a bucket is short when one is taken at now, and until
// when it remembers that one. until is what the bucket remembers, in
// microseconds like everything here.
func late(r rate.Rate, until, now int64) (next, short int64) {
	interval := r.Interval().Microseconds()
	next = max(until, now) + interval
	return next, next - now - interval*int64(r.Number)
}

// kept is what a bucket remembers after a charge was given back. A part that
// time has given back already is not given twice.
func kept(c Charge, until, now int64) int64 {
	return until - max(0, min(c.Rate.Interval().Microseconds(), c.until-now))
}

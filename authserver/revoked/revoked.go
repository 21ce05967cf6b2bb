// Package revoked carries revocations of access tokens from an authorization
// server to resource servers, through Redis.
//
// Its laws: the store of the authorization server is the truth, and what is in
// Redis a copy that may be lost, or fall back, at any moment: whoever publishes
// notices and writes it anew. A follower answers only out of a copy that a
// publisher vouches for and that it has read whole, within the last seconds;
// otherwise it says that it cannot tell. What it once heard it keeps, as long
// as the token could be used.
package revoked

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// Interval is how often both sides should look.
	Interval = time.Second

	// Silence is how long a follower answers without having heard from Redis.
	Silence = 5 * time.Second

	vouchLife = time.Minute      // of a publisher's word that the copy is whole
	renewal   = 10 * time.Minute // after which the copy is written anew, without what is over
	batch     = 5000             // entries that are read or written at once
	maxKnown  = 1_000_000        // revocations that a follower keeps; more is an error
)

// Entry is one revoked access token.
type Entry struct {
	Number uint64    // grows with every revocation of the issuer
	ID     string    // jti
	Until  time.Time // when nobody accepts the token any more
}

// Source gives at most limit live revocations with numbers above after, in
// their order.
type Source func(ctx context.Context, after uint64, limit int) ([]Entry, error)

// The copy is a sorted set: the entries by their number and, before them at
// score 0, its epoch, which is lost when the set is. A second key says for a
// while which epoch is whole, and up to which number.
type keys struct{ set, vouch string }

// keysOf: the braces keep both in one slot of a cluster.
func keysOf(issuer string) keys {
	prefix := "postern:revoked:{" + issuer + "}:"
	return keys{set: prefix + "log", vouch: prefix + "vouch"}
}

// member is an entry as the set holds it: the end in seconds, a colon, the jti.
func (e Entry) member() redis.Z {
	return redis.Z{Score: float64(e.Number), Member: strconv.FormatInt(e.Until.Unix(), 10) + ":" + e.ID}
}

func parseMember(z redis.Z) (Entry, error) {
	text, _ := z.Member.(string)
	seconds, id, ok := strings.Cut(text, ":")
	until, err := strconv.ParseInt(seconds, 10, 64)
	if !ok || err != nil || id == "" {
		return Entry{}, fmt.Errorf("%q in the copy is no revocation", text)
	}
	return Entry{Number: uint64(z.Score), ID: id, Until: time.Unix(until, 0)}, nil
}

var errIncomplete = errors.New("nobody vouches for the copy of the revocations in Redis")

// copied is what is in Redis.
type copied struct {
	epoch  string
	number uint64 // of the last revocation that is there
}

// ask adds the questions about the copy to a transaction; its answer is read
// when that is done.
func (k keys) ask(ctx context.Context, tx redis.Pipeliner) func() (copied, error) {
	first := tx.ZRangeWithScores(ctx, k.set, 0, 0)
	last := tx.ZRangeWithScores(ctx, k.set, -1, -1)
	vouch := tx.Get(ctx, k.vouch)
	return func() (copied, error) {
		epoch, digits, ok := strings.Cut(vouch.Val(), " ")
		number, err := strconv.ParseUint(digits, 10, 64)
		if !ok || err != nil {
			return copied{}, errIncomplete
		}
		marker := first.Val()
		if len(marker) != 1 || marker[0].Score != 0 || marker[0].Member != epoch {
			return copied{}, errIncomplete
		}
		if end := last.Val(); len(end) != 1 || end[0].Score < float64(number) {
			return copied{}, errIncomplete
		}
		return copied{epoch, number}, nil
	}
}

// vouchFor says that the copy is whole, for a while.
func (k keys) vouchFor(ctx context.Context, tx redis.Pipeliner, c copied) {
	tx.Set(ctx, k.vouch, c.epoch+" "+strconv.FormatUint(c.number, 10), vouchLife)
}

// run does a transaction; an answer that is nil is none of its errors.
func run(ctx context.Context, tx redis.Pipeliner) error {
	_, err := tx.Exec(ctx)
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

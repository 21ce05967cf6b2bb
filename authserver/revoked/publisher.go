package revoked

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Publisher writes the revocations of one issuer to Redis. Several, of
// processes with one store, do not disturb each other. Its methods are for one
// goroutine.
type Publisher struct {
	client  redis.UniversalClient
	keys    keys
	number  uint64    // up to which this publisher saw the copy whole
	renewed time.Time // when it wrote the copy last, zero before the first time
}

// NewPublisher bounds nothing itself: the client's timeouts and ctx do.
func NewPublisher(client redis.UniversalClient, issuer string) *Publisher {
	return &Publisher{client: client, keys: keysOf(issuer)}
}

// Publish brings the copy up to date and vouches for it: call it every
// Interval. It writes the copy anew when it finds it lost, or older than it was.
func (p *Publisher) Publish(ctx context.Context, source Source) error {
	c, err := p.look(ctx)
	if err != nil && !errors.Is(err, errIncomplete) {
		return fmt.Errorf("revocations in Redis: %w", err)
	}
	if err != nil || c.number < p.number || time.Since(p.renewed) > renewal {
		c, err = p.rewrite(ctx, source)
	} else {
		c, err = p.extend(ctx, c, source)
	}
	if err != nil {
		return fmt.Errorf("publish revocations: %w", err)
	}
	p.number = c.number
	return nil
}

func (p *Publisher) look(ctx context.Context) (copied, error) {
	tx := p.client.TxPipeline()
	answer := p.keys.ask(ctx, tx)
	if err := run(ctx, tx); err != nil {
		return copied{}, err
	}
	return answer()
}

// rewrite makes a whole copy beside the old one, then puts it in its place.
func (p *Publisher) rewrite(ctx context.Context, source Source) (copied, error) {
	c := copied{epoch: rand.Text()}
	draft := p.keys.set + ":" + c.epoch
	tx := p.client.TxPipeline()
	tx.ZAdd(ctx, draft, redis.Z{Score: 0, Member: c.epoch})
	tx.Expire(ctx, draft, vouchLife) // should this process end before it is done
	if err := run(ctx, tx); err != nil {
		return copied{}, err
	}
	c, err := p.add(ctx, draft, c, source)
	if err != nil {
		return copied{}, err
	}
	tx = p.client.TxPipeline()
	tx.Rename(ctx, draft, p.keys.set)
	tx.Persist(ctx, p.keys.set)
	p.keys.vouchFor(ctx, tx, c)
	if err := run(ctx, tx); err != nil {
		return copied{}, err
	}
	p.renewed = time.Now()
	return c, nil
}

// extend adds what is new. Were the set lost in between, it would be there
// without its epoch, and vouched for in vain.
func (p *Publisher) extend(ctx context.Context, c copied, source Source) (copied, error) {
	c, err := p.add(ctx, p.keys.set, c, source)
	if err != nil {
		return copied{}, err
	}
	tx := p.client.TxPipeline()
	p.keys.vouchFor(ctx, tx, c)
	return c, run(ctx, tx)
}

// add writes everything after c to a set.
func (p *Publisher) add(ctx context.Context, set string, c copied, source Source) (copied, error) {
	for {
		entries, err := source(ctx, c.number, batch)
		if err != nil {
			return copied{}, err
		}
		if len(entries) == 0 {
			return c, nil
		}
		members := make([]redis.Z, len(entries))
		for i, e := range entries {
			members[i] = e.member()
		}
		if err := p.client.ZAdd(ctx, set, members...).Err(); err != nil {
			return copied{}, err
		}
		c.number = entries[len(entries)-1].Number
	}
}

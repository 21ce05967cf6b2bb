package shortlived

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// replaces puts a value in the place of another, for as long as that would have
// stayed, and says whether it was there.
var replaces = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local left = redis.call('PTTL', KEYS[1])
if left <= 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', left)
return 1
`)

func (r *Redis) replace(ctx context.Context, name string, was, value []byte) (there bool, err error) {
	err = r.do(ctx, func(ctx context.Context) error {
		n, err := replaces.Run(ctx, r.client, []string{name}, was, value).Int()
		there = n == 1
		return err
	})
	return there, err
}

// adds puts a member into an ordered set, which stays at least as long as the member.
const adds = `
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 0
`

func addMember(ctx context.Context, to redis.Pipeliner, index, member string, score int64, life time.Duration) {
	to.Eval(ctx, adds, []string{index}, score, member, life.Milliseconds())
}

// together sends commands, each about one key, in one turn. The absence of a key
// is no error.
func (r *Redis) together(ctx context.Context, queue func(context.Context, redis.Pipeliner)) error {
	return r.do(ctx, func(ctx context.Context) error {
		all, err := r.client.Pipelined(ctx, func(to redis.Pipeliner) error {
			queue(ctx, to)
			return nil
		})
		for _, command := range all {
			if err := command.Err(); err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
		}
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
}

// descending are at most some members of an ordered set, from a score down.
func (r *Redis) descending(ctx context.Context, index, highest string, some int) (found []redis.Z, err error) {
	err = r.do(ctx, func(ctx context.Context) error {
		found, err = r.client.ZRevRangeByScoreWithScores(ctx, index, &redis.ZRangeBy{Min: "-inf", Max: highest, Count: int64(some)}).Result()
		return err
	})
	return found, err
}

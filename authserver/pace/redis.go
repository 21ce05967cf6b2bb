package pace

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis keeps buckets for all processes that share one Redis, by its clock.
// One that loses its keys fills every bucket.
type Redis struct {
	client  redis.UniversalClient
	prefix  string
	timeout time.Duration
}

// NewRedis keeps keys under prefix. Every call is bounded by timeout.
func NewRedis(client redis.UniversalClient, prefix string, timeout time.Duration) *Redis {
	return &Redis{client: client, prefix: prefix, timeout: timeout}
}

// take is judge and take of Memory in one step nobody comes between. Arguments
// are interval and number of each key's rate; times are in microseconds. A
// bucket that is more than empty is of a clock that went back: it is empty.
var take = redis.NewScript(`
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local short, wait, next = 0, 0, {}
for i, key in ipairs(KEYS) do
  local interval, number = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local till, most = tonumber(redis.call('GET', key) or now), now + interval * number
  if till > most then
    till = most
    redis.call('SET', key, string.format('%.0f', till), 'PX', math.ceil((till - now) / 1000))
  end
  next[i] = math.max(till, now) + interval
  local late = next[i] - now - interval * number
  if late > wait then short, wait = i, late end
end
if short > 0 then return {short, wait} end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.0f', next[i]), 'PX', math.ceil((next[i] - now) / 1000))
end
return {0, 0, unpack(next)}
`)

// giveBack is GiveBack of Memory in one such step. Arguments are interval and
// until of each charge.
var giveBack = redis.NewScript(`
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
for i, key in ipairs(KEYS) do
  local left = math.max(0, math.min(tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i]) - now))
  local till = (tonumber(redis.call('GET', key)) or now) - left
  if till <= now then
    redis.call('DEL', key)
  else
    redis.call('SET', key, string.format('%.0f', till), 'PX', math.ceil((till - now) / 1000))
  end
end
return 0
`)

// Take takes one from each bucket, or from none, and notes in the charges what
// GiveBack needs. now is not looked at. A call that timed out may have taken
// all the same.
func (r *Redis) Take(ctx context.Context, _ time.Time, charges []Charge) (Verdict, error) {
	answer, err := r.run(ctx, take, charges, func(c Charge) int64 { return int64(c.Rate.Number) }).Int64Slice()
	if err != nil {
		return Verdict{}, fmt.Errorf("rates in Redis: %w", err)
	}
	if len(answer) < 2 || answer[0] < 0 || answer[0] > int64(len(charges)) {
		return Verdict{}, errAnswer
	}
	if answer[0] > 0 {
		return Verdict{Short: int(answer[0]) - 1, Wait: time.Duration(answer[1]) * time.Microsecond}, nil
	}
	if len(answer) != 2+len(charges) {
		return Verdict{}, errAnswer
	}
	for i := range charges {
		charges[i].until = answer[2+i]
	}
	return Verdict{Passed: true}, nil
}

var errAnswer = errors.New("rates in Redis: an answer that cannot be")

// GiveBack undoes a Take that passed, once. now is not looked at. When it
// fails, the charges may stay taken.
func (r *Redis) GiveBack(ctx context.Context, _ time.Time, charges []Charge) error {
	err := r.run(ctx, giveBack, charges, func(c Charge) int64 { return c.until }).Err()
	for i := range charges {
		charges[i].until = 0
	}
	if err != nil {
		return fmt.Errorf("rates in Redis: %w", err)
	}
	return nil
}

// run gives a script the interval and one more number of each charge.
func (r *Redis) run(ctx context.Context, script *redis.Script, charges []Charge, number func(Charge) int64) *redis.Cmd {
	keys, numbers := make([]string, len(charges)), make([]any, 0, 2*len(charges))
	for i, c := range charges {
		keys[i] = r.prefix + base64.RawURLEncoding.EncodeToString(c.Key[:])
		numbers = append(numbers, c.Rate.Interval().Microseconds(), number(c))
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return script.Run(ctx, r.client, keys, numbers...)
}

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
// are interval and number of each key's rate; times are in microseconds.
var take = redis.NewScript(`
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local short, wait, next = 0, 0, {}
for i, key in ipairs(KEYS) do
  local interval, number = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  next[i] = math.max(tonumber(redis.call('GET', key) or now), now) + interval
  local late = next[i] - now - interval * number
  if late > wait then short, wait = i, late end
end
if short == 0 then
  for i, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.0f', next[i]), 'PX', math.ceil((next[i] - now) / 1000))
  end
end
return {short, wait}
`)

// Take takes one from each bucket, or from none. now is not looked at. A call
// that timed out may have taken all the same.
func (r *Redis) Take(ctx context.Context, _ time.Time, charges []Charge) (Verdict, error) {
	keys, numbers := make([]string, len(charges)), make([]any, 0, 2*len(charges))
	for i, c := range charges {
		keys[i] = r.prefix + base64.RawURLEncoding.EncodeToString(c.Key[:])
		numbers = append(numbers, c.Rate.Interval().Microseconds(), c.Rate.Number)
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	answer, err := take.Run(ctx, r.client, keys, numbers...).Int64Slice()
	if err != nil {
		return Verdict{}, fmt.Errorf("rates in Redis: %w", err)
	}
	if len(answer) != 2 || answer[0] < 0 || answer[0] > int64(len(charges)) {
		return Verdict{}, errors.New("rates in Redis: an answer that cannot be")
	}
	if answer[0] == 0 {
		return Verdict{Passed: true}, nil
	}
	return Verdict{Short: int(answer[0]) - 1, Wait: time.Duration(answer[1]) * time.Microsecond}, nil
}

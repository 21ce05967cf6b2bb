package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/pace"
	"github.com/postern-mcp/postern/authserver/replay"
	"github.com/postern-mcp/postern/config"
	"github.com/postern-mcp/postern/proxy"
)

const (
	replayLimit  = 1_000_000 // proofs remembered in memory: five minutes of 3,000 calls a second
	bucketLimit  = 500_000   // of rates, remembered in memory
	redisTimeout = 500 * time.Millisecond
	redisAgain   = time.Second // after which a Redis that was away is asked again
)

// redis is the one client of this process, or nil when no Redis is configured.
func (n *node) redis(state config.State) (*redis.Client, error) {
	if n.client != nil || state.Redis == nil {
		return n.client, nil
	}
	client, err := openRedis(*state.Redis)
	if err != nil {
		return nil, err
	}
	client.AddHook(newBreaker(n.log))
	n.client = client
	n.closers = append(n.closers, client.Close)
	return client, nil
}

// unheard drops what the client writes to stderr in a form of its own, twice a
// second while Redis is away: whoever asked logs the error it got.
type unheard struct{}

func (unheard) Printf(context.Context, string, ...any) {}

var hushRedis = sync.OnceFunc(func() { redis.SetLogger(unheard{}) })

func openRedis(conf config.Redis) (*redis.Client, error) {
	hushRedis()
	address, err := readSecret(conf.URLFile)
	if err != nil {
		return nil, err
	}
	options, err := redis.ParseURL(address)
	if err != nil {
		return nil, errors.New(conf.URLFile + " must hold one redis:// or rediss:// URL") // the cause would show the password
	}
	options.MaxRetries = -1 // a repeated SET NX would find itself
	options.DialerRetries = 1
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = redisTimeout, redisTimeout, redisTimeout
	options.ContextTimeoutEnabled = true
	return redis.NewClient(options), nil
}

// proofs is the memory of used proofs, with nonces of its own for each kind of server.
func (n *node) proofs(state config.State, label string, secret []byte, demandNonce bool) (*replay.Proofs, error) {
	nonces, err := dpop.NewNonces(secret, label, nonceLife)
	if err != nil {
		return nil, err
	}
	client, err := n.redis(state)
	if err != nil {
		return nil, err
	}
	var store replay.Store = replay.NewMemory(replayLimit, time.Now())
	if client != nil {
		store = replay.NewRedis(client, "postern:"+label+":", redisTimeout)
	}
	return replay.NewProofs(nonces, store, demandNonce, proofAhead)
}

// buckets are where calls are counted.
func (n *node) buckets(state config.State) (proxy.Buckets, error) {
	client, err := n.redis(state)
	if err != nil {
		return nil, err
	}
	if client == nil {
		return pace.NewMemory(bucketLimit), nil
	}
	return pace.NewRedis(client, "postern:rate:", redisTimeout), nil
}

// breaker answers in the place of a Redis that is away, so that not every
// caller has to wait for the time-out. One command asks again each second.
type breaker struct {
	circuit *gobreaker.CircuitBreaker[struct{}]
}

const failuresInARow = 3 // that open the circuit

func newBreaker(log *slog.Logger) breaker {
	return breaker{gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         "redis",
		MaxRequests:  1,
		Timeout:      redisAgain,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= failuresInARow },
		IsSuccessful: answered,
		OnStateChange: func(_ string, _, now gobreaker.State) {
			log.Warn("Redis", "circuit", now.String())
		},
	})}
}

// answered says whether Redis did, were it with an error; a caller who left is
// nothing Redis did.
func answered(err error) bool {
	var said redis.Error
	return err == nil || errors.As(err, &said) || errors.Is(err, context.Canceled)
}

// within marks the context of a command, so that what the client sends ahead
// of it on a new connection is not held against the circuit a second time.
type within struct{}

func (b breaker) do(ctx context.Context, call func(context.Context) error) error {
	if ctx.Value(within{}) != nil {
		return call(ctx)
	}
	ctx = context.WithValue(ctx, within{}, true)
	_, err := b.circuit.Execute(func() (struct{}, error) { return struct{}{}, call(ctx) })
	return err
}

// DialHook leaves dialling to the command that needs it.
func (b breaker) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

// ProcessHook is for one command.
func (b breaker) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := b.do(ctx, func(ctx context.Context) error { return next(ctx, cmd) })
		cmd.SetErr(err)
		return err
	}
}

// ProcessPipelineHook is for several.
func (b breaker) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		asked := false
		err := b.do(ctx, func(ctx context.Context) error {
			asked = true
			return next(ctx, cmds)
		})
		if !asked { // no command has an answer of its own
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
		}
		return err
	}
}

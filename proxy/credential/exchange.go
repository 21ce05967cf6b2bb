package credential

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/postern-mcp/postern/proxy"
)

const (
	exchangesKept = 10_000           // tokens remembered for each server
	refusedFor    = 10 * time.Second // how long a refusal of the issuer is remembered
	unsaidCaller  = time.Minute      // life of a caller's token that does not say
)

// Exchange is an access token in the caller's name, which an issuer gives for
// the caller's own (RFC 8693). It is kept for that token alone, and never
// longer than either lives.
type Exchange struct {
	endpoint *endpoint
	want     Want
	display  *display
	sources  *otter.Cache[[32]byte, *exchanged]
}

// exchanged is what became of one caller's token.
type exchanged struct {
	source
	ends    time.Time // with the caller's token
	refused atomic.Pointer[refusal]
}

// refusal is an issuer's no, or its nonsense, and when it came.
type refusal struct {
	err error
	at  time.Time
}

// turnedDown is the issuer's refusal of a moment ago, or nil.
func (e *exchanged) turnedDown(now time.Time) error {
	if no := e.refused.Load(); no != nil && now.Sub(no.at) < refusedFor {
		return no.err
	}
	return nil
}

// NewExchange: upstream is the URL that proofs are made for. It does not call
// the issuer.
func NewExchange(kit Kit, issuer Issuer, want Want, upstream *url.URL) (*Exchange, error) {
	endpoint, err := newEndpoint(kit, issuer)
	if err != nil {
		return nil, err
	}
	d, err := newDisplay(endpoint, upstream)
	if err != nil {
		return nil, err
	}
	sources, err := otter.New(&otter.Options[[32]byte, *exchanged]{
		MaximumSize: exchangesKept,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[[32]byte, *exchanged]) time.Duration {
			return max(e.Value.ends.Sub(kit.Now()), time.Second)
		}),
	})
	if err != nil {
		return nil, err
	}
	return &Exchange{endpoint: endpoint, want: want, display: d, sources: sources}, nil
}

// Show shows the token that belongs to the caller's. A no of the issuer is a
// proxy.ErrExchangeRefused; a caller's token in its last leeway is a
// proxy.ErrCallerEnded.
func (x *Exchange) Show(ctx context.Context, p proxy.Purpose) (http.Header, error) {
	now := x.endpoint.kit.Now()
	e, err := x.of(p, now)
	if err != nil {
		return nil, err
	}
	if !now.Before(e.ends) {
		return nil, proxy.ErrCallerEnded
	}
	no := e.turnedDown(now)
	if held := e.held.Load(); no != nil && (held == nil || !held.usable(now)) {
		return nil, no
	}
	got, err := e.get(ctx, now, func(ctx context.Context) (*issued, error) {
		return x.exchange(ctx, e, p.Token)
	}, func() bool { return no == nil && !x.endpoint.rest.resting(now) })
	if err != nil {
		return nil, err
	}
	return x.display.header(got, p.Method, now)
}

// of finds what is remembered for a caller's token.
func (x *Exchange) of(p proxy.Purpose, now time.Time) (*exchanged, error) {
	if p.Token == "" {
		return nil, errors.New("there is no caller's token to exchange")
	}
	digest := sha256.Sum256([]byte(p.Token))
	known, ok := x.sources.GetIfPresent(digest)
	if ok && now.Before(known.ends) {
		return known, nil
	}
	if ok {
		x.sources.Invalidate(digest)
	}
	ends := p.Caller.Expiry
	if ends.IsZero() {
		ends = now.Add(unsaidCaller)
	}
	e, _ := x.sources.SetIfAbsent(digest, &exchanged{ends: ends})
	return e, nil
}

func (x *Exchange) exchange(ctx context.Context, e *exchanged, subject string) (*issued, error) {
	form := x.want.form("urn:ietf:params:oauth:grant-type:token-exchange")
	form.Set("subject_token", subject)
	form.Set("subject_token_type", typeAccessToken)
	form.Set("requested_token_type", typeAccessToken)
	got, err := x.endpoint.ask(ctx, form)
	if isRefusal(err) {
		err = fmt.Errorf("%w: %w", proxy.ErrExchangeRefused, err)
		e.held.Store(nil)
	}
	if isRefusal(err) || errors.Is(err, errUnusable) {
		e.refused.Store(&refusal{err, x.endpoint.kit.Now()})
	}
	if err != nil {
		return nil, err
	}
	if got.expiry.After(e.ends) {
		got.expiry = e.ends
	}
	return got, nil
}

// Refused drops the token, unless the upstream only wants its nonce.
func (x *Exchange) Refused(p proxy.Purpose, shown, answer http.Header) bool {
	if x.display.wantsNonce(shown, answer) {
		return true
	}
	e, ok := x.sources.GetIfPresent(sha256.Sum256([]byte(p.Token)))
	return !ok || e.drop(shownToken(shown), x.endpoint.kit.Now())
}

func (x *Exchange) String() string { return "token_exchange at " + x.endpoint.name() }

package authserver

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-mcp/postern/authserver/pace"
	"github.com/postern-mcp/postern/policy/rate"
)

// Buckets count tries against rates; package pace has them.
type Buckets interface {
	// Take takes one from each bucket, or from none. An error says that it
	// cannot tell.
	Take(ctx context.Context, now time.Time, charges []pace.Charge) (pace.Verdict, error)

	// GiveBack undoes a Take that passed.
	GiveBack(ctx context.Context, now time.Time, charges []pace.Charge) error
}

// limits bound what one address, or one account name, may try. Trying is
// paid for before the work and given back when the try was honest.
type limits struct {
	authorize  *limiter // by address: authorization requests
	guess      *limiter // by address: failed client authentications, codes, tokens
	client     *limiter // by client that proved itself, instead: failed codes, tokens
	refresh    *limiter // by grant: refreshes
	machine    *limiter // by machine client: tokens of its own
	admin      *limiter // by who asks, and with which client: requests to the administration API
	login      *limiter // by address: failed sign-ins
	account    *limiter // by account name, whether or not it exists, and address: failed sign-ins
	around     *limiter // by account name and the network around the address
	everywhere *limiter // by account name
	home       *limiter // by account name and network its owner signed in from before, where around or everywhere is empty
	known      *limiter // by browser at which the password was right before, instead of login and the four above
	right      *limiter // by account name and address, or by browser that is known: sign-ins that did not fail
	documents  *limiter // by address: fetches of client documents
	register   *limiter // by address: registrations
	devices    *limiter // by address: devices that begin to wait
	userCodes  *limiter // by address: codes that no device shows
	away       *limiter // by address: people sent to other providers
	second     *limiter // by account: failed second factors
	secondHome *limiter // by account and network its owner signed in from before, instead of second
	familiar   *limiter // by browser at which a second factor was right before, instead of both
	tickets    *limiter // by address: links that do not work
	signUp     *limiter // by address: accounts that were created
}

func newLimits(now func() time.Time, with shared, refused *prometheus.CounterVec) limits {
	limiter := func(name string, every time.Duration, burst int) *limiter {
		l := newLimiter(now, with, name, every, burst)
		l.refused = refused.WithLabelValues(name)
		return l
	}
	return limits{
		authorize: limiter("authorize", time.Second/2, 120),
		// Codes, tokens and client secrets have 256 bits: this bounds the work,
		// and is wide, because whole offices and hosted clients share an address.
		guess:  limiter("guess", time.Second/10, 300),
		client: limiter("client", time.Second/10, 300),
		admin:  limiter("administration", time.Second/20, 400),
		// A token is good for minutes. What is issued stays until it expires, and
		// its end has to be told: a grant comes to some hundred at a time.
		refresh: limiter("refresh", 5*time.Second, 120),
		machine: limiter("machine", time.Second/10, 300),
		login:   limiter("login", 5*time.Second, 20),
		// Of these three each is wider than the one before, and gets tries back no
		// slower: whoever empties one fails from several addresses, or from several
		// networks. NIST SP 800-63B has a hundred in a row.
		account:    limiter("account", 15*time.Second, 10),
		around:     limiter("account around", 15*time.Second, 30),
		everywhere: limiter("account everywhere", 10*time.Second, 100),
		home:       limiter("account home", 15*time.Second, 10),
		known:      limiter("known", 15*time.Second, 10),
		right:      limiter("right", 2*time.Second, 60),
		documents:  limiter("documents", 5*time.Second, 10),
		register:   limiter("register", 2*time.Second, 30),
		devices:    limiter("devices", 2*time.Second, 60),
		userCodes:  limiter("user codes", 30*time.Second, 10),
		away:       limiter("away", 2*time.Second, 60),
		second:     limiter("second", 2*time.Minute, 5), // of a million codes three are good at a time
		secondHome: limiter("second home", 2*time.Minute, 5),
		familiar:   limiter("second familiar", 2*time.Minute, 5),
		tickets:    limiter("tickets", 5*time.Second, 20),
		signUp:     limiter("sign up", time.Minute, 20),
	}
}

// limiter is a bucket per key. This process counts what it sees itself, always,
// and what all instances see is counted on top, in Redis, which so can only
// refuse more: a Redis that is away, or lost its keys, leaves each process with
// its own count of the same rate, and keeps nobody out.
//
// A process holds at most maxBuckets keys that are in use. Networks beyond are
// counted with those around them, in a memory as large for each width: whoever
// has so many addresses that the memory is full has them side by side, and
// empties a bucket that strangers do not share. What is beyond that too, and
// names, share spareBuckets by a hash nobody outside can compute: they have to
// be emptied each, and kept so, before everybody is out. Who is known is not
// among them: browsers that signed in before have buckets of their own kind.
type limiter struct {
	name  string
	rate  rate.Rate
	now   func() time.Time
	own   *pace.Memory
	wide  [widths]*pace.Memory
	spare *pace.Memory
	with  shared

	refused prometheus.Counter // tries
}

const (
	maxBuckets   = 20_000
	spareBuckets = 1 << 16 // what two bytes of a hash can name
)

func newLimiter(now func() time.Time, with shared, name string, every time.Duration, burst int) *limiter {
	l := &limiter{name: name, rate: rate.Rate{Number: burst, Per: every * time.Duration(burst)}, now: now,
		own: pace.NewMemory(maxBuckets), spare: pace.NewMemory(spareBuckets), with: with, refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "refused"})}
	for i := range l.wide {
		l.wide[i] = pace.NewMemory(maxBuckets)
	}
	return l
}

// try takes one from the bucket of key, or refuses with TooMany and the time
// until there is one again. giveBack undoes it.
func (l *limiter) try(key string) (giveBack func(), err error) {
	giveBack, err = l.tryBoth(key)
	if reasonOf(err) == TooMany {
		l.refused.Inc()
	}
	return giveBack, err
}

// tryBoth takes one of what this process counts, and of what all count.
func (l *limiter) tryBoth(key string) (giveBack func(), err error) {
	charge := pace.NewCharge(l.rate, l.with.salt, l.name, key)
	own, err := l.takeHere(key, charge)
	if err != nil {
		return func() {}, err
	}
	if l.with.tries == nil {
		return own, nil
	}
	paid, err := l.pay(l.with.tries, charge)
	if reasonOf(err) == TooMany {
		own()
		return func() {}, err
	}
	l.with.outage.note(err)
	if err != nil {
		return own, nil
	}
	all := l.returned(l.with.tries, paid)
	if l.with.returns != nil {
		all = l.with.returns.later(paid)
	}
	return func() { own(); all() }, nil
}

// takeHere takes one of what this process counts itself.
func (l *limiter) takeHere(key string, charge pace.Charge) (giveBack func(), err error) {
	giveBack, err = l.take(l.own, charge)
	for i, around := range networksAround(key) {
		if !errors.Is(err, pace.ErrFull) {
			return giveBack, err
		}
		giveBack, err = l.take(l.wide[i], pace.NewCharge(l.rate, l.with.salt, l.name, around))
	}
	if !errors.Is(err, pace.ErrFull) {
		return giveBack, err
	}
	return l.take(l.spare, pace.NewCharge(l.rate, l.name, string(charge.Key[:2])))
}

// take takes one from these buckets.
func (l *limiter) take(from Buckets, charge pace.Charge) (giveBack func(), err error) {
	paid, err := l.pay(from, charge)
	if err != nil {
		return func() {}, err
	}
	return l.returned(from, paid), nil
}

// pay takes one. Whoever leaves in between has tried all the same, so no request
// ends it; pace bounds how long Redis may take.
func (l *limiter) pay(from Buckets, charge pace.Charge) (paid pace.Charge, err error) {
	charges := []pace.Charge{charge}
	verdict, err := from.Take(context.Background(), l.now(), charges)
	if err != nil {
		return pace.Charge{}, err
	}
	if !verdict.Passed {
		return pace.Charge{}, &Error{Reason: TooMany, RetryAfter: verdict.Wait}
	}
	return charges[0], nil
}

// returned gives back what was paid, and waits until it is.
func (l *limiter) returned(to Buckets, paid pace.Charge) func() {
	charges := []pace.Charge{paid}
	return func() {
		if err := to.GiveBack(context.Background(), l.now(), charges); err != nil {
			l.with.outage.note(err) // it stays paid, and time gives it back
		}
	}
}

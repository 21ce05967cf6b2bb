package proxy

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/proxy/discovery"
)

const (
	opaqueLimit = 16 << 10 // bytes of a token that is no JWT
	answerLimit = 64 << 10 // bytes of what an issuer says about one
	askTimeout  = 3 * time.Second
	askQueue    = time.Second // until it is a token's turn
	askPause    = time.Second // after an issuer could not be reached
	regularLane = 48          // requests to one issuer at a time about tokens that were good a while ago
	strangeLane = 16          // and about those never seen
	cacheMost   = time.Minute
)

// Introspection is how an issuer is asked about tokens (RFC 7662).
type Introspection struct {
	URL      string // of its endpoint; "" takes the one of its metadata
	ClientID string
	Secret   string        // of client_secret_basic
	Cache    time.Duration // how long an answer counts, up to a minute
	All      bool          // about JWTs too, once they have passed their own checks
}

func (c Introspection) complete() error {
	if c.ClientID == "" || c.Secret == "" {
		return errors.New("introspection needs a client id and its secret")
	}
	if c.Cache <= 0 || c.Cache > cacheMost {
		return fmt.Errorf("introspection answers that count for %v", c.Cache)
	}
	if c.URL != "" {
		return discovery.Trusted(c.URL)
	}
	return nil
}

// desk is where one issuer is asked. Tokens that were good a while ago have
// a lane of their own, so that a flood of invented ones does not keep them out.
type desk struct {
	conf      Introspection
	issuer    *issuer
	client    *http.Client
	regulars  chan struct{}
	strangers chan struct{}
	failed    atomic.Int64 // unix nanoseconds of the last time it could not be reached
	unknown   atomic.Bool  // the issuer does not take the proxy's own credentials: waiting mends nothing
}

func newDesk(conf Introspection, i *issuer) (*desk, error) {
	if err := conf.complete(); err != nil {
		return nil, err
	}
	client := discovery.NewHTTPClient()
	way := client.Transport.(*http.Transport)
	way.MaxConnsPerHost, way.MaxIdleConnsPerHost = regularLane+strangeLane, regularLane+strangeLane
	return &desk{
		conf: conf, issuer: i, client: client,
		regulars: make(chan struct{}, regularLane), strangers: make(chan struct{}, strangeLane),
	}, nil
}

// ask gives the issuer's answer, unread. An error says that it cannot be had.
func (d *desk) ask(ctx context.Context, now time.Time, b bearer) ([]byte, error) {
	if d.failed.Load() > now.Add(-askPause).UnixNano() {
		return nil, errors.New("it could not be reached a moment ago")
	}
	leave, err := d.enter(b.known)
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	endpoint, err := d.endpoint(ctx, now)
	if err != nil {
		return nil, err
	}
	req, err := d.request(ctx, endpoint, b.raw)
	if err != nil {
		return nil, err
	}
	resp, err := d.client.Do(req)
	if err != nil {
		d.failed.Store(now.UnixNano())
		return nil, err
	}
	defer resp.Body.Close()
	d.unknown.Store(resp.StatusCode == http.StatusUnauthorized) // RFC 7662 §2.3
	return readAnswer(resp)
}

var errUnknownHere = errors.New("it does not take client_id and secret_file of introspection")

// ready is why asking must fail until somebody mends the configuration, or nil.
func (d *desk) ready() error {
	if d.unknown.Load() {
		return errUnknownHere
	}
	return nil
}

func (d *desk) enter(known bool) (leave func(), err error) {
	turn := time.NewTimer(askQueue)
	defer turn.Stop()
	lane := d.strangers
	if known {
		lane = d.regulars
	}
	select {
	case lane <- struct{}{}:
		return func() { <-lane }, nil
	case <-turn.C:
		return nil, errors.New("too many tokens are being asked about")
	}
}

// endpoint is where tokens may be sent: over TLS, or on this machine when the
// issuer itself is there.
func (d *desk) endpoint(ctx context.Context, now time.Time) (string, error) {
	if d.conf.URL != "" {
		return d.conf.URL, nil
	}
	known, err := d.issuer.keys(ctx, now)
	if err != nil {
		return "", err
	}
	if known.introspection == "" {
		return "", errors.New("its metadata names no introspection_endpoint")
	}
	if err := discovery.Trusted(known.introspection); err != nil {
		return "", fmt.Errorf("introspection_endpoint: %w", err)
	}
	if strings.HasPrefix(d.issuer.conf.URL, "https:") && !strings.HasPrefix(known.introspection, "https:") {
		return "", errors.New("introspection_endpoint must be https, as the issuer is")
	}
	return known.introspection, nil
}

func (d *desk) request(ctx context.Context, endpoint, raw string) (*http.Request, error) {
	form := url.Values{"token": {raw}, "token_type_hint": {"access_token"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header["Idempotency-Key"] = nil // not sent: net/http then repeats on a connection that was closed meanwhile
	// RFC 6749 §2.3.1: both are form-encoded before they are joined
	req.SetBasicAuth(url.QueryEscape(d.conf.ClientID), url.QueryEscape(d.conf.Secret))
	return req, nil
}

func readAnswer(resp *http.Response) ([]byte, error) {
	if resp.StatusCode == http.StatusUnauthorized { // RFC 7662 §2.3
		return nil, fmt.Errorf("%s answers %s: %w", resp.Request.URL, resp.Status, errUnknownHere)
	}
	body, err := discovery.ReadAnswer(resp, answerLimit)
	if err != nil {
		return nil, err
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" { // RFC 7662 §2.2
		return nil, fmt.Errorf("%s answers with type %q", resp.Request.URL, kind)
	}
	return body, nil
}

// asked is what the issuer says now: about a token that was verified by its
// keys, or about one it alone can read, where access is zero and keys is nil.
func (i *serverIssuer) asked(ctx context.Context, now time.Time, b bearer, access token.Access, keys *keySet) (*grant, error) {
	doc, err := i.desk.ask(ctx, now, b)
	if err != nil {
		return nil, fmt.Errorf("introspection at %s: %w", i.conf.URL, err)
	}
	if access, err = access.Confirm(now, i.rules, doc); err != nil {
		return nil, err
	}
	g := &grant{claims: access.Claims(), issuer: i.issuer, keys: keys, mode: i.mode, until: now.Add(i.desk.conf.Cache)}
	if g.until.After(g.claims.Expiry) {
		g.until = g.claims.Expiry
	}
	return g, nil
}

// opaque asks the issuers that can be asked, in the order of the configuration,
// until one knows the token. While one that might know it is away, nobody can
// tell.
func (s *server) opaque(ctx context.Context, now time.Time, b bearer, malformed error) (*grant, error) {
	if len(s.desks) == 0 || len(b.raw) > opaqueLimit {
		return nil, tokenRefusal(malformed)
	}
	return s.once(ctx, now, b, func(ctx context.Context) (*grant, error) {
		var unknown, away error
		for _, i := range s.desks {
			g, err := i.asked(ctx, now, b, token.Access{}, nil)
			if err == nil || isVerdict(err) && !isInactive(err) {
				return g, err
			}
			if isInactive(err) {
				unknown = err
			} else {
				away = errors.Join(away, err)
			}
		}
		if away != nil {
			return nil, away
		}
		return nil, unknown
	})
}

// turnedDown is an issuer's no.
type turnedDown struct {
	why   error
	until time.Time
}

// once asks one time for all who present the same token at the same moment,
// and remembers a no as it does a yes.
func (s *server) once(ctx context.Context, now time.Time, b bearer, ask func(context.Context) (*grant, error)) (*grant, error) {
	if why := s.refusedBefore(now, b); why != nil {
		return nil, s.introspected(why)
	}
	flight := s.asking.DoChan(string(b.digest[:]), func() (any, error) {
		if g, known := s.grants.GetIfPresent(b.digest); known && g.current(now) { // answered since this request looked
			return g, nil
		}
		if why := s.refusedBefore(now, b); why != nil {
			return nil, why
		}
		g, err := ask(context.WithoutCancel(ctx)) // it may answer others; the desk has its own bounds
		if err == nil {
			s.grants.Set(b.digest, g)
			return g, nil
		}
		if isVerdict(err) {
			s.grants.Invalidate(b.digest)
			s.turnedDown.Set(b.digest, turnedDown{err, now.Add(s.noFor)})
		}
		return nil, err
	})
	select {
	case <-ctx.Done():
		return nil, refused(stageVerify, reasonNoAnswer, ctx.Err())
	case r := <-flight:
		if r.Err != nil {
			return nil, s.introspected(r.Err)
		}
		return r.Val.(*grant), nil
	}
}

func (s *server) refusedBefore(now time.Time, b bearer) error {
	if no, ok := s.turnedDown.GetIfPresent(b.digest); ok && now.Before(no.until) {
		return no.why
	}
	return nil
}

// introspected is the refusal for a token that the issuer was asked about.
func (s *server) introspected(err error) error {
	if isVerdict(err) {
		return s.explained(tokenRefusal(err))
	}
	return refused(stageVerify, reasonNoAnswer, err)
}

// isVerdict: the token is at fault. Anything else says nothing about it.
func isVerdict(err error) bool {
	var e *token.Error
	return errors.As(err, &e)
}

func isInactive(err error) bool {
	var e *token.Error
	return errors.As(err, &e) && e.Reason == token.Inactive
}

package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/singleflight"

	"github.com/postern-mcp/postern/authserver/jose"
)

const (
	keysFresh    = 5 * time.Minute  // then they are fetched again behind the scenes
	keysUsable   = time.Hour        // then, with the issuer away, calls are refused
	fetchPause   = 2 * time.Second  // between fetches that failed
	unknownPause = 10 * time.Second // between fetches for a key id nobody knows
	fetchTimeout = 5 * time.Second
	fetchLimit   = 512 << 10 // bytes of one document
)

// keySet is what an issuer published at some moment.
type keySet struct {
	set     jose.KeySet
	fetched time.Time
}

func (k *keySet) usable(now time.Time) bool { return now.Sub(k.fetched) < keysUsable }

// issuer knows the keys of one authorization server by discovery (RFC 8414,
// OpenID Connect Discovery). Keys outlive failed fetches for keysUsable.
type issuer struct {
	conf   Issuer
	fetch  *fetcher
	log    *slog.Logger
	known  atomic.Pointer[keySet]
	failed atomic.Int64 // unix nanoseconds of the last failure
	flight singleflight.Group
}

func newIssuer(conf Issuer, fetch *fetcher, log *slog.Logger) *issuer {
	return &issuer{conf: conf, fetch: fetch, log: log}
}

// keys are the known keys. Old ones are renewed behind the scenes.
func (i *issuer) keys(ctx context.Context, now time.Time) (*keySet, error) {
	known := i.known.Load()
	if known == nil || !known.usable(now) {
		return i.refresh(ctx, now)
	}
	if now.Sub(known.fetched) > keysFresh && !i.failedSince(now.Add(-fetchPause)) {
		go func() {
			if _, err := i.refresh(context.WithoutCancel(ctx), now); err != nil {
				i.log.Warn("keys not renewed, the known ones serve on", "issuer", i.conf.URL, "error", err)
			}
		}()
	}
	return known, nil
}

// newer fetches because a token names a key that is not among have. Within
// unknownPause of the last fetch it does not: the key is then taken as unknown.
func (i *issuer) newer(ctx context.Context, now time.Time, have *keySet) (*keySet, error) {
	known := i.known.Load()
	if known != have || now.Sub(known.fetched) < unknownPause {
		return known, nil
	}
	return i.refresh(ctx, now)
}

func (i *issuer) failedSince(t time.Time) bool { return i.failed.Load() > t.UnixNano() }

// refresh fetches once for all who ask at the same time.
func (i *issuer) refresh(ctx context.Context, now time.Time) (*keySet, error) {
	if i.failedSince(now.Add(-fetchPause)) {
		return nil, errors.New("the last fetch failed a moment ago")
	}
	got := i.flight.DoChan("keys", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		set, err := i.fetch.keys(ctx, i.conf.URL)
		if err != nil {
			i.failed.Store(now.UnixNano())
			return nil, err
		}
		fetched := &keySet{set: set, fetched: now}
		i.known.Store(fetched)
		return fetched, nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-got:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*keySet), nil
	}
}

// fetcher reads the documents of issuers.
type fetcher struct{ client *http.Client }

func newFetcher() *fetcher {
	return &fetcher{client: &http.Client{
		Timeout: fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // metadata lives where the issuer says, nowhere else
		},
	}}
}

// issuerDocument is the part of RFC 8414 metadata that matters here.
type issuerDocument struct {
	Issuer  string `json:"issuer"`
	JWKSURI string `json:"jwks_uri"`
}

func (f *fetcher) keys(ctx context.Context, issuer string) (jose.KeySet, error) {
	doc, err := f.discover(ctx, issuer)
	if err != nil {
		return jose.KeySet{}, err
	}
	if err := trusted(doc.JWKSURI); err != nil {
		return jose.KeySet{}, fmt.Errorf("jwks_uri: %w", err)
	}
	body, err := f.get(ctx, doc.JWKSURI)
	if err != nil {
		return jose.KeySet{}, err
	}
	return jose.ParseKeySet(body)
}

// discover tries the well-known places in the order MCP clients do.
func (f *fetcher) discover(ctx context.Context, issuer string) (issuerDocument, error) {
	var failures []error
	for _, place := range wellKnownPlaces(issuer) {
		body, err := f.get(ctx, place)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		var doc issuerDocument
		if err := json.Unmarshal(body, &doc); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", place, err))
			continue
		}
		if doc.Issuer != issuer { // RFC 8414 §3.3: identical, or not to be used
			failures = append(failures, fmt.Errorf("%s is the metadata of %q", place, doc.Issuer))
			continue
		}
		return doc, nil
	}
	return issuerDocument{}, errors.Join(failures...)
}

func wellKnownPlaces(issuer string) []string {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil // unreachable: the configuration parsed it
	}
	base, path := u.Scheme+"://"+u.Host, strings.TrimSuffix(u.Path, "/")
	places := []string{
		base + "/.well-known/oauth-authorization-server" + path,
		base + "/.well-known/openid-configuration" + path,
	}
	if path != "" {
		places = append(places, base+path+"/.well-known/openid-configuration")
	}
	return places
}

// trusted: keys come over TLS, or from this machine.
func trusted(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return err
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme == "https" || u.Scheme == "http" && local {
		return nil
	}
	return errors.New("must be https")
}

func (f *fetcher) get(ctx context.Context, place string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", place, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, fetchLimit+1))
	if err != nil {
		return nil, err
	}
	if len(body) > fetchLimit {
		return nil, fmt.Errorf("%s is larger than %d bytes", place, fetchLimit)
	}
	return body, nil
}

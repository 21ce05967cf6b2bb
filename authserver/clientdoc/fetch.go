package clientdoc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Why there is no document. ErrMetadata and ErrRedirect may come as well.
var (
	ErrInvalidID   = errors.New("not the URL of a client metadata document")
	ErrForbidden   = errors.New("the document's host is not a public one")
	ErrUnreachable = errors.New("the document cannot be fetched")
	ErrNotDocument = errors.New("the answer is not a client metadata document")
	ErrBusy        = errors.New("too many fetches")
)

const (
	maxDocument = 5 << 10
	maxID       = 500
	timeLimit   = 5 * time.Second
	maxAtOnce   = 16 // more than one caller may start at a time
)

// Document is a client's checked metadata and whose it is.
type Document struct {
	Metadata
	Host     string // of its URL, with the port
	Verified bool   // fetched over https, so the host says it
}

// Options of a fetcher.
type Options struct {
	Loopback bool     // documents may live on http://127.0.0.1, [::1] and localhost: for development only
	Schemes  []string // private-use schemes without a dot that redirect URIs may have
	Now      func() time.Time
}

// Fetcher fetches documents from public hosts and remembers the good ones.
type Fetcher struct {
	loopback bool
	schemes  []string
	now      func() time.Time
	public   *http.Client
	local    *http.Client
	slots    chan struct{}
	cache    *cache
	pace     *pace
}

// NewFetcher makes a fetcher. It follows no redirect, uses no proxy and keeps
// no connection.
func NewFetcher(o Options) *Fetcher {
	return &Fetcher{
		loopback: o.Loopback, schemes: o.Schemes, now: o.Now, cache: newCache(), pace: newPace(), slots: make(chan struct{}, maxAtOnce),
		public: newClient(guard(public), nil), local: newClient(guard(netip.Addr.IsLoopback), nil),
	}
}

type control = func(network, address string, c syscall.RawConn) error

func newClient(c control, trust *tls.Config) *http.Client {
	dialer := &net.Dialer{Timeout: timeLimit, Control: c}
	return &http.Client{
		Timeout:       timeLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true,
			MaxResponseHeaderBytes: 16 << 10, TLSClientConfig: trust, TLSHandshakeTimeout: timeLimit,
		},
	}
}

// IsID says whether a client_id is the URL of a document, by its beginning:
// ids this server makes never look like that.
func (f *Fetcher) IsID(id string) bool {
	return strings.HasPrefix(id, "https://") || strings.HasPrefix(id, "http://")
}

// Fetch gives the document of a client id: from memory while it is fresh,
// else from its host. Before that it asks pay, whose error is the answer then.
func (f *Fetcher) Fetch(ctx context.Context, id string, pay func() error) (Document, error) {
	u, err := f.parseID(id)
	if err != nil {
		return Document{}, err
	}
	now := f.now()
	if d, ok := f.cache.get(id, now); ok {
		return d, nil
	}
	if err := pay(); err != nil {
		return Document{}, err
	}
	if !f.pace.allow(paced(u), now) {
		return Document{}, fmt.Errorf("%w from this host", ErrBusy)
	}
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	default:
		return Document{}, fmt.Errorf("%w at once", ErrBusy)
	}
	d, life, err := f.fetch(ctx, id, u)
	if err != nil {
		return Document{}, err
	}
	f.cache.put(id, d, now, life)
	return d, nil
}

// parseID: CIMD §3: https, a path, no dot segments, fragment or userinfo.
func (f *Fetcher) parseID(id string) (*url.URL, error) {
	u, err := url.Parse(id)
	if err != nil || len(id) > maxID || !printable(id) || u.Hostname() == "" || u.User != nil || strings.Contains(id, "#") {
		return nil, ErrInvalidID
	}
	if u.Scheme != "https" && (!f.loopback || !IsLoopback(u.Hostname())) {
		return nil, ErrInvalidID
	}
	if u.Path == "" || u.Path == "/" {
		return nil, ErrInvalidID
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return nil, ErrInvalidID
		}
	}
	return u, nil
}

// paced is the host without what could make one host many: port, case, final
// dot. On loopback each port is another program.
func paced(u *url.URL) string {
	if IsLoopback(u.Hostname()) {
		return u.Host
	}
	return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
}

func (f *Fetcher) fetch(ctx context.Context, id string, u *url.URL) (Document, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, id, nil)
	if err != nil {
		return Document{}, 0, ErrInvalidID
	}
	req.Header.Set("Accept", "application/json")
	resp, err := f.clientFor(u).Do(req)
	if errors.Is(err, ErrForbidden) {
		return Document{}, 0, fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	if err != nil {
		return Document{}, 0, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer resp.Body.Close()
	body, err := readDocument(resp)
	if err != nil {
		return Document{}, 0, err
	}
	d, err := f.check(id, u, body)
	return d, lifetime(resp.Header), err
}

func (f *Fetcher) clientFor(u *url.URL) *http.Client {
	if f.loopback && IsLoopback(u.Hostname()) {
		return f.local
	}
	return f.public
}

func readDocument(resp *http.Response) ([]byte, error) {
	if resp.StatusCode >= http.StatusInternalServerError {
		return nil, fmt.Errorf("%w: status %d", ErrUnreachable, resp.StatusCode)
	}
	// CIMD §4: 200 only, and no redirects.
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: status %d", ErrNotDocument, resp.StatusCode)
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || (kind != "application/json" && !(strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"))) {
		return nil, fmt.Errorf("%w: content type %q", ErrNotDocument, resp.Header.Get("Content-Type"))
	}
	if resp.Header.Get("Content-Encoding") != "" {
		return nil, fmt.Errorf("%w: nobody asked for a content encoding", ErrNotDocument)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if len(body) > maxDocument {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrNotDocument, maxDocument)
	}
	return body, nil
}

func (f *Fetcher) check(id string, u *url.URL, body []byte) (Document, error) {
	m, err := Parse(body, f.schemes)
	if err != nil {
		return Document{}, err
	}
	// CIMD §4.1: compared as strings.
	if m.ClientID != id {
		return Document{}, fmt.Errorf("%w: client_id is not the document's URL", ErrNotDocument)
	}
	// MCP 2026-07-28: client_name is required.
	if m.Name == "" {
		return Document{}, fmt.Errorf("%w: client_name is required", ErrMetadata)
	}
	// CIMD §4.1: a public document cannot hold a shared secret; keys of clients are not taken here.
	if m.AuthMethod != "" && m.AuthMethod != "none" {
		return Document{}, fmt.Errorf("%w: token_endpoint_auth_method must be none", ErrMetadata)
	}
	return Document{Metadata: m, Host: u.Host, Verified: u.Scheme == "https"}, nil
}

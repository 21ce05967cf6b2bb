package clientdoc

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/reach"
)

// Why there is no document. ErrMetadata and ErrRedirect may come as well.
//
// ErrForbidden, ErrUnreachable and ErrNotDocument say what the network is like
// from here. Who may ask for fetches must not be told which it was.
var (
	ErrInvalidID   = errors.New("not the URL of a client metadata document")
	ErrForbidden   = errors.New("the document's host is not a public one")
	ErrUnreachable = errors.New("the document cannot be fetched")
	ErrNotDocument = errors.New("the answer is not what was asked for")
	ErrBusy        = errors.New("too many fetches")
	ErrUntrusted   = errors.New("the document's host is not one of those whose clients are let in")
)

const (
	maxDocument = 5 << 10
	maxID       = 500

	// Patience is the time that one fetch may take.
	Patience = 5 * time.Second
)

// Document is a client's checked metadata and whose it is.
type Document struct {
	Metadata
	Host     string // of its URL, with the port
	Verified bool   // fetched over https, so the host says it
	Version  string // the same as long as all of Metadata is, keys included
}

// Options of a fetcher.
type Options struct {
	Rules          // Methods are those of documents: none is by a secret
	Hosts []string // whose documents are taken: names, or *.example.com for all below it; nil: everybody's
	Now   func() time.Time

	// FailAfter is when a fetch that failed is told: all at the same time, so that
	// time does not say either what the network is like from here. Patience, but in tests.
	FailAfter time.Duration
}

// Fetcher fetches documents from public hosts and remembers the good ones.
type Fetcher struct {
	rules     Rules
	hosts     []string
	now       func() time.Time
	public    *http.Client
	local     *http.Client
	places    *places
	documents *cache[Document]
	keys      *cache[jose.KeySet]
	pace      *pace
	failAfter time.Duration
}

// NewFetcher makes a fetcher. It follows no redirect, uses no proxy and keeps
// no connection.
func NewFetcher(o Options) *Fetcher {
	return &Fetcher{
		rules: o.Rules, hosts: o.Hosts, now: o.Now, failAfter: o.FailAfter, pace: newPace(), places: newPlaces(),
		documents: newCache[Document](), keys: newCache[jose.KeySet](),
		public: newClient(reach.Only(reach.Public), nil), local: newClient(reach.Only(netip.Addr.IsLoopback), nil),
	}
}

func newClient(c reach.Control, trust *tls.Config) *http.Client {
	dialer := &net.Dialer{Timeout: Patience, Control: c}
	return &http.Client{
		Timeout:       Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true,
			MaxResponseHeaderBytes: 16 << 10, TLSClientConfig: trust, TLSHandshakeTimeout: Patience,
		},
	}
}

// IsID says whether a client_id is the URL of a document, by its beginning:
// ids this server makes never look like that.
func (f *Fetcher) IsID(id string) bool {
	return strings.HasPrefix(id, "https://") || strings.HasPrefix(id, "http://")
}

// Fetch gives the document of a client id: from memory while it is fresh,
// else from its host.
func (f *Fetcher) Fetch(ctx context.Context, id string, by Caller) (Document, error) {
	u, err := f.parseID(id)
	if err != nil {
		return Document{}, err
	}
	if d, ok := f.documents.get(id, f.now()); ok {
		return d.value, nil
	}
	return f.document(ctx, id, u, by)
}

// document asks its host. One with keys is remembered no longer than keys are.
func (f *Fetcher) document(ctx context.Context, id string, u *url.URL, by Caller) (Document, error) {
	now, began := f.now(), time.Now()
	body, life, err := f.fetch(ctx, id, u, maxDocument, by)
	if err != nil {
		return Document{}, f.late(ctx, began, err)
	}
	d, err := f.check(id, u, body)
	if err != nil {
		return Document{}, f.late(ctx, began, err)
	}
	if d.Keys != nil {
		life = min(life, maxKeyLife)
	}
	f.documents.put(id, d, now, life)
	return d, nil
}

// Renew asks the host of a document anew, and that of the keys it names, when
// a signature did not fit what is remembered of them: at most every thirty
// seconds. It says whether that is worth another look; what was remembered stays
// where a host cannot be reached.
func (f *Fetcher) Renew(ctx context.Context, id, keysURI string, by Caller) bool {
	news := false
	if known, ok := f.documents.get(id, f.now()); ok && f.old(known.since) {
		u, err := f.parseID(id)
		if err == nil {
			_, err = f.document(ctx, id, u, by)
		}
		news = err == nil
	}
	if known, ok := f.keys.get(keysURI, f.now()); ok && f.old(known.since) {
		u, err := url.Parse(keysURI)
		if err == nil {
			_, err = f.keySet(ctx, keysURI, u, by)
		}
		news = news || err == nil
	}
	return news
}

func (f *Fetcher) old(since time.Time) bool { return !f.now().Before(since.Add(keysAgain)) }

const (
	maxKeyLife = time.Hour        // a key that its owner took away is good no longer than this
	keysAgain  = 30 * time.Second // before a set is asked for again because a key is not in it
)

// Keys gives the JWK Set behind a client's jwks_uri: from memory while it is
// fresh and has a key of this kid (any, for ""), else from its host, under the
// rules for documents.
func (f *Fetcher) Keys(ctx context.Context, uri, kid string, by Caller) (jose.KeySet, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" && (!f.rules.Loopback || !IsLoopback(u.Hostname())) {
		return jose.KeySet{}, ErrForbidden
	}
	known, ok := f.keys.get(uri, f.now())
	if ok && (kid == "" || known.value.Has(kid) || !f.old(known.since)) {
		return known.value, nil
	}
	return f.keySet(ctx, uri, u, by)
}

func (f *Fetcher) keySet(ctx context.Context, uri string, u *url.URL, by Caller) (jose.KeySet, error) {
	now, began := f.now(), time.Now()
	body, life, err := f.fetch(ctx, uri, u, maxKeyBytes, by)
	if err != nil {
		return jose.KeySet{}, f.late(ctx, began, err)
	}
	set, err := ParseKeys(body)
	if err != nil {
		return jose.KeySet{}, f.late(ctx, began, fmt.Errorf("%w: %v", ErrNotDocument, err)) // not what is wrong with the set: that would be told
	}
	f.keys.put(uri, set, now, min(life, maxKeyLife))
	return set, nil
}

// late holds what the network said until failAfter from when the fetch began. A
// caller who cannot pay, or comes too often, learns nothing of the network.
func (f *Fetcher) late(ctx context.Context, began time.Time, err error) error {
	if !errors.Is(err, ErrForbidden) && !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrNotDocument) {
		return err
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Until(began.Add(f.failAfter))):
	}
	return err
}

// parseID: CIMD §3: https, a path, no dot segments, fragment or userinfo.
func (f *Fetcher) parseID(id string) (*url.URL, error) {
	u, err := url.Parse(id)
	if err != nil || len(id) > maxID || !printable(id) || u.Hostname() == "" || u.User != nil || strings.Contains(id, "#") {
		return nil, ErrInvalidID
	}
	if u.Scheme != "https" && (!f.rules.Loopback || !IsLoopback(u.Hostname())) {
		return nil, ErrInvalidID
	}
	if !f.trusts(u.Hostname()) {
		return nil, ErrUntrusted
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

// trusts: CIMD §6: which hosts' clients are let in is the operator's to say.
func (f *Fetcher) trusts(host string) bool {
	if f.hosts == nil {
		return true
	}
	host = strings.ToLower(host)
	return slices.ContainsFunc(f.hosts, func(pattern string) bool {
		below, wild := strings.CutPrefix(pattern, "*")
		return pattern == host || wild && strings.HasSuffix(host, below)
	})
}

// CheckHosts checks a list of hosts whose clients are let in.
func CheckHosts(list []string) error {
	for _, pattern := range list {
		if !hostName(strings.TrimPrefix(pattern, "*.")) || pattern != strings.ToLower(pattern) || strings.Contains(pattern, ":") {
			return fmt.Errorf("%q must be a host name in lower case, or *. and one for all below it", pattern)
		}
	}
	return nil
}

// paced is the host without what could make one host many: port, case, final
// dot. On loopback each port is another program.
func paced(u *url.URL) string {
	if IsLoopback(u.Hostname()) {
		return u.Host
	}
	return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
}

// fetch takes a place among those that go on at once, for at most limit bytes.
func (f *Fetcher) fetch(ctx context.Context, address string, u *url.URL, limit int64, by Caller) ([]byte, time.Duration, error) {
	if err := by.Pay(); err != nil {
		return nil, 0, err
	}
	if !f.pace.allow(paced(u), f.now()) {
		return nil, 0, fmt.Errorf("%w from this host", ErrBusy)
	}
	leave, err := f.places.enter(ctx, paced(u), by.From)
	if err != nil {
		return nil, 0, err
	}
	defer leave()
	return f.get(ctx, address, u, limit)
}

func (f *Fetcher) get(ctx context.Context, address string, u *url.URL, limit int64) ([]byte, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, ErrInvalidID
	}
	req.Header.Set("Accept", "application/json")
	resp, err := f.clientFor(u).Do(req)
	if errors.Is(err, reach.ErrForbidden) {
		return nil, 0, fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer resp.Body.Close()
	body, err := readDocument(resp, limit)
	return body, lifetime(resp.Header, f.now()), err
}

func (f *Fetcher) clientFor(u *url.URL) *http.Client {
	if f.rules.Loopback && IsLoopback(u.Hostname()) {
		return f.local
	}
	return f.public
}

func readDocument(resp *http.Response, limit int64) ([]byte, error) {
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
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrNotDocument, limit)
	}
	return body, nil
}

// check holds a document to its own URL first: one that names it wants to be
// read as a client's, so that it may be told what is wrong with it.
func (f *Fetcher) check(id string, u *url.URL, body []byte) (Document, error) {
	var named struct {
		ClientID string `json:"client_id"`
	}
	// CIMD §4.1: compared as strings.
	if err := json.Unmarshal(body, &named); err != nil || named.ClientID != id {
		return Document{}, fmt.Errorf("%w: client_id is not the document's URL", ErrNotDocument)
	}
	m, err := Parse(body, f.rules)
	if err != nil {
		return Document{}, err
	}
	// MCP 2026-07-28: client_name is required.
	if m.Name == "" {
		return Document{}, fmt.Errorf("%w: client_name is required", ErrMetadata)
	}
	version, err := m.version()
	return Document{Metadata: m, Host: u.Host, Verified: u.Scheme == "https", Version: version}, err
}

// version is a digest of everything that was read.
func (m Metadata) version() (string, error) {
	doc, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	canonical := jsontext.Value(doc)
	if err := canonical.Canonicalize(); err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

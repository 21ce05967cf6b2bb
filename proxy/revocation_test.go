package proxy_test

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/status"
	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/proxy"
)

// listStand is a status list of an issuer stand, signed anew for each fetch.
type listStand struct {
	*stand
	uri     string
	mu      sync.Mutex
	list    status.List
	key     jose.PrivateKey
	subject string        // of the list, the uri
	age     time.Duration // of the list when it is served
	fetches atomic.Int64
	broken  atomic.Bool
}

const listLife = time.Minute

func newListStand(t *testing.T, changes ...change) *listStand {
	t.Helper()
	s := newStand(t, changes...)
	l := &listStand{stand: s, uri: s.issuer.URL + "/more/status/0", key: s.issuer.keys[0]}
	l.subject = l.uri
	var err error
	if l.list, err = status.NewList(64); err != nil {
		t.Fatal(err)
	}
	s.issuer.more.Store("/more/status/0", http.HandlerFunc(l.serve))
	return l
}

func (l *listStand) serve(w http.ResponseWriter, _ *http.Request) {
	l.fetches.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	raw, err := status.Sign(l.key, l.list, l.subject, l.clock.now().Add(-l.age), 2*time.Second, listLife)
	if err != nil || l.broken.Load() {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, raw)
}

func (l *listStand) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func (l *listStand) revoke(index uint64) {
	l.Helper()
	l.change(func() {
		if err := l.list.Set(index); err != nil {
			l.Fatal(err)
		}
	})
}

// at gives a token its place in the list.
func (l *listStand) at(index uint64) func(*token.Claims) {
	return func(c *token.Claims) { c.Status = token.Status{URI: l.uri, Index: index} }
}

// becomes polls until a call is answered with this status.
func (l *listStand) becomes(access string, want int) reply {
	l.Helper()
	var got reply
	waitFor(l.T, "status "+strconv.Itoa(want), func() bool {
		got = l.bear(access)
		return got.StatusCode == want
	})
	return got
}

func TestStatusList(t *testing.T) {
	l := newListStand(t)
	l.revoke(7)
	elsewhere := newIssuer(t)
	elsewhere.more.Store("/more/status/0", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a list was fetched from another address than the issuer's")
	}))
	at := func(uri string) func(*token.Claims) {
		return func(c *token.Claims) { c.Status = token.Status{URI: uri, Index: 1} }
	}
	host := strings.TrimPrefix(l.issuer.URL, "http://")
	for _, row := range []struct {
		name   string
		token  string
		status int
		reason string
	}{
		{"not in the list's care", l.token(), 200, ""},
		{"valid", l.token(l.at(6)), 200, ""},
		{"revoked", l.token(l.at(7)), 401, "token_revoked"},
		{"the next", l.token(l.at(8)), 200, ""},
		{"outside the list", l.token(l.at(64)), 401, "token_status"},
		{"another address", l.token(at(elsewhere.URL + "/more/status/0")), 401, "token_status"},
		{"the same with another scheme", l.token(at("https://" + host + "/more/status/0")), 401, "token_status"},
		{"with a user", l.token(at("http://u@" + host + "/more/status/0")), 401, "token_status"},
		{"a file", l.token(at("file:///more/status/0")), 401, "token_status"},
		{"no list there", l.token(at(l.issuer.URL + "/more/status/1")), 503, "revocations_unavailable"},
		{"another list's address", l.token(at(l.uri + "?x")), 503, "revocations_unavailable"},
	} {
		t.Log(row.name)
		l.wants(l.bear(row.token), row.status, row.reason)
	}
}

// A list that is not the issuer's word about this address is none.
func TestStatusListIsVerified(t *testing.T) {
	for name, spoil := range map[string]func(*listStand){
		"signed by a stranger":  func(l *listStand) { l.key = newKey(l.T) },
		"of another address":    func(l *listStand) { l.subject = l.uri + "0" },
		"expired":               func(l *listStand) { l.age = listLife + time.Minute },
		"an error in its place": func(l *listStand) { l.broken.Store(true) },
		"from the future":       func(l *listStand) { l.age = -time.Hour },
	} {
		l := newListStand(t)
		l.change(func() { spoil(l) })
		t.Log(name)
		r := l.bear(l.token(l.at(1)))
		l.wants(r, 503, "revocations_unavailable")
		if r.Header.Get("Retry-After") == "" || l.upstream.calls() != 0 {
			t.Errorf("%s: Retry-After %q, %d calls upstream", name, r.Header.Get("Retry-After"), l.upstream.calls())
		}
	}
}

// A token that was verified before is looked up with every call.
func TestRevocationReachesRememberedTokens(t *testing.T) {
	t.Parallel()
	l := newListStand(t)
	good, bad := l.token(l.at(1)), l.token(l.at(2))
	l.wants(l.bear(good), 200, "")
	l.wants(l.bear(bad), 200, "")
	l.revoke(2)
	l.wants(l.becomes(bad, 401), 401, "token_revoked")
	l.wants(l.bear(good), 200, "")
}

// The issuer says by exp how long a list may be used without it.
func TestListServesUntilItsExpiry(t *testing.T) {
	t.Parallel()
	l := newListStand(t)
	access := l.token(l.at(1))
	l.wants(l.bear(access), 200, "")
	l.broken.Store(true)
	l.clock.advance(listLife)
	l.wants(l.bear(access), 200, "")
	l.clock.advance(31 * time.Second)
	l.wants(l.bear(access), 503, "revocations_unavailable")
	l.broken.Store(false)
	l.clock.advance(2 * time.Second)
	l.wants(l.becomes(access, 200), 200, "")
}

// An old list from a cache on the way does not make a revoked token good again.
func TestOldListDoesNotReplaceANewerOne(t *testing.T) {
	t.Parallel()
	l := newListStand(t)
	l.revoke(1)
	access := l.token(l.at(1))
	l.wants(l.bear(access), 401, "token_revoked")
	fresh, err := status.NewList(64)
	if err != nil {
		t.Fatal(err)
	}
	l.change(func() { l.list, l.age = fresh, 10*time.Second })
	before := l.fetches.Load()
	waitFor(t, "another fetch", func() bool {
		l.wants(l.bear(access), 401, "token_revoked")
		return l.fetches.Load() > before+1
	})
	l.wants(l.bear(access), 401, "token_revoked")
}

// A list may grow: a place beyond the known one is asked for once more.
func TestListThatGrew(t *testing.T) {
	l := newListStand(t)
	l.wants(l.bear(l.token(l.at(1))), 200, "")
	larger, err := status.NewList(128)
	if err != nil {
		t.Fatal(err)
	}
	if err := larger.Set(101); err != nil {
		t.Fatal(err)
	}
	l.change(func() { l.list = larger })
	l.wants(l.bear(l.token(l.at(100))), 200, "")
	l.wants(l.bear(l.token(l.at(101))), 401, "token_revoked")
}

func TestListSignedWithANewKey(t *testing.T) {
	t.Parallel()
	l := newListStand(t)
	access := l.token(l.at(1))
	l.wants(l.bear(access), 200, "")
	l.issuer.mu.Lock()
	l.issuer.keys = append(l.issuer.keys, newKey(t))
	l.issuer.mu.Unlock()
	l.clock.advance(11 * time.Second)
	l.change(func() { l.key = l.issuer.keys[1]; _ = l.list.Set(1) })
	l.wants(l.becomes(access, 401), 401, "token_revoked")
}

func TestListeningEndsWhenTheTokenIsRevoked(t *testing.T) {
	for method, message := range map[string]string{
		http.MethodGet:  "",
		http.MethodPost: `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}}}`,
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			l := newListStand(t)
			l.stand.upstream.answers(endless)
			stream := l.listenBy(t, method, message, l.token(l.at(1)))
			l.revoke(1)
			l.endsWith(t, stream, "token_revoked")
		})
	}
}

// What was allowed is carried out, and its answer arrives.
func TestCallMayFinishAfterTheRevocation(t *testing.T) {
	t.Parallel()
	l := newListStand(t)
	access, arrived, open := l.token(l.at(1)), make(chan struct{}), make(chan struct{})
	l.stand.upstream.answers(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-open
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
	})
	answered := make(chan reply, 1)
	go func() { answered <- l.bear(access) }()
	<-arrived
	l.revoke(1)
	l.becomes(access, 401)
	close(open)
	if r := <-answered; r.StatusCode != 200 {
		t.Errorf("status %d: %s", r.StatusCode, r.body)
	}
}

// Nobody can tell whether the token is still good: a while is passed over, not more.
func TestListeningEndsWhenNobodyCanTell(t *testing.T) {
	t.Parallel()
	l := newListStand(t)
	l.stand.upstream.answers(endless)
	stream := l.listen(t, l.token(l.at(1), func(c *token.Claims) { c.Expiry = c.Expiry.Add(time.Hour) }))
	l.broken.Store(true)
	l.clock.advance(2 * listLife)
	l.endsWith(t, stream, "revocations_unavailable")
}

// feedStand is a feed that says what the test wants.
type feedStand struct {
	revoked string
	err     error
}

func (f *feedStand) Revoked(id string) (bool, error) { return id == f.revoked, f.err }

func (f *feedStand) Ready() error { return f.err }

func byFeed(f proxy.Feed) change {
	return func(c *proxy.Config) { c.Issuers[0].Revocation, c.Issuers[0].Feed = proxy.ByFeed, f }
}

func TestFeed(t *testing.T) {
	feed := &feedStand{}
	s := newStand(t, byFeed(feed))
	access := s.token()
	s.wants(s.bear(access), 200, "")
	feed.err = errors.New("gone")
	r := s.bear(access)
	s.wants(r, 503, "revocations_unavailable")
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	feed.err, feed.revoked = nil, "t1"
	s.wants(s.bear(access), 401, "token_revoked")
	s.wants(s.bear(s.token(func(c *token.Claims) { c.ID = "t2" })), 200, "")
	nameless, err := s.issuer.keys[0].Sign("at+jwt", []byte(`{"iss":"`+s.issuer.URL+`","sub":"alice","aud":"`+s.url+`","iat":1,"exp":`+
		strconv.FormatInt(s.clock.now().Add(time.Minute).Unix(), 10)+`,"scope":"basic"}`))
	if err != nil {
		t.Fatal(err)
	}
	s.wants(s.bear(nameless), 401, "token_missing_claim")
}

// With none, the operator has said that a token is good until it expires.
func TestRevocationsNone(t *testing.T) {
	l := newListStand(t, func(c *proxy.Config) { c.Issuers[0].Revocation = proxy.Unrevoked })
	l.revoke(1)
	l.wants(l.bear(l.token(l.at(1))), 200, "")
	if n := l.fetches.Load(); n != 0 {
		t.Errorf("%d fetches", n)
	}
}

// A revoked token leaves its proof unused, and a proof does not help it.
func TestRevokedTokenWithProof(t *testing.T) {
	t.Parallel()
	l := newListStand(t)
	access := l.token(l.at(1), l.bound)
	l.learnNonce(access)
	l.wants(l.post(toolCall("add"), "Authorization", "DPoP "+access, "DPoP", l.proof(access)), 200, "")
	l.revoke(1)
	waitFor(t, "the revocation", func() bool {
		return l.post(toolCall("add"), "Authorization", "DPoP "+access, "DPoP", l.proof(access)).StatusCode == 401
	})
	if got := l.audit.last(t)["reason"]; got != "token_revoked" {
		t.Errorf("reason %v", got)
	}
}

func TestRevocationMustBeDecided(t *testing.T) {
	refusesToStart(t, "nothing said", func(c *proxy.Config) { c.Issuers[0].Revocation = "" })
	refusesToStart(t, "something else", func(c *proxy.Config) { c.Issuers[0].Revocation = "perhaps" })
	refusesToStart(t, "a feed that is not there", func(c *proxy.Config) { c.Issuers[0].Revocation = proxy.ByFeed })
}

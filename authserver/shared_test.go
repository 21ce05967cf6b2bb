package authserver

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store/postgrestest"
)

// newPair is two servers on one database, started at the same time, that
// answer in turn, as behind a load balancer.
func newPair(t *testing.T, databaseURL string, change ...func(*Config)) *rig {
	t.Helper()
	g := &rig{t: t, clock: &clock{now: time.Now().Truncate(time.Second)}, log: &logbook{}}
	var (
		pair  [2]*Server
		turn  atomic.Uint32
		start sync.WaitGroup
	)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pair[turn.Add(1)%2].Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	for i := range pair {
		start.Go(func() {
			c := baseConfig(web.URL, g.clock, g.log)
			for _, f := range change {
				f(&c)
			}
			s, err := New(context.Background(), c, databaseURL)
			if err != nil {
				t.Error(err)
				return
			}
			pair[i] = s
		})
	}
	start.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() { _, _ = pair[0].Close(), pair[1].Close() })
	g.s, g.url = pair[0], web.URL
	if err := g.s.CreateUser(context.Background(), testUser, testPassword); err != nil {
		t.Fatal(err)
	}
	return g
}

// Two servers on one file, two on one PostgreSQL, and two with a Redis beside it.
func TestTwoInstances(t *testing.T) {
	server, inRedis := postgrestest.Start(t), keptInRedis(t)
	for _, row := range []struct {
		name  string
		test  func(*testing.T, *rig)
		waits bool // it is about what may wait in a Redis
	}{
		{"are one", oneServer, true},
		{"code raced", codeRaced, true},
		{"device code raced", deviceCodeRaced, true},
		{"refresh token raced", refreshTokenRaced, false},
		{"approval raced", approvalRaced, true},
		{"assertion raced", assertionRaced, false},
		{"person deleted meanwhile", deletedMeanwhile, true},
		{"one-time code raced", oneTimeCodeRaced, false},
		{"invitation raced", invitationRaced, false},
	} {
		t.Run(row.name+"/sqlite", func(t *testing.T) {
			row.test(t, newPair(t, "sqlite:"+filepath.Join(t.TempDir(), "auth.db")))
		})
		t.Run(row.name+"/postgres", func(t *testing.T) {
			row.test(t, newPair(t, postgrestest.Database(t, server)))
		})
		if !row.waits {
			continue
		}
		t.Run(row.name+"/postgres and redis", func(t *testing.T) {
			row.test(t, newPair(t, postgrestest.Database(t, server), inRedis))
		})
	}
}

const rivals = 8

// race posts one form many times at once and gives the answers, first those of 200.
func (g *rig) race(path string, form url.Values) (good, bad []answerOf) {
	g.t.Helper()
	answers := make([]answerOf, rivals)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = g.post(path, form) })
	}
	all.Wait()
	for _, a := range answers {
		if a.status == http.StatusOK {
			good = append(good, a)
		} else {
			bad = append(bad, a)
		}
	}
	return good, bad
}

// Everything one instance hands out the other takes, once.
func oneServer(t *testing.T, g *rig) {
	id := g.publicClient()
	watcher, secret := g.resourceServer(calculator)
	first := g.tokens(id)
	second := g.post("/token", refreshing(id, first))
	g.expect(second, http.StatusOK, "")
	for _, a := range []answerOf{first, second, first, second} {
		g.verified(a)
		if i := g.post("/introspect", url.Values{"token": {a.str("access_token")}}, basic(watcher, secret)); i.fields["active"] != true {
			t.Errorf("inactive: %s", i.body)
		}
	}
	g.expect(g.post("/revoke", url.Values{"token": {second.str("refresh_token")}, "client_id": {id}}), http.StatusOK, "")
	for _, a := range []answerOf{first, second, first, second} {
		if i := g.post("/introspect", url.Values{"token": {a.str("access_token")}}, basic(watcher, secret)); i.fields["active"] != false {
			t.Errorf("active after its grant was revoked: %s", i.body)
		}
	}
	for range 2 {
		g.expect(g.post("/token", refreshing(id, second)), http.StatusBadRequest, "invalid_grant")
	}
}

func codeRaced(t *testing.T, g *rig) {
	id := g.publicClient()
	for range 5 {
		good, bad := g.race("/token", redemption(id, g.code(id)))
		if len(good) != 1 {
			t.Fatalf("%d redemptions", len(good))
		}
		for _, a := range bad {
			g.expect(a, http.StatusBadRequest, "invalid_grant")
		}
		g.expect(g.post("/token", refreshing(id, good[0])), http.StatusBadRequest, "invalid_grant") // the family ended with the second use
	}
}

func refreshTokenRaced(t *testing.T, g *rig) {
	id := g.publicClient()
	current := g.tokens(id)
	for range 5 {
		good, bad := g.race("/token", refreshing(id, current))
		if len(bad) > 0 {
			t.Fatalf("%d refused, one: %d %s", len(bad), bad[0].status, bad[0].body)
		}
		for _, a := range good {
			if a.str("refresh_token") != good[0].str("refresh_token") {
				t.Fatal("one token has two successors")
			}
		}
		current = good[0]
	}
}

// An approval sent twice, to both: one grant.
func approvalRaced(t *testing.T, g *rig) {
	id, b := g.publicClient(), newBrowser(t)
	page := g.consentPage(b, authorization(id))
	form := url.Values{"request": {formRequest(t, page.body)}, "decision": {"allow"}}
	codes := make([]string, rivals)
	var all sync.WaitGroup
	for i := range codes {
		all.Go(func() {
			a := g.submit(b, "/consent", form)
			if _, query, ok := strings.Cut(a.header.Get("Location"), "?"); ok {
				v, _ := url.ParseQuery(query)
				codes[i] = v.Get("code")
			}
		})
	}
	all.Wait()
	if got := len(strings.Fields(strings.Join(codes, " "))); got != 1 {
		t.Errorf("one approval gave %d codes", got)
	}
}

// A client assertion is good once (RFC 7523 §3 (7)), wherever it is shown.
func assertionRaced(t *testing.T, g *rig) {
	key := newKey(t)
	c := g.signingMachine(key, "")
	for _, jti := range []string{"1", "2", "3"} {
		form := asserting(sign(t, key, "JWT", g.saying(c, jti)))
		good, bad := g.race("/token", with(form, "grant_type", "client_credentials", "resource", calculator))
		if len(good) != 1 {
			t.Fatalf("one assertion was good %d times, %s", len(good), bad[0].body)
		}
		for _, a := range bad {
			g.expect(a, http.StatusUnauthorized, "invalid_client")
		}
	}
}

// A person who is deleted while tokens are issued leaves none that is good.
func deletedMeanwhile(t *testing.T, g *rig) {
	id := g.publicClient()
	watcher, secret := g.resourceServer(calculator)
	current := g.tokens(id)
	var (
		mu     sync.Mutex
		issued []answerOf
		all    sync.WaitGroup
	)
	for range rivals {
		all.Go(func() {
			a := g.post("/token", refreshing(id, current))
			mu.Lock()
			defer mu.Unlock()
			issued = append(issued, a)
		})
	}
	all.Go(func() {
		if err := g.s.DeleteUser(context.Background(), testUser); err != nil {
			t.Error(err)
		}
	})
	all.Wait()
	for _, a := range issued {
		if a.status == http.StatusInternalServerError {
			t.Errorf("got %s\n%s", a.body, g.log)
		}
		if a.status != http.StatusOK {
			continue
		}
		if i := g.post("/introspect", url.Values{"token": {a.str("access_token")}}, basic(watcher, secret)); i.fields["active"] != false {
			t.Errorf("a token outlived its person: %s", i.body)
		}
	}
}

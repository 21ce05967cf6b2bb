package e2e

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/redis/go-redis/v9"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/revoked"
	"github.com/postern-mcp/postern/authserver/status"
)

// inTime is how long a revocation may take to every resource server.
const inTime = 5 * time.Second

// deskOfItsOwn is a desk whose people and clients a test may delete. With a
// Redis it tells of revocations there.
func deskOfItsOwn(t *testing.T, redis *redisServer) *desk {
	t.Helper()
	s := setStage(t, []staged{{"only", "http://" + loopback(freePort(t)), "accepted"}})
	if redis != nil {
		s.append(t, fmt.Sprintf("state:\n  secret_file: %s\n  redis: {url_file: %s}\n",
			newSecret(t, t.TempDir()), write(t, filepath.Join(s.dir, "redis"), redis.url()+"\n")))
	}
	d := &desk{stage: s, user: person{"ada", adasPassword}}
	d.serve(t)
	d.administer(t, d.user.Password+"\n", "user", "create", d.user.Username, "--password-stdin")
	d.public = d.register(t, deskCallback, "refresh_token")
	d.robot, d.target = d.machine(t), d.resource("only")
	return d
}

func (s *stage) append(t *testing.T, block string) {
	t.Helper()
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.config, string(text)+block)
}

func (d *desk) serve(t *testing.T) {
	t.Helper()
	d.server = start(t, binary, "authserver", "-c", d.config)
	eventually(t, func() error { return healthy(d.issuer + "/.well-known/oauth-authorization-server") })
}

func (d *desk) granted(t *testing.T) told {
	t.Helper()
	return d.ask(t, "/token", redeeming(d.public, d.code(t, d.public))).expect(t, http.StatusOK).told(t)
}

func (d *desk) revoke(t *testing.T, token string) {
	t.Helper()
	d.ask(t, "/revoke", url.Values{"token": {token}, "client_id": {d.public}}).expect(t, http.StatusOK)
}

// issuedAs is what an access token says of its place and its name.
type issuedAs struct {
	ID     string `json:"jti"`
	Status struct {
		List struct {
			Index uint64 `json:"idx"`
			URI   string `json:"uri"`
		} `json:"status_list"`
	} `json:"status"`
}

func placeOf(t *testing.T, token string) (c issuedAs) {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &c); err != nil || c.ID == "" || c.Status.List.URI == "" {
		t.Fatalf("%v: %s", err, payload)
	}
	return c
}

// listed says whether the issuer's list calls a token revoked now.
func (d *desk) listed(t *testing.T, token string) bool {
	t.Helper()
	at := placeOf(t, token).Status.List
	keys, err := jose.ParseKeySet([]byte(newWindow(t).get(t, d.issuer+"/jwks.json").body))
	if err != nil {
		t.Fatal(err)
	}
	page := newWindow(t).get(t, at.URI).expect(t, http.StatusOK)
	list, err := status.Verify(time.Now(), page.body, at.URI, keys)
	if err != nil {
		t.Fatal(err)
	}
	not, err := list.List.Has(at.Index)
	if err != nil {
		t.Fatal(err)
	}
	return not
}

// ending revokes in one way and gives the tokens that must be revoked by it.
type ending struct {
	name string
	end  func(t *testing.T, d *desk) map[string]string
}

var endings = []ending{
	{"an access token", func(t *testing.T, d *desk) map[string]string {
		a := d.granted(t)
		d.revoke(t, a.Access)
		return map[string]string{"the token": a.Access}
	}},
	{"a grant", func(t *testing.T, d *desk) map[string]string {
		a := d.granted(t)
		b := d.ask(t, "/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.Refresh}, "client_id": {d.public}}).
			expect(t, http.StatusOK).told(t)
		d.revoke(t, b.Refresh)
		return map[string]string{"before the refresh": a.Access, "after it": b.Access}
	}},
	{"a client, by the administrator", func(t *testing.T, d *desk) map[string]string {
		robot := d.machine(t)
		token := d.stage.token(t, robot, "only")
		d.administer(t, "", "client", "delete", "--yes", robot.ID)
		return map[string]string{"its own token": token}
	}},
	{"a person, by the administrator", func(t *testing.T, d *desk) map[string]string {
		token := d.granted(t).Access
		d.administer(t, "", "user", "delete", "--yes", d.user.Username)
		return map[string]string{"the token": token}
	}},
}

// Whatever ends a token ends it in the list, which npm jose and Node's zlib read alike.
func TestEveryRevocationIsPublished(t *testing.T) {
	d := deskOfItsOwn(t, nil)
	tokens := map[string]string{"alive": d.stage.token(t, d.robot, "only")}
	for _, row := range endings {
		t.Run(row.name, func(t *testing.T) {
			for name, token := range row.end(t, d) {
				began := time.Now()
				if err := within(inTime, func() error {
					if !d.listed(t, token) {
						return fmt.Errorf("%s is not in the list", name)
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
				t.Logf("%s: in the list after %v", name, time.Since(began).Round(time.Millisecond))
				tokens[row.name+": "+name] = token
			}
		})
	}
	var found struct {
		Statuses map[string]struct {
			Media string `json:"media"`
			TTL   int    `json:"ttl"`
			Value int    `json:"value"`
		} `json:"statuses"`
	}
	ask(t, "status-list.mjs", map[string]any{"issuer": d.issuer, "tokens": tokens}, &found)
	for name := range maps.Keys(tokens) {
		got := found.Statuses[name]
		if (got.Value == 1) != (name != "alive") || got.Media != "application/statuslist+jwt" || got.TTL != 2 {
			t.Errorf("%s: to npm jose %+v", name, got)
		}
	}
}

// The same, as proxies with a Redis hear of it, and what they make of a Redis
// that was away or lost everything.
func TestEveryRevocationIsToldThroughRedis(t *testing.T) {
	r := newRedis(t)
	d := deskOfItsOwn(t, r)
	client := redis.NewClient(&redis.Options{Addr: loopback(r.port), MaxRetries: -1, DialTimeout: time.Second})
	t.Cleanup(func() { _ = client.Close() })
	proxy := follow(t, client, d.issuer)
	alive := placeOf(t, d.stage.token(t, d.robot, "only")).ID
	var all []string
	for _, row := range endings[:3] {
		t.Run(row.name, func(t *testing.T) {
			for name, token := range row.end(t, d) {
				id := placeOf(t, token).ID
				began := time.Now()
				proxy.hears(t, inTime, id)
				t.Logf("%s: heard after %v", name, time.Since(began).Round(time.Millisecond))
				all = append(all, id)
			}
		})
	}
	whole := t // what is started again must outlast the row
	t.Run("Redis away", func(t *testing.T) {
		r.stop(t)
		token := d.granted(t).Access
		d.revoke(t, token) // the store has it, so it is done
		eventually(t, proxy.cannotTell)
		r.start(whole) // and knows nothing
		all = append(all, placeOf(t, token).ID)
		proxy.hears(t, patience, all...)
		follow(t, client, d.issuer).hears(t, patience, all...)
	})
	t.Run("the authorization server away", func(t *testing.T) {
		token := d.granted(t).Access
		d.server.signal(syscall.SIGTERM)
		d.server.exit(t)
		d.administer(t, "", "user", "delete", "--yes", d.user.Username)
		d.serve(whole)
		proxy.hears(t, inTime, placeOf(t, token).ID)
	})
	eventually(t, proxy.Ready)
	if yes, err := proxy.Revoked(alive); yes || err != nil {
		t.Errorf("a living token: revoked %v, %v", yes, err)
	}
}

// listener is what a proxy has for one issuer.
type listener struct{ *revoked.Follower }

func follow(t *testing.T, client *redis.Client, issuer string) listener {
	t.Helper()
	f := revoked.NewFollower(client, issuer)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Follow(t.Context())
	}()
	t.Cleanup(func() { <-done })
	eventually(t, f.Ready)
	return listener{f}
}

func (l listener) hears(t *testing.T, in time.Duration, ids ...string) {
	t.Helper()
	if err := within(in, func() error {
		for _, id := range ids {
			if yes, err := l.Revoked(id); !yes {
				return fmt.Errorf("%s is not revoked: %w", id, errors.Join(err, l.Ready()))
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func (l listener) cannotTell() error {
	if yes, err := l.Revoked("some token"); yes || !errors.Is(err, revoked.ErrSilent) {
		return fmt.Errorf("revoked %v, %v", yes, err)
	}
	return nil
}

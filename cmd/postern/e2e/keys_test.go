package e2e

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// aFile is the database of an office in its own folder.
const aFile = "sqlite:auth.db"

// keyOffice is an office of several instances on one database, reached by one
// address in turn.
func keyOffice(t *testing.T, instances int, database, keys string) *office {
	t.Helper()
	dir := t.TempDir()
	o := &office{stage: &stage{dir: dir, issuer: "http://" + loopback(freePort(t))}, host: "http://" + loopback(freePort(t))}
	o.resource = o.host + "/recorder/mcp"
	secret := newSecret(t, dir)
	var behind []*url.URL
	for i := range instances {
		address := loopback(freePort(t))
		o.config = write(t, filepath.Join(dir, fmt.Sprintf("postern%d.yaml", i)), fmt.Sprintf(`authserver:
  listen: %[1]s
  hosts: ['%[1]s']
  issuer: %[2]s
  database: %[3]s
  secret_file: %[4]s
  resources: [{resource: %[5]q, name: recorder, scopes: [{name: use, default: true}]}]
%[6]s`, address, o.issuer, database, secret, o.resource, keys))
		start(t, binary, "authserver", "-c", o.config)
		eventually(t, func() error { return healthy("http://" + address + "/jwks.json") })
		behind = append(behind, &url.URL{Scheme: "http", Host: address})
	}
	var turn atomic.Uint64
	front := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind[turn.Add(1)%uint64(len(behind))])
		r.Out.Host = r.In.Host
	}}
	listenAndServe(t, o.stage.host(o.issuer), front)
	made := o.administer(t, "", "client", "create", "robot", "--scope", "use")
	o.client = machine{ID: made["client_id"], Secret: made["client_secret"]}
	return o
}

// key runs `postern admin key` and returns the columns of what it prints, without their heads.
func (o *office) key(t *testing.T, args ...string) (rows [][]string) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"admin", "-c", o.config, "key"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("postern admin key %v: %v\n%s", args, err, stderr.String())
	}
	for line := range strings.Lines(string(out)) {
		rows = append(rows, strings.Fields(line))
	}
	return rows[1:]
}

// kidOf is the key id that a token names.
func kidOf(token string) string {
	header, _ := base64.RawURLEncoding.DecodeString(strings.SplitN(token, ".", 2)[0])
	var h struct {
		KeyID string `json:"kid"`
	}
	_ = json.Unmarshal(header, &h) // no token has the kid ""
	return h.KeyID
}

// TestEverySigningAlgorithmIsVerified: by the proxy, and by npm jose.
func TestEverySigningAlgorithmIsVerified(t *testing.T) {
	up := newUpstream(t, echo)
	for _, alg := range []string{"ES256", "RS256", "PS256", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			o := keyOffice(t, 1, aFile, "  keys: {algorithm: "+alg+"}\n")
			c := o.caller(t, o.proxy(t, up, ""))
			c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
			spoiled := c.token[:len(c.token)-8] + "AAAAAAAA"
			(&caller{url: c.url, address: c.address, token: spoiled}).send(t, modernCall("echo", `{}`)).expect(t, http.StatusUnauthorized)
			var found struct {
				Verified map[string]struct {
					Subject   string `json:"subject"`
					Algorithm string `json:"algorithm"`
					Refused   string `json:"refused"` // jose's code, "" when it is good
				} `json:"verified"`
			}
			ask(t, "token-verifier.mjs", map[string]any{
				"issuer": o.issuer, "audience": o.resource, "algorithm": alg, "tokens": map[string]string{"good": c.token, "spoiled": spoiled},
			}, &found)
			if got := found.Verified["good"]; got.Subject != o.client.ID || got.Algorithm != alg {
				t.Errorf("to npm jose: %+v", got)
			}
			if got := found.Verified["spoiled"]; got.Refused != "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" {
				t.Errorf("spoiled, to npm jose: %+v", got)
			}
		})
	}
}

// throng is callers that get tokens from an office and spend them at proxies,
// new ones and old ones, until they are stopped.
type throng struct {
	office  *office
	proxies []*sidecar
	stop    chan struct{}
	work    sync.WaitGroup

	mu       sync.Mutex
	tokens   []string       // every one that was issued
	accepted map[string]int // calls, by kid
	refused  []string
}

func gather(t *testing.T, o *office, proxies ...*sidecar) *throng {
	t.Helper()
	c := &throng{office: o, proxies: proxies, stop: make(chan struct{}), accepted: map[string]int{}}
	for n := range 4 {
		c.work.Go(func() { c.call(n) })
	}
	t.Cleanup(c.disperse)
	return c
}

// disperse ends the calls; what came of them stands still then.
func (c *throng) disperse() {
	select {
	case <-c.stop:
	default:
		close(c.stop)
	}
	c.work.Wait()
}

func (c *throng) call(n int) {
	for i := n; ; i++ {
		select {
		case <-c.stop:
			return
		case <-time.After(100 * time.Millisecond):
		}
		token, err := c.token(i)
		if err == nil {
			err = c.spend(token, c.proxies[i%len(c.proxies)])
		}
		if err != nil {
			c.complain(err)
		}
	}
}

// token is a new one, or every third time one of those before.
func (c *throng) token(i int) (string, error) {
	c.mu.Lock()
	if known := len(c.tokens); i%3 == 0 && known > 0 {
		defer c.mu.Unlock()
		return c.tokens[i*7919%known], nil
	}
	c.mu.Unlock()
	token, err := c.issued()
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens = append(c.tokens, token)
	return token, nil
}

func (c *throng) issued() (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {c.office.resource}}
	req, err := http.NewRequest(http.MethodPost, c.office.issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", basicAuth(c.office.client))
	var said told
	body, err := answered(http.DefaultClient.Do(req))
	if err == nil {
		err = json.Unmarshal(body, &said)
	}
	return said.Access, err
}

func (c *throng) spend(token string, at *sidecar) error {
	asks := &caller{url: c.office.resource, address: at.address, token: token}
	if _, err := answered(asks.attempt(modernCall("echo", `{}`), "")); err != nil {
		return fmt.Errorf("a token of key %s: %w", kidOf(token), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.accepted[kidOf(token)]++
	return nil
}

func answered(resp *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return body, err
}

func (c *throng) complain(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = append(c.refused, time.Now().Format("05.000 ")+err.Error())
}

// meets waits until calls with tokens of a key were accepted.
func (c *throng) meets(t *testing.T, kid string) {
	t.Helper()
	eventually(t, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.accepted[kid] < 5*len(c.proxies) {
			return fmt.Errorf("%d calls with tokens of key %s", c.accepted[kid], kid)
		}
		return nil
	})
}

// TestNoTokenIsRefusedWhileKeysRotate: two instances, two proxies, and the key
// changes again and again, as quickly as it may.
func TestNoTokenIsRefusedWhileKeysRotate(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]string{"sqlite": aFile, "postgres": databases.empty(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits, mostly
			rotateUnderLoad(t, keyOffice(t, 2, database, ""))
		})
	}
}

func rotateUnderLoad(t *testing.T, o *office) {
	t.Helper()
	up := newUpstream(t, echo)
	c := gather(t, o, o.proxy(t, up, ""), o.proxy(t, up, ""))
	kids := []string{o.key(t, "list")[0][0]}
	c.meets(t, kids[0])
	for range 3 {
		next := o.key(t, "rotate", "--after", "15s")[0]
		if next[2] != "next" || slices.Contains(kids, next[0]) {
			t.Fatalf("rotated to %v", next)
		}
		kids = append(kids, next[0])
		c.meets(t, next[0])
	}
	c.disperse()
	if len(c.refused) > 0 {
		t.Errorf("%d refused:\n%s", len(c.refused), strings.Join(c.refused[:min(10, len(c.refused))], "\n"))
	}
	for i, token := range c.tokens { // the first are a minute old, and four keys
		if err := c.spend(token, c.proxies[i%len(c.proxies)]); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.accepted) != len(kids) {
		t.Errorf("tokens of %d keys were accepted, want %d", len(c.accepted), len(kids))
	}
	t.Logf("%d tokens, calls by key: %v", len(c.tokens), c.accepted)
}

// TestRevokedSigningKeyIsRefused: everywhere within seconds, though nothing
// else is wrong with the tokens it signed.
func TestRevokedSigningKeyIsRefused(t *testing.T) {
	t.Parallel()
	o := keyOffice(t, 2, aFile, "")
	up := newUpstream(t, echo)
	first, second := o.proxy(t, up, ""), o.proxy(t, up, "")
	lost := o.caller(t, first)
	there := *lost
	there.address = second.address
	for _, c := range []*caller{lost, &there} {
		c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
	}
	o.key(t, "revoke", "--yes", "--", kidOf(lost.token))
	began := time.Now()
	for _, c := range []*caller{lost, &there} {
		eventually(t, c.gets(t, http.StatusUnauthorized, "token_unknown_key"))
		t.Logf("refused %s after the revocation", time.Since(began).Round(time.Millisecond))
	}
	eventually(t, func() error {
		token := o.token(t)
		if kidOf(token) == kidOf(lost.token) {
			return errors.New("an instance signs with the revoked key")
		}
		fresh := &caller{url: lost.url, address: second.address, token: token}
		return fresh.gets(t, http.StatusOK, "")()
	})
}

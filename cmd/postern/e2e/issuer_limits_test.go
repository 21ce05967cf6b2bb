package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crowded is a desk behind a proxy: who asks is in X-Forwarded-For.
func crowded(t *testing.T) *desk {
	t.Helper()
	return openDeskWith(t, "  trusted_proxies: [127.0.0.0/8]\n  client_documents: {loopback: true}\n")
}

// from is the header of somebody of a crowd.
func from(n int) []string {
	return []string{"X-Forwarded-For", fmt.Sprintf("203.0.%d.%d", n/250, n%250+1)}
}

// unhurried checks that a refusal for now says until when.
func (r reply) unhurried() error {
	seconds, err := strconv.Atoi(r.header.Get("Retry-After"))
	if err != nil || seconds < 1 || seconds > 60 {
		return fmt.Errorf("%d with Retry-After %q", r.status, r.header.Get("Retry-After"))
	}
	if !strings.Contains(r.body, "try again") {
		return fmt.Errorf("%d does not say what to do: %s", r.status, r.body)
	}
	return nil
}

// TestGuessingIsSlowedEverywhere: every endpoint that answers strangers sends
// one address away after a while, says for how long, and serves all others.
func TestGuessingIsSlowedEverywhere(t *testing.T) {
	d := crowded(t)
	window := newWindow(t)
	public := d.register(t, deskCallback)
	login := url.Values{"request": {window.get(t, d.issuer+"/authorize?"+d.asking(public).Encode()).sealed(t)}, "password": {"wrong"}}
	wrong := url.Values{"client_id": {"nobody"}, "client_secret": {"wrong"}, "token": {"x"}, "grant_type": {"client_credentials"}}
	form := func(path string, body url.Values) func(*testing.T, int, int) reply {
		return func(t *testing.T, n, _ int) reply { return window.submit(t, d.issuer+path, body, from(n)...) }
	}
	for n, row := range []struct {
		path string
		most int // tries of one address, and some for what is given back meanwhile
		send func(t *testing.T, n, try int) reply
	}{
		{"/token", 600, form("/token", wrong)},
		{"/introspect", 600, form("/introspect", wrong)},
		{"/revoke", 600, form("/revoke", wrong)},
		{"/par", 600, form("/par", wrong)},
		{"/device_authorization", 600, form("/device_authorization", wrong)},
		{"/device", 12, form("/device", url.Values{"user_code": {"BCDF-GHJK"}})},
		{"/authorize", 300, func(t *testing.T, n, _ int) reply {
			return d.sent(t, http.MethodGet, "/authorize?"+d.asking(public).Encode(), "", from(n)...)
		}},
		{"/login, one account", 12, form("/login", altered(login, "username", "ada"))},
		{"/login, one address", 24, func(t *testing.T, n, try int) reply {
			return window.submit(t, d.issuer+"/login", altered(login, "username", fmt.Sprint("somebody", try)), from(n)...)
		}},
		{"/register", 60, func(t *testing.T, n, _ int) reply {
			return d.sent(t, http.MethodPost, "/register", `{"redirect_uris":[]}`, from(n)...)
		}},
		{"/register/client", 600, func(t *testing.T, n, _ int) reply {
			return d.sent(t, http.MethodGet, "/register/"+public, "", from(n)...)
		}},
	} {
		t.Run(row.path, func(t *testing.T) {
			var last reply
			for try := 0; last.status != http.StatusTooManyRequests; try++ {
				if try == row.most {
					t.Fatalf("try %d is answered %d", try, last.status)
				}
				last = row.send(t, n, try)
			}
			if err := last.unhurried(); err != nil {
				t.Error(err)
			}
			if other := row.send(t, 100+n, 1000); other.status == http.StatusTooManyRequests {
				t.Error("another address is sent away, too")
			}
		})
	}
}

// sent is a request with a JSON body.
func (d *desk) sent(t *testing.T, method, path, body string, header ...string) reply {
	t.Helper()
	req, err := http.NewRequest(method, d.issuer+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

// TestPasswordStorm: a hundred people sign in at the same moment. Some are
// asked to wait, the memory does not grow with them, machines are served
// meanwhile, and afterwards everything is as before.
func TestPasswordStorm(t *testing.T) {
	d := crowded(t)
	d.robot = d.machine(t)
	window := newWindow(t)
	public := d.register(t, deskCallback)
	request := window.get(t, d.issuer+"/authorize?"+d.asking(public).Encode()).sealed(t)
	answers := make(chan reply, 100)
	var group sync.WaitGroup
	for n := range cap(answers) {
		group.Go(func() {
			answers <- window.submit(t, d.issuer+"/login", url.Values{"request": {request}, "username": {fmt.Sprint("somebody", n)}, "password": {"wrong"}}, from(n)...)
		})
	}
	d.ask(t, "/token", url.Values{"grant_type": {"client_credentials"}, "resource": {d.target}}, "Authorization", basicAuth(d.robot)).expect(t, http.StatusOK)
	group.Wait()
	close(answers)
	waiting := 0
	for a := range answers {
		if a.status == http.StatusForbidden {
			continue
		}
		waiting++
		if err := a.unhurried(); a.status != http.StatusServiceUnavailable || err != nil {
			t.Errorf("answered %d: %v", a.status, err)
		}
	}
	if waiting == 0 {
		t.Error("nobody had to wait")
	}
	// All at once would be 100 × 19 MiB.
	if peak := d.server.peak(t); peak > 900 {
		t.Errorf("%d MiB at the most", peak)
	}
	if back := d.authorize(t, newWindow(t), d.asking(public)); back.Get("code") == "" {
		t.Errorf("afterwards: %v", back)
	}
}

// peak is the most memory that a process had, in MiB (proc_pid_status(5)).
func (p *process) peak(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib / 1024
}

// TestFetchStorm: nobody uses the server to knock on another, and a host that
// never answers holds up nobody who needs nothing from it.
func TestFetchStorm(t *testing.T) {
	d := crowded(t)
	var knocks atomic.Int64
	release := make(chan struct{})
	victim := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		knocks.Add(1)
		<-release
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer victim.Close()
	var refused atomic.Int64
	var group sync.WaitGroup
	for n := range 60 {
		group.Go(func() {
			client := fmt.Sprintf("%s/%d/client.json", victim.URL, n)
			got := newWindow(t).submit(t, d.issuer+"/token", url.Values{"client_id": {client}, "grant_type": {"authorization_code"}}, from(n)...)
			if got.status != http.StatusTooManyRequests && got.status != http.StatusServiceUnavailable {
				t.Errorf("answered %d: %s", got.status, got.body)
			} else if err := got.unhurried(); err != nil {
				t.Error(err)
			}
			refused.Add(1)
		})
	}
	eventually(t, func() error {
		if refused.Load() < 40 {
			return errors.New("those in excess wait")
		}
		return nil
	})
	public := d.register(t, deskCallback)
	if back := d.authorize(t, newWindow(t), d.asking(public)); back.Get("code") == "" {
		t.Errorf("others: %v", back)
	}
	close(release)
	group.Wait()
	if n := knocks.Load(); n == 0 || n > 20 {
		t.Errorf("one host was asked %d times", n)
	}
}

// TestBombs: what is small to send and much to read is refused by its size,
// before anybody reads it.
func TestBombs(t *testing.T) {
	t.Parallel()
	d := crowded(t)
	public := d.register(t, deskCallback, "refresh_token")
	modulus := func(bits int) string { return encode([]byte(strings.Repeat("\xff", bits/8))) }
	registration := func(members string) string {
		return `{"redirect_uris":["` + deskCallback + `"],` + members + `}`
	}
	key := `{"kty":"RSA","n":"` + modulus(2048) + `","e":"AQAB"}`
	for name, body := range map[string]string{
		"a key of 64k bits":      registration(`"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"RSA","n":"` + modulus(1<<16) + `","e":"AQAB"}]}`),
		"an endless exponent":    registration(`"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"RSA","n":"` + modulus(2048) + `","e":"` + modulus(1<<14) + `"}]}`),
		"a hundred keys":         registration(`"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[` + strings.Repeat(key+",", 99) + key + `]}`),
		"10,000 brackets":        registration(`"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)),
		"more than anybody says": registration(`"client_name":"` + strings.Repeat("x", 70_000) + `"`),
	} {
		if got := d.sent(t, http.MethodPost, "/register", body); got.status != http.StatusBadRequest && got.status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d %.200s", name, got.status, got.body)
		}
	}
	dots, signer := strings.Repeat(".", 20_000), newSigner(t)
	form := func(pairs ...string) url.Values { return refreshing("x", append(pairs, "client_id", public)...) }
	for name, row := range map[string]struct {
		form   url.Values
		header []string
		error  string
	}{
		"a proof of dots":         {form(), []string{"DPoP", dots}, "invalid_dpop_proof"},
		"a proof with a huge key": {form(), []string{"DPoP", signer.sign(`{"typ":"dpop+jwt","alg":"RS256","jwk":{"kty":"RSA","n":"`+modulus(1<<16)+`","e":"AQAB"}}`, nil)}, "invalid_dpop_proof"},
		"an assertion of dots":    {form("client_assertion", dots, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), nil, "invalid_client"},
		"a token of dots":         {form("refresh_token", dots), nil, "invalid_grant"},
		"a scope of spaces":       {form("scope", strings.Repeat(" ", 50_000)), nil, "invalid_grant"},
	} {
		if got := d.ask(t, "/token", row.form, row.header...); got.told(t).Error != row.error {
			t.Errorf("%s: %d %.300s", name, got.status, got.body)
		}
	}
	d.halfRequest(t)
}

// halfRequest sends a body that never ends: the others are served, and it gets an answer.
func (d *desk) halfRequest(t *testing.T) {
	t.Helper()
	conn, err := net.Dial("tcp", d.host(d.issuer))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "POST /token HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ngrant_type=", d.host(d.issuer)); err != nil {
		t.Fatal(err)
	}
	d.ask(t, "/token", url.Values{"grant_type": {"refresh_token"}}).refuses(t, http.StatusUnauthorized, "invalid_client")
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 12)
	if _, err := conn.Read(line); err != nil || string(line) != "HTTP/1.1 408" {
		t.Errorf("answered %q (%v)", line, err)
	}
}

// TestUnsafeIssuersDoNotStart: what an operator forgot is no default.
func TestUnsafeIssuersDoNotStart(t *testing.T) {
	for name, row := range map[string]struct{ old, new, says string }{
		"plain http off loopback":            {"issuer: http://127.0.0.1", "issuer: http://auth.example", "must be https"},
		"no secret":                          {"  secret_file: ", "  # ", "secret_file"},
		"a secret that is short":             {"secret_file: secret", "secret_file: short", "secret_file"},
		"a secret not there":                 {"secret_file: secret", "secret_file: nowhere", "secret_file"},
		"registration by a token nobody has": {"  listen", "  registration: token\n  listen", "registration_token_file"},
		"registration as one likes":          {"  listen", "  registration: yes\n  listen", "registration"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "secret"), strings.Repeat("s", 40))
			write(t, filepath.Join(dir, "short"), strings.Repeat("s", 31))
			address := loopback(freePort(t))
			text := fmt.Sprintf("authserver:\n  listen: %s\n  issuer: http://%s\n  database: sqlite:auth.db\n  secret_file: secret\n  resources: [{resource: 'https://mcp.example/x', name: x, scopes: [{name: use, default: true}]}]\n", address, address)
			p := start(t, binary, "authserver", "-c", write(t, filepath.Join(dir, "postern.yaml"), strings.Replace(text, row.old, row.new, 1)))
			if code := p.exit(t); code != 2 || !strings.Contains(p.out.String(), row.says) {
				t.Errorf("exit status %d\n%s", code, p.out.String())
			}
			if _, err := os.Stat(filepath.Join(dir, "auth.db")); err == nil {
				t.Error("it began to work")
			}
		})
	}
}

// TestRegistrationIsClosedUnlessSaid: an issuer of which nothing is said about
// it registers nobody, and does not say it would.
func TestRegistrationIsClosedUnlessSaid(t *testing.T) {
	o := openOffice(t, "")
	d := &desk{stage: o.stage}
	d.sent(t, http.MethodPost, "/register", `{"redirect_uris":["`+deskCallback+`"]}`).expect(t, http.StatusNotFound)
	if got := d.sent(t, http.MethodGet, "/.well-known/oauth-authorization-server", ""); strings.Contains(got.body, "registration_endpoint") {
		t.Errorf("advertised: %s", got.body)
	}
}

package e2e

import (
	"crypto/sha256"
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
)

const (
	deskCallback = "http://127.0.0.1:7777/cb"
	deskVerifier = "a-verifier-of-the-length-that-rfc-7636-asks-for-0123"
	adasPassword = "plum tortoise verbena anvil" // nobody guesses it soon
)

// desk is a running authorization server with somebody who can sign in, two
// clients without a secret, and a machine.
type desk struct {
	*stage
	user   person
	public string // client id
	other  string // client id, with the same redirect
	robot  machine
	target string  // resource
	keeper machine // of target: may ask about its tokens
	server *process
}

// sharedDesk is one desk for all tests that only use it.
type sharedDesk struct {
	once sync.Once
	desk *desk
}

var front sharedDesk

func (s *sharedDesk) get(t *testing.T) *desk {
	t.Helper()
	s.once.Do(func() { s.desk = openDesk(t) })
	if s.desk == nil {
		t.Fatal("the authorization server did not open")
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("postern authserver:\n%s", s.desk.server.out.String())
		}
	})
	return s.desk
}

// close returns what the server said if a data race was found.
func (s *sharedDesk) close() (races string) {
	if s.desk == nil {
		return ""
	}
	s.desk.server.kill()
	_ = os.RemoveAll(s.desk.dir)
	return s.desk.server.races()
}

// openDesk leaves process and folder to close.
func openDesk(t *testing.T) *desk {
	t.Helper()
	dir, err := os.MkdirTemp("", "postern-desk-")
	if err != nil {
		t.Fatal(err)
	}
	servers := []staged{{"only", "http://" + loopback(freePort(t)), "accepted"}}
	d := &desk{stage: setStageIn(t, dir, servers), user: person{"ada", adasPassword}}
	if d.server, err = spawn(binary, "authserver", "-c", d.config); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return healthy(d.issuer + "/.well-known/oauth-authorization-server") })
	d.administer(t, d.user.Password+"\n", "user", "create", d.user.Username, "--password-stdin")
	d.public, d.other = d.register(t, deskCallback, "refresh_token"), d.register(t, deskCallback, "refresh_token")
	d.robot, d.target = d.machine(t), d.resource("only")
	made := d.administer(t, "", "resource-server", "create", "keeper", "--resource", d.target)
	d.keeper = machine{ID: made["client_id"], Secret: made["client_secret"]}
	return d
}

// window is a browser by hand: its own cookies, and redirects are shown.
type window struct{ http.Client }

func newWindow(t *testing.T) *window {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &window{http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (w *window) get(t *testing.T, address string) reply {
	t.Helper()
	resp, err := w.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

// submit posts a form; header are pairs of names and values.
func (w *window) submit(t *testing.T, address string, form url.Values, header ...string) reply {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := w.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

var sealedRequest = regexp.MustCompile(`name="request" value="([^"]*)"`)

// sealed is the request that a page's form carries.
func (r reply) sealed(t *testing.T) string {
	t.Helper()
	found := sealedRequest.FindStringSubmatch(r.body)
	if found == nil {
		t.Fatalf("status %d, and no form in\n%s", r.status, r.body)
	}
	return html.UnescapeString(found[1])
}

// asking is a good authorization request of a client; pairs change it, and a
// value of "-" takes the parameter away.
func (d *desk) asking(client string, pairs ...string) url.Values {
	challenge := sha256.Sum256([]byte(deskVerifier))
	return altered(url.Values{
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {deskCallback}, "resource": {d.target},
		"state": {"st&te= %"}, "code_challenge": {encode(challenge[:])}, "code_challenge_method": {"S256"},
	}, pairs...)
}

func altered(v url.Values, pairs ...string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "-" {
			v.Del(pairs[i])
		} else {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

// consent signs in, when that is asked, and stops at the consent page, or at
// the redirect when there is none.
func (d *desk) consent(t *testing.T, w *window, query url.Values) reply {
	t.Helper()
	page := w.get(t, d.issuer+"/authorize?"+query.Encode())
	if page.status != http.StatusOK || !strings.Contains(page.body, `name="password"`) {
		return page
	}
	done := w.submit(t, d.issuer+"/login", url.Values{"request": {page.sealed(t)}, "username": {d.user.Username}, "password": {d.user.Password}})
	return w.get(t, d.issuer+done.expect(t, http.StatusSeeOther).header.Get("Location"))
}

// authorize goes all the way and returns the parameters of the redirect.
func (d *desk) authorize(t *testing.T, w *window, query url.Values) url.Values {
	t.Helper()
	page := d.consent(t, w, query)
	if page.status != http.StatusSeeOther {
		page = w.submit(t, d.issuer+"/consent", url.Values{"request": {page.sealed(t)}, "decision": {"allow"}})
	}
	return page.landed(t)
}

// landed are the parameters with which a client is called back.
func (r reply) landed(t *testing.T) url.Values {
	t.Helper()
	at, err := url.Parse(r.expect(t, http.StatusSeeOther).header.Get("Location"))
	if err != nil || !strings.HasPrefix(at.String(), deskCallback+"?") {
		t.Fatalf("led to %q (%v)", at, err)
	}
	return at.Query()
}

func (d *desk) code(t *testing.T, client string) string {
	t.Helper()
	back := d.authorize(t, newWindow(t), d.asking(client))
	if back.Get("code") == "" {
		t.Fatalf("no code: %v", back)
	}
	return back.Get("code")
}

func redeeming(client, code string, pairs ...string) url.Values {
	return altered(url.Values{"grant_type": {"authorization_code"}, "client_id": {client}, "code": {code},
		"redirect_uri": {deskCallback}, "code_verifier": {deskVerifier}}, pairs...)
}

// ask posts a form to an endpoint, as a client does.
func (d *desk) ask(t *testing.T, path string, form url.Values, header ...string) reply {
	t.Helper()
	return newWindow(t).submit(t, d.issuer+path, form, header...)
}

// told is what an endpoint says in JSON.
type told struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Type    string `json:"token_type"`
	Scope   string `json:"scope"`
	Error   string `json:"error"`
	Active  bool   `json:"active"`
	Client  string `json:"client_id"`
}

func (r reply) told(t *testing.T) (said told) {
	t.Helper()
	r.decode(t, &said)
	return said
}

// refuses expects an OAuth error.
func (r reply) refuses(t *testing.T, status int, code string) {
	t.Helper()
	if got := r.expect(t, status).told(t); got.Error != code || got.Access != "" {
		t.Errorf("error %q, want %q: %s", got.Error, code, r.body)
	}
}

func basicAuth(m machine) string {
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(url.QueryEscape(m.ID), url.QueryEscape(m.Secret))
	return req.Header.Get("Authorization")
}

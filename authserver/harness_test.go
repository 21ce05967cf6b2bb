package authserver

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/keyring"
	"github.com/postern-mcp/postern/authserver/replay"
	"github.com/postern-mcp/postern/authserver/risk"
	"github.com/postern-mcp/postern/authserver/role"
	"github.com/postern-mcp/postern/authserver/trail"
)

const (
	calculator = "https://mcp.example/calculator"
	database   = "https://mcp.example/database"

	testUser     = "ada"
	testPassword = "walnut harbor tangerine"
	callback     = "http://127.0.0.1:7777/cb"
	verifier     = "a-verifier-of-the-length-that-rfc-7636-asks-for-0123"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// logbook is where the server's log goes, to be searched.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// rig is a server on a real socket over a real database.
type rig struct {
	t     *testing.T
	s     *Server
	url   string
	clock *clock
	log   *logbook
	trail *logbook // the audit lines
	path  string   // of the database, when it is a file
	db    string   // URL of the database
	serve http.Handler
}

func baseConfig(issuer string, c *clock, l *logbook) Config {
	return Config{
		Issuer: issuer, Secret: []byte(strings.Repeat("s", 32)),
		Keys: keyring.Policy{Algorithm: jose.ES256, RotateEvery: 720 * time.Hour, PublishBefore: 24 * time.Hour},
		Resources: []Resource{
			{URL: calculator, Name: "Calculator", Scopes: []Scope{
				{Name: "calc:basic", Description: "Add, subtract, multiply and divide", Default: true},
				{Name: "calc:power", Description: "Raise to a power"},
			}},
			{URL: database, Name: "Database", Scopes: []Scope{{Name: "db:read", Description: "Read tables", Default: true}}},
		},
		Clients: ClientPolicy{Profile: ProfileMCP}, Registration: RegistrationOpen, Roles: role.Default(), SignIn: risk.Defaults(), AccessTokenLife: 10 * time.Minute, RefreshTokenLife: 24 * time.Hour, CodeLife: time.Minute,
		LoopbackDocuments: true, Proofs: newProofs(replay.NewMemory(1000, time.Unix(0, 0)), false), ShortLived: redisOfRun(), Log: slog.New(slog.NewJSONHandler(l, nil)), Now: c.Now,
	}
}

const nonceLife = 5 * time.Minute

func newProofs(store replay.Store, demand bool) *replay.Proofs {
	nonces, err := dpop.NewNonces([]byte(strings.Repeat("s", 32)), "authserver", nonceLife)
	if err != nil {
		panic(err)
	}
	proofs, err := replay.NewProofs(nonces, store, demand, 5*time.Minute)
	if err != nil {
		panic(err)
	}
	return proofs
}

// newRig starts a server; change may edit its configuration, wrap its store.
func newRig(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	g := &rig{t: t, clock: &clock{now: time.Now().Truncate(time.Second)}, log: &logbook{}, trail: &logbook{}, path: filepath.Join(t.TempDir(), "auth.db")}
	heard := &sieve{}
	web := httptest.NewServer(heard.around(func(w http.ResponseWriter, r *http.Request) { g.serve.ServeHTTP(w, r) }))
	t.Cleanup(func() { web.Close(); heard.check(t, g.log.String(), g.trail.String()) })
	c := baseConfig(web.URL, g.clock, g.log)
	c.Audit = trail.Of(g.trail)
	for _, f := range change {
		f(&c)
	}
	g.db = newDatabase(t, g.path)
	s, err := New(context.Background(), c, g.db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	g.s, g.url, g.serve = s, c.Issuer, s.Handler()
	s.documents = s.fetcher(time.Millisecond)
	if err := s.CreateUser(context.Background(), testUser, testPassword); err != nil {
		t.Fatal(err)
	}
	return g
}

// keepIn gives the server another store, which is asked by requests alone: what
// went on beside them ends.
func (g *rig) keepIn(with Store) {
	g.s.beside.stop()
	g.s.store = with
}

// answerOf is what a request got.
type answerOf struct {
	status int
	header http.Header
	body   string
	fields map[string]any
}

func (a answerOf) str(name string) string {
	s, _ := a.fields[name].(string)
	return s
}

func (g *rig) do(c *http.Client, req *http.Request) answerOf {
	g.t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	a := answerOf{status: resp.StatusCode, header: resp.Header, body: string(body)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(body, &a.fields); err != nil {
			g.t.Fatalf("not JSON: %v: %s", err, body)
		}
	}
	return a
}

func noRedirect() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// browser is a client with a cookie jar of its own that shows redirects.
func newBrowser(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := noRedirect()
	b.Jar = jar
	return b
}

type edit func(*http.Request)

func basic(id, secret string) edit {
	return func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret)) }
}

func header(name, value string) edit {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func (g *rig) request(method, path, kind, body string, edits ...edit) *http.Request {
	g.t.Helper()
	req, err := http.NewRequest(method, g.url+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for _, e := range edits {
		e(req)
	}
	return req
}

func (g *rig) post(path string, form url.Values, edits ...edit) answerOf {
	g.t.Helper()
	return g.do(noRedirect(), g.request("POST", path, "application/x-www-form-urlencoded", form.Encode(), edits...))
}

func (g *rig) postJSON(path, body string, edits ...edit) answerOf {
	g.t.Helper()
	return g.do(noRedirect(), g.request("POST", path, "application/json", body, edits...))
}

func (g *rig) get(b *http.Client, path string) answerOf {
	g.t.Helper()
	return g.do(b, g.request("GET", path, "", ""))
}

// registerClient registers a public client, or with extra members another kind.
func (g *rig) registerClient(extra string) answerOf {
	g.t.Helper()
	a := g.postJSON("/register", `{"client_name":"Test client","redirect_uris":["`+callback+`"],"application_type":"native",
		"grant_types":["authorization_code","refresh_token"]`+extra+`}`)
	if a.status != 201 {
		g.t.Fatalf("registration: %d %s", a.status, a.body)
	}
	return a
}

func (g *rig) publicClient() string {
	return g.registerClient(`,"token_endpoint_auth_method":"none"`).str("client_id")
}

func (g *rig) machine(scopes ...string) (id, secret string) {
	g.t.Helper()
	id, secret, err := g.s.CreateClient(context.Background(), "robot", scopes)
	if err != nil {
		g.t.Fatal(err)
	}
	return id, secret
}

func challengeOf(v string) string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authorization is the query of a good authorization request.
func authorization(client string) url.Values {
	return url.Values{
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {callback}, "resource": {calculator},
		"scope": {"calc:basic"}, "state": {"st&te="}, "code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
}

func with(v url.Values, pairs ...string) url.Values {
	c := url.Values{}
	for k, x := range v {
		c[k] = append([]string(nil), x...)
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "-" {
			c.Del(pairs[i])
			continue
		}
		c.Set(pairs[i], pairs[i+1])
	}
	return c
}

var tags = regexp.MustCompile(`<[^>]*>`)

// words is what a page says, without its tags.
func (a answerOf) words() string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(a.body, ""))), " ")
}

var hidden = regexp.MustCompile(`name="request" value="([^"]*)"`)

// formRequest is the sealed request in a page's form.
func formRequest(t *testing.T, page string) string {
	t.Helper()
	m := hidden.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no form in: %s", page)
	}
	return html.UnescapeString(m[1])
}

func (g *rig) submit(b *http.Client, path string, form url.Values, edits ...edit) answerOf {
	g.t.Helper()
	return g.do(b, g.request("POST", path, "application/x-www-form-urlencoded", form.Encode(), edits...))
}

// consentPage takes a browser through sign-in, when it has to, to the consent page.
func (g *rig) consentPage(b *http.Client, query url.Values) answerOf {
	g.t.Helper()
	page := g.get(b, "/authorize?"+query.Encode())
	if page.status == 200 && strings.Contains(page.body, `name="password"`) {
		done := g.submit(b, "/login", url.Values{"request": {formRequest(g.t, page.body)}, "username": {testUser}, "password": {testPassword}})
		if done.status != 303 {
			g.t.Fatalf("sign-in: %d %s", done.status, done.body)
		}
		page = g.get(b, strings.TrimPrefix(done.header.Get("Location"), g.url))
	}
	return page
}

// authorizeBy goes all the way and gives the parameters of the redirect.
func (g *rig) authorizeBy(b *http.Client, query url.Values) url.Values {
	g.t.Helper()
	page := g.consentPage(b, query)
	if page.status == 303 {
		return g.redirected(page)
	}
	return g.redirected(g.submit(b, "/consent", url.Values{"request": {formRequest(g.t, page.body)}, "decision": {"allow"}}))
}

func (g *rig) redirected(a answerOf) url.Values {
	g.t.Helper()
	if a.status != 303 {
		g.t.Fatalf("no redirect: %d %s", a.status, a.body)
	}
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		g.t.Fatal(err)
	}
	return u.Query()
}

// code is a fresh code for the client.
func (g *rig) code(client string, pairs ...string) string {
	g.t.Helper()
	v := g.authorizeBy(newBrowser(g.t), with(authorization(client), pairs...))
	if v.Get("code") == "" {
		g.t.Fatalf("no code: %v", v)
	}
	return v.Get("code")
}

func redemption(client, code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "client_id": {client}, "code": {code},
		"redirect_uri": {callback}, "code_verifier": {verifier}}
}

// tokens redeems a fresh code of a public client.
func (g *rig) tokens(client string, edits ...edit) answerOf {
	g.t.Helper()
	a := g.post("/token", redemption(client, g.code(client)), edits...)
	if a.status != 200 {
		g.t.Fatalf("redeem: %d %s", a.status, a.body)
	}
	return a
}

func newKey(t *testing.T) jose.PrivateKey {
	t.Helper()
	k, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// proof is a DPoP header for the token endpoint.
func (g *rig) proof(key jose.PrivateKey, nonce string) edit {
	return g.proofFor(key, "POST", "/token", nonce)
}

func (g *rig) proofFor(key jose.PrivateKey, method, path, nonce string) edit {
	g.t.Helper()
	target, err := dpop.ParseTarget(g.url + path)
	if err != nil {
		g.t.Fatal(err)
	}
	p, err := dpop.Make(key, g.clock.Now(), method, target, "", nonce)
	if err != nil {
		g.t.Fatal(err)
	}
	return header("DPoP", p)
}

// expect compares status and OAuth error, "" for success.
func (g *rig) expect(a answerOf, status int, code string) {
	g.t.Helper()
	if a.status != status || a.str("error") != code {
		g.t.Errorf("got %d %q, want %d %q: %s", a.status, a.str("error"), status, code, a.body)
	}
}

// expectReason says that the last refusal in the log had this reason.
func (g *rig) expectReason(r Reason) {
	g.t.Helper()
	last := ""
	for line := range strings.Lines(g.log.String()) {
		if strings.Contains(line, `"reason":`) { // others may stand behind it: what goes on beside requests is logged as well
			last = line
		}
	}
	if !strings.Contains(last, `"reason":"`+string(r)+`"`) {
		g.t.Errorf("want reason %q in %s", r, last)
	}
}

var errBroken = errors.New("the disk is gone")

package authserver

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/store"
)

// documentHost serves one client metadata document on loopback; id is its URL.
func documentHost(t *testing.T, change func(string) string) (id string) {
	t.Helper()
	var web *httptest.Server
	web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		doc := `{"client_id":"` + web.URL + r.URL.Path + `","client_name":"Document client","redirect_uris":["` + callback + `"],"token_endpoint_auth_method":"none"}`
		_, _ = w.Write([]byte(change(doc)))
	}))
	t.Cleanup(web.Close)
	return web.URL + "/client.json"
}

func same(s string) string { return s }

func TestDocumentClientGoesTheWholeWay(t *testing.T) {
	g := newRig(t)
	id := documentHost(t, same)
	page := g.consentPage(newBrowser(t), authorization(id))
	u, _ := url.Parse(id)
	if !strings.Contains(page.body, "Document client") || !strings.Contains(page.body, u.Host) || !strings.Contains(page.body, "not verified") {
		t.Errorf("got %s", page.body)
	}
	a := g.tokens(id)
	if a.str("refresh_token") == "" || g.verified(a).ClientID != id {
		t.Errorf("got %s", a.body)
	}
	g.expect(g.post("/token", refreshing(id, a)), 200, "")
}

func TestDocumentClientsRefused(t *testing.T) {
	g := newRig(t)
	host := func(change func(string) string) string { return documentHost(t, change) }
	for _, row := range []struct {
		name, id string
		reason   Reason
	}{
		{"another client_id", host(func(d string) string { return strings.Replace(d, "client.json", "other.json", 1) }), DocumentUnreachable},
		{"with a secret method", host(func(d string) string { return strings.Replace(d, `"none"`, `"client_secret_post"`, 1) }), BadDocument},
		{"with keys", host(func(d string) string { return strings.Replace(d, `"none"`, `"private_key_jwt"`, 1) }), BadDocument},
		{"no name", host(func(d string) string { return strings.Replace(d, `"client_name"`, `"name"`, 1) }), BadDocument},
		{"another redirect", host(func(d string) string { return strings.Replace(d, callback, "http://127.0.0.1/other", 1) }), UnregisteredTarget},
		{"too large", host(func(d string) string { return d + strings.Repeat(" ", 5<<10) }), DocumentUnreachable},
		{"no path", "https://app.example", BadDocument},
		{"only a slash", "https://app.example/", BadDocument},
		{"http elsewhere", "http://app.example/client.json", BadDocument},
		{"user information", "https://a@app.example/client.json", BadDocument},
		{"fragment", "https://app.example/client.json#x", BadDocument},
		{"dot segments", "https://app.example/a/../client.json", BadDocument},
		{"nobody listens", "http://127.0.0.1:1/client.json", DocumentUnreachable},
		{"cloud metadata", "https://169.254.169.254/latest", DocumentUnreachable},
		{"loopback over https", "https://127.0.0.1:1/client.json", DocumentUnreachable},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := g.get(newBrowser(t), "/authorize?"+authorization(row.id).Encode())
			if a.status < 400 || a.header.Get("Location") != "" {
				t.Errorf("got %d %s", a.status, a.body)
			}
			g.expectReason(row.reason)
		})
	}
}

func TestLoopbackDocumentsAreForDevelopment(t *testing.T) {
	g := newRig(t, func(c *Config) { c.LoopbackDocuments = false })
	a := g.get(newBrowser(t), "/authorize?"+authorization(documentHost(t, same)).Encode())
	if a.status != 400 {
		t.Errorf("got %d", a.status)
	}
	g.expectReason(BadDocument)
}

// Whoever asks for document after document waits; nobody else does.
func TestFetchesOfOneCallerAreLimited(t *testing.T) {
	g := newRig(t, func(c *Config) { c.TrustedProxies = networks("127.0.0.0/8") })
	ask := func(from, id string) answerOf {
		return g.do(noRedirect(), g.request("GET", "/authorize?"+authorization(id).Encode(), "", "", header("X-Forwarded-For", from)))
	}
	known := documentHost(t, same)
	if a := ask("203.0.113.1", known); a.status != 200 {
		t.Fatalf("got %d", a.status)
	}
	for range 9 {
		if a := ask("203.0.113.1", "http://127.0.0.1:1/client.json"); a.status != 503 {
			t.Fatalf("got %d", a.status)
		}
	}
	a := ask("203.0.113.1", documentHost(t, same))
	if a.status != 429 || a.header.Get("Retry-After") != "5" {
		t.Errorf("the eleventh document: %d %q", a.status, a.header.Get("Retry-After"))
	}
	g.expectReason(TooMany)
	if a := ask("203.0.113.1", known); a.status != 200 {
		t.Errorf("a document that is remembered: %d", a.status)
	}
	if a := ask("203.0.113.2", documentHost(t, same)); a.status != 200 {
		t.Errorf("another caller: %d", a.status)
	}
}

func TestDocumentsNameTheirGrants(t *testing.T) {
	g := newRig(t)
	id := documentHost(t, func(d string) string {
		return strings.Replace(d, `"client_name"`, `"grant_types":["authorization_code"],"client_name"`, 1)
	})
	if a := g.tokens(id); a.str("refresh_token") != "" {
		t.Errorf("a refresh token nobody asked for: %s", a.body)
	}
}

// Consent is to what the document said, its keys included: a change of either
// is shown, also when it comes while the page is open.
func TestChangedDocumentIsAskedForAgain(t *testing.T) {
	g := newRig(t)
	var mu sync.Mutex
	doc := ""
	id := documentHost(t, func(d string) string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Replace(strings.Replace(d, callback, "https://app.example/cb", 1), `"token_endpoint_auth_method":"none"`, doc, 1)
	})
	says := func(members string) {
		mu.Lock()
		defer mu.Unlock()
		doc = members
		g.clock.forward(6 * time.Minute) // past what is remembered of it
	}
	keys := func() string { return `"token_endpoint_auth_method":"private_key_jwt","jwks":` + setOf(t, newKey(t)) }
	b := newBrowser(t)
	query := with(authorization(id), "redirect_uri", "https://app.example/cb")
	decide := func(page answerOf) answerOf {
		return g.submit(b, "/consent", url.Values{"request": {formRequest(t, page.body)}, "decision": {"allow"}})
	}
	for _, members := range []string{`"token_endpoint_auth_method":"none"`, keys(), keys(), `"token_endpoint_auth_method":"none","client_uri":"https://app.example/"`} {
		says(members)
		page := g.consentPage(b, query)
		if page.status != 200 {
			t.Fatalf("%s: not asked: %d", members, page.status)
		}
		if g.redirected(decide(page)).Get("code") == "" {
			t.Fatal("no code")
		}
		if page := g.consentPage(b, query); page.status != 303 {
			t.Errorf("%s: asked again: %d", members, page.status)
		}
	}
	says(keys())
	page := g.consentPage(b, query)
	says(keys())
	again := decide(page)
	if again.status != 200 || again.header.Get("Location") != "" {
		t.Fatalf("a yes to what it does not say any more: %d", again.status)
	}
	if g.redirected(decide(again)).Get("code") == "" {
		t.Error("no code")
	}
}

func TestDocumentClientWithKeys(t *testing.T) {
	g := newRig(t)
	key := newKey(t)
	id := documentHost(t, func(d string) string {
		return strings.Replace(d, `"none"`, `"private_key_jwt","jwks":`+setOf(t, key), 1)
	})
	c := signing{id, key}
	code := g.code(id)
	g.expect(g.post("/token", redemption(id, code)), 401, "invalid_client")
	g.expectReason(WrongMethod)
	form := redemption(id, code)
	for name, v := range asserting(sign(t, key, "JWT", g.saying(c, "1"))) {
		form[name] = v
	}
	g.expect(g.post("/token", form), 200, "")
}

func TestDocumentsOfStrangersAreNotFetched(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Clients.Hosts = []string{"app.example"} })
	a := g.get(newBrowser(t), "/authorize?"+authorization(documentHost(t, same)).Encode())
	if a.status != 400 {
		t.Errorf("got %d", a.status)
	}
	g.expectReason(UntrustedDocument)
}

// neighbours are what a stranger could ask about by addresses of its choice.
func neighbours(t *testing.T) map[string]string {
	t.Helper()
	answers := func(status int, kind, body string) string {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(web.Close)
		return web.URL + "/x"
	}
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mute.Close() })
	go func() {
		for {
			c, err := mute.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	return map[string]string{
		"nobody listens": "http://127.0.0.1:1/x", "no HTTP": "http://" + mute.Addr().String() + "/x", "inside": "https://10.0.0.1/x",
		"not found": answers(404, "application/json", "{}"), "broken": answers(500, "application/json", "{}"), "a redirect": answers(302, "application/json", "{}"),
		"a page": answers(200, "text/html", "<html>"), "JSON": answers(200, "application/json", `{"version":1}`), "no JSON": answers(200, "application/json", "x"),
	}
}

// What the network said is in the log, and nowhere else.
func TestAnswersSayNothingOfTheNetwork(t *testing.T) {
	seen := map[string]map[string]bool{"document": {}, "keys": {}}
	for name, address := range neighbours(t) {
		g := newRig(t)
		page := g.get(newBrowser(t), "/authorize?"+authorization(address).Encode())
		g.expectReason(DocumentUnreachable)
		seen["document"][strconv.Itoa(page.status)+page.header.Get("Retry-After")+page.body] = true
		c := signing{g.machineAt(address), newKey(t)}
		a := g.post("/token", machineWith(sign(t, c.key, "JWT", g.saying(c, name))))
		g.expectReason(KeysUnreachable)
		seen["keys"][strconv.Itoa(a.status)+a.header.Get("Retry-After")+a.body] = true
	}
	for kind, all := range seen {
		if len(all) != 1 {
			t.Errorf("%s: %d different answers: %v", kind, len(all), all)
		}
	}
}

// A client that changes the keys in its document is not kept out for as long as
// the document may be remembered, and who guesses makes no storm.
func TestNewKeysOfADocumentAreFound(t *testing.T) {
	g := newRig(t)
	first, second := newKey(t), newKey(t)
	keys, asked := setOf(t, first), 0
	id := documentHost(t, func(doc string) string {
		asked++
		return strings.Replace(doc, `"token_endpoint_auth_method":"none"`, `"token_endpoint_auth_method":"private_key_jwt","jwks":`+keys, 1)
	})
	try := func(key jose.PrivateKey, jti string) answerOf {
		signed := sign(t, key, "JWT", g.saying(signing{id, key}, jti))
		return g.post("/token", with(redemption(id, "x"), "client_assertion", signed, "client_assertion_type", assertionType))
	}
	g.expect(try(first, "1"), 400, "invalid_grant") // it is the client; there is no such code
	keys = setOf(t, second)
	g.expect(try(second, "2"), 401, "invalid_client") // asked a moment ago
	g.clock.forward(31 * time.Second)
	g.expect(try(second, "3"), 400, "invalid_grant")
	for _, jti := range []string{"4", "5"} {
		g.expect(try(first, jti), 401, "invalid_client")
		g.expectReason(AssertionKey)
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

// A document is the host's, but on a device anybody can say that they are its
// client: then nothing proves it.
func TestDocumentsDoNotVouchForProgramsOnADevice(t *testing.T) {
	doc := client{Client: store.Client{AuthMethod: authNone}, verified: true}
	keyed := client{Client: store.Client{AuthMethod: authKey}, verified: true}
	for _, row := range []struct {
		name     string
		c        client
		redirect string
		itself   bool
	}{
		{"an https address", doc, "https://app.example/cb", true},
		{"a loopback port", doc, "http://127.0.0.1:7777/cb", false},
		{"a private scheme", doc, "cursor://cb", false},
		{"a device", doc, "", false},
		{"a device, with a key", keyed, "", true},
		{"a loopback port, with a key", keyed, "http://127.0.0.1:7777/cb", true},
	} {
		if got := row.c.itself(row.redirect); got != row.itself {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

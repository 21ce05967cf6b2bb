package clientdoc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/reach"
)

// host serves over https on loopback; the fetcher trusts its certificate and,
// in these tests only, its address.
type host struct {
	mu     sync.Mutex
	asked  int
	answer func(w http.ResponseWriter, id string)
	id     string
}

func (h *host) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

func newHost(t *testing.T, answer func(w http.ResponseWriter, id string)) (*host, *Fetcher, *time.Time) {
	t.Helper()
	h := &host{answer: answer}
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.asked++
		h.mu.Unlock()
		h.answer(w, h.id)
	}))
	t.Cleanup(web.Close)
	h.id = web.URL + "/client.json"
	pool := x509.NewCertPool()
	pool.AddCert(web.Certificate())
	now := time.Now()
	f := NewFetcher(Options{Rules: Rules{Methods: documentMethods}, Now: func() time.Time { return now }})
	f.public = newClient(reach.Only(netip.Addr.IsLoopback), &tls.Config{RootCAs: pool})
	return h, f, &now
}

var documentMethods = []string{None, Key}

var free = payer(func() error { return nil })

func payer(pay func() error) Caller { return Caller{From: "192.0.2.1", Pay: pay} }

func document(id string) string {
	return `{"client_id":"` + id + `","client_name":"Client","redirect_uris":["https://app.example/cb"],"scope":"a b"}`
}

func good(w http.ResponseWriter, id string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write([]byte(document(id)))
}

func TestFetch(t *testing.T) {
	h, f, _ := newHost(t, good)
	d, err := f.Fetch(t.Context(), h.id, free)
	u, _ := url.Parse(h.id)
	if err != nil || d.Name != "Client" || !d.Verified || d.Host != u.Host || len(d.Scope()) != 2 {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestFetchRefuses(t *testing.T) {
	send := func(status int, kind, body string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, id string) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(strings.ReplaceAll(body, "ID", id)))
		}
	}
	ok := document("ID")
	for _, row := range []struct {
		name   string
		answer func(http.ResponseWriter, string)
		want   error
	}{
		{"not found", send(404, "application/json", ok), ErrNotDocument},
		{"created", send(201, "application/json", ok), ErrNotDocument},
		{"broken host", send(500, "application/json", ok), ErrUnreachable},
		{"a redirect", func(w http.ResponseWriter, id string) {
			w.Header().Set("Location", id)
			send(302, "application/json", ok)(w, id)
		}, ErrNotDocument},
		{"compressed", func(w http.ResponseWriter, id string) {
			w.Header().Set("Content-Encoding", "gzip")
			send(200, "application/json", ok)(w, id)
		}, ErrNotDocument},
		{"HTML", send(200, "text/html", ok), ErrNotDocument},
		{"no type", send(200, "", ok), ErrNotDocument},
		{"JSON text", send(200, "text/json", ok), ErrNotDocument},
		{"a type that only ends alike", send(200, "application/xjson", ok), ErrNotDocument},
		{"another id", send(200, "application/json", document("https://app.example/client.json")), ErrNotDocument},
		{"id in other case", func(w http.ResponseWriter, id string) {
			send(200, "application/json", strings.Replace(document(id), "https", "HTTPS", 1))(w, id)
		}, ErrNotDocument},
		{"larger than the limit", send(200, "application/json", ok+strings.Repeat(" ", maxDocument)), ErrNotDocument},
		{"not JSON", send(200, "application/json", "hello"), ErrNotDocument},
		{"member twice", send(200, "application/json", `{"client_id":"ID","client_id":"ID","client_name":"C","redirect_uris":["https://a.example/"]}`), ErrNotDocument},
		{"another document", send(200, "application/json", `{"client_id":"x","token_endpoint_auth_method":7}`), ErrNotDocument},
		{"a word for a list", send(200, "application/json", `{"client_id":"ID","client_name":"C","redirect_uris":"https://a.example/"}`), ErrMetadata},
		{"no name", send(200, "application/json", `{"client_id":"ID","redirect_uris":["https://a.example/"]}`), ErrMetadata},
		{"no redirects", send(200, "application/json", `{"client_id":"ID","client_name":"C"}`), ErrRedirect},
		{"a secret method", send(200, "application/json", `{"client_id":"ID","client_name":"C","redirect_uris":["https://a.example/"],"token_endpoint_auth_method":"client_secret_basic"}`), ErrMetadata},
	} {
		t.Run(row.name, func(t *testing.T) {
			h, f, _ := newHost(t, row.answer)
			d, err := f.Fetch(t.Context(), h.id, free)
			if !errors.Is(err, row.want) || d.Name != "" || d.Redirects != nil {
				t.Errorf("got %+v, %v", d, err)
			}
			if _, err := f.Fetch(t.Context(), h.id, free); err == nil || h.count() != 2 {
				t.Errorf("a refusal was remembered: %d fetches", h.count())
			}
		})
	}
}

func TestOtherJSONTypesAreDocuments(t *testing.T) {
	h, f, _ := newHost(t, func(w http.ResponseWriter, id string) {
		w.Header().Set("Content-Type", "application/client-metadata+json")
		_, _ = w.Write([]byte(document(id)))
	})
	if _, err := f.Fetch(t.Context(), h.id, free); err != nil {
		t.Error(err)
	}
}

// The names lead inside only after they are resolved: nothing but the dial can tell.
func TestFetchNeverGoesInside(t *testing.T) {
	inside := 0
	web := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside++ }))
	defer web.Close()
	u, _ := url.Parse(web.URL)
	f := NewFetcher(Options{Rules: Rules{Methods: documentMethods}, Now: time.Now})
	for _, name := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]"} {
		_, err := f.Fetch(t.Context(), "https://"+name+":"+u.Port()+"/client.json", free)
		if !errors.Is(err, ErrForbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if inside != 0 {
		t.Errorf("%d requests got inside", inside)
	}
}

func TestIDs(t *testing.T) {
	f := NewFetcher(Options{Rules: Rules{Methods: documentMethods}, Now: time.Now})
	dev := NewFetcher(Options{Rules: Rules{Loopback: true, Methods: documentMethods}, Now: time.Now})
	for _, row := range []struct {
		id        string
		good, dev bool
	}{
		{"https://app.example/client.json", true, true},
		{"https://app.example/a?b=c", true, true},
		{"https://app.example", false, false},
		{"https://app.example/", false, false},
		{"http://app.example/client.json", false, false},
		{"http://127.0.0.1:9/client.json", false, true},
		{"http://localhost/client.json", false, true},
		{"http://[::1]:9/client.json", false, true},
		{"http://127.0.0.1.evil.example/client.json", false, false},
		{"http://0.0.0.0/client.json", false, false},
		{"https://app.example/../client.json", false, false},
		{"https://app.example/%2e%2e/client.json", false, false},
		{"https://app.example/./client.json", false, false},
		{"https://u:p@app.example/client.json", false, false},
		{"https://app.example/client.json#", false, false},
		{"https:///client.json", false, false},
		{"https://app.example/" + strings.Repeat("x", maxID), false, false},
		{"https://app.example/\u00e9", false, false},
	} {
		if _, err := f.parseID(row.id); (err == nil) != row.good {
			t.Errorf("%s: %v", row.id, err)
		}
		if _, err := dev.parseID(row.id); (err == nil) != row.dev {
			t.Errorf("development: %s: %v", row.id, err)
		}
		if !f.IsID(row.id) {
			t.Errorf("%s would be looked up as a registered client", row.id)
		}
	}
}

func TestDocumentsAreRemembered(t *testing.T) {
	for control, want := range map[string]time.Duration{
		"": minLife, "max-age=1": minLife, "max-age=3600": time.Hour, "public, Max-Age=\"7200\"": 2 * time.Hour,
		"max-age=99999999": maxLife, "max-age=3600, no-store": minLife, "no-cache": minLife, "max-age=-5": minLife, "max-age=x": minLife,
	} {
		t.Run(control, func(t *testing.T) {
			h, f, now := newHost(t, func(w http.ResponseWriter, id string) {
				w.Header().Set("Cache-Control", control)
				good(w, id)
			})
			for _, step := range []struct {
				forward time.Duration
				asked   int
			}{{0, 1}, {want - time.Second, 1}, {time.Second, 2}} {
				*now = now.Add(step.forward)
				if _, err := f.Fetch(t.Context(), h.id, free); err != nil || h.count() != step.asked {
					t.Errorf("after %v: %d fetches, %v", step.forward, h.count(), err)
				}
			}
		})
	}
}

func TestHostIsNotKnockedDown(t *testing.T) {
	h, f, now := newHost(t, func(w http.ResponseWriter, _ string) { w.WriteHeader(404) })
	for i := range fetchBurst {
		if _, err := f.Fetch(t.Context(), h.id+"?"+strconv.Itoa(i), free); !errors.Is(err, ErrNotDocument) {
			t.Fatal(err)
		}
	}
	if _, err := f.Fetch(t.Context(), h.id, free); !errors.Is(err, ErrBusy) || h.count() != fetchBurst {
		t.Errorf("got %v after %d", err, h.count())
	}
	*now = now.Add(fetchEvery)
	if _, err := f.Fetch(t.Context(), h.id, free); !errors.Is(err, ErrNotDocument) {
		t.Error(err)
	}
}

func TestOneHostHasOnePace(t *testing.T) {
	for _, id := range []string{"https://app.example/a", "https://APP.example/a", "https://app.example:8443/a", "https://app.example./a"} {
		if u, _ := url.Parse(id); paced(u) != "app.example" {
			t.Errorf("%s: %s", id, paced(u))
		}
	}
}

func TestWhoDoesNotPayGetsNothing(t *testing.T) {
	h, f, _ := newHost(t, good)
	broke := errors.New("broke")
	d, err := f.Fetch(t.Context(), h.id, payer(func() error { return broke }))
	if !errors.Is(err, broke) || d.Name != "" || h.count() != 0 {
		t.Errorf("got %+v, %v after %d fetches", d, err, h.count())
	}
	paid := 0
	for range 3 {
		if _, err := f.Fetch(t.Context(), h.id, payer(func() error { paid++; return nil })); err != nil {
			t.Fatal(err)
		}
	}
	if paid != 1 {
		t.Errorf("paid %d times for one fetch", paid)
	}
}

func TestCallerWhoLeavesEndsTheFetch(t *testing.T) {
	release := make(chan struct{})
	h, f, _ := newHost(t, func(http.ResponseWriter, string) { <-release })
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := f.Fetch(ctx, h.id, free)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, ErrUnreachable) {
		t.Error(err)
	}
}

func TestCacheAndPaceAreBounded(t *testing.T) {
	now := time.Now()
	c, p := newCache[Document](), newPace()
	for i := range maxDocuments + 3 {
		c.put(strconv.Itoa(i), Document{}, now, time.Hour)
	}
	if len(c.kept) != maxDocuments {
		t.Errorf("%d documents", len(c.kept))
	}
	c.put("later", Document{}, now.Add(2*time.Hour), time.Hour)
	if len(c.kept) != 1 {
		t.Errorf("%d documents after all expired", len(c.kept))
	}
	for i := range maxHosts + 3 {
		p.allow(strconv.Itoa(i), now)
	}
	if len(p.hosts) > maxHosts {
		t.Errorf("%d hosts", len(p.hosts))
	}
}

func TestMatchRedirect(t *testing.T) {
	registered := []string{"http://127.0.0.1/cb", "http://localhost:3000/cb?x=1", "http://[::1]:1/cb", "https://app.example/cb", "com.example.app:/cb"}
	for asked, want := range map[string]bool{
		"http://127.0.0.1/cb": true, "http://127.0.0.1:50000/cb": true, "http://localhost:1/cb?x=1": true, "http://localhost/cb?x=1": true,
		"http://[::1]:50000/cb": true, "https://app.example/cb": true, "com.example.app:/cb": true,
		"http://127.0.0.1:50000/CB": false, "http://127.0.0.1:65535/cb": true, "http://127.0.0.1:65536/cb": false, "http://127.0.0.1:/cb": false, "http://127.0.0.1:0/cb": false, "http://127.0.0.1:080/cb": false, "http://127.0.0.1:50000/cb/": false, "http://127.0.0.1:50000/cb?x=1": false, "http://127.0.0.1:50000/cb#": false,
		"http://localhost:1/cb": false, "http://LOCALHOST:1/cb?x=1": false, "http://127.0.0.2:1/cb": false, "http://x@127.0.0.1:1/cb": false,
		"https://127.0.0.1:1/cb": false, "https://app.example:443/cb": false, "https://app.example:8443/cb": false, "https://APP.example/cb": false,
		"https://app.example/cb?": false, "https://app.example/%63b": false, "com.example.app:/cb2": false, "": false,
	} {
		if got := MatchRedirect(registered, asked); got != want {
			t.Errorf("%q: %v", asked, got)
		}
	}
}

// Whatever Parse accepts keeps the rules that others rely on.
func FuzzParse(f *testing.F) {
	f.Add([]byte(document("https://app.example/client.json")))
	f.Add([]byte(`{"redirect_uris":["http://127.0.0.1:9/cb","com.example:/x"],"application_type":"native","grant_types":["authorization_code","refresh_token"]}`))
	f.Add([]byte(`{"redirect_uris":["https://a;b/cb"],"client_name":"\u202e"}`))
	f.Add([]byte(`{"redirect_uris":["javascript:alert(1)"],"redirect_uris":[]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		m, err := Parse(doc, Rules{Methods: documentMethods})
		if err != nil {
			if m.Redirects != nil || !errors.Is(err, ErrMetadata) && !errors.Is(err, ErrRedirect) {
				t.Fatalf("%+v, %v", m, err)
			}
			return
		}
		for _, r := range m.Redirects {
			u, err := url.Parse(r)
			if err != nil || u.User != nil || strings.ContainsAny(r, "#\r\n \"") {
				t.Fatalf("accepted %q", r)
			}
			if (u.Scheme == "http" || u.Scheme == "https") && !hostName(u.Hostname()) {
				t.Fatalf("accepted the host of %q", r)
			}
			if !strings.Contains(u.Scheme, ".") && u.Scheme != "https" && (u.Scheme != "http" || !IsLoopback(u.Hostname())) {
				t.Fatalf("accepted %q", r)
			}
			if !MatchRedirect(m.Redirects, r) {
				t.Fatalf("%q does not match itself", r)
			}
		}
	})
}

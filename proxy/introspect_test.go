package proxy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/proxy"
)

func TestOpaqueTokens(t *testing.T) {
	s, desk := askingStand(t, false)
	jkt := map[string]string{"jkt": s.proofKey.Public().Thumbprint()}
	for i, row := range []struct {
		name   string
		doc    string
		status int
		reason string
	}{
		{"active", s.active(nil), 200, ""},
		{"inactive", `{"active":false}`, 401, "token_inactive"},
		{"not an answer", `{}`, 503, "introspection_unavailable"},
		{"active as text", s.active(map[string]any{"active": "true"}), 503, "introspection_unavailable"},
		{"two answers", s.active(nil) + s.active(nil), 503, "introspection_unavailable"},
		{"too long to read", s.active(map[string]any{"pad": strings.Repeat("x", 64<<10)}), 503, "introspection_unavailable"},
		{"for another resource", s.active(map[string]any{"aud": "https://other.example"}), 401, "token_audience"},
		{"for whoever", s.active(map[string]any{"aud": nil}), 401, "token_missing_claim"},
		{"for ever", s.active(map[string]any{"exp": nil}), 401, "token_missing_claim"},
		{"expired", s.active(map[string]any{"exp": s.clock.now().Unix() - 31}), 401, "token_expired"},
		{"of another issuer", s.active(map[string]any{"iss": "https://other.example"}), 401, "token_issuer"},
		{"of nobody", s.active(map[string]any{"sub": nil, "client_id": nil}), 401, "token_missing_claim"},
		{"without scope", s.active(map[string]any{"scope": nil}), 403, "insufficient_scope"},
		{"bound to a key", s.active(map[string]any{"cnf": jkt, "token_type": "DPoP"}), 401, "bound_token_as_bearer"},
		{"DPoP, with no key", s.active(map[string]any{"token_type": "DPoP"}), 401, "token_binding"},
		{"bound in some way", s.active(map[string]any{"cnf": map[string]string{"kid": "1"}}), 401, "token_binding"},
		{"bound to a certificate", s.active(map[string]any{"cnf": map[string]string{"x5t#S256": strings.Repeat("A", 43)}}), 401, "certificate_required"},
	} {
		desk.says(row.doc)
		r := s.bear(fmt.Sprintf("opaque-%d", i))
		t.Log(row.name)
		s.wants(r, row.status, row.reason)
		if r.StatusCode == 503 && r.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", row.name)
		}
	}
	if n := s.upstream.calls(); n != 1 {
		t.Errorf("%d calls reached the upstream, want 1", n)
	}
}

func TestOpaqueTokenWithProof(t *testing.T) {
	s, desk := askingStand(t, false, mode(proxy.Required))
	desk.says(s.active(map[string]any{"cnf": map[string]string{"jkt": s.proofKey.Public().Thumbprint()}, "token_type": "DPoP"}))
	s.learnNonce("opaque")
	proof := s.proof("opaque")
	s.wants(s.post(toolCall("add"), "Authorization", "DPoP opaque", "DPoP", proof), 200, "")
	s.wants(s.post(toolCall("add"), "Authorization", "DPoP opaque", "DPoP", proof), 401, "proof_replayed")
	s.wants(s.post(toolCall("add"), "Authorization", "DPoP other", "DPoP", s.proof("opaque")), 401, "proof_token_hash")
}

// What the issuer gets is a request by the proxy's own client, with the token in the body alone.
func TestIntrospectionRequest(t *testing.T) {
	s, desk := askingStand(t, false)
	desk.says(s.active(nil))
	s.wants(s.bear("a+b/c=="), 200, "")
	got := desk.asked[0]
	id, secret, _ := got.BasicAuth()
	if id != "the+proxy" || secret != "s%3Ae%2Fc+r%2Bet" { // form-encoded, as the issuer decodes it
		t.Errorf("client %q with secret %q", id, secret)
	}
	if got.Method != http.MethodPost || got.URL.RawQuery != "" || got.PostForm.Encode() != "token=a%2Bb%2Fc%3D%3D&token_type_hint=access_token" {
		t.Errorf("%s ?%s with %q", got.Method, got.URL.RawQuery, got.PostForm.Encode())
	}
	if got.Header["Idempotency-Key"] != nil || got.Header.Get("Accept") != "application/json" {
		t.Errorf("header %v", got.Header)
	}
}

func TestIssuerThatCannotBeAsked(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"broken":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"refuses us": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) },
		"sends elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/more/elsewhere", http.StatusTemporaryRedirect)
		},
		"a page of HTML":   func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"hangs up":         func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"does not answer":  func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"another document": func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, desk := askingStand(t, false)
			s.issuer.more.Store("/more/elsewhere", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				t.Error("the token went elsewhere")
			}))
			desk.answers(answer)
			s.wants(s.bear("opaque"), 503, "introspection_unavailable")
			desk.says(s.active(nil))
			s.clock.advance(2 * time.Second)
			s.wants(s.bear("opaque"), 200, "") // a failure is not remembered as a no
		})
	}
}

func TestTokensGoNowhereInPlain(t *testing.T) {
	for _, endpoint := range []string{"", "http://desk.example/introspect", "ftp://desk.example/", "//desk.example", "/introspect"} {
		s, desk := askingStand(t, false)
		desk.says(s.active(nil))
		s.issuer.desk.Store(endpoint)
		s.wants(s.bear("opaque"), 503, "introspection_unavailable")
		if desk.count() != 0 {
			t.Errorf("endpoint %q was asked", endpoint)
		}
	}
}

func TestAnswersAreRemembered(t *testing.T) {
	s, desk := askingStand(t, false)
	ask := func(want int, status int, reason string) {
		t.Helper()
		s.wants(s.bear("opaque"), status, reason)
		if n := desk.count(); n != want {
			t.Errorf("the issuer was asked %d times, want %d", n, want)
		}
	}
	desk.says(`{"active":false}`)
	ask(1, 401, "token_inactive")
	desk.says(s.active(map[string]any{"exp": s.clock.now().Add(8 * time.Second).Unix()}))
	ask(1, 401, "token_inactive")
	s.clock.advance(5 * time.Second)
	ask(2, 200, "")
	ask(2, 200, "")
	desk.says(`{"active":false}`)
	s.clock.advance(2 * time.Second) // a second is left until exp, three of the answer
	ask(2, 200, "")
	s.clock.advance(time.Second)
	ask(3, 401, "token_inactive")
	desk.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	ask(3, 401, "token_inactive")
	s.clock.advance(5 * time.Second)
	ask(4, 503, "introspection_unavailable")
}

// An answer counts for the server it was given for, not for the next one.
func TestOpaqueTokenIsGoodForOneServer(t *testing.T) {
	s, desk := askingStand(t, false, func(c *proxy.Config) {
		second := c.Servers[0]
		second.Path = "/second/mcp"
		c.Servers = append(c.Servers, second)
	})
	desk.says(s.active(nil))
	s.wants(s.bear("opaque"), 200, "")
	s.wants(s.do(http.MethodPost, s.base+"/second/mcp", toolCall("add"), "Authorization", "Bearer opaque"), 401, "token_audience")
}

func TestOneQuestionForAllWhoAsk(t *testing.T) {
	s, desk := askingStand(t, false)
	doc, open := s.active(nil), make(chan struct{})
	desk.answers(func(w http.ResponseWriter, _ *http.Request) {
		<-open
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, doc)
	})
	var statuses [20]int
	var all sync.WaitGroup
	for i := range statuses {
		all.Go(func() { statuses[i] = s.bear("opaque").StatusCode })
	}
	waitFor(t, "twenty requests", func() bool { return s.inFlight() == len(statuses) })
	close(open)
	all.Wait()
	if n := desk.count(); n != 1 {
		t.Errorf("the issuer was asked %d times", n)
	}
	for _, status := range statuses {
		if status != 200 {
			t.Errorf("status %d", status)
		}
	}
}

// A flood of invented tokens has its bound, and does not keep a known one out.
func TestInventedTokensDoNotFloodTheIssuer(t *testing.T) {
	s, desk := askingStand(t, false)
	desk.says(s.active(nil))
	s.wants(s.bear("known"), 200, "")
	s.clock.advance(5 * time.Second)
	var now, most atomic.Int64
	doc, open := s.active(nil), make(chan struct{})
	desk.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.PostForm.Get("token") == "known" {
			_, _ = io.WriteString(w, doc)
			return
		}
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-open
		now.Add(-1)
		_, _ = io.WriteString(w, `{"active":false}`)
	})
	var flood sync.WaitGroup
	for i := range 40 {
		flood.Go(func() { s.bear(fmt.Sprintf("invented-%d", i)) })
	}
	waitFor(t, "sixteen questions", func() bool { return now.Load() == 16 })
	if r := s.bear("known"); r.StatusCode != 200 {
		t.Errorf("the known token: %d %s", r.StatusCode, r.body)
	}
	if r := s.bear("one-more"); r.StatusCode != 503 || !strings.Contains(r.body, "introspection_unavailable") { // it does not wait for ever
		t.Errorf("one more: %d %s", r.StatusCode, r.body)
	}
	close(open)
	flood.Wait()
	if most.Load() != 16 {
		t.Errorf("%d questions at a time, want 16", most.Load())
	}
}

func TestJWTsAreNotAskedAbout(t *testing.T) {
	s, desk := askingStand(t, false)
	desk.says(s.active(nil))
	s.wants(s.bear(s.token()), 200, "")
	s.wants(s.bear(s.token(func(c *token.Claims) { c.Issuer = "https://stranger.example" })), 401, "token_issuer")
	s.wants(s.bear(strings.Repeat("x", 20<<10)), 401, "token_malformed")
	if n := desk.count(); n != 0 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

func TestJWTsAreAskedAboutToo(t *testing.T) {
	s, desk := askingStand(t, true)
	both := s.token(scopes("basic", "advanced"))
	desk.says(`{"active":true,"scope":"basic"}`)
	s.wants(s.bear(both), 200, "")
	s.wants(s.post(toolCall("power"), "Authorization", "Bearer "+both), 403, "insufficient_scope")
	desk.says(`{"active":false}`)
	s.wants(s.bear(both), 200, "") // remembered
	s.clock.advance(5 * time.Second)
	s.wants(s.bear(both), 401, "token_inactive")
	before := desk.count()
	s.wants(s.bear(spoilt(both)), 401, "token_signature") // its own checks come first
	if desk.count() != before {
		t.Error("the issuer was asked about a token with a wrong signature")
	}
}

func spoilt(raw string) string {
	at := strings.LastIndexByte(raw, '.') + 10
	other := byte('A')
	if raw[at] == other {
		other = 'B'
	}
	return raw[:at] + string(other) + raw[at+1:]
}

// Issuers are asked in turn; while one that might know is away, nobody can tell.
func TestIssuersAreAskedInTurn(t *testing.T) {
	other := newIssuer(t)
	second := newDesk(other)
	s, first := askingStand(t, false, func(c *proxy.Config) {
		next := c.Issuers[0]
		next.URL = other.URL
		c.Issuers = append(c.Issuers, next)
	})
	away := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }
	for i, row := range []struct {
		first, second string // "" is away
		status        int
		reason        string
	}{
		{s.active(nil), "", 200, ""},
		{`{"active":false}`, s.active(nil), 200, ""},
		{"", s.active(nil), 200, ""},
		{`{"active":false}`, `{"active":false}`, 401, "token_inactive"},
		{`{"active":false}`, "", 503, "introspection_unavailable"},
		{"", `{"active":false}`, 503, "introspection_unavailable"},
		{s.active(map[string]any{"aud": "x"}), s.active(nil), 401, "token_audience"},
	} {
		for doc, desk := range map[string]*deskStand{row.first + " ": first, row.second: second} {
			if doc = strings.TrimSpace(doc); doc == "" {
				desk.answers(away)
			} else {
				desk.says(doc)
			}
		}
		s.wants(s.bear(fmt.Sprintf("opaque-%d", i)), row.status, row.reason)
	}
	if _, asked := s.audit.last(t)["issuer"]; asked {
		t.Error("an unproven token has an issuer in the audit line")
	}
}

func TestListeningEndsWhenTheTokenIsInactive(t *testing.T) {
	t.Parallel()
	s, desk := askingStand(t, false)
	s.upstream.answers(endless)
	desk.says(s.active(nil))
	stream := s.listen(t, "opaque")
	desk.says(`{"active":false}`)
	s.clock.advance(5 * time.Second)
	s.endsWith(t, stream, "token_inactive")
}

func TestIncompleteIntrospectionDoesNotStart(t *testing.T) {
	for name, edit := range map[string]func(*proxy.Introspection){
		"no client":       func(i *proxy.Introspection) { i.ClientID = "" },
		"no secret":       func(i *proxy.Introspection) { i.Secret = "" },
		"no cache":        func(i *proxy.Introspection) { i.Cache = 0 },
		"a long cache":    func(i *proxy.Introspection) { i.Cache = time.Minute + 1 },
		"a URL in plain":  func(i *proxy.Introspection) { i.URL = "http://desk.example/" },
		"a URL of a file": func(i *proxy.Introspection) { i.URL = "file:///etc/passwd" },
	} {
		refusesToStart(t, name, asks(false), func(c *proxy.Config) { edit(c.Issuers[0].Introspection) })
	}
}

package proxy_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/policy"
	"github.com/postern-mcp/postern/proxy"
)

func TestCredentialsAndTokens(t *testing.T) {
	s := newStand(t)
	good := s.token()
	foreign := s.token(func(c *token.Claims) { c.Issuer = "https://elsewhere.example" })
	unknownKey, err := token.Sign(newKey(t), s.claims())
	if err != nil {
		t.Fatal(err)
	}
	middle := strings.LastIndexByte(good, '.') + 20
	flipped := good[:middle] + map[bool]string{true: "B", false: "A"}[good[middle] == 'A'] + good[middle+1:]
	for _, row := range []struct {
		name   string
		header []string
		status int
		reason string
		oauth  string // error of the Bearer challenge, "-" for no challenge
	}{
		{"none", nil, 401, "credential_missing", ""},
		{"another scheme", []string{"Authorization", "Basic YTpi"}, 401, "credential_missing", ""},
		{"two headers", []string{"Authorization", "Bearer " + good, "Authorization", "Bearer " + good}, 400, "credential_several", "invalid_request"},
		{"no token", []string{"Authorization", "Bearer"}, 400, "credential_malformed", "invalid_request"},
		{"two spaces", []string{"Authorization", "Bearer  " + good}, 400, "credential_malformed", "invalid_request"},
		{"joined", []string{"Authorization", "Bearer " + good + ",Bearer " + good}, 400, "credential_malformed", "invalid_request"},
		{"garbage", []string{"Authorization", "Bearer garbage"}, 401, "token_malformed", "invalid_token"},
		{"a megabyte of dots is cut at the header limit or the token limit", []string{"Authorization", "Bearer " + strings.Repeat(".", 20_000)}, 401, "token_malformed", "invalid_token"},
		{"truncated", []string{"Authorization", "Bearer " + good[:len(good)-1]}, 401, "token_malformed", "invalid_token"},
		{"flipped", []string{"Authorization", "Bearer " + flipped}, 401, "token_signature", "invalid_token"},
		{"foreign issuer", []string{"Authorization", "Bearer " + foreign}, 401, "token_issuer", "invalid_token"},
		{"unpublished key", []string{"Authorization", "Bearer " + unknownKey}, 401, "token_unknown_key", "invalid_token"},
		{"expired", []string{"Authorization", "Bearer " + s.token(func(c *token.Claims) {
			c.IssuedAt, c.Expiry = s.clock.now().Add(-time.Hour), s.clock.now().Add(-time.Minute)
		})}, 401, "token_expired", "invalid_token"},
		{"not yet", []string{"Authorization", "Bearer " + s.token(func(c *token.Claims) { c.NotBefore = s.clock.now().Add(time.Minute) })}, 401, "token_not_yet_valid", "invalid_token"},
		{"another audience", []string{"Authorization", "Bearer " + s.token(func(c *token.Claims) { c.Audience = []string{s.base} })}, 401, "token_audience", "invalid_token"},
		{"localhost is another audience", []string{"Authorization", "Bearer " + s.token(func(c *token.Claims) {
			c.Audience = []string{strings.Replace(s.url, "127.0.0.1", "localhost", 1)}
		})}, 401, "token_audience", "invalid_token"},
		{"bound as bearer", []string{"Authorization", "Bearer " + s.token(s.bound)}, 401, "bound_token_as_bearer", "invalid_token"},
		{"lower-case scheme", []string{"Authorization", "bearer " + good}, 200, "", "-"},
		{"good", []string{"Authorization", "Bearer " + good}, 200, "", "-"},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := s.upstream.calls()
			r := s.post(toolCall("add"), row.header...)
			s.wants(r, row.status, row.reason)
			if row.oauth != "-" {
				wantChallenge(t, s, r, "Bearer", row.oauth)
			}
			if reached := s.upstream.calls() > before; reached != (row.status == 200) {
				t.Errorf("upstream reached: %v", reached)
			}
		})
	}
}

// wantChallenge finds the challenge of a scheme and checks its error, and that
// its metadata answers with exactly this resource (RFC 9728 §3.3).
func wantChallenge(t *testing.T, s *stand, r reply, scheme, oauth string) map[string]string {
	t.Helper()
	for _, line := range r.Header.Values("WWW-Authenticate") {
		name, params, err := parseChallenge(line)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if name != scheme {
			continue
		}
		if params["error"] != oauth {
			t.Errorf("%s challenge: error %q, want %q", scheme, params["error"], oauth)
		}
		meta := s.do(http.MethodGet, params["resource_metadata"], "")
		var doc struct{ Resource string }
		if err := json.Unmarshal([]byte(meta.body), &doc); err != nil || meta.StatusCode != 200 || doc.Resource != s.url {
			t.Errorf("metadata at %q: %d %q", params["resource_metadata"], meta.StatusCode, meta.body)
		}
		return params
	}
	t.Fatalf("no %s challenge among %q", scheme, r.Header.Values("WWW-Authenticate"))
	return nil
}

func TestFirstChallengeAsksForDefaults(t *testing.T) {
	s := newStand(t)
	r := s.post("")
	for _, scheme := range []string{"Bearer", "DPoP"} {
		params := wantChallenge(t, s, r, scheme, "")
		if params["scope"] != "basic" {
			t.Errorf("%s: scope %q, want the default", scheme, params["scope"])
		}
	}
	if first := r.Header.Values("WWW-Authenticate")[0]; !strings.HasPrefix(first, "Bearer ") {
		t.Errorf("first challenge %q: clients that read one want Bearer", first)
	}
}

func TestProofs(t *testing.T) {
	s := newStand(t)
	access := s.token(s.bound)
	other := s.token(s.bound, func(c *token.Claims) { c.ID = "t2" })
	s.learnNonce(access)
	stranger := func() string {
		uri, _ := dpop.ParseTarget(s.url)
		made, err := dpop.Make(newKey(t), s.clock.now(), "POST", uri, access, s.nonce)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	once := s.proof(access)
	for _, row := range []struct {
		name   string
		proofs []string
		token  string
		status int
		reason string
		oauth  string
	}{
		{"none", nil, access, 401, "proof_missing", "invalid_dpop_proof"},
		{"two", []string{s.proof(access), s.proof(access)}, access, 401, "proof_several", "invalid_dpop_proof"},
		{"joined", []string{s.proof(access) + "," + s.proof(access)}, access, 401, "proof_several", "invalid_dpop_proof"},
		{"garbage", []string{"x.y.z"}, access, 401, "proof_malformed", "invalid_dpop_proof"},
		{"other method", []string{s.proofFor("GET", s.url, access)}, access, 401, "proof_method", "invalid_dpop_proof"},
		{"other target", []string{s.proofFor("POST", s.base+"/other", access)}, access, 401, "proof_target", "invalid_dpop_proof"},
		{"other token", []string{s.proof(other)}, access, 401, "proof_token_hash", "invalid_dpop_proof"},
		{"other key", []string{stranger()}, access, 401, "proof_key_mismatch", "invalid_token"},
		{"unbound token", []string{s.proof(s.token())}, s.token(), 401, "token_not_bound", "invalid_token"},
		{"query in htu is ignored", []string{s.proofFor("POST", s.url+"?x=1", access)}, access, 200, "", ""},
		{"good", []string{once}, access, 200, "", ""},
		{"replayed", []string{once}, access, 401, "proof_replayed", "invalid_dpop_proof"},
	} {
		t.Run(row.name, func(t *testing.T) {
			header := []string{"Authorization", "DPoP " + row.token}
			for _, p := range row.proofs {
				header = append(header, "DPoP", p)
			}
			r := s.post(toolCall("add"), header...)
			s.wants(r, row.status, row.reason)
			if row.oauth != "" {
				wantChallenge(t, s, r, "DPoP", row.oauth)
			}
		})
	}
}

func TestWrongTargetLeavesTheProofUnused(t *testing.T) {
	s := newStand(t, func(c *proxy.Config) { c.Hosts = nil })
	access := s.token(s.bound)
	s.learnNonce(access)
	proof := s.proof(access)
	s.wants(s.do("GET", s.url, "", "Authorization", "DPoP "+access, "DPoP", proof), 401, "proof_method")
	s.wants(s.post(toolCall("add"), "Authorization", "DPoP "+access, "DPoP", proof), 200, "")
}

func TestConcurrentProofWinsOnce(t *testing.T) {
	s := newStand(t)
	access := s.token(s.bound)
	s.learnNonce(access)
	proof := s.proof(access)
	results := make(chan int, 16)
	for range cap(results) {
		go func() {
			results <- s.post(toolCall("add"), "Authorization", "DPoP "+access, "DPoP", proof).StatusCode
		}()
	}
	wins := 0
	for range cap(results) {
		if <-results == 200 {
			wins++
		}
	}
	if wins != 1 {
		t.Errorf("%d of %d uses of one proof passed, want 1", wins, cap(results))
	}
}

func TestNonces(t *testing.T) {
	s := newStand(t)
	access := s.token(s.bound)
	r := s.post(toolCall("add"), "Authorization", "DPoP "+access, "DPoP", s.proof(access))
	s.wants(r, 401, "proof_nonce_required")
	wantChallenge(t, s, r, "DPoP", "use_dpop_nonce")
	if n := r.Header.Values("DPoP-Nonce"); len(n) != 1 || n[0] == "" {
		t.Fatalf("DPoP-Nonce %q, want one", n)
	}
	s.nonce = r.Header.Get("DPoP-Nonce")
	s.wants(s.post(toolCall("add"), "Authorization", "DPoP "+access, "DPoP", s.proof(access)), 200, "")

	good := s.nonce
	foreign, err := dpop.NewNonces([]byte(strings.Repeat("x", 32)), "proxy", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for name, nonce := range map[string]string{"forged": "abc", "truncated": good[:len(good)-1], "of another server": foreign.Issue(s.clock.now(), s.clock.now())} {
		s.nonce = nonce
		r := s.post(toolCall("add"), "Authorization", "DPoP "+access, "DPoP", s.proof(access))
		s.wants(r, 401, "proof_nonce_invalid")
		if r.Header.Get("DPoP-Nonce") == "" {
			t.Errorf("%s: no new nonce offered", name)
		}
	}
	s.nonce = good
	s.clock.advance(10 * time.Minute)
	fresh := s.token(s.bound, func(c *token.Claims) { c.ID = "later" })
	s.wants(s.post(toolCall("add"), "Authorization", "DPoP "+fresh, "DPoP", s.proof(fresh)), 401, "proof_nonce_invalid")
}

func TestModes(t *testing.T) {
	for _, row := range []struct {
		mode        proxy.Mode
		bearer, dp  string // reasons; "" passes
		schemes     []string
		proofNeeded bool
	}{
		{proxy.Required, "proof_required", "", []string{"DPoP"}, true},
		{proxy.Accepted, "", "", []string{"Bearer", "DPoP"}, false},
		{proxy.Off, "", "proof_not_accepted", []string{"Bearer"}, false},
	} {
		t.Run(string(row.mode), func(t *testing.T) {
			s := newStand(t, mode(row.mode))
			status := map[bool]int{true: 200, false: 401}
			plain, bound := s.token(), s.token(s.bound)
			s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+plain), status[row.bearer == ""], row.bearer)
			if row.dp == "" {
				s.learnNonce(bound)
			}
			s.wants(s.post(toolCall("add"), "Authorization", "DPoP "+bound, "DPoP", s.proof(bound)), status[row.dp == ""], row.dp)
			s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+bound), 401, "bound_token_as_bearer")
			var schemes []string
			for _, line := range s.post("").Header.Values("WWW-Authenticate") {
				name, _, _ := parseChallenge(line)
				schemes = append(schemes, name)
			}
			if !slices.Equal(schemes, row.schemes) {
				t.Errorf("challenges %q, want %q", schemes, row.schemes)
			}
			meta := s.do("GET", s.base+"/.well-known/oauth-protected-resource/calculator/mcp", "")
			if strings.Contains(meta.body, `"dpop_bound_access_tokens_required":true`) != row.proofNeeded {
				t.Errorf("metadata %s", meta.body)
			}
		})
	}
}

func TestDecisions(t *testing.T) {
	s := newStand(t)
	for _, row := range []struct {
		tool, scope string
		status      int
		reason      string
		needs       string // scope of the challenge
	}{
		{"add", "basic", 200, "", ""},
		{"add", "", 403, "insufficient_scope", "basic"},
		{"power", "basic", 403, "insufficient_scope", "advanced basic"},
		{"both", "", 403, "insufficient_scope", "advanced basic"},
		{"both", "advanced", 403, "insufficient_scope", "advanced basic"},
		{"both", "all", 200, "", ""},
		{"power", "advanced", 200, "", ""},
		{"power", "advancedX", 403, "insufficient_scope", "advanced"},
		{"ping", "", 200, "", ""},
		{"nothing", "basic", 200, "name_unknown", ""},
		{"Add", "basic", 200, "name_unknown", ""},
		{"add ", "basic", 200, "name_unknown", ""},
	} {
		t.Run(row.tool+"/"+row.scope, func(t *testing.T) {
			access := s.token(scopes(strings.Fields(row.scope)...))
			r := s.post(toolCall(row.tool), "Authorization", "Bearer "+access)
			s.wants(r, row.status, row.reason)
			if row.status != 403 {
				return
			}
			bearer := wantChallenge(t, s, r, "Bearer", "insufficient_scope")
			proof := wantChallenge(t, s, r, "DPoP", "insufficient_scope")
			if bearer["scope"] != row.needs || proof["scope"] != row.needs {
				t.Errorf("challenged scope %q and %q, want %q", bearer["scope"], proof["scope"], row.needs)
			}
			if !strings.Contains(r.body, `"scope":"`+row.needs+`"`) {
				t.Errorf("the error data does not mirror the scope: %s", r.body)
			}
		})
	}
}

// A name the policy does not know answers like one that never existed, whether
// the upstream has it or not, and the upstream is not asked.
func TestUnknownNamesLookAlike(t *testing.T) {
	s := newStand(t)
	access := s.token()
	hidden := s.post(toolCall("drop_all"), "Authorization", "Bearer "+access)
	never := s.post(toolCall("xxxx_xxx"), "Authorization", "Bearer "+access)
	same := func(r reply, name string) string {
		text := strings.ReplaceAll(r.body, name, "NAME")
		return strings.ReplaceAll(text, r.Header.Get("X-Request-Id"), "ID")
	}
	if same(hidden, "drop_all") != same(never, "xxxx_xxx") {
		t.Errorf("%s\n%s", hidden.body, never.body)
	}
	if !strings.Contains(hidden.body, `"code":-32602`) {
		t.Errorf("body %s, want -32602", hidden.body)
	}
	if s.upstream.calls() != 0 {
		t.Error("the upstream was asked")
	}
}

// The decision is the same under every protocol version header, known,
// old, invented or absent.
func TestDecisionIgnoresVersion(t *testing.T) {
	s := newStand(t)
	access := s.token()
	for _, version := range []string{"", "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2099-01-01", "invented"} {
		header := []string{"Authorization", "Bearer " + access}
		if version != "" {
			header = append(header, "MCP-Protocol-Version", version)
		}
		before := s.upstream.calls()
		r := s.post(toolCall("power"), header...)
		if r.StatusCode == 200 || s.upstream.calls() != before {
			t.Errorf("version %q: status %d", version, r.StatusCode)
		}
		if bad := s.post(toolCall("power"), append(header[2:], "Authorization", "Bearer garbage")...); bad.StatusCode != 401 {
			t.Errorf("version %q with a garbage token: status %d", version, bad.StatusCode)
		}
	}
}

func TestGarbageTokenOnEveryMethodAndPath(t *testing.T) {
	s := newStand(t)
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "BREW"} {
		for _, path := range []string{"/calculator/mcp", "/calculator/mcp?x=/public", "/sse", "/", "/calculator/mcp/", "/calculator/mcp/x"} {
			r := s.do(method, s.base+path, "", "Authorization", "Bearer garbage", "User-Agent", "kube-probe/1.0")
			want := 404
			if strings.HasPrefix(path, "/calculator/mcp") && !strings.HasPrefix(path, "/calculator/mcp/") {
				want = 401
			}
			if r.StatusCode != want {
				t.Errorf("%s %s: status %d, want %d", method, path, r.StatusCode, want)
			}
		}
	}
	if s.upstream.calls() != 0 {
		t.Error("the upstream was reached")
	}
}

func TestMethodsWithAGoodToken(t *testing.T) {
	s := newStand(t)
	access := s.token()
	for method, want := range map[string]int{"GET": 200, "DELETE": 200, "PUT": 405, "OPTIONS": 405, "HEAD": 405, "BREW": 405} {
		r := s.do(method, s.url, "", "Authorization", "Bearer "+access, "Accept", "application/json")
		if r.StatusCode != want {
			t.Errorf("%s: status %d, want %d", method, r.StatusCode, want)
		}
	}
}

func TestPathsAndHosts(t *testing.T) {
	s := newStand(t)
	access := s.token()
	auth := "Authorization: Bearer " + access + "\r\n"
	host := strings.TrimPrefix(s.base, "http://")
	body := toolCall("add")
	request := func(target, host, extra string) string {
		return "POST " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + auth + extra +
			"Content-Type: application/json\r\nAccept: application/json\r\nContent-Length: " + itoa(len(body)) + "\r\n\r\n" + body
	}
	for _, row := range []struct {
		name, target, host, extra string
		status                    int
	}{
		{"plain", "/calculator/mcp", host, "", 200},
		{"query is carried by nobody", "/calculator/mcp?x=1", host, "", 200},
		{"encoded slash", "/calculator%2fmcp", host, "", 400},
		{"encoded letter", "/calculator/%6dcp", host, "", 400},
		{"double slash", "//calculator/mcp", host, "", 400},
		{"dot segments", "/x/../calculator/mcp", host, "", 400},
		{"semicolon", "/calculator/mcp;x", host, "", 400},
		{"backslash", "/calculator\\mcp", host, "", 400},
		{"encoded hash", "/calculator/mcp%23", host, "", 400},
		{"token in query", "/calculator/mcp?access_token=x", host, "", 400},
		{"token in query, other case", "/calculator/mcp?Access_Token=x", host, "", 400},
		{"token in an unreadable query", "/calculator/mcp?a;access_token=x", host, "", 400},
		{"foreign host", "/calculator/mcp", "evil.example", "", 403},
		{"foreign origin", "/calculator/mcp", host, "Origin: https://evil.example\r\n", 403},
		{"null origin", "/calculator/mcp", host, "Origin: null\r\n", 403},
		{"two origins", "/calculator/mcp", host, "Origin: " + s.base + "\r\nOrigin: " + s.base + "\r\n", 403},
		{"own origin", "/calculator/mcp", host, "Origin: " + s.base + "\r\n", 200},
		{"forwarded host counts for nothing", "/calculator/mcp", host, "X-Forwarded-Host: evil.example\r\nX-Forwarded-Uri: /public\r\n", 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			if r := s.raw(request(row.target, row.host, row.extra)); r.StatusCode != row.status {
				t.Errorf("status %d, want %d: %s", r.StatusCode, row.status, r.body)
			}
		})
	}
}

func itoa(n int) string { return string(must(json.Marshal(n))) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestMetadata(t *testing.T) {
	s := newStand(t)
	at := s.base + "/.well-known/oauth-protected-resource/calculator/mcp"
	r := s.do("GET", at, "", "Host", "any.example", "Origin", "https://any.example")
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(r.body), &doc); err != nil {
		t.Fatal(err)
	}
	for name, value := range doc {
		if list, ok := value.([]any); ok && len(list) == 0 {
			t.Errorf("%s is an empty list (RFC 9728 §3.2)", name)
		}
	}
	if doc["resource"] != s.url {
		t.Errorf("resource %v", doc["resource"])
	}
	for _, path := range []string{"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/", "/.well-known/oauth-protected-resource/other"} {
		if r := s.do("GET", s.base+path, ""); r.StatusCode != 404 {
			t.Errorf("%s: %d, want 404: nothing truthful stands there", path, r.StatusCode)
		}
	}
	if r := s.do("POST", at, "x"); r.StatusCode != 405 || r.Header.Get("Allow") == "" {
		t.Errorf("POST: %d", r.StatusCode)
	}
}

func TestPreflight(t *testing.T) {
	s := newStand(t, func(c *proxy.Config) { c.Origins = []string{"https://app.example"} })
	r := s.do("OPTIONS", s.url, "", "Origin", "https://app.example", "Access-Control-Request-Method", "POST",
		"Access-Control-Request-Headers", "authorization, mcp-param-region, x-evil")
	allowed := strings.ToLower(r.Header.Get("Access-Control-Allow-Headers"))
	if r.StatusCode != 204 || !strings.Contains(allowed, "mcp-param-region") || strings.Contains(allowed, "x-evil") {
		t.Errorf("%d, allowed %q", r.StatusCode, allowed)
	}
	if r := s.do("OPTIONS", s.url, "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST"); r.StatusCode != 403 || r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("foreign origin: %d %v", r.StatusCode, r.Header)
	}
	r = s.post(toolCall("add"), "Origin", "https://app.example")
	if r.StatusCode != 401 || r.Header.Get("Access-Control-Allow-Origin") != "https://app.example" || !strings.Contains(r.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
		t.Errorf("a browser cannot read the challenge: %d %v", r.StatusCode, r.Header)
	}
}

// A subscription to resources needs what reading each of them needs.
func TestEveryNamedResourceIsDecided(t *testing.T) {
	s := newStand(t)
	listen := func(uris string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":[` + uris + `]}}}`
	}
	for _, row := range []struct {
		uris, scope string
		status      int
		reason      string
	}{
		{`"db://schema/a"`, "basic", 200, ""},
		{`"db://schema/a","db://schema/b"`, "basic", 200, ""},
		{`"db://schema/a","db://schema/b"`, "", 403, "insufficient_scope"},
		{`"db://schema/a","db://secret"`, "basic", 200, "name_unknown"},
		{`"db://secret"`, "basic", 200, "name_unknown"},
		{``, "", 200, ""},
	} {
		r := s.post(listen(row.uris), "Authorization", "Bearer "+s.token(scopes(strings.Fields(row.scope)...)))
		s.wants(r, row.status, row.reason)
	}
}

// Two issuers stand side by side; each is trusted for its own tokens only.
func TestSeveralIssuers(t *testing.T) {
	other := newIssuer(t)
	s := newStand(t, func(c *proxy.Config) {
		c.Issuers = append(c.Issuers, proxy.Issuer{URL: other.URL, DPoP: proxy.Off, Profile: token.JWT, Revocation: proxy.ByStatusList})
	})
	mint := func(by *issuerStand, iss string) string {
		raw, err := token.Sign(by.keys[0], s.claims(func(c *token.Claims) { c.Issuer = iss }))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+mint(s.issuer, s.issuer.URL)), 200, "")
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+mint(other, other.URL)), 200, "")
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+mint(other, s.issuer.URL)), 401, "token_unknown_key")
	meta := s.do("GET", s.base+"/.well-known/oauth-protected-resource/calculator/mcp", "")
	if !strings.Contains(meta.body, `"authorization_servers":["`+s.issuer.URL+`","`+other.URL+`"]`) {
		t.Errorf("metadata %s", meta.body)
	}
}

// To the upstream all callers look alike, so what is named by an id alone
// stays behind unless the policy says that the server keeps callers apart.
func TestTasksNeedThePolicysWord(t *testing.T) {
	get := `{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"t-1"}}`
	s := newStand(t)
	r := s.post(get, "Authorization", "Bearer "+s.token())
	s.wants(r, 404, "tasks_not_passed")
	if !strings.Contains(r.body, `"code":-32601`) || s.upstream.calls() != 0 {
		t.Errorf("%s, %d upstream calls", r.body, s.upstream.calls())
	}
	passing, err := policy.Parse("policy.yaml", []byte(testPolicy+"tasks: pass\n"))
	if err != nil {
		t.Fatal(err)
	}
	s = newStand(t, func(c *proxy.Config) { c.Servers[0].Policy = passing })
	s.wants(s.post(get, "Authorization", "Bearer "+s.token()), 200, "")
}

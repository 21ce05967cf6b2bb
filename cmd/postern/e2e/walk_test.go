package e2e

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// walkInput is what the two MCP client scripts take.
type walkInput struct {
	URL          string     `json:"url"`
	User         person     `json:"user"`
	Chromium     string     `json:"chromium"`
	Registration string     `json:"registration,omitempty"` // dynamic, or document: a client ID metadata document
	Mode         string     `json:"mode,omitempty"`         // era negotiation of the 2.4.0 client
	Decision     string     `json:"decision,omitempty"`     // at every consent page: allow when "", or deny
	Grants       []string   `json:"grants,omitempty"`       // grant_types the bearer client registers
	Calls        []toolCall `json:"calls"`
}

type toolCall struct {
	Name  string         `json:"name"`
	Args  map[string]any `json:"args"`
	Spoil bool           `json:"spoil,omitempty"` // break the access token first
}

// walked is what they report.
type walked struct {
	Version        string              `json:"version"`
	ClientID       string              `json:"clientID"`
	Tools          []string            `json:"tools"`
	ToolsAfter     []string            `json:"toolsAfter"`
	Calls          []toolResult        `json:"calls"`
	Authorizations []map[string]string `json:"authorizations"`
	Redirects      []redirect          `json:"redirects"`
	Refused        string              `json:"refused"` // what the SDK made of a no
	Tokens         []tokenSeen         `json:"tokens"`
	Pages          []page              `json:"pages"`
	Traffic        []exchange          `json:"traffic"`
}

type toolResult struct {
	Name    string `json:"name"`
	IsError bool   `json:"isError"`
	Text    string `json:"text"`
}

type tokenSeen struct {
	Type    string `json:"type"`
	Scope   string `json:"scope"`
	Refresh bool   `json:"refresh"` // a refresh token came along
}

type redirect struct {
	Error string `json:"error"`
	Iss   string `json:"iss"`
}

type page struct {
	URL  string `json:"url"`
	Text string `json:"text"`
}

type exchange struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Scheme string `json:"scheme"`
	Proof  bool   `json:"proof"`
	Status int    `json:"status"`
	RPC    struct {
		Method string `json:"method"`
		Name   string `json:"name"`
	} `json:"rpc"`
}

// theWalk is a call the first scopes allow, one that needs more, and the
// first again: a step-up takes nothing away.
var theWalk = []toolCall{
	{Name: "add", Args: map[string]any{"a": 2, "b": 3}},
	{Name: "power", Args: map[string]any{"base": 2, "exponent": 10}},
	{Name: "add", Args: map[string]any{"a": 20, "b": 3}},
}

func TestClientsGetThroughTheGate(t *testing.T) {
	up := shared.get(t)
	for _, row := range []struct {
		name, script, scheme, version string
		input                         walkInput
	}{
		{"DPoP in the 2026-07-28 era", "client-dpop.mjs", "DPoP", modern, walkInput{Mode: "auto", Registration: "dynamic"}},
		{"DPoP in the 2025-11-25 era", "client-dpop.mjs", "DPoP", legacy, walkInput{Mode: "legacy", Registration: "dynamic"}},
		{"DPoP with a client ID metadata document", "client-dpop.mjs", "DPoP", modern, walkInput{Mode: "auto", Registration: "document"}},
		{"Bearer in the 2025-11-25 era", "sdk-bearer.mjs", "Bearer", legacy, walkInput{}},
		{"Bearer with refresh tokens", "sdk-bearer.mjs", "Bearer", legacy, walkInput{Grants: []string{"authorization_code", "refresh_token"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			in := row.input
			in.URL, in.User, in.Chromium, in.Calls = up.Servers["calculator"], up.User, chromium(t), theWalk
			var w walked
			ask(t, row.script, in, &w)
			w.checkCalls(t, row.version)
			w.checkAuthorizations(t, in.URL)
			w.checkTokens(t, row.scheme, row.scheme == "DPoP" || in.Grants != nil)
			w.checkTraffic(t, in.URL, row.scheme)
			w.checkRegistration(t, in.Registration)
			w.checkPages(t, up.Issuer)
		})
	}
}

func (w walked) checkCalls(t *testing.T, version string) {
	t.Helper()
	if w.Version != version {
		t.Errorf("negotiated %s, want %s", w.Version, version)
	}
	if !slices.Equal(w.Tools, basicTools) {
		t.Errorf("tools at first %v, want exactly what policy allows: %v", w.Tools, basicTools)
	}
	if !slices.Equal(w.ToolsAfter, advancedTools) {
		t.Errorf("tools after the step-up %v, want %v", w.ToolsAfter, advancedTools)
	}
	want := []toolResult{{"add", false, "5"}, {"power", false, "1024"}, {"add", false, "23"}}
	if !slices.Equal(w.Calls, want) {
		t.Errorf("calls %v, want %v", w.Calls, want)
	}
}

// checkAuthorizations: two, the second for everything the first had and more.
func (w walked) checkAuthorizations(t *testing.T, resource string) {
	t.Helper()
	if len(w.Authorizations) != 2 {
		t.Fatalf("%d authorizations, want 2: %v", len(w.Authorizations), w.Authorizations)
	}
	for i, want := range []string{"calc:basic", "calc:advanced calc:basic"} {
		asked := w.Authorizations[i]
		scope := strings.Fields(asked["scope"])
		slices.Sort(scope)
		if got := strings.Join(scope, " "); got != want {
			t.Errorf("authorization %d asks for %q, want %q", i+1, got, want)
		}
		if asked["resource"] != resource || asked["code_challenge_method"] != "S256" {
			t.Errorf("authorization %d: %v", i+1, asked)
		}
	}
}

// checkTokens: a client gets refresh tokens when it registered for them, and
// not otherwise. One that refreshes where it has to authorize again is sent to
// the person all the same.
func (w walked) checkTokens(t *testing.T, scheme string, refresh bool) {
	t.Helper()
	if len(w.Tokens) != 2 {
		t.Fatalf("%d tokens, want 2: %v", len(w.Tokens), w.Tokens)
	}
	for _, token := range w.Tokens {
		if token.Type != scheme || token.Refresh != refresh || token.Scope == "" {
			t.Errorf("token %+v, want type %s with its scope", token, scheme)
		}
	}
}

// checkTraffic: one 401 without credentials, one 403, no other refusal but
// for a nonce, and the right scheme on every call that carried a token.
func (w walked) checkTraffic(t *testing.T, endpoint, scheme string) {
	t.Helper()
	statuses := map[int]int{}
	for _, e := range w.Traffic {
		if e.URL != endpoint {
			continue
		}
		if e.Scheme == "" && e.Status == http.StatusUnauthorized {
			statuses[0]++
			continue
		}
		if e.Scheme != scheme || e.Proof != (scheme == "DPoP") {
			t.Errorf("%s %s goes out as %q, proof %v", e.Method, e.RPC.Method, e.Scheme, e.Proof)
		}
		statuses[e.Status]++
	}
	if statuses[0] != 1 || statuses[http.StatusForbidden] != 1 {
		t.Errorf("%d calls without a token and %d 403, want one of each", statuses[0], statuses[http.StatusForbidden])
	}
	if bad := statuses[http.StatusUnauthorized]; bad > 1 || bad == 1 && scheme != "DPoP" {
		t.Errorf("%d calls with a token were answered 401, want at most one, for its nonce", bad)
	}
	if statuses[http.StatusBadRequest]+statuses[http.StatusNotFound]+statuses[http.StatusInternalServerError] > 0 {
		t.Errorf("statuses %v", statuses)
	}
}

func (w walked) checkRegistration(t *testing.T, registration string) {
	t.Helper()
	var made int
	for _, e := range w.Traffic {
		if e.Status == http.StatusCreated {
			made++
		}
	}
	want := 1
	if registration == "document" {
		want = 0
		if !strings.HasPrefix(w.ClientID, "http://127.0.0.1:") {
			t.Errorf("client_id %q, want the document's URL", w.ClientID)
		}
	}
	if made != want {
		t.Errorf("%d registrations, want %d", made, want)
	}
}

// checkPages: one login, then consent each time, never a page of anyone else.
func (w walked) checkPages(t *testing.T, issuer string) {
	t.Helper()
	if len(w.Pages) != 3 {
		t.Fatalf("%d pages, want a login and two consents: %v", len(w.Pages), w.Pages)
	}
	for _, p := range w.Pages {
		if !strings.HasPrefix(p.URL, issuer+"/") {
			t.Errorf("a page at %s", p.URL)
		}
	}
	if text := w.Pages[2].Text; !strings.Contains(text, "127.0.0.1") || !strings.Contains(text, "Raise to powers") {
		t.Errorf("the second consent names neither where it leads nor what is new:\n%s", text)
	}
}

// TestDatabaseStepsUpWithinItsScopes: a tool that is listed before it may be
// called, and a scope that implies another.
func TestDatabaseStepsUpWithinItsScopes(t *testing.T) {
	up := shared.get(t)
	city := rand.Text()
	count := toolCall{Name: "query", Args: map[string]any{"sql": "SELECT count(*) AS n FROM customers WHERE city = ?", "params": []any{city}}}
	change := toolCall{Name: "execute", Args: map[string]any{"sql": "UPDATE customers SET city = ? WHERE id = 1", "params": []any{city}}}
	var w walked
	ask(t, "client-dpop.mjs", walkInput{
		URL: up.Servers["externaldb"], User: up.User, Chromium: chromium(t), Mode: "auto",
		Calls: []toolCall{count, change, count},
	}, &w)
	if len(w.Authorizations) != 2 || w.Authorizations[0]["scope"] != "db:read" || w.Authorizations[1]["scope"] != "db:read db:write" {
		t.Errorf("authorizations %v", w.Authorizations)
	}
	if !slices.Contains(w.Tools, "execute") || !slices.Equal(w.Tools, w.ToolsAfter) {
		t.Errorf("tools %v, then %v", w.Tools, w.ToolsAfter)
	}
	for i, want := range []string{`"rows":[[0]]`, `"affected_rows":1`, `"rows":[[1]]`} {
		if got := w.Calls[i]; got.IsError || !strings.Contains(got.Text, want) {
			t.Errorf("%s: %+v, want %s in it", got.Name, got, want)
		}
	}
}

// TestSpoiledTokenIsRefreshedWithoutAPerson: the 401 sends the client to its
// refresh token, not to the browser.
func TestSpoiledTokenIsRefreshedWithoutAPerson(t *testing.T) {
	up := shared.get(t)
	spoiled := theWalk[0]
	spoiled.Spoil = true
	var w walked
	ask(t, "client-dpop.mjs", walkInput{
		URL: up.Servers["calculator"], User: up.User, Chromium: chromium(t), Mode: "auto", Calls: []toolCall{theWalk[0], spoiled, spoiled},
	}, &w)
	if len(w.Authorizations) != 1 || len(w.Tokens) != 3 {
		t.Errorf("%d authorizations and %d tokens, want 1 and 3", len(w.Authorizations), len(w.Tokens))
	}
	for _, call := range w.Calls {
		if call.Text != "5" {
			t.Errorf("calls %v", w.Calls)
		}
	}
	for _, token := range w.Tokens {
		if token.Type != "DPoP" || token.Scope != "calc:basic" || !token.Refresh {
			t.Errorf("token %+v", token)
		}
	}
}

// TestNoAtConsentReachesTheClient: as an error redirect with the issuer.
func TestNoAtConsentReachesTheClient(t *testing.T) {
	up := shared.get(t)
	var w walked
	ask(t, "client-dpop.mjs", walkInput{
		URL: up.Servers["calculator"], User: up.User, Chromium: chromium(t), Mode: "auto", Decision: "deny",
	}, &w)
	if want := (redirect{"access_denied", up.Issuer}); !slices.Equal(w.Redirects, []redirect{want}) || w.Refused != "access_denied" {
		t.Errorf("redirects %v, the SDK says %q", w.Redirects, w.Refused)
	}
	if len(w.Tokens) != 0 || len(w.Calls) != 0 {
		t.Errorf("tokens %v, calls %v", w.Tokens, w.Calls)
	}
}

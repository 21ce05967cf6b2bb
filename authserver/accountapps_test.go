package authserver

import (
	"bufio"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

func TestApplicationsAreTakenBack(t *testing.T) {
	g := newRig(t)
	id, query := g.httpsClient()
	b := g.visitor()
	redeem := func() answerOf {
		form := redemption(id, g.authorizeBy(b, query).Get("code"))
		form.Set("redirect_uri", query.Get("redirect_uri"))
		return g.post("/token", form)
	}
	first := redeem()
	g.expect(first, 200, "")
	list := g.get(b, "/account/applications")
	for _, words := range []string{"App", "known here", "Calculator", "calc:basic", "in 10 minutes"} {
		if !strings.Contains(list.words(), words) {
			t.Errorf("the list does not say %q: %s", words, list.words())
		}
	}
	one := g.get(b, "/account/application?client="+url.QueryEscape(id))
	for _, words := range []string{"Add, subtract, multiply and divide", "app.example", "Take back all access"} {
		if !strings.Contains(one.words(), words) {
			t.Errorf("the page does not say %q: %s", words, one.words())
		}
	}
	watcher, secret := g.resourceServer(calculator)
	active := func(a answerOf) bool {
		got := g.post("/introspect", url.Values{"token": {a.str("access_token")}}, basic(watcher, secret))
		return got.fields["active"] == true
	}
	if !active(first) {
		t.Fatal("the token is not good to begin with")
	}
	if !strings.Contains(list.words(), "the application can fetch another") {
		t.Errorf("nothing says what ending a token is worth: %s", list.words())
	}
	ended := g.press(b, list, "/account/tokens/end")
	if !strings.Contains(ended.words(), "The application can fetch another") || !strings.Contains(ended.body, `href="/account/application/remove?client=`+url.QueryEscape(id)+`">Take back its access`) {
		t.Errorf("what to do instead is not said: %s", ended.words())
	}
	if active(first) {
		t.Error("the token goes on")
	}
	second := g.post("/token", refreshing(id, first))
	g.expect(second, 200, "")
	g.press(b, g.get(b, "/account/application?client="+url.QueryEscape(id)), "/account/grants/end")
	if active(second) || g.post("/token", refreshing(id, second)).status == 200 {
		t.Error("the grant goes on")
	}
	third := redeem()
	g.expect(third, 200, "")
	confirm := g.get(b, "/account/application/remove?client="+url.QueryEscape(id))
	if a := g.press(b, confirm, "/account/application/remove"); !strings.Contains(a.words(), "No application has access now") {
		t.Errorf("got %d %s", a.status, a.words())
	}
	if active(third) || g.post("/token", refreshing(id, third)).status == 200 {
		t.Error("the application goes on")
	}
	if page := g.get(b, "/authorize?"+query.Encode()); page.status != 200 || !strings.Contains(page.body, "It asks to") {
		t.Errorf("the yes is remembered: %d", page.status)
	}
}

// What is somebody else's stays as it is, and nobody hears whether it is there.
func TestNobodyEndsWhatIsNotTheirs(t *testing.T) {
	g := newRig(t)
	a := g.tokens(g.publicClient())
	if err := g.s.CreateUser(t.Context(), "eve", "a stranger with a long password"); err != nil {
		t.Fatal(err)
	}
	eve := newBrowser(t)
	page := g.enter(eve, "/account", "eve", "a stranger with a long password")
	page = g.get(eve, "/account/profile")
	c := g.verified(a)
	grant, err := g.s.store.AccessToken(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	for path, form := range map[string]url.Values{
		"/account/tokens/end": {"token_id": {c.ID}}, "/account/grants/end": {"grant": {grant.GrantID}},
	} {
		form.Set("token", tokenOf(t, page))
		if got := g.submit(eve, path, form); got.status != 303 || strings.Contains(got.header.Get("Location"), "client") {
			t.Errorf("%s: %d %q", path, got.status, got.header.Get("Location"))
		}
	}
	if got, err := g.s.store.AccessToken(t.Context(), c.ID); err != nil || got.Revoked {
		t.Errorf("ended by a stranger: %+v %v", got, err)
	}
}

func TestTokensAreShownLive(t *testing.T) {
	g := newRig(t)
	b := g.visitor()
	open := func() *http.Response {
		resp, err := b.Do(g.request("GET", "/account/tokens", "", ""))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	stream := open()
	if stream.StatusCode != 200 || stream.Header.Get("Content-Type") != "text/event-stream" || stream.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %d %v", stream.StatusCode, stream.Header)
	}
	lines := bufio.NewReader(stream.Body)
	event := func() string {
		var text strings.Builder
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return text.String() + " END"
			}
			if line == "\n" {
				return text.String()
			}
			text.WriteString(line)
		}
	}
	if got := event(); !strings.Contains(got, "No application holds a token") {
		t.Fatalf("at first: %s", got)
	}
	a := g.tokens(g.publicClient())
	if got := event(); !strings.Contains(got, "Test client") || strings.Contains(got, a.str("access_token")) {
		t.Fatalf("with a token: %s", got)
	}
	if err := g.s.store.RevokeToken(t.Context(), g.verified(a).ID); err != nil {
		t.Fatal(err)
	}
	if got := event(); !strings.Contains(got, "No application holds a token") {
		t.Fatalf("after its end: %s", got)
	}
	for range streamsOfOne - 1 {
		if r := open(); r.StatusCode != 200 {
			t.Errorf("another: %d", r.StatusCode)
		}
	}
	if r := open(); r.StatusCode != http.StatusTooManyRequests {
		t.Errorf("one more than there may be: %d", r.StatusCode)
	}
	if _, err := g.s.store.EndSessions(t.Context(), g.userID(), store.Hash{}); err != nil {
		t.Fatal(err)
	}
	if got := event(); !strings.HasSuffix(got, " END") {
		t.Errorf("after the session: %s", got)
	}
	if r := open(); r.StatusCode != http.StatusForbidden {
		t.Errorf("nobody: %d", r.StatusCode)
	}
}

func TestStreamsAreCountedByPerson(t *testing.T) {
	var n streams
	for range streamsOfOne {
		if _, ok := n.open("user_ada"); !ok {
			t.Fatal("no room for a person's own")
		}
	}
	if _, ok := n.open("user_ada"); ok {
		t.Error("another session has streams of its own")
	}
	if _, ok := n.open("user_eve"); !ok {
		t.Error("another person has none")
	}
}

func TestStreamsHaveARoomForEverybody(t *testing.T) {
	var n streams
	var leave []func()
	for i := range mostStreams {
		l, ok := n.open(string(rune(i)))
		if !ok {
			t.Fatalf("no room for %d", i)
		}
		leave = append(leave, l)
	}
	if _, ok := n.open("one more"); ok {
		t.Error("more than there may be")
	}
	for _, l := range leave {
		l()
	}
	if len(n.each) != 0 || n.all != 0 {
		t.Errorf("left: %v", n.each)
	}
}

// A stream outlasts the time that a body has to arrive, and the connection is
// good for what comes after it.
func TestConnectionsOutliveTheirStreams(t *testing.T) {
	g := newRig(t)
	g.s.arrival = 50 * time.Millisecond
	b := g.visitor()
	stream, err := b.Do(g.request("GET", "/account/tokens", "", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	event := func() (text string) {
		for lines.Scan() && lines.Text() != "" {
			text += lines.Text()
		}
		return text
	}
	event()
	g.tokens(g.publicClient())
	if got := event(); !strings.Contains(got, "Test client") {
		t.Fatalf("a token that came later is not shown: %q, %v", got, lines.Err())
	}
	if _, err := g.s.store.EndSessions(t.Context(), g.userID(), store.Hash{}); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	reused := false
	trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }}
	req := g.request("GET", "/account", "", "")
	if a := g.do(b, req.WithContext(httptrace.WithClientTrace(req.Context(), trace))); a.status != 200 || !reused {
		t.Errorf("after the stream: %d, on the same connection: %v", a.status, reused)
	}
}

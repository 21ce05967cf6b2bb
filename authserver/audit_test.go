package authserver

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/trail"
)

// paper takes lines until it is torn away.
type paper struct {
	logbook
	gone atomic.Bool
}

func (p *paper) Write(line []byte) (int, error) {
	if p.gone.Load() {
		return 0, errors.New("no space left on the device of the operator")
	}
	return p.logbook.Write(line)
}

// linesOf are the audit lines of an event.
func linesOf(t *testing.T, text string, e event) (lines []map[string]any) {
	t.Helper()
	for row := range strings.Lines(text) {
		var line map[string]any
		if err := json.Unmarshal([]byte(row), &line); err != nil {
			t.Fatalf("%v in %s", err, row)
		}
		if line["event"] == string(e) {
			lines = append(lines, line)
		}
	}
	return lines
}

func machineForm() url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}, "scope": {"calc:basic"}}
}

// A line has the members of a proxy's line, under the same names.
func TestAuditLines(t *testing.T) {
	g := newRig(t)
	id, secret := g.machine("calc:basic")
	a := g.post("/token", machineForm(), basic(id, secret))
	g.expect(a, 200, "")
	g.expect(g.post("/token", machineForm(), basic(id, "wrong")), 401, "invalid_client")
	issued := linesOf(t, g.trail.String(), "token.issued")
	if len(issued) != 1 {
		t.Fatalf("%d lines", len(issued))
	}
	want := map[string]any{"decision": "allow", "issuer": g.url, "client_id": id, "subject": id, "grant_type": "client_credentials", "resource": calculator,
		"scope": []any{"calc:basic"}, "bound": false, "address": "127.0.0.1", "request_id": a.header.Get("X-Request-Id")}
	for name, value := range want {
		if fmt.Sprint(issued[0][name]) != fmt.Sprint(value) {
			t.Errorf("%s: %v, want %v", name, issued[0][name], value)
		}
	}
	if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(issued[0]["time"])); err != nil || !at.Equal(g.clock.Now()) {
		t.Errorf("time %v, %v", issued[0]["time"], err)
	}
	if issued[0]["token_id"] == nil || issued[0]["left_out"] != nil {
		t.Errorf("%v", issued[0])
	}
	refused := linesOf(t, g.trail.String(), "request.refused")
	if len(refused) != 1 || refused[0]["reason"] != "wrong_client_secret" || refused[0]["decision"] != "deny" || refused[0]["path"] != "/token" || refused[0]["cause"] != nil {
		t.Errorf("%v", refused)
	}
}

// What cannot be put on record does not go out, whether that shows before or in
// the middle; what everybody may know does; and all is well once it can be.
func TestNothingGoesOutUnrecorded(t *testing.T) {
	out := &paper{}
	g := newRig(t, func(c *Config) { c.Audit = trail.Of(out) })
	id, secret := g.machine("calc:basic")
	browser := newBrowser(t)
	page := g.get(browser, "/account")
	form := url.Values{"request": {formRequest(t, page.body)}, "username": {testUser}, "password": {testPassword}}
	out.gone.Store(true)
	for name, ask := range map[string]func() answerOf{
		"in the middle of a sign-in": func() answerOf { return g.submit(browser, "/login", form) },
	} {
		a := ask()
		if a.status != 503 || len(a.header.Values("Set-Cookie")) > 0 || a.header.Get("Location") != "" || !strings.Contains(a.words(), "cannot be put on record") {
			t.Errorf("%s: %d %v %s", name, a.status, a.header, a.words())
		}
	}
	for range 2 {
		a := g.post("/token", machineForm(), basic(id, secret))
		g.expect(a, 503, "temporarily_unavailable")
		if a.str("access_token") != "" || a.header.Get("Retry-After") == "" || strings.Contains(a.body, "operator") {
			t.Errorf("%v %s", a.header, a.body)
		}
	}
	if a := g.get(noRedirect(), "/api/v1/status"); a.status != 503 || !strings.Contains(a.body, `"reason":"unavailable"`) || a.header.Get("Retry-After") == "" {
		t.Errorf("the API: %d %s", a.status, a.body)
	}
	for _, path := range []string{"/jwks.json", "/.well-known/oauth-authorization-server", "/status/0"} {
		if a := g.get(noRedirect(), path); a.status != 200 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if err := g.s.Ready(t.Context()); !errors.Is(err, ErrUnrecorded) {
		t.Errorf("ready: %v", err)
	}
	if n := gathered(t, g, "away", "what", "audit"); n != 1 {
		t.Errorf("away: %v", n)
	}
	out.gone.Store(false)
	g.expect(g.post("/token", machineForm(), basic(id, secret)), 200, "")
	if err := g.s.Ready(t.Context()); err != nil || gathered(t, g, "away", "what", "audit") != 0 {
		t.Errorf("ready: %v", err)
	}
	if n := strings.Count(out.String(), "audit_resumed"); n != 1 || len(linesOf(t, out.String(), "token.issued")) != 1 {
		t.Errorf("%d resumed: %s", n, out)
	}
}

// The first request after a file broke has done its work: what came of it stays here.
func TestTheFirstUnrecordedTokenStaysHere(t *testing.T) {
	out := &paper{}
	g := newRig(t, func(c *Config) { c.Audit = trail.Of(out) })
	id, secret := g.machine("calc:basic")
	out.gone.Store(true)
	a := g.post("/token", machineForm(), basic(id, secret))
	g.expect(a, 503, "temporarily_unavailable")
	if strings.Contains(a.body, "access_token") || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v %s", a.header, a.body)
	}
	if !strings.Contains(g.log.String(), `"msg":"audit.not_written"`) {
		t.Error("the log says nothing")
	}
}

// What operators do with the database stands on record as theirs, or fails.
func TestOperatorsAreOnRecord(t *testing.T) {
	out := &paper{}
	g := newRig(t, func(c *Config) { c.Audit = trail.Of(out) })
	h, err := g.s.OperatorAPI()
	if err != nil {
		t.Fatal(err)
	}
	api := admin.Caller{Base: g.url + admin.Prefix, Via: admin.Inside{Handler: h}}
	if _, err := admin.Call(t.Context(), api, admin.CreateUser, admin.NewUser{Name: "eve"}); err != nil {
		t.Fatal(err)
	}
	g.machine("calc:basic")
	if _, _, err := g.s.CreateResourceServer(t.Context(), "checker", []string{calculator}); err != nil {
		t.Fatal(err)
	}
	for e, n := range map[event]int{"user.created": 2, "client.created": 2} {
		lines := linesOf(t, out.String(), e)
		if len(lines) != n || lines[n-1]["actor"] != "operator" || lines[n-1]["actor_kind"] != "operator" {
			t.Errorf("%s: %v", e, lines)
		}
	}
	out.gone.Store(true)
	if _, _, err := g.s.CreateClient(t.Context(), "robot", []string{"calc:basic"}); err == nil {
		t.Error("a client was made off the record")
	}
	if _, err := admin.Call(t.Context(), api, admin.CreateUser, admin.NewUser{Name: "mallory"}); err == nil {
		t.Error("an account was made off the record")
	}
}

// A crowd of requests for which nothing is looked at has fifty lines a second,
// and the next line says how many there would have been.
func TestCrowdsAreCounted(t *testing.T) {
	g := newRig(t)
	const many = 300
	for range many {
		g.get(noRedirect(), "/nothing-here")
	}
	g.s.crowd.lines.SetLimit(1e9)
	g.get(noRedirect(), "/nothing-here")
	lines, left := linesOf(t, g.trail.String(), "request.refused"), 0
	for _, line := range lines {
		if n, ok := line["unrecorded"].(float64); ok {
			left += int(n)
		}
	}
	if len(lines)+left != many+1 || left == 0 {
		t.Errorf("%d lines and %d without, of %d", len(lines), left, many+1)
	}
}

// Values of every kind become members, bounded, and what went wrong inside never does.
func TestMembersOfLines(t *testing.T) {
	g := newRig(t)
	text := g.s.line("token.issued", decisionAllow, []any{"scope", "a b", "roles", []string{"x", "y"}, "bound", true, "number", 7, "sessions", int64(8),
		"until", time.Unix(0, 0), "reason", Reason("r"), "name", strings.Repeat("é", 500), "cause", "the disk", "user", "", "subject", "a\n\"b"})
	var line map[string]any
	if err := json.Unmarshal(text, &line); err != nil || bytes.Count(text, []byte("\n")) != 1 {
		t.Fatalf("%v %s", err, text)
	}
	want := map[string]string{"scope": "[a b]", "roles": "[x y]", "bound": "true", "number": "7", "sessions": "8", "until": "1970-01-01T00:00:00Z",
		"reason": "r", "name": strings.Repeat("é", maxLogged/2) + "…", "subject": "a\n\"b", "event": "token.issued", "decision": "allow"}
	for name, value := range want {
		if fmt.Sprint(line[name]) != value {
			t.Errorf("%s: %v, want %v", name, line[name], value)
		}
	}
	if len(line) != len(want)+2 {
		t.Errorf("%v", line)
	}
}

// A sign-in is on record as it was judged.
func TestJudgementsDecide(t *testing.T) {
	for outcome, want := range map[string]decision{"allow": decisionAllow, "step_up": decisionStepUp, "refuse": decisionDeny} {
		if got := decisionOf("login.judged", []any{"subject", "x", "outcome", outcome}); got != want {
			t.Errorf("%s: %s", outcome, got)
		}
	}
}

func TestExchangesAnswerOnce(t *testing.T) {
	g := newRig(t)
	for name, write := range map[string]func(http.ResponseWriter){
		"nothing":   func(http.ResponseWriter) {},
		"a body":    func(w http.ResponseWriter) { _, _ = w.Write([]byte("x")) },
		"two heads": func(w http.ResponseWriter) { w.WriteHeader(200); w.WriteHeader(500) },
	} {
		g.serve = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = withCaller(r)
			e, end := g.s.exchange(w, r, "/token", route{})
			write(e)
			end()
			if e.status != 200 || e.outcome() != "ok" {
				t.Errorf("%s: %d %s", name, e.status, e.outcome())
			}
		})
		if a := g.get(noRedirect(), "/"); a.status != 200 {
			t.Errorf("%s: %d", name, a.status)
		}
	}
}

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// limited is a proxy in front of a quick upstream with these limits.
func limited(t *testing.T, handler http.HandlerFunc, limits, policy string) (*sidecar, *issuer, *upstream) {
	t.Helper()
	issuer, up := newIssuer(t), newUpstream(t, handler)
	p := startProxy(t, settings{issuer: issuer.url, dpop: "accepted", upstream: up.url, policy: policy, more: "limits: {" + limits + "}\n"})
	return p, issuer, up
}

// ratedPolicy has a tool that each subject may call twice an hour.
var ratedPolicy = strings.Replace(recorderPolicy, "risky: {scopes: [use, more]}", "risky: {scopes: [use, more], rate: 2/h}", 1)

// person is a bearer caller.
func (p *sidecar) person(issuer *issuer, name, scope string) *caller {
	return &caller{url: p.resource, token: issuer.token(name, p.resource, scope, nil)}
}

// refusal is what a JSON-RPC error says.
type refusal struct {
	ID    int `json:"id"`
	Error struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Data    struct {
			Reason string `json:"reason"`
		} `json:"data"`
	} `json:"error"`
}

// tooMany fails unless got is a 429 with this reason that says when to come back.
func tooMany(t *testing.T, got reply, reason string, most int) {
	t.Helper()
	var said refusal
	got.expect(t, http.StatusTooManyRequests).decode(t, &said)
	if said.ID != 7 || said.Error.Data.Reason != reason || said.Error.Message == "" {
		t.Errorf("answered %s, want reason %s", got.body, reason)
	}
	wait, err := strconv.Atoi(got.header.Get("Retry-After"))
	if err != nil || wait < 1 || wait > most {
		t.Errorf("Retry-After %q, want 1 to %d seconds", got.header.Get("Retry-After"), most)
	}
}

// TestRates: who is stopped, with which reason, and who goes on.
func TestRates(t *testing.T) {
	for _, row := range []struct {
		rate, tool, reason string
		other, same        string // who goes on, and who is stopped as well; "" for nobody
	}{
		{"subject: 3/h", "echo", "rate_subject", "eve", ""},
		{"subject: 3/h", "hidden", "rate_subject", "eve", ""},
		{"client: 3/h", "echo", "rate_client", "", "eve"},
		{"server: 3/h", "echo", "rate_server", "", "eve"},
	} {
		t.Run(row.reason+" "+row.tool, func(t *testing.T) {
			p, issuer, up := limited(t, echo, "rates: {"+row.rate+"}", "")
			ada := p.person(issuer, "ada", "use")
			for range 3 {
				ada.send(t, modernCall(row.tool, `{}`)).expect(t, http.StatusOK)
			}
			tooMany(t, ada.send(t, modernCall(row.tool, `{}`)), row.reason, 1200)
			ada.token = issuer.token("ada", p.resource, "use more", nil)
			tooMany(t, ada.send(t, modernCall("echo", `{}`)), row.reason, 1200)
			if row.other != "" {
				p.person(issuer, row.other, "use").send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
			}
			if row.same != "" {
				tooMany(t, p.person(issuer, row.same, "use").send(t, modernCall("echo", `{}`)), row.reason, 1200)
			}
			if got := len(up.all()); got > 4 {
				t.Errorf("the upstream got %d calls", got)
			}
			if err := p.says(fmt.Sprintf("postern_requests_total{decision=\"deny\",reason=%q,server=\"recorder\"} %d", row.reason, 2+len(row.same)/3)); err != nil {
				t.Error(err)
			}
			lines := auditLines(t, p.audit)
			if !slices.ContainsFunc(lines, func(l auditLine) bool {
				return l.Stage == "pace" && l.Reason == row.reason && l.Status == 429 && l.Subject == "ada"
			}) {
				t.Errorf("no audit line says so: %+v", lines)
			}
		})
	}
}

// TestToolRate: each subject has its own, and only calls that policy allows
// use it, so that whoever steps up first still has it.
func TestToolRate(t *testing.T) {
	p, issuer, _ := limited(t, echo, "rates: {subject: off}", ratedPolicy)
	ada, small, eve := p.person(issuer, "ada", "use more"), p.person(issuer, "ada", "use"), p.person(issuer, "eve", "use more")
	for range 5 {
		small.send(t, modernCall("risky", `{}`)).expect(t, http.StatusForbidden)
	}
	for range 2 {
		ada.send(t, modernCall("risky", `{}`)).expect(t, http.StatusOK)
	}
	tooMany(t, ada.send(t, modernCall("risky", `{}`)), "rate_tool", 1800)
	small.send(t, modernCall("risky", `{}`)).expect(t, http.StatusForbidden)
	ada.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
	eve.send(t, modernCall("risky", `{}`)).expect(t, http.StatusOK)
}

// TestRatesHoldAcrossReplicas: many calls at once at two proxies get exactly
// what one rate allows, and what a tool's rate refuses takes nothing else.
func TestRatesHoldAcrossReplicas(t *testing.T) {
	issuer, up := newIssuer(t), newUpstream(t, echo)
	s := settings{
		issuer: issuer.url, dpop: "accepted", upstream: up.url, redis: newRedis(t).url(), policy: ratedPolicy,
		publicURL: "http://" + loopback(freePort(t)), secret: newSecret(t, t.TempDir()), more: "limits: {rates: {subject: 20/h}}\n",
	}
	first, second := startProxy(t, s), startProxy(t, s)
	at := func(p *sidecar) *caller {
		c := p.person(issuer, "ada", "use more")
		c.address = p.address
		return c
	}
	all := []*caller{at(first), at(second)}
	storm := func(calls int, m message) []int {
		statuses := make([]int, calls)
		var group sync.WaitGroup
		for i := range statuses {
			group.Go(func() { statuses[i] = statusOf(all[i%2], m, "") })
		}
		group.Wait()
		return statuses
	}
	if got := storm(12, modernCall("risky", `{}`)); count(got, 200) != 2 || count(got, 429) != 10 {
		t.Errorf("of a tool's two calls an hour: %v", got)
	}
	if got := storm(30, modernCall("echo", `{}`)); count(got, 200) != 18 || count(got, 429) != 12 {
		t.Errorf("of a subject's 18 calls that are left: %v", got)
	}
}

// TestRatesNeedRedis: what cannot be counted does not pass, until it can.
func TestRatesNeedRedis(t *testing.T) {
	issuer, up, redis := newIssuer(t), newUpstream(t, echo), newRedis(t)
	p := startProxy(t, settings{issuer: issuer.url, dpop: "accepted", upstream: up.url, redis: redis.url(), more: "limits: {rates: {subject: 6000/m}}\n"})
	c := p.person(issuer, "ada", "use")
	c.url, c.address = p.resource, p.address
	c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
	redis.stop(t)
	for range 6 {
		got := c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusServiceUnavailable)
		if got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "rate_memory_unavailable") {
			t.Fatalf("%v %s", got.header, got.body)
		}
	}
	redis.start(t)
	eventually(t, func() error {
		if got := c.send(t, modernCall("echo", `{}`)); got.status != http.StatusOK {
			return fmt.Errorf("status %d", got.status)
		}
		return nil
	})
}

// TestRatesThatAskNobody: where no rate is set, or it is off, Redis has nothing
// to count for bearer calls.
func TestRatesThatAskNobody(t *testing.T) {
	for name, more := range map[string]string{"off": "limits: {rates: {subject: off}}\n", "not set": ""} {
		t.Run(name, func(t *testing.T) {
			issuer, up, redis := newIssuer(t), newUpstream(t, echo), newRedis(t)
			p := startProxy(t, settings{issuer: issuer.url, dpop: "accepted", upstream: up.url, redis: redis.url(), more: more})
			redis.stop(t)
			c := p.person(issuer, "ada", "use")
			c.address = p.address
			c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
		})
	}
}

// gatekeeper answers calls to slow once told, and others at once.
type gatekeeper struct{ open chan struct{} }

func (g gatekeeper) handle(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		eventStream(w)
		event(w, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
	}
	if r.Method == http.MethodGet || r.Header.Get("Mcp-Name") == "slow" {
		select {
		case <-g.open:
		case <-r.Context().Done():
			return
		}
	}
	if r.Method != http.MethodGet {
		echo(w, r)
	}
}

// TestOneSubjectCannotFillTheHouse: its share of what is in flight is bounded,
// others go on, and what ended is given back.
func TestOneSubjectCannotFillTheHouse(t *testing.T) {
	g := gatekeeper{make(chan struct{})}
	p, issuer, up := limited(t, g.handle, "in_flight: 4, in_flight_per_subject: 2, streams_per_subject: 1", "")
	ada, eve := p.person(issuer, "ada", "use"), p.person(issuer, "eve", "use")
	var held sync.WaitGroup
	for range 2 {
		held.Go(func() { statusOf(ada, modernCall("slow", `{}`), "") })
	}
	eventually(t, func() error {
		if got := len(up.all()); got != 2 {
			return fmt.Errorf("%d calls are held, want 2", got)
		}
		return nil
	})
	got := ada.send(t, modernCall("echo", `{}`)).expect(t, http.StatusTooManyRequests)
	if !strings.Contains(got.body, "subject_in_flight") || got.header.Get("Retry-After") == "" {
		t.Errorf("%v %s", got.header, got.body)
	}
	eve.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
	close(g.open)
	held.Wait()
	ada.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
	eventually(t, func() error { return p.says("postern_requests_in_flight 0") })
}

// TestStreamsOfASubjectAreBounded: one more is refused, a call is not, and a
// stream that was closed makes room.
func TestStreamsOfASubjectAreBounded(t *testing.T) {
	g := gatekeeper{make(chan struct{})}
	p, issuer, _ := limited(t, g.handle, "streams_per_subject: 1", "")
	ada, eve := p.person(issuer, "ada", "use"), p.person(issuer, "eve", "use")
	listen := message{method: http.MethodGet, header: map[string]string{"Accept": "text/event-stream"}}
	first := ada.open(t, listen)
	defer first.Body.Close()
	if first.StatusCode != http.StatusOK {
		t.Fatal(first.Status)
	}
	got := ada.send(t, listen).expect(t, http.StatusTooManyRequests)
	if !strings.Contains(got.body, "subject_streams") || got.header.Get("Retry-After") == "" {
		t.Errorf("%v %s", got.header, got.body)
	}
	ada.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
	other := eve.open(t, listen)
	defer other.Body.Close()
	if other.StatusCode != http.StatusOK {
		t.Error(other.Status)
	}
	first.Body.Close()
	eventually(t, func() error {
		again := ada.open(t, listen)
		defer again.Body.Close()
		if again.StatusCode != http.StatusOK {
			return fmt.Errorf("status %s", again.Status)
		}
		return nil
	})
}

// TestConnectionsAreBounded: one too many is closed at once, and the next one
// finds the seat that was left.
func TestConnectionsAreBounded(t *testing.T) {
	p, issuer, _ := limited(t, echo, "connections: 3", "")
	var open []net.Conn
	for range 3 {
		conn, err := net.Dial("tcp", p.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		open = append(open, conn)
	}
	c := p.person(issuer, "ada", "use")
	c.http = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	eventually(t, func() error {
		resp, err := c.attempt(modernCall("echo", `{}`), "")
		if err == nil {
			resp.Body.Close()
			return fmt.Errorf("a fourth connection was served: %s", resp.Status)
		}
		return nil
	})
	if p.says("postern_connections_refused_total 0") == nil {
		t.Error("the refusal is not counted")
	}
	open[0].Close()
	eventually(t, func() error {
		resp, err := c.attempt(modernCall("echo", `{}`), "")
		if err != nil {
			return err
		}
		return resp.Body.Close()
	})
}

// TestFramingRefusalsAreRecorded: each is counted, and the audit log names it.
func TestFramingRefusalsAreRecorded(t *testing.T) {
	p, _, _ := limited(t, echo, "", "")
	resp, _ := raw(t, p.address, []string{"POST /recorder/mcp HTTP/1.1", "Host: " + p.address, "Content-Length: 2", "Transfer-Encoding: chunked"}, "")
	if resp.StatusCode != http.StatusBadRequest {
		t.Fatal(resp.Status)
	}
	find := func(l auditLine) bool {
		return l.Stage == "framing" && l.Reason == "length_and_encoding" && l.Status == 400 && l.Decision == "deny" && l.RequestID != ""
	}
	if lines := auditLines(t, p.audit); len(lines) != 1 || !find(lines[0]) {
		t.Errorf("%+v", lines)
	}
	const many = 300
	for range many {
		raw(t, p.address, []string{"GET / HTTP/1.1", "Host: x", "X : y"}, "")
	}
	if err := p.says(fmt.Sprintf("postern_framing_refused_total{reason=\"field_name\"} %d", many)); err != nil {
		t.Error(err)
	}
}

// TestAdminPortKnowsItsNames: a page whose name was pointed at this machine
// (DNS rebinding) reads nothing.
func TestAdminPortKnowsItsNames(t *testing.T) {
	issuer, up := newIssuer(t), newUpstream(t, echo)
	p := startProxy(t, settings{issuer: issuer.url, upstream: up.url, adminHosts: "metrics.internal"})
	address := strings.TrimPrefix(p.admin, "http://")
	for host, want := range map[string]int{address: 200, "localhost": 200, "metrics.internal:80": 200, "evil.example": 403, "10.0.0.7:9464": 200} {
		for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
			resp, body := raw(t, address, []string{"GET " + path + " HTTP/1.1", "Host: " + host, "Connection: close"}, "")
			if resp.StatusCode != want || want == 403 && strings.Contains(body, "postern_") {
				t.Errorf("%s of %s: %d", path, host, resp.StatusCode)
			}
		}
	}
}

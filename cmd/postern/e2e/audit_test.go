package e2e

import (
	"bufio"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/go-json-experiment/json"
)

// auditLine is the part of an audit line these tests look at.
type auditLine struct {
	RequestID string   `json:"request_id"`
	Server    string   `json:"server"`
	Decision  string   `json:"decision"`
	Reason    string   `json:"reason"`
	Stage     string   `json:"stage"`
	Status    int      `json:"status"`
	Name      string   `json:"name"`
	Subject   string   `json:"subject"`
	Issuer    string   `json:"issuer"`
	Required  []string `json:"required_scope"`
}

func auditLines(t *testing.T, path string) []auditLine {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var lines []auditLine
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		var line auditLine
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", scanner.Bytes(), err)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestOneAuditLinePerRequestWithoutSecrets(t *testing.T) {
	issuer, key := newIssuer(t), newSigner(t)
	up := newUpstream(t, echo)
	p := startProxy(t, settings{issuer: issuer.url, upstream: up.url})
	ada := caller{url: p.resource, token: issuer.token("ada", p.resource, "use", &key), key: &key}
	nobody := caller{url: p.resource}
	ada.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
	proof := ada.proof(http.MethodPost)
	rows := []struct {
		got  reply
		want auditLine
	}{
		{read(t, ada.present(t, modernCall("echo", `{"secret":"argument"}`), proof)), auditLine{Decision: "allow", Stage: "forward", Status: 200, Name: "echo", Subject: "ada"}},
		{read(t, ada.present(t, modernCall("echo", `{}`), proof)), auditLine{Decision: "deny", Reason: "proof_replayed", Stage: "verify", Status: 401}},
		{ada.send(t, modernCall("risky", `{}`)), auditLine{Decision: "step_up", Reason: "insufficient_scope", Stage: "decide", Status: 403, Name: "risky", Subject: "ada"}},
		{ada.send(t, modernCall("hidden", `{}`)), auditLine{Decision: "deny", Reason: "name_unknown", Stage: "decide", Status: 200, Name: "hidden", Subject: "ada"}},
		{nobody.send(t, modernCall("echo", `{}`)), auditLine{Decision: "deny", Reason: "credential_missing", Stage: "credential", Status: 401}},
	}
	p.signal(syscall.SIGTERM)
	if code := p.exit(t); code != 0 {
		t.Errorf("SIGTERM: exit status %d", code)
	}
	lines := auditLines(t, p.audit)
	for _, row := range rows {
		id := row.got.header.Get("X-Request-Id")
		i := slices.IndexFunc(lines, func(l auditLine) bool { return l.RequestID == id })
		if i < 0 {
			t.Errorf("no audit line for request %q, answered %d", id, row.got.status)
			continue
		}
		checkLine(t, lines[i], row.want, issuer.url)
	}
	checkSecrets(t, p, ada.token, proof, credential, "argument")
}

func checkLine(t *testing.T, got, want auditLine, issuer string) {
	t.Helper()
	if want.Subject != "" && got.Issuer != issuer {
		t.Errorf("%s: issuer %q", got.Name, got.Issuer)
	}
	if want.Decision == "step_up" && !slices.Equal(got.Required, []string{"use", "more"}) {
		t.Errorf("required scope %v", got.Required)
	}
	got.RequestID, got.Issuer, got.Required = "", "", nil
	want.Server = "recorder"
	if got.Subject != want.Subject || got.Decision != want.Decision || got.Reason != want.Reason ||
		got.Stage != want.Stage || got.Status != want.Status || got.Name != want.Name || got.Server != want.Server {
		t.Errorf("audit line %+v\nwant %+v", got, want)
	}
}

func checkSecrets(t *testing.T, p *sidecar, secrets ...string) {
	t.Helper()
	audit, err := os.ReadFile(p.audit)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		if strings.Contains(string(audit), secret) || strings.Contains(p.out.String(), secret) {
			t.Errorf("audit or log holds %q", secret)
		}
	}
}

// TestUpEndsWithStreamsOpen: Ctrl-C breaks streams off and still ends with 0,
// with every audit line on disk.
func TestUpEndsWithStreamsOpen(t *testing.T) {
	state := t.TempDir()
	up := startUp(t, state, mustFreePorts(t))
	c := caller{url: up.Servers["calculator"], token: up.token(t, "calculator", "")}
	c.session = c.send(t, initialize()).expect(t, http.StatusOK).header.Get("Mcp-Session-Id")
	stream := c.open(t, message{method: http.MethodGet, header: map[string]string{"Mcp-Protocol-Version": legacy}})
	defer stream.Body.Close()
	if stream.StatusCode != http.StatusOK {
		t.Fatalf("GET: %s", stream.Status)
	}
	called := c.send(t, legacyCall("add", `{"a":2,"b":3}`)).expect(t, http.StatusOK)
	up.signal(syscall.SIGINT)
	if code := up.exit(t); code != 0 {
		t.Errorf("exit status %d, want 0", code)
	}
	lines := auditLines(t, state+"/audit.jsonl")
	for name, header := range map[string]http.Header{"the call": called.header, "the stream": stream.Header} {
		id := header.Get("X-Request-Id")
		if !slices.ContainsFunc(lines, func(l auditLine) bool { return l.RequestID == id && l.Subject == up.Client.ID }) {
			t.Errorf("no audit line for %s, request %s: %+v", name, id, lines)
		}
	}
}

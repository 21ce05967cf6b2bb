package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// observed is an authorization server with a file of its own.
type observed struct {
	stage
	admin, audit string
	process      *process
}

const observedConfig = `admin: {listen: %s}
audit: {file: %s}
authserver:
  listen: %s
  issuer: %s
  database: sqlite:authserver.db
  secret_file: %s
  resources: [{resource: "https://mcp.example/mcp", name: x, scopes: [{name: use, default: true}]}]
`

func observe(t *testing.T, audit string) *observed {
	t.Helper()
	dir, port := t.TempDir(), loopback(freePort(t))
	o := &observed{admin: loopback(freePort(t)), audit: audit}
	o.dir, o.issuer = dir, "http://"+port
	o.config = write(t, filepath.Join(dir, "postern.yaml"), fmt.Sprintf(observedConfig, o.admin, audit, port, o.issuer, newSecret(t, dir)))
	o.process = start(t, binary, "authserver", "-c", o.config)
	eventually(t, func() error { return healthy(o.issuer + "/.well-known/oauth-authorization-server") })
	return o
}

func (o *observed) token(t *testing.T, id, secret string) (status int) {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"use"}, "client_id": {id}, "client_secret": {secret}}
	a, err := http.PostForm(o.issuer+"/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if text, err := io.ReadAll(a.Body); err != nil || a.StatusCode != http.StatusOK && strings.Contains(string(text), "access_token") {
		t.Errorf("%d %s %v", a.StatusCode, text, err)
	}
	return a.StatusCode
}

// told is what the admin port says.
func (o *observed) told(t *testing.T, path string) (int, string) {
	t.Helper()
	a, err := http.Get("http://" + o.admin + path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(text)
}

// lines are the audit lines of an event.
func (o *observed) lines(t *testing.T, event string) (found []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(o.dir, o.audit))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Errorf("%v in %s", err, line)
		}
		if members["event"] == event {
			found = append(found, members)
		}
	}
	return found
}

// TestAuthserverAloneIsObserved: what it does is counted at its admin port and
// stands in its audit file, and so does what its operator does beside it.
func TestAuthserverAloneIsObserved(t *testing.T) {
	o := observe(t, "audit.jsonl")
	made := o.administer(t, "", "client", "create", "robot", "--scope", "use")
	if status := o.token(t, made["client_id"], made["client_secret"]); status != http.StatusOK {
		t.Fatalf("token: %d", status)
	}
	if status := o.token(t, made["client_id"], "wrong"); status != http.StatusUnauthorized {
		t.Errorf("wrong secret: %d", status)
	}
	if status, text := o.told(t, "/readyz"); status != http.StatusOK {
		t.Errorf("readyz: %d %s", status, text)
	}
	_, metrics := o.told(t, "/metrics")
	for _, want := range []string{
		`postern_authserver_requests_total{endpoint="/token",outcome="ok"} 1`,
		`postern_authserver_requests_total{endpoint="/token",outcome="invalid_client"} 1`,
		`postern_authserver_tokens_issued_total{grant_type="client_credentials"} 1`,
		`postern_authserver_refusals_total{reason="wrong_client_secret"} 1`,
		`postern_authserver_signing_keys 1`,
		`postern_authserver_away{what="audit"} 0`,
		`postern_authserver_store_duration_seconds_count{operation="write"}`,
		`process_start_time_seconds`,
	} {
		if !strings.Contains(metrics, "\n"+want) {
			t.Errorf("no %s in\n%s", want, metrics)
		}
	}
	for event, want := range map[string]string{"token.issued": "allow", "request.refused": "deny", "client.created": "change"} {
		if found := o.lines(t, event); len(found) != 1 || found[0]["decision"] != want || found[0]["client_id"] != made["client_id"] || found[0]["issuer"] != o.issuer {
			t.Errorf("%s: %v", event, found)
		}
	}
	if by := o.lines(t, "client.created"); len(by) == 1 && by[0]["actor"] != "operator" {
		t.Errorf("%v", by[0])
	}
	text, err := os.ReadFile(filepath.Join(o.dir, o.audit))
	if err != nil || strings.Contains(string(text), made["client_secret"]) || strings.Contains(o.process.out.String(), made["client_secret"]) {
		t.Errorf("the secret is written down (%v)", err)
	}
}

// TestAuthserverOffTheRecord: on a full disk nobody gets anything, and /readyz
// says why; keys are still there for whoever verifies.
func TestAuthserverOffTheRecord(t *testing.T) {
	o := observe(t, "/dev/full")
	for range 2 {
		if status := o.token(t, "client_nobody", "x"); status != http.StatusServiceUnavailable {
			t.Errorf("%d", status)
		}
	}
	if status, text := o.told(t, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(text, "audit lines cannot be written") {
		t.Errorf("readyz: %d %s", status, text)
	}
	if _, metrics := o.told(t, "/metrics"); !strings.Contains(metrics, `postern_authserver_away{what="audit"} 1`) {
		t.Error("the metric does not say so")
	}
	if err := healthy(o.issuer + "/jwks.json"); err != nil {
		t.Error(err)
	}
	if !strings.Contains(o.process.out.String(), "audit.not_written") {
		t.Error("the log does not say so")
	}
}

package e2e

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// settings are what the tests vary in a postern.yaml.
type settings struct {
	issuer    string // URL
	dpop      string // required when ""
	trust     string // further keys of the issuer, as in ", revocations: none"
	upstream  string // URL
	publicURL string // the listener's when ""
	redis     string // URL, or "" for memory
	replica   bool   // listens beside the public URL's address
	secret    string // file, made when ""
	policy    string // recorderPolicy when ""
	shown     string // credential of the server, in braces; that of the test when ""
	server    string // further keys of the server
	more      string // further blocks of the file

	adminHosts string // further names of the admin port
}

// sidecar is a running `postern proxy` in front of one server named recorder.
type sidecar struct {
	*process
	address  string // where it listens
	resource string // the MCP endpoint as clients know it
	admin    string // base URL
	audit    string // file
}

const credential = "the-credential-of-the-proxy-itself"

const recorderPolicy = `apiVersion: postern.dev/v1
kind: ToolPolicy
server: recorder
scopes:
  use: {description: "Use the harmless tools", default: true}
  more: {description: "Use the others"}
tools:
  echo: {scopes: [use]}
  slow: {scopes: [use]}
  risky: {scopes: [use, more]}
`

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newSecret(t *testing.T, dir string) string {
	t.Helper()
	return write(t, filepath.Join(dir, "secret"), rand.Text()+rand.Text())
}

// startProxy launches and waits until the proxy is ready for calls.
func startProxy(t *testing.T, s settings) *sidecar {
	t.Helper()
	p := launchProxy(t, s)
	eventually(t, func() error { return p.answers("/readyz") })
	return p
}

func launchProxy(t *testing.T, s settings) *sidecar {
	t.Helper()
	dir := t.TempDir()
	p := &sidecar{
		address: s.address(t),
		admin:   "http://" + loopback(freePort(t)),
		audit:   filepath.Join(dir, "audit.jsonl"),
	}
	if s.publicURL == "" {
		s.publicURL = "http://" + p.address
	}
	if s.secret == "" {
		s.secret = newSecret(t, dir)
	}
	p.resource = s.publicURL + "/recorder/mcp"
	write(t, filepath.Join(dir, "policy.yaml"), cmp.Or(s.policy, recorderPolicy))
	write(t, filepath.Join(dir, "credential"), credential+"\n")
	p.process = start(t, binary, "proxy", "-c", write(t, filepath.Join(dir, "postern.yaml"), p.yaml(t, dir, s)))
	return p
}

func (p *sidecar) yaml(t *testing.T, dir string, s settings) string {
	t.Helper()
	dpop := s.dpop
	if dpop == "" {
		dpop = "required"
	}
	dpop += s.trust
	text := fmt.Sprintf(`listen: %s
public_url: %s
issuers:
  - {issuer: %q, dpop: %s}
servers:
  - name: recorder
    path: /recorder/mcp
    upstream: %s
    policy: policy.yaml
    credential: %s
%saudit: {file: audit.jsonl}
admin: {listen: %s, hosts: [%s]}
state:
  secret_file: %s
`, p.address, s.publicURL, s.issuer, dpop, s.upstream,
		cmp.Or(s.shown, `{type: header, header: Authorization, prefix: "Bearer ", file: credential}`), s.server,
		strings.TrimPrefix(p.admin, "http://"), s.adminHosts, s.secret)
	if s.redis == "" {
		return text + s.more
	}
	return text + "  redis: {url_file: " + write(t, filepath.Join(dir, "redis"), s.redis+"\n") + "}\n" + s.more
}

// answers asks the admin port.
func (p *sidecar) answers(path string) error {
	if p.gone() {
		return fmt.Errorf("the proxy ended: %v\n%s", p.err, p.out.String())
	}
	return healthy(p.admin + path)
}

func healthy(url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}

// address is the public URL's own when the proxy is alone behind it.
func (s settings) address(t *testing.T) string {
	t.Helper()
	if s.publicURL == "" || s.redis != "" || s.replica {
		return loopback(freePort(t))
	}
	_, address, _ := strings.Cut(s.publicURL, "://")
	return address
}

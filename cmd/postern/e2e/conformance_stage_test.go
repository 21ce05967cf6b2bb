package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
)

// everythingServer is the server the suite is written against.
const everythingServer = "github.com/modelcontextprotocol/go-sdk/conformance/everything-server@v1.8.0"

// everythingProgram builds it once for all tests.
var everythingProgram = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("go", "install", everythingServer)
	cmd.Env = append(os.Environ(), "GOBIN="+filepath.Dir(binary))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go install %s: %w\n%s", everythingServer, err, out)
	}
	return filepath.Join(filepath.Dir(binary), "everything-server"), nil
})

// official is a running everything-server.
type official struct {
	*process
	address   string
	stateless bool
}

func (o *official) url() string { return "http://" + o.address + "/mcp" }

func startOfficial(t *testing.T, stateless bool) *official {
	t.Helper()
	o := &official{address: loopback(freePort(t)), stateless: stateless}
	o.start(t)
	return o
}

// start starts it at its address, again after it was killed.
func (o *official) start(t *testing.T) {
	t.Helper()
	program, err := everythingProgram()
	if err != nil {
		t.Fatal(err)
	}
	o.process = start(t, program, "-http", o.address, fmt.Sprintf("-stateless=%t", o.stateless))
	eventually(t, func() error {
		if o.gone() {
			return fmt.Errorf("it ended: %v\n%s", o.err, o.out.String())
		}
		return listening(o.address)
	})
}

func listening(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// stage is `postern authserver` and `postern proxy`, each a process, of one
// configuration file.
type stage struct {
	dir    string
	public string // URL of the proxy
	issuer string
	admin  string // of the proxy
	config string // file
}

// setStage writes the configuration for servers, by the path they have.
func setStage(t *testing.T, servers []staged) *stage {
	t.Helper()
	return setStageIn(t, t.TempDir(), servers)
}

// setStageIn is setStage in a folder that may outlast the test.
func setStageIn(t *testing.T, dir string, servers []staged) *stage {
	t.Helper()
	s := &stage{
		dir:    dir,
		public: "http://" + loopback(freePort(t)),
		issuer: "http://" + loopback(freePort(t)),
		admin:  "http://" + loopback(freePort(t)),
	}
	var text strings.Builder
	fmt.Fprintf(&text, stageConfig, s.host(s.public), s.public, s.issuer, s.host(s.admin), s.host(s.issuer), s.issuer,
		newSecret(t, s.dir))
	text.WriteString("servers:\n")
	for _, server := range servers {
		policy := strings.Replace(stagePolicy(t), "server: SERVER", "server: "+server.name, 1)
		write(t, filepath.Join(s.dir, server.name+".yaml"), policy)
		fmt.Fprintf(&text, "  - {name: %s, path: /%s/mcp, upstream: %q, policy: %s.yaml, dpop: %s, credential: {type: none}}\n",
			server.name, server.name, server.upstream, server.name, server.dpop)
	}
	s.config = write(t, filepath.Join(s.dir, "postern.yaml"), text.String())
	return s
}

// staged is one server of the configuration.
type staged struct {
	name     string
	upstream string // URL
	dpop     string
}

const stageConfig = `listen: %s
public_url: %s
issuers:
  - {issuer: %q, dpop: accepted}
audit: {file: audit.jsonl}
admin: {listen: %s}
authserver:
  listen: %s
  issuer: %s
  database: sqlite:authserver.db
  secret_file: %s
  registration: open
`

func stagePolicy(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/conformance-policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (s *stage) host(url string) string { return strings.TrimPrefix(url, "http://") }

// open starts both processes.
func (s *stage) open(t *testing.T) {
	t.Helper()
	start(t, binary, "authserver", "-c", s.config)
	eventually(t, func() error { return healthy(s.issuer + "/.well-known/oauth-authorization-server") })
	start(t, binary, "proxy", "-c", s.config)
	eventually(t, func() error { return healthy(s.admin + "/readyz") })
}

// administer runs `postern admin` and returns what it prints, by its first word.
func (s *stage) administer(t *testing.T, input string, args ...string) map[string]string {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"admin", "-c", s.config}, args...)...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(input), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("postern admin %v: %v\n%s", args, err, stderr.String())
	}
	printed := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		printed[name] = value
	}
	return printed
}

// machine is a client for client credentials.
func (s *stage) machine(t *testing.T) machine {
	t.Helper()
	made := s.administer(t, "", "client", "create", "suite", "--scope", "everything")
	return machine{ID: made["client_id"], Secret: made["client_secret"]}
}

// token is a bearer token for one server, by client credentials.
func (s *stage) token(t *testing.T, client machine, server string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {s.resource(server)}}
	req, err := http.NewRequest(http.MethodPost, s.issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(client.ID), url.QueryEscape(client.Secret))
	var g granted
	body := fetch(t, req)
	if err := json.Unmarshal(body, &g); err != nil || g.AccessToken == "" {
		t.Fatalf("no token: %v\n%s", err, body)
	}
	return g.AccessToken
}

func (s *stage) resource(server string) string { return s.public + "/" + server + "/mcp" }

// audited counts the calls of one server that the proxy let through, all with
// this scheme.
func (s *stage) audited(t *testing.T, server, scheme string) (calls int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var event struct {
			auditLine
			Scheme string `json:"scheme"`
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil || event.Server != server || event.Decision != "allow" {
			continue // the last line may be half written, others belong to the other runs
		}
		if !strings.EqualFold(event.Scheme, scheme) {
			t.Errorf("a call presented its token with %q: %s", event.Scheme, line)
		}
		calls++
	}
	if calls < 50 {
		t.Errorf("the proxy let %d calls of %s through: the suite did not go by it", calls, server)
	}
	return calls
}

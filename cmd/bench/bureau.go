package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/jose"
)

const (
	resource = "https://mcp.example/bench"
	callback = "http://127.0.0.1:7777/cb"
	username = "bench"
)

// bureau is a running authorization server, and everybody who calls it.
type bureau struct {
	url     string
	process *process
	key     jose.PrivateKey
	keeper  account // may introspect
	public  string  // client id
	browser *http.Client
	asked   int

	machines []account
	served   atomic.Int64 // calls that machines made

	password string
	access   string   // the last one by credentials
	refresh  []string // of the last redemptions
}

// account is a client with a secret.
type account struct{ id, secret string }

// turn is how many calls one machine makes: the server bounds how much one gets
// in a minute, which is not what is measured.
const turn = 250

// machine is the one whose turn it is.
func (b *bureau) machine() account {
	return b.machines[int(b.served.Add(1)-1)/turn%len(b.machines)]
}

func (a account) basic() http.Header {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(a.id), url.QueryEscape(a.secret))
	return r.Header
}

// keeping is where an authorization server keeps things.
type keeping struct {
	database string
	redis    string // URL of the one with what is short-lived; "" for none
}

func (k keeping) lines() string {
	if k.redis == "" {
		return ""
	}
	return "  short_lived: redis\nstate: {secret_file: secret, redis: {url_file: redis}}\n"
}

// openBureau opens one whose machines will make so many calls.
func openBureau(binary, folder string, in keeping, calls int) (*bureau, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(folder, "postern.yaml")
	text := fmt.Sprintf(`authserver:
  listen: %s
  issuer: http://%s
  database: %s
  secret_file: secret
  registration: open
  trusted_proxies: [127.0.0.0/8]
  resources: [{resource: "%s", name: bench, scopes: [{name: use, default: true}]}]
%s`, address, address, in.database, resource, in.lines())
	if err := errors.Join(os.WriteFile(filepath.Join(folder, "redis"), []byte(in.redis), 0o600), os.WriteFile(config, []byte(text), 0o600), os.WriteFile(filepath.Join(folder, "secret"), []byte(rand.Text()+rand.Text()), 0o600)); err != nil {
		return nil, err
	}
	b := &bureau{url: "http://" + address, password: rand.Text()}
	if b.key, err = newKey(); err != nil {
		return nil, err
	}
	if b.process, err = start(binary, "authserver", "-c", config); err != nil {
		return nil, err
	}
	if err := errors.Join(b.process.waitFor(address), b.staff(binary, config, calls/turn+1)); err != nil {
		b.process.stop()
		return nil, err
	}
	return b, nil
}

func (b *bureau) staff(binary, config string, machines int) (err error) {
	if _, err = administer(binary, config, b.password+"\n", "user", "create", username, "--password-stdin"); err != nil {
		return err
	}
	for len(b.machines) < machines {
		made, err := administer(binary, config, "", "client", "create", "bench", "--scope", "use")
		if err != nil {
			return err
		}
		b.machines = append(b.machines, made)
	}
	if b.keeper, err = administer(binary, config, "", "resource-server", "create", "bench", "--resource", resource); err != nil {
		return err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	b.browser = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return b.register()
}

// administer gives the account that a command printed, if it did.
func administer(binary, config, input string, args ...string) (a account, err error) {
	cmd := exec.Command(binary, append([]string{"admin", "-c", config}, args...)...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(input), &stderr
	out, err := cmd.Output()
	if err != nil {
		return a, fmt.Errorf("postern admin %v: %w: %s", args, err, stderr.String())
	}
	for line := range strings.Lines(string(out)) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), " "); name {
		case "client_id":
			a.id = value
		case "client_secret":
			a.secret = value
		}
	}
	return a, nil
}

func (b *bureau) register() error {
	resp, err := http.Post(b.url+"/register", "application/json", strings.NewReader(`{"client_name":"bench","token_endpoint_auth_method":"none",`+
		`"redirect_uris":["`+callback+`"],"grant_types":["authorization_code","refresh_token"]}`))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var made struct {
		ID string `json:"client_id"`
	}
	err = json.NewDecoder(resp.Body).Decode(&made)
	b.public = made.ID
	return err
}

// nonce asks once without, as a client does.
func (b *bureau) nonce(target dpop.Target) (string, error) {
	proof, err := dpop.Make(b.key, time.Now(), http.MethodPost, target, "", "")
	if err != nil {
		return "", err
	}
	req, err := http.NewRequest(http.MethodPost, b.url+"/token", strings.NewReader(b.machineForm(0).Encode()))
	if err != nil {
		return "", err
	}
	req.Header = b.machine().basic()
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("DPoP", proof)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	return resp.Header.Get("DPoP-Nonce"), resp.Body.Close()
}

// codes sends a person through authorization n times.
func (b *bureau) codes(n int) ([]string, error) {
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {b.public}, "redirect_uri": {callback}, "resource": {resource},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	made := make([]string, n)
	for i := range made {
		at, err := b.authorize(query)
		if err != nil {
			return nil, err
		}
		if made[i] = at.Query().Get("code"); made[i] == "" {
			return nil, fmt.Errorf("authorization led to %s", at)
		}
	}
	return made, nil
}

var sealedRequest = regexp.MustCompile(`name="request" value="([^"]*)"`)

// authorize is what a browser does, and a person who signs in and says yes.
func (b *bureau) authorize(query url.Values) (*url.URL, error) {
	page, at, err := b.visit(http.MethodGet, "/authorize?"+query.Encode(), nil)
	for step := 0; err == nil && step < 4; step++ {
		found := sealedRequest.FindStringSubmatch(page)
		switch {
		case strings.HasPrefix(at, callback):
			return url.Parse(at)
		case at != "":
			page, at, err = b.visit(http.MethodGet, at, nil)
		case found == nil:
			return nil, fmt.Errorf("no form in %s", page)
		case strings.Contains(page, `name="password"`):
			page, at, err = b.visit(http.MethodPost, "/login", url.Values{"request": {html.UnescapeString(found[1])}, "username": {username}, "password": {b.password}})
		default:
			page, at, err = b.visit(http.MethodPost, "/consent", url.Values{"request": {html.UnescapeString(found[1])}, "decision": {"allow"}})
		}
	}
	if err == nil && strings.HasPrefix(at, callback) {
		return url.Parse(at)
	}
	return nil, errors.Join(err, errors.New("authorization does not end"))
}

// visit gives the page, or where it leads. Every visitor comes from another
// address: what one may do in a minute is not what is measured.
func (b *bureau) visit(method, path string, form url.Values) (page, at string, err error) {
	req, err := http.NewRequest(method, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", "", err
	}
	if b.asked++; form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.1", b.asked/100%250, b.asked/25_000))
	resp, err := b.browser.Do(req)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), resp.Header.Get("Location"), err
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/status"
	"github.com/postern-mcp/postern/authserver/token"
)

const scope = "calc:basic"

// issuer is a real issuer as far as a resource server can see: metadata, keys,
// and a list of revoked tokens.
type issuer struct {
	url      string
	key      jose.PrivateKey
	proofKey jose.PrivateKey
}

func startIssuer() (*issuer, error) {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		return nil, err
	}
	proofKey, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	i := &issuer{url: "http://" + ln.Addr().String(), key: key, proofKey: proofKey}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.url, "jwks_uri": i.url + "/jwks"})
	})
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.NewKeySet(key.Public()))
	})
	mux.HandleFunc("/status/0", i.list)
	go http.Serve(ln, mux) // lives as long as the process
	return i, nil
}

// list has room for as many tokens as a page of the authorization server.
func (i *issuer) list(w http.ResponseWriter, r *http.Request) {
	list, err := status.NewList(1 << 16)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	raw, err := status.Sign(i.key, list, i.url+r.URL.Path, time.Now(), 2*time.Second, time.Minute)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, raw) // a proxy that is gone asks again
}

func (i *issuer) token(resource string, bound bool) (string, error) {
	now := time.Now()
	c := token.Claims{
		Issuer: i.url, Subject: "bench", Audience: []string{resource}, ClientID: "bench", ID: fmt.Sprint(now.UnixNano()),
		Scope: []string{scope}, IssuedAt: now, Expiry: now.Add(time.Hour),
		Status: token.Status{URI: i.url + "/status/0", Index: 7},
	}
	if bound {
		c.Thumbprint = i.proofKey.Public().Thumbprint()
	}
	return token.Sign(i.key, c)
}

// proofs makes one proof per call, ahead of the measurement.
func (i *issuer) proofs(n int, resource, access string) ([]string, error) {
	target, err := dpop.ParseTarget(resource)
	if err != nil {
		return nil, err
	}
	nonce, err := i.nonce(target, resource, access)
	if err != nil {
		return nil, err
	}
	made := make([]string, n)
	for k := range made {
		if made[k], err = dpop.Make(i.proofKey, time.Now(), http.MethodPost, target, access, nonce); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// nonce asks once without, as a client does.
func (i *issuer) nonce(target dpop.Target, resource, access string) (string, error) {
	proof, err := dpop.Make(i.proofKey, time.Now(), http.MethodPost, target, access, "")
	if err != nil {
		return "", err
	}
	req, err := http.NewRequest(http.MethodPost, resource, http.NoBody)
	if err != nil {
		return "", err
	}
	req.Header = http.Header{"Authorization": {"DPoP " + access}, "Dpop": {proof}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	return resp.Header.Get("DPoP-Nonce"), resp.Body.Close()
}

const policyText = `apiVersion: postern.dev/v1
kind: ToolPolicy
server: calculator
scopes: {calc:basic: {default: true}}
tools: {add: {scopes: [calc:basic]}}
`

// writeConfig makes a folder with the configuration of one proxy.
func writeConfig(folder, listen, admin, issuer, upstream, redis string) (string, error) {
	// What is shipped counts each subject in the process, which one subject that
	// never pauses would exceed; a rate that is set would ask Redis.
	state, rate := "", "1000000/s"
	if redis != "" {
		rate = "off"
		state = "state: {secret_file: secret, redis: {url_file: redis}}\n"
	}
	files := map[string]string{
		"policy.yaml": policyText,
		"secret":      "bench-bench-bench-bench-bench-bench-bench",
		"redis":       redis,
		"postern.yaml": fmt.Sprintf(`listen: %s
public_url: http://%s
issuers: [{issuer: "%s", dpop: accepted}]
servers:
  - {name: calculator, path: /mcp, upstream: "http://%s/mcp", credential: {type: none}, policy: policy.yaml}
limits: {rates: {subject: %s}}
%saudit: {file: audit.jsonl}
admin: {listen: "%s"}
`, listen, listen, issuer, upstream, rate, state, admin),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	return filepath.Join(folder, "postern.yaml"), nil
}

func startRedis(folder string) (*process, string, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, "", fmt.Errorf("redis-server is missing: apt-get install redis-server")
	}
	address, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, "", err
	}
	p, err := start("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder)
	if err != nil {
		return nil, "", err
	}
	return p, "redis://" + address + "/0", p.waitFor(address)
}

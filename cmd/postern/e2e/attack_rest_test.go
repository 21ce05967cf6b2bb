package e2e

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// TestNoAnswerIsForACache: a cache that kept one would answer the next caller
// with it, or let a proof pass twice.
func TestNoAnswerIsForACache(t *testing.T) {
	p, issuer, _ := gate(t, echo)
	good := issuer.token("ada", p.resource, "use", nil)
	for name, row := range map[string]struct {
		token  string
		call   message
		status int
	}{
		"a call":              {good, modernCall("echo", `{}`), 200},
		"a list that is none": {good, modernList(), 502},
		"no token":            {"", modernCall("echo", `{}`), 401},
		"a spoiled token":     {good + "x", modernCall("echo", `{}`), 401},
		"too little scope":    {good, modernCall("risky", `{}`), 403},
		"an unknown tool":     {good, modernCall("hidden", `{}`), 200},
		"a spoiled message":   {good, message{method: http.MethodPost, body: "{"}, 400},
		"another verb":        {good, message{method: http.MethodPut}, 405},
	} {
		t.Run(name, func(t *testing.T) {
			c := caller{url: p.resource, token: row.token}
			if got := c.send(t, row.call).expect(t, row.status); got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control %q", got.header["Cache-Control"])
			}
		})
	}
}

// TestForeignHostsAndOrigins: a page that made its name point here, or calls
// from elsewhere, is turned away before its token is looked at.
func TestForeignHostsAndOrigins(t *testing.T) {
	p, issuer, up := gate(t, echo)
	call := modernCall("echo", `{}`)
	token := "Authorization: Bearer " + issuer.token("ada", p.resource, "use", nil)
	_, port, err := net.SplitHostPort(p.address)
	if err != nil {
		t.Fatal(err)
	}
	host := "Host: " + p.address
	for name, row := range map[string]struct {
		lines  []string
		status int
	}{
		"a rebound name":            {[]string{"Host: evil.example:" + port}, 403},
		"a name that starts right":  {[]string{"Host: 127.0.0.1.evil.example:" + port}, 403},
		"another name of here":      {[]string{"Host: localhost:" + port}, 403},
		"another port":              {[]string{"Host: 127.0.0.1:1"}, 403},
		"no port":                   {[]string{"Host: 127.0.0.1"}, 403},
		"a dot behind":              {[]string{"Host: 127.0.0.1.:" + port}, 403},
		"an empty Host":             {[]string{"Host: "}, 403},
		"no Host":                   {nil, 400},
		"two Hosts":                 {[]string{host, "Host: evil.example"}, 400},
		"a user in Host":            {[]string{"Host: ada@" + p.address}, 400},
		"a forwarded host":          {[]string{"Host: evil.example", "X-Forwarded-Host: " + p.address}, 403},
		"a foreign origin":          {[]string{host, "Origin: https://evil.example"}, 403},
		"no origin at all":          {[]string{host, "Origin: null"}, 403},
		"an origin that ends right": {[]string{host, "Origin: http://evil." + p.address}, 403},
		"another scheme's origin":   {[]string{host, "Origin: https://" + p.address}, 403},
		"two origins":               {[]string{host, "Origin: http://" + p.address, "Origin: https://evil.example"}, 403},
		"two origins in one":        {[]string{host, "Origin: http://" + p.address + " https://evil.example"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			head := []string{"POST /recorder/mcp HTTP/1.1", "Content-Type: application/json", "Content-Length: " + strconv.Itoa(len(call.body)), token}
			resp, body := raw(t, p.address, slices.Concat(head, row.lines), call.body)
			if resp.StatusCode != row.status && (row.status != 403 || resp.StatusCode != 400) {
				t.Errorf("status %d, want %d\n%s", resp.StatusCode, row.status, body)
			}
			if resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("a foreign page may read the answer: %v", resp.Header)
			}
		})
	}
	if got := up.all(); len(got) != 0 {
		t.Errorf("the upstream got %d requests", len(got))
	}
	p.knock(t, "/recorder/mcp", call, token, "Origin: http://"+p.address).expect(t, http.StatusOK)
}

// TestIssuerAnswersToItsOwnNames: a page whose name was made to point at this
// machine gets neither pages nor keys of the authorization server to read.
func TestIssuerAnswersToItsOwnNames(t *testing.T) {
	d := front.get(t)
	address := strings.TrimPrefix(d.issuer, "http://")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	for host, status := range map[string]int{
		address: 200, "localhost:" + port: 200, "evil.example:" + port: 421, "127.0.0.1.evil.example:" + port: 421, "localhost.:" + port: 421, "127.0.0.1": 421,
	} {
		for _, path := range []string{"/.well-known/oauth-authorization-server", "/jwks.json", "/device"} {
			resp, body := raw(t, address, []string{"GET " + path + " HTTP/1.1", "X-Forwarded-Host: " + address, "Host: " + host}, "")
			if resp.StatusCode != status || status == 421 && !strings.Contains(body, "This Host is not served here") {
				t.Errorf("%s as %s: %d %s", path, host, resp.StatusCode, body)
			}
		}
	}
}

// TestClientDocumentsAreNotFetchedFromInside: a client that names itself by an
// address of this machine or network makes nobody look there.
func TestClientDocumentsAreNotFetchedFromInside(t *testing.T) {
	t.Parallel()
	d := front.get(t)
	var knocks atomic.Int64
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			knocks.Add(1)
			c.Close()
		}
	}()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	clients := []string{"https://169.254.169.254/latest/meta-data", "https://10.0.0.1/client.json", "file:///etc/passwd", "gopher://127.0.0.1:" + port + "/client.json"}
	for _, host := range []string{"127.0.0.1", "localhost", "127.1", "2130706433", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"} {
		clients = append(clients, "https://"+host+":"+port+"/client.json", "http://"+host+":"+port+"/client.json")
	}
	t.Run("all at once", func(t *testing.T) { // each fetch that fails takes five seconds
		for _, client := range clients {
			t.Run(client, func(t *testing.T) {
				t.Parallel()
				got := newWindow(t).get(t, d.issuer+"/authorize?"+d.asking(client, "redirect_uri", "https://a.example/cb").Encode())
				if got.status != http.StatusBadRequest && got.status != http.StatusServiceUnavailable || got.header.Get("Location") != "" {
					t.Errorf("%s: %d to %q", client, got.status, got.header.Get("Location"))
				}
			})
		}
	})
	if n := knocks.Load(); n != 0 {
		t.Errorf("somebody looked inside %d times", n)
	}
}

// TestOneChallengeIsEnough: a client that asks for exactly what it is told
// gets everything the call needs and keeps what it had.
func TestOneChallengeIsEnough(t *testing.T) {
	p, issuer, up := gate(t, echo)
	c := caller{url: p.resource, token: issuer.token("ada", p.resource, "other", nil)}
	refused := c.send(t, modernCall("risky", `{}`)).expect(t, http.StatusForbidden)
	var body struct {
		Error struct {
			Data struct {
				Scope string `json:"scope"`
			} `json:"data"`
		} `json:"error"`
	}
	refused.decode(t, &body)
	for scheme, params := range challenges(t, refused.header) {
		if params["error"] != "insufficient_scope" || params["scope"] != "more use" || body.Error.Data.Scope != "more use" {
			t.Errorf("%s: %v, in the body %q", scheme, params, body.Error.Data.Scope)
		}
	}
	leadsHome(t, refused, p.resource)
	c.token = issuer.token("ada", p.resource, body.Error.Data.Scope, nil)
	c.send(t, modernCall("risky", `{}`)).expect(t, http.StatusOK)
	c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
	if got := up.all(); len(got) != 2 {
		t.Errorf("the upstream got %d requests, want 2", len(got))
	}
}

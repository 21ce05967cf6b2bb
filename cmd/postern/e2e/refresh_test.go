package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// holder is a client that holds a refresh token. The zero key means bearer, an
// empty secret a public client.
type holder struct {
	*desk
	client machine
	key    *signer
	nonce  string
}

// holders are a client of each kind, by name.
func holders(t *testing.T, d *desk) map[string]*holder {
	t.Helper()
	key := newSigner(t)
	bound := &holder{desk: d, client: machine{ID: d.public}, key: &key}
	bound.nonce = bound.post(t, url.Values{"grant_type": {"refresh_token"}}).header.Get("DPoP-Nonce")
	return map[string]*holder{
		"public":       {desk: d, client: machine{ID: d.public}},
		"public bound": bound,
		"confidential": {desk: d, client: d.withSecret(t)},
	}
}

// withSecret registers a client that has one.
func (d *desk) withSecret(t *testing.T) machine {
	t.Helper()
	resp, err := http.Post(d.issuer+"/register", "application/json", strings.NewReader(
		`{"client_name":"site","redirect_uris":["`+deskCallback+`"],"grant_types":["authorization_code","refresh_token"],"token_endpoint_auth_method":"client_secret_basic"}`))
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	read(t, resp).expect(t, http.StatusCreated).decode(t, &made)
	return machine(made)
}

// header authenticates one request, with a new proof for one with a key.
func (h *holder) header() []string {
	var lines []string
	if h.client.Secret != "" {
		lines = append(lines, "Authorization", basicAuth(h.client))
	}
	if h.key != nil {
		lines = append(lines, "DPoP", h.key.tokenProof(h.issuer+"/token", h.nonce))
	}
	return lines
}

func (h *holder) post(t *testing.T, form url.Values) reply {
	t.Helper()
	return h.ask(t, "/token", altered(form, "client_id", h.client.ID), h.header()...)
}

// signsIn gets the first tokens.
func (h *holder) signsIn(t *testing.T) told {
	t.Helper()
	back := h.authorize(t, newWindow(t), h.asking(h.client.ID))
	return h.post(t, redeeming(h.client.ID, back.Get("code"))).expect(t, http.StatusOK).told(t)
}

func refreshing(token string, pairs ...string) url.Values {
	return altered(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, pairs...)
}

// next is the token to use after an answer: one that is not rotated stays.
func (r told) next(before string) string {
	if r.Refresh == "" {
		return before
	}
	return r.Refresh
}

// alive says whether an access token still counts.
func (h *holder) alive(t *testing.T, access string) bool {
	t.Helper()
	return h.ask(t, "/introspect", url.Values{"token": {access}}, "Authorization", basicAuth(h.keeper)).expect(t, http.StatusOK).told(t).Active
}

// deafLine is the address of a connection to host that carries requests there,
// and breaks when the answer begins; heard gets the answer's first line.
func deafLine(t *testing.T, host string) (address string, heard <-chan string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1)
	var work sync.WaitGroup
	work.Go(func() {
		defer close(lines)
		near, err := ln.Accept()
		if err != nil {
			return
		}
		defer near.Close()
		far, err := net.Dial("tcp", host)
		if err != nil {
			return
		}
		defer far.Close()
		work.Go(func() { _, _ = bufio.NewReader(near).WriteTo(far) }) // until the line breaks
		line, _ := bufio.NewReader(far).ReadString('\n')
		lines <- line
	})
	t.Cleanup(func() { ln.Close(); work.Wait() })
	return ln.Addr().String(), lines
}

// TestRefreshAnswerThatIsLost: the server has rotated, the client knows
// nothing of it, and asks again.
func TestRefreshAnswerThatIsLost(t *testing.T) {
	for name, h := range holders(t, front.get(t)) {
		t.Run(name, func(t *testing.T) {
			first := h.signsIn(t)
			address, heard := deafLine(t, h.host(h.issuer))
			req, err := http.NewRequest(http.MethodPost, "http://"+address+"/token", strings.NewReader(refreshing(first.Refresh, "client_id", h.client.ID).Encode()))
			if err != nil {
				t.Fatal(err)
			}
			req.Host = h.host(h.issuer)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for lines := h.header(); len(lines) > 0; lines = lines[2:] {
				req.Header.Set(lines[0], lines[1])
			}
			if resp, err := http.DefaultClient.Do(req); err == nil {
				t.Fatalf("the line brought back %s", resp.Status)
			}
			if line := <-heard; !strings.HasPrefix(line, "HTTP/1.1 200 ") {
				t.Fatalf("the server answered %q", line)
			}
			again := h.post(t, refreshing(first.Refresh)).expect(t, http.StatusOK).told(t)
			if again.Scope != first.Scope || first.Scope == "" {
				t.Errorf("scope %q became %q", first.Scope, again.Scope)
			}
			if rotated := again.Refresh != ""; rotated != (h.client.Secret == "") || again.Refresh == first.Refresh {
				t.Errorf("answered with the refresh token %q after %q", again.Refresh, first.Refresh)
			}
			last := h.post(t, refreshing(again.next(first.Refresh))).expect(t, http.StatusOK).told(t)
			for _, access := range []string{first.Access, again.Access, last.Access} {
				if !h.alive(t, access) {
					t.Error("an access token of the family is dead")
				}
			}
		})
	}
}

// TestTenRefreshesAtOnce: all of one client; each gets an access token, none
// costs the family, and there is one refresh token to go on with.
func TestTenRefreshesAtOnce(t *testing.T) {
	for name, h := range holders(t, front.get(t)) {
		t.Run(name, func(t *testing.T) {
			first := h.signsIn(t)
			answers := make([]reply, 10)
			var group sync.WaitGroup
			for i := range answers {
				group.Go(func() { answers[i] = h.post(t, refreshing(first.Refresh)) })
			}
			group.Wait()
			var tokens, access []string
			for _, a := range answers {
				said := a.expect(t, http.StatusOK).told(t)
				tokens, access = append(tokens, said.next(first.Refresh)), append(access, said.Access)
			}
			slices.Sort(access)
			if all := len(slices.Compact(tokens)); all != 1 || len(slices.Compact(access)) != len(answers) {
				t.Fatalf("%d refresh tokens, access tokens %v", all, access)
			}
			h.post(t, refreshing(tokens[0])).expect(t, http.StatusOK)
			for _, token := range access {
				if !h.alive(t, token) {
					t.Error("an access token is dead")
				}
			}
		})
	}
}

// TestRefreshAfterTheGrace: who comes with the old token later is a second
// holder, and nobody of the family is let on.
func TestRefreshAfterTheGrace(t *testing.T) {
	t.Parallel()
	d := front.get(t)
	h := &holder{desk: d, client: machine{ID: d.public}}
	first := h.signsIn(t)
	next := h.post(t, refreshing(first.Refresh)).expect(t, http.StatusOK).told(t)
	eventually(t, func() error {
		time.Sleep(500 * time.Millisecond) // a grant that is refreshed without end is slowed
		got := h.post(t, refreshing(first.Refresh))
		if got.status == http.StatusOK && got.told(t).Refresh == next.Refresh {
			return fmt.Errorf("its successor is given again")
		}
		got.refuses(t, http.StatusBadRequest, "invalid_grant")
		return nil
	})
	h.post(t, refreshing(next.Refresh)).refuses(t, http.StatusBadRequest, "invalid_grant")
	for _, access := range []string{first.Access, next.Access} {
		if h.alive(t, access) {
			t.Error("an access token outlived its family")
		}
	}
	if !strings.Contains(d.server.out.String(), "msg=refresh.reuse") {
		t.Error("no audit line")
	}
}

package e2e

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestClientsAreWhoTheySay: no endpoint takes a client's word for it, and none
// that belongs to people or operators answers machines.
func TestClientsAreWhoTheySay(t *testing.T) {
	d := front.get(t)
	machineForm := func(pairs ...string) url.Values {
		return altered(url.Values{"grant_type": {"client_credentials"}, "resource": {d.target}}, pairs...)
	}
	id, secret := d.robot.ID, d.robot.Secret
	for name, row := range map[string]struct {
		form   url.Values
		header []string
		status int
		error  string
	}{
		"no secret":                 {machineForm("client_id", id), nil, 401, "invalid_client"},
		"an empty secret":           {machineForm("client_id", id, "client_secret", ""), nil, 401, "invalid_client"},
		"a wrong secret":            {machineForm("client_id", id, "client_secret", secret+"x"), nil, 401, "invalid_client"},
		"a secret cut short":        {machineForm("client_id", id, "client_secret", secret[:len(secret)-1]), nil, 401, "invalid_client"},
		"a client that never was":   {machineForm(), []string{"Authorization", basicAuth(machine{"nobody", secret})}, 401, "invalid_client"},
		"two ways at once":          {machineForm("client_secret", secret), []string{"Authorization", basicAuth(d.robot)}, 400, "invalid_request"},
		"somebody else in the form": {machineForm("client_id", d.public), []string{"Authorization", basicAuth(d.robot)}, 400, "invalid_request"},
		"a public client":           {machineForm("client_id", d.public), nil, 400, "unauthorized_client"},
		"the secret in the address": {machineForm(), nil, 401, "invalid_client"},
		"another resource":          {machineForm("resource", "https://evil.example/mcp"), []string{"Authorization", basicAuth(d.robot)}, 400, "invalid_target"},
		"more than it may have":     {machineForm("scope", "everything else"), []string{"Authorization", basicAuth(d.robot)}, 400, "invalid_scope"},
		"token exchange":            {machineForm("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token", "x"), []string{"Authorization", basicAuth(d.robot)}, 400, "unsupported_grant_type"},
		"a password":                {machineForm("grant_type", "password", "username", d.user.Username, "password", d.user.Password), []string{"Authorization", basicAuth(d.robot)}, 400, "unsupported_grant_type"},
	} {
		t.Run(name, func(t *testing.T) {
			path := "/token"
			if name == "the secret in the address" {
				path += "?client_id=" + url.QueryEscape(id) + "&client_secret=" + url.QueryEscape(secret)
			}
			d.ask(t, path, row.form, row.header...).refuses(t, row.status, row.error)
		})
	}
	good := d.ask(t, "/token", machineForm(), "Authorization", basicAuth(d.robot)).expect(t, 200).told(t)
	for _, path := range []string{"/introspect", "/revoke"} {
		d.ask(t, path, url.Values{"token": {good.Access}}).refuses(t, 401, "invalid_client")
	}
	for _, path := range []string{"/agents", "/audit", "/users", "/clients", "/device/complete", "/stepup", "/stepup/1/approve", "/token/check", "/tokens/inspect?token=x", "/step-up", "/metrics", "/debug/pprof/"} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			req, err := http.NewRequest(method, d.issuer+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if read(t, resp).status != http.StatusNotFound {
				t.Errorf("%s %s is answered %s", method, path, resp.Status)
			}
		}
	}
}

// TestCodesAreBound: to client, redirect, challenge and one use; nothing of a
// code is spent by somebody who lacks the rest.
func TestCodesAreBound(t *testing.T) {
	d := front.get(t)
	code := d.code(t, d.public)
	for name, form := range map[string]url.Values{
		"another client":             redeeming(d.other, code),
		"a redirect in other case":   redeeming(d.public, code, "redirect_uri", "http://127.0.0.1:7777/CB"),
		"another redirect":           redeeming(d.public, code, "redirect_uri", deskCallback+"/"),
		"another verifier":           redeeming(d.public, code, "code_verifier", deskVerifier+"x"),
		"the challenge for verifier": redeeming(d.public, code, "code_verifier", d.asking(d.public).Get("code_challenge")),
		"a code cut short":           redeeming(d.public, code[:len(code)-1]),
		"a code with more":           redeeming(d.public, code+"A"),
		"another resource":           redeeming(d.public, code, "resource", "https://evil.example/mcp"),
	} {
		got := d.ask(t, "/token", form)
		if said := got.told(t); got.status != 400 || said.Error != "invalid_grant" && said.Error != "invalid_target" || said.Access != "" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	d.ask(t, "/token", redeeming(d.public, code, "code_verifier", "-")).refuses(t, 400, "invalid_request")
	first := d.ask(t, "/token", redeeming(d.public, code)).expect(t, 200).told(t)
	d.ask(t, "/token", redeeming(d.public, code)).refuses(t, 400, "invalid_grant")
	d.ask(t, "/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {d.public}, "refresh_token": {first.Refresh}}).refuses(t, 400, "invalid_grant")
}

// TestOneOfManyRedeems: a code that many redeem at once is good for one.
func TestOneOfManyRedeems(t *testing.T) {
	d := front.get(t)
	code := d.code(t, d.public)
	statuses := make(chan int, 12)
	var group sync.WaitGroup
	for range cap(statuses) {
		group.Go(func() {
			resp, err := http.PostForm(d.issuer+"/token", redeeming(d.public, code))
			if err == nil {
				resp.Body.Close()
				statuses <- resp.StatusCode
			}
		})
	}
	group.Wait()
	close(statuses)
	good := 0
	for status := range statuses {
		if status == http.StatusOK {
			good++
		}
	}
	if good != 1 {
		t.Errorf("%d of %d redeemed the code", good, cap(statuses))
	}
}

// TestPKCECannotBeLeftOut: all four ways to have a challenge or a verifier,
// and the methods nobody should use.
func TestPKCECannotBeLeftOut(t *testing.T) {
	d := front.get(t)
	for name, pairs := range map[string][]string{
		"no challenge":             {"code_challenge", "-", "code_challenge_method", "-"},
		"a method alone":           {"code_challenge", "-"},
		"plain":                    {"code_challenge_method", "plain", "code_challenge", deskVerifier},
		"no method, that is plain": {"code_challenge_method", "-"},
		"a short challenge":        {"code_challenge", "abc"},
		"another response":         {"response_type", "token"},
		"a second response":        {"response_type", "code id_token"},
	} {
		t.Run(name, func(t *testing.T) {
			back := newWindow(t).get(t, d.issuer+"/authorize?"+d.asking(d.public, pairs...).Encode()).landed(t)
			if back.Get("error") == "" || back.Get("code") != "" || back.Get("iss") != d.issuer || back.Get("state") != "st&te= %" {
				t.Errorf("called back with %v", back)
			}
		})
	}
	back := d.authorize(t, newWindow(t), d.asking(d.public))
	if back.Get("code") == "" || back.Get("iss") != d.issuer || back.Get("state") != "st&te= %" {
		t.Errorf("called back with %v", back)
	}
}

// TestOnlyRegisteredRedirectsAreFollowed: whatever else is asked for, nobody
// is sent to an address the client did not register.
func TestOnlyRegisteredRedirectsAreFollowed(t *testing.T) {
	d := front.get(t)
	for _, redirect := range []string{
		"-", "", "https://evil.example/cb", "http://127.0.0.1:7777/CB", "http://127.0.0.1:7777/cb/", "http://127.0.0.1:7777/cb?x=1", "http://127.0.0.1:7777/cb#x",
		"http://127.0.0.1:7777/cb/../evil", "http://127.0.0.1:7777/%63b", "http://127.0.0.1:7777@evil.example/cb", "http://evil.example/127.0.0.1:7777/cb",
		"http://localhost:7777/cb", "http://127.0.0.2:7777/cb", "http://127.1:7777/cb", "https://127.0.0.1:7777/cb", "HTTP://127.0.0.1:7777/cb",
		"javascript:alert(1)", "data:text/html,x", "//evil.example/cb", "/cb", "http://127.0.0.1:7777/cb\r\nX: y", " " + deskCallback,
	} {
		for _, more := range [][]string{nil, {"response_type", "token"}, {"scope", "no such scope"}} {
			query := d.asking(d.public, append([]string{"redirect_uri", redirect}, more...)...)
			got := newWindow(t).get(t, d.issuer+"/authorize?"+query.Encode())
			if got.status != http.StatusBadRequest || got.header.Get("Location") != "" || strings.Contains(got.body, "http-equiv=\"refresh\"") {
				t.Errorf("redirect %q with %v: %d to %q", redirect, more, got.status, got.header.Get("Location"))
			}
		}
	}
	twice := d.asking(d.public).Encode() + "&redirect_uri=" + url.QueryEscape("https://evil.example/cb")
	if got := newWindow(t).get(t, d.issuer+"/authorize?"+twice); got.status != http.StatusBadRequest || got.header.Get("Location") != "" {
		t.Errorf("two redirects: %d to %q", got.status, got.header.Get("Location"))
	}
}

// TestConsentIsOnePersonsAtOneBrowser: for one client, one request, once.
func TestConsentIsOnePersonsAtOneBrowser(t *testing.T) {
	d := front.get(t)
	mine := newWindow(t)
	page := d.consent(t, mine, d.asking(d.public)).expect(t, http.StatusOK)
	allow := url.Values{"request": {page.sealed(t)}, "decision": {"allow"}}
	for name, row := range map[string]struct {
		window *window
		form   url.Values
		header []string
	}{
		"another browser":             {newWindow(t), allow, nil},
		"another signed in one":       {d.signedIn(t), allow, nil},
		"another site":                {mine, allow, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}},
		"another's request":           {mine, url.Values{"request": {d.consent(t, newWindow(t), d.asking(d.other)).sealed(t)}, "decision": {"allow"}}, nil},
		"a changed request":           {mine, url.Values{"request": {allow.Get("request")[:len(allow.Get("request"))-2] + "AA"}, "decision": {"allow"}}, nil},
		"no request":                  {mine, url.Values{"decision": {"allow"}}, nil},
		"the signed-in session alone": {mine, altered(d.asking(d.public), "decision", "allow"), nil},
	} {
		got := row.window.submit(t, d.issuer+"/consent", row.form, row.header...)
		if location := got.header.Get("Location"); strings.Contains(location, "code=") || got.status == http.StatusOK {
			t.Errorf("%s: %d to %q", name, got.status, location)
		}
	}
	if back := mine.submit(t, d.issuer+"/consent", allow).landed(t); back.Get("code") == "" {
		t.Fatalf("called back with %v", back)
	}
	if again := mine.submit(t, d.issuer+"/consent", allow); strings.Contains(again.header.Get("Location"), "code=") {
		t.Error("one consent made two codes")
	}
	other := d.consent(t, mine, d.asking(d.other))
	if other.status != http.StatusOK || !strings.Contains(other.body, `name="decision"`) {
		t.Errorf("another client at the same browser is not asked about: %d to %q", other.status, other.header.Get("Location"))
	}
	for _, header := range []string{"X-Frame-Options", "Content-Security-Policy"} {
		if other.header.Get(header) == "" {
			t.Errorf("the consent page has no %s", header)
		}
	}
}

// signedIn is a browser in which the same person signed in.
func (d *desk) signedIn(t *testing.T) *window {
	t.Helper()
	w := newWindow(t)
	d.consent(t, w, d.asking(d.public)).expect(t, http.StatusOK)
	return w
}

// TestRefreshTokensAreBound: to client and key, to one use, and to every byte.
func TestRefreshTokensAreBound(t *testing.T) {
	d, key, thief := front.get(t), newSigner(t), newSigner(t)
	endpoint := d.issuer + "/token"
	nonce := d.ask(t, "/token", redeeming(d.public, "x"), "DPoP", key.tokenProof(endpoint, "")).header.Get("DPoP-Nonce")
	if nonce == "" {
		t.Fatal("no nonce")
	}
	got := d.ask(t, "/token", redeeming(d.public, d.code(t, d.public)), "DPoP", key.tokenProof(endpoint, nonce)).expect(t, 200).told(t)
	if got.Type != "DPoP" || got.Refresh == "" {
		t.Fatalf("%+v", got)
	}
	refreshing := func(client, token string, pairs ...string) url.Values {
		return altered(url.Values{"grant_type": {"refresh_token"}, "client_id": {client}, "refresh_token": {token}}, pairs...)
	}
	proof := func(s signer) []string { return []string{"DPoP", s.tokenProof(endpoint, nonce)} }
	for name, row := range map[string]struct {
		form   url.Values
		header []string
	}{
		"without a proof":    {refreshing(d.public, got.Refresh), nil},
		"with another key":   {refreshing(d.public, got.Refresh), proof(thief)},
		"by another client":  {refreshing(d.other, got.Refresh), proof(key)},
		"without its end":    {refreshing(d.public, got.Refresh[:len(got.Refresh)-1]), proof(key)},
		"with a bit changed": {refreshing(d.public, flipped(got.Refresh)), proof(key)},
		"as an access token": {refreshing(d.public, got.Access), proof(key)},
		"for more scope":     {refreshing(d.public, got.Refresh, "scope", "everything else"), proof(key)},
		"for another server": {refreshing(d.public, got.Refresh, "resource", "https://evil.example/mcp"), proof(key)},
	} {
		answer := d.ask(t, "/token", row.form, row.header...)
		if said := answer.told(t); answer.status != 400 || said.Access != "" || !slices.Contains([]string{"invalid_grant", "invalid_dpop_proof", "invalid_scope", "invalid_target"}, said.Error) {
			t.Errorf("%s: %d %s", name, answer.status, answer.body)
		}
	}
	next := d.ask(t, "/token", refreshing(d.public, got.Refresh), proof(key)...).expect(t, 200).told(t)
	last := d.ask(t, "/token", refreshing(d.public, next.Refresh), proof(key)...).expect(t, 200).told(t)
	for _, counts := range []bool{true, false} {
		said := d.ask(t, "/introspect", url.Values{"token": {last.Access}}, "Authorization", basicAuth(d.keeper)).expect(t, 200).told(t)
		if said.Active != counts {
			t.Errorf("active: %t", said.Active)
		}
		d.ask(t, "/token", refreshing(d.public, got.Refresh), proof(key)...).refuses(t, 400, "invalid_grant")
	}
	d.ask(t, "/token", refreshing(d.public, last.Refresh), proof(key)...).refuses(t, 400, "invalid_grant") // reuse ended the family
}

func flipped(s string) string {
	b := []byte(s)
	if b[len(b)/2]++; b[len(b)/2] == '{' || b[len(b)/2] == '[' || b[len(b)/2] == ':' {
		b[len(b)/2] = 'a'
	}
	return string(b)
}

// TestIssuersProofsAreUsedOnce: RFC 9449 §5 and §8 at the token endpoint: a
// bad proof is 400, never a token without a binding.
func TestIssuersProofsAreUsedOnce(t *testing.T) {
	d, key := front.get(t), newSigner(t)
	endpoint := d.issuer + "/token"
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {d.target}}
	asking := func(proofs ...string) reply {
		header := []string{"Authorization", basicAuth(d.robot)}
		for _, p := range proofs {
			header = append(header, "DPoP", p)
		}
		return d.ask(t, "/token", form, header...)
	}
	first := asking(key.tokenProof(endpoint, ""))
	first.refuses(t, 400, "use_dpop_nonce")
	nonce := first.header.Get("DPoP-Nonce")
	for name, proofs := range map[string][]string{
		"another address": {key.tokenProof(d.issuer+"/introspect", nonce)},
		"the proxy":       {key.tokenProof(d.target, nonce)},
		"a lower method":  {key.sign(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+key.jwk()+`}`, map[string]any{"jti": "1", "htm": "post", "htu": endpoint, "iat": 1, "nonce": nonce})},
		"no algorithm":    {key.sign(`{"typ":"dpop+jwt","alg":"none","jwk":`+key.jwk()+`}`, map[string]any{"jti": "1", "htm": "POST", "htu": endpoint, "iat": 1, "nonce": nonce})},
		"two":             {key.tokenProof(endpoint, nonce), key.tokenProof(endpoint, nonce)},
		"nothing":         {""},
	} {
		answer := asking(proofs...)
		if said := answer.told(t); answer.status != 400 || said.Error != "invalid_dpop_proof" || said.Access != "" {
			t.Errorf("%s: %d %s", name, answer.status, answer.body)
		}
	}
	proof := key.tokenProof(endpoint, nonce)
	if said := asking(proof).expect(t, 200).told(t); said.Type != "DPoP" {
		t.Errorf("a proof made a %s token", said.Type)
	}
	asking(proof).refuses(t, 400, "invalid_dpop_proof")
}

// TestRegistrationTakesNoDangerousRedirects: RFC 7591 with what was accepted
// elsewhere.
func TestRegistrationTakesNoDangerousRedirects(t *testing.T) {
	d := front.get(t)
	for name, document := range map[string]string{
		"javascript":        `{"client_name":"x","redirect_uris":["javascript:alert(1)"]}`,
		"data":              `{"client_name":"x","redirect_uris":["data:text/html,x"]}`,
		"a file":            `{"client_name":"x","redirect_uris":["file:///etc/passwd"]}`,
		"plain http":        `{"client_name":"x","redirect_uris":["http://evil.example/cb"]}`,
		"a fragment":        `{"client_name":"x","redirect_uris":["https://a.example/cb#x"]}`,
		"a wildcard":        `{"client_name":"x","redirect_uris":["https://*.example/cb"]}`,
		"a user":            `{"client_name":"x","redirect_uris":["https://a@b.example/cb"]}`,
		"none":              `{"client_name":"x","redirect_uris":[]}`,
		"a key twice":       `{"client_name":"x","redirect_uris":["https://a.example/cb"],"redirect_uris":["https://evil.example/cb"]}`,
		"a grant not known": `{"client_name":"x","redirect_uris":["https://a.example/cb"],"grant_types":["password"]}`,
	} {
		resp, err := http.Post(d.issuer+"/register", "application/json", strings.NewReader(document))
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, resp); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

// TestNoSecretLeavesByTheSideDoor: neither the log nor an address shows what
// opens something, and what introspection tells strangers is nothing.
func TestNoSecretLeavesByTheSideDoor(t *testing.T) {
	d := front.get(t)
	code := d.code(t, d.public)
	got := d.ask(t, "/token", redeeming(d.public, code)).expect(t, 200).told(t)
	secrets := []string{code, got.Access, got.Refresh, d.robot.Secret, d.user.Password, deskVerifier}
	for _, secret := range secrets {
		if strings.Contains(d.server.out.String(), secret) {
			t.Errorf("the log shows %.12s…", secret)
		}
	}
	if whole := d.ask(t, "/introspect", url.Values{"token": {got.Access}}, "Authorization", basicAuth(d.keeper)).expect(t, 200).told(t); !whole.Active {
		t.Error("the token is not active when it is whole")
	}
	for _, spoiled := range []string{got.Access[:len(got.Access)-1], got.Refresh[:len(got.Refresh)-1], flipped(got.Refresh), "x", strings.Repeat(".", 20_000)} {
		answer := d.ask(t, "/introspect", url.Values{"token": {spoiled}}, "Authorization", basicAuth(d.keeper)).expect(t, 200)
		if strings.TrimSpace(answer.body) != `{"active":false}` {
			t.Errorf("%.20s…: %s", spoiled, answer.body)
		}
	}
}

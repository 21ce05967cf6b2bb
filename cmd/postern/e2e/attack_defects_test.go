package e2e

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-json-experiment/json"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// waiting is a device that shows a code.
type waiting struct {
	Device string `json:"device_code"`
	User   string `json:"user_code"`
	Page   string `json:"verification_uri"`
}

func (d *desk) deviceBegins(t *testing.T, client string) (w waiting) {
	t.Helper()
	d.ask(t, "/device_authorization", url.Values{"client_id": {client}, "resource": {d.target}}).expect(t, http.StatusOK).decode(t, &w)
	return w
}

// answersDevice is what a person does with the code of a device.
func (d *desk) answersDevice(t *testing.T, code, decision string) {
	t.Helper()
	w := newWindow(t)
	at := func(r reply) string { return d.issuer + r.expect(t, http.StatusSeeOther).header.Get("Location") }
	page := w.get(t, at(w.submit(t, d.issuer+"/device", url.Values{"user_code": {code}})))
	if strings.Contains(page.body, `name="password"`) {
		page = w.get(t, at(w.submit(t, d.issuer+"/login", url.Values{"request": {page.sealed(t)}, "username": {d.user.Username}, "password": {d.user.Password}})))
	}
	w.submit(t, d.issuer+"/consent", url.Values{"request": {page.sealed(t)}, "decision": {decision}}).expect(t, http.StatusOK)
}

// claims are those of a JWT that the issuer just answered with.
func claims(t *testing.T, token string) (c struct {
	Subject string `json:"sub"`
	Client  string `json:"client_id"`
}) {
	t.Helper()
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDevicesActForTheirPerson: the token is the person's who said yes at the
// page, a no is told as a no, and what is not answered is neither.
func TestDevicesActForTheirPerson(t *testing.T) {
	d := front.get(t)
	client := d.registered(t, `"client_name":"tv","redirect_uris":["`+deskCallback+`"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","`+deviceGrant+`"]`)
	polling := func(w waiting, as string) reply {
		return d.ask(t, "/token", url.Values{"grant_type": {deviceGrant}, "client_id": {as}, "device_code": {w.Device}})
	}
	open, no, yes := d.deviceBegins(t, client), d.deviceBegins(t, client), d.deviceBegins(t, client)
	polling(open, client).refuses(t, 400, "authorization_pending")
	polling(open, client).refuses(t, 400, "slow_down")
	polling(open, d.public).refuses(t, 400, "unauthorized_client") // not registered for it
	d.ask(t, "/device_authorization", url.Values{"client_id": {d.robot.ID}, "resource": {d.target}}).refuses(t, 401, "invalid_client")
	d.answersDevice(t, no.User, "deny")
	polling(no, client).refuses(t, 400, "access_denied")
	d.answersDevice(t, yes.User, "allow")
	got := claims(t, polling(yes, client).expect(t, http.StatusOK).told(t).Access)
	person := claims(t, d.ask(t, "/token", redeeming(d.public, d.code(t, d.public))).expect(t, http.StatusOK).told(t).Access)
	if got.Subject != person.Subject || got.Subject == "" || got.Client != client {
		t.Errorf("the device's token says %+v, the person is %+v", got, person)
	}
	polling(yes, client).refuses(t, 400, "invalid_grant")
	newWindow(t).get(t, yes.Page).expect(t, http.StatusOK)
}

// TestMetadataKeepsItsWord: everything that is named answers, and what an
// issuer signs for one purpose is good for no other.
func TestMetadataKeepsItsWord(t *testing.T) {
	d := front.get(t)
	var named map[string]any
	newWindow(t).get(t, d.issuer+"/.well-known/oauth-authorization-server").expect(t, http.StatusOK).decode(t, &named)
	endpoints := 0
	for name, value := range named {
		at, _ := value.(string)
		if !strings.HasPrefix(at, d.issuer+"/") {
			continue
		}
		endpoints++
		if got := newWindow(t).get(t, at); got.status == http.StatusNotFound || got.status >= http.StatusInternalServerError {
			t.Errorf("%s: %s is answered %d", name, at, got.status)
		}
	}
	if endpoints < 6 || named["authorization_response_iss_parameter_supported"] != true {
		t.Errorf("%d endpoints in %v", endpoints, named)
	}
	access := d.ask(t, "/token", url.Values{"grant_type": {"client_credentials"}, "resource": {d.target}}, "Authorization", basicAuth(d.robot)).expect(t, 200).told(t).Access
	list := newWindow(t).get(t, d.issuer+"/status/0").expect(t, http.StatusOK).body
	for name, counts := range map[string]bool{access: true, list: false} {
		if said := d.ask(t, "/introspect", url.Values{"token": {name}}, "Authorization", basicAuth(d.keeper)).expect(t, 200).told(t); said.Active != counts {
			t.Errorf("%.30s… is active: %t", name, said.Active)
		}
	}
	d.ask(t, "/token", url.Values{"grant_type": {"client_credentials"}, "resource": {d.target}, "client_assertion": {access},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}).refuses(t, 401, "invalid_client")
	d.ask(t, "/token", refreshing(access, "client_id", d.public)).refuses(t, 400, "invalid_grant")
}

// TestBoundClientsMustProve: a client that said it proves gets nothing
// without, and a proof that carries its private key proves nothing.
func TestBoundClientsMustProve(t *testing.T) {
	d, key := front.get(t), newSigner(t)
	client := d.registered(t, `"client_name":"bound","redirect_uris":["`+deskCallback+`"],"token_endpoint_auth_method":"none","dpop_bound_access_tokens":true`)
	endpoint, code := d.issuer+"/token", d.code(t, client)
	d.ask(t, "/token", redeeming(client, code)).refuses(t, 400, "invalid_dpop_proof")
	nonce := d.ask(t, "/token", redeeming(client, code), "DPoP", key.tokenProof(endpoint, "")).header.Get("DPoP-Nonce")
	private := strings.Replace(key.jwk(), "{", `{"d":"AQAB",`, 1)
	leaky := key.sign(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+private+`}`, map[string]any{"jti": "1", "htm": "POST", "htu": endpoint, "iat": 1, "nonce": nonce})
	d.ask(t, "/token", redeeming(client, code), "DPoP", leaky).refuses(t, 400, "invalid_dpop_proof")
	got := d.ask(t, "/token", redeeming(client, code), "DPoP", key.tokenProof(endpoint, nonce)).expect(t, http.StatusOK).told(t)
	if got.Type != "DPoP" {
		t.Errorf("a token of type %s", got.Type)
	}
}

// TestOperatorsRegisterByTheSameRules: the command takes no redirect that the
// endpoint would refuse.
func TestOperatorsRegisterByTheSameRules(t *testing.T) {
	d := front.get(t)
	for _, redirect := range []string{"javascript:alert(1)", "http://evil.example/cb", "https://a.example/cb#x", "https://*.example/cb", "data:text/html,x"} {
		file := write(t, filepath.Join(t.TempDir(), "client.json"), `{"client_name":"x","redirect_uris":["`+redirect+`"]}`)
		out, err := exec.Command(binary, "admin", "-c", d.config, "client", "register", file).CombinedOutput()
		if err == nil || strings.Contains(string(out), "client_id ") {
			t.Errorf("%s is registered: %s", redirect, out)
		}
	}
}

// TestRevokedRefreshTokensAreDead: by their client alone, with all that came of them.
func TestRevokedRefreshTokensAreDead(t *testing.T) {
	for name, h := range holders(t, front.get(t)) {
		t.Run(name, func(t *testing.T) {
			got := h.signsIn(t)
			h.ask(t, "/revoke", url.Values{"token": {got.Refresh}}, "Authorization", basicAuth(h.robot)).refuses(t, 400, "invalid_grant")
			if !h.alive(t, got.Access) {
				t.Fatal("another client revoked it")
			}
			auth := []string{}
			if h.client.Secret != "" {
				auth = []string{"Authorization", basicAuth(h.client)}
			}
			h.ask(t, "/revoke", url.Values{"token": {got.Refresh}, "client_id": {h.client.ID}}, auth...).expect(t, http.StatusOK)
			h.post(t, refreshing(got.Refresh)).refuses(t, 400, "invalid_grant")
			if h.alive(t, got.Access) {
				t.Error("its access token lives on")
			}
		})
	}
}

// TestRestartKeepsKeysAndGrants: nothing that was issued depends on what a
// process made up when it started.
func TestRestartKeepsKeysAndGrants(t *testing.T) {
	d := openDesk(t)
	t.Cleanup(func() { _ = os.RemoveAll(d.dir) })
	h := &holder{desk: d, client: machine{ID: d.public}}
	got := h.signsIn(t)
	d.server.signal(syscall.SIGTERM)
	if code := d.server.exit(t); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	d.server = start(t, binary, "authserver", "-c", d.config)
	eventually(t, func() error { return healthy(d.issuer + "/.well-known/oauth-authorization-server") })
	if !h.alive(t, got.Access) {
		t.Error("the access token died")
	}
	h.post(t, refreshing(got.Refresh)).expect(t, http.StatusOK)
}

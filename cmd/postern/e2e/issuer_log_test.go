package e2e

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// ledger is what opens something, and what was answered to those who failed.
type ledger struct {
	secrets map[string]string // by what it is
	answers []reply
}

func (l *ledger) secret(name, value string) string {
	l.secrets[name] = value
	return value
}

// failed keeps an answer that must be a refusal.
func (l *ledger) failed(t *testing.T, r reply) {
	t.Helper()
	if r.status < 400 {
		t.Errorf("answered %d: %s", r.status, r.body)
	}
	l.answers = append(l.answers, r)
}

// TestNoFlowTellsASecret: every flow, done well and done badly; neither the
// log nor a refusal or an address that it leads to shows what opens something.
func TestNoFlowTellsASecret(t *testing.T) {
	d := openDeskWith(t, "")
	d.robot, d.public = d.machine(t), d.register(t, deskCallback, "refresh_token")
	l := &ledger{secrets: map[string]string{"password": d.user.Password, "machine's secret": d.robot.Secret, "verifier": deskVerifier}}
	d.peopleFail(t, l)
	for name, h := range holders(t, d) {
		d.codeFlow(t, l, name, h)
	}
	d.deviceFlow(t, l)
	d.registrationFlow(t, l)
	d.misplaced(t, l)
	lines, err := os.ReadFile(filepath.Join(d.dir, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range l.secrets {
		if secret == "" {
			t.Errorf("there was no %s", name)
			continue
		}
		if strings.Contains(d.server.out.String(), secret) {
			t.Errorf("the log shows the %s", name)
		}
		if strings.Contains(string(lines), secret) {
			t.Errorf("an audit line has the %s", name)
		}
		for _, a := range l.answers {
			if strings.Contains(a.body, secret) || strings.Contains(a.header.Get("Location"), url.QueryEscape(secret)) {
				t.Errorf("an answer of status %d tells the %s", a.status, name)
			}
		}
	}
	for _, line := range []string{"token.issued", "request.refused", "login.failed", "refresh.reuse", "device.waits", "client.registered", "token.revoked"} {
		if !strings.Contains(d.server.out.String(), "msg="+line) {
			t.Errorf("nothing in the log says %s: the flow was not gone", line)
		}
		if !strings.Contains(string(lines), `"event":"`+line+`"`) {
			t.Errorf("no audit line says %s", line)
		}
	}
}

// peopleFail types the password wrongly, and into the field of the name.
func (d *desk) peopleFail(t *testing.T, l *ledger) {
	t.Helper()
	w := newWindow(t)
	request := w.get(t, d.issuer+"/authorize?"+d.asking(d.public).Encode()).sealed(t)
	wrong := l.secret("wrong password", "plum tortoise verbena angel")
	l.failed(t, w.submit(t, d.issuer+"/login", url.Values{"request": {request}, "username": {d.user.Username}, "password": {wrong}}))
	swapped := w.submit(t, d.issuer+"/login", url.Values{"request": {request}, "username": {d.user.Password}, "password": {d.user.Username}})
	swapped.expect(t, http.StatusForbidden) // its form has the name in it again
}

func (d *desk) codeFlow(t *testing.T, l *ledger, name string, h *holder) {
	t.Helper()
	w := newWindow(t)
	code := l.secret("code, "+name, d.authorize(t, w, d.asking(h.client.ID)).Get("code"))
	site, err := url.Parse(d.issuer)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range w.Jar.Cookies(site) {
		l.secret("cookie "+cookie.Name+", "+name, cookie.Value)
	}
	l.failed(t, h.post(t, redeeming(h.client.ID, code, "code_verifier", deskVerifier+"x")))
	first := h.post(t, redeeming(h.client.ID, code)).expect(t, http.StatusOK).told(t)
	l.secret("access token, "+name, first.Access)
	l.secret("refresh token, "+name, first.Refresh)
	l.failed(t, h.post(t, refreshing(first.Refresh, "scope", "more than that")))
	l.failed(t, d.ask(t, "/token", refreshing(first.Refresh, "client_id", d.robot.ID), "Authorization", basicAuth(d.robot)))
	next := h.post(t, refreshing(first.Refresh)).expect(t, http.StatusOK).told(t)
	if next.Refresh == "" {
		l.failed(t, d.ask(t, "/token", refreshing(first.Refresh, "client_id", h.client.ID, "client_secret", h.client.Secret+"x")))
		d.ask(t, "/revoke", url.Values{"token": {first.Refresh}}, "Authorization", basicAuth(h.client)).expect(t, http.StatusOK)
		l.secret("client secret", h.client.Secret)
		return
	}
	l.secret("next refresh token, "+name, next.Refresh)
	h.post(t, refreshing(next.Refresh)).expect(t, http.StatusOK)
	l.failed(t, h.post(t, refreshing(first.Refresh)))
}

func (d *desk) deviceFlow(t *testing.T, l *ledger) {
	t.Helper()
	client := d.registered(t, `"client_name":"tv","redirect_uris":["`+deskCallback+`"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","urn:ietf:params:oauth:grant-type:device_code"]`)
	var waits struct {
		Device string `json:"device_code"`
		User   string `json:"user_code"`
	}
	d.ask(t, "/device_authorization", url.Values{"client_id": {client}, "resource": {d.target}}).expect(t, http.StatusOK).decode(t, &waits)
	l.secret("user code", waits.User)
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {client}, "device_code": {l.secret("device code", waits.Device)}}
	l.failed(t, d.ask(t, "/token", form))
	l.failed(t, newWindow(t).submit(t, d.issuer+"/device", url.Values{"user_code": {"BCDF-GHJK"}}))
}

func (d *desk) registrationFlow(t *testing.T, l *ledger) {
	t.Helper()
	resp, err := http.Post(d.issuer+"/register", "application/json", strings.NewReader(`{"redirect_uris":["`+deskCallback+`"]}`))
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		ID         string `json:"client_id"`
		Secret     string `json:"client_secret"`
		Management string `json:"registration_access_token"`
	}
	if err := json.Unmarshal([]byte(read(t, resp).expect(t, http.StatusCreated).body), &made); err != nil {
		t.Fatal(err)
	}
	l.secret("registered secret", made.Secret)
	l.secret("registration token", made.Management)
	for _, token := range []string{made.Management + "x", made.Secret} {
		req, err := http.NewRequest(http.MethodGet, d.issuer+"/register/"+made.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		l.failed(t, read(t, resp))
	}
}

// misplaced puts secrets where they do not belong.
func (d *desk) misplaced(t *testing.T, l *ledger) {
	t.Helper()
	secret := d.robot.Secret
	machineForm := url.Values{"grant_type": {"client_credentials"}, "resource": {d.target}}
	l.failed(t, d.ask(t, "/token?client_id="+d.robot.ID+"&client_secret="+secret, machineForm))
	l.failed(t, d.ask(t, "/token", machineForm, "Authorization", basicAuth(machine{secret, d.robot.ID})))
	l.failed(t, d.ask(t, "/token", altered(machineForm, "scope", secret), "Authorization", basicAuth(d.robot)))
	l.failed(t, d.ask(t, "/introspect?token="+secret, url.Values{}, "Authorization", basicAuth(d.robot)))
	l.failed(t, newWindow(t).get(t, d.issuer+"/authorize?client_id="+secret+"&redirect_uri="+url.QueryEscape(deskCallback)))
	l.failed(t, newWindow(t).get(t, d.issuer+"/nothing?access_token="+secret))
}

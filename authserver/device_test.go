package authserver

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// television registers a public client for devices, with or without refresh tokens.
func (g *rig) television(extra string) string {
	g.t.Helper()
	a := g.postJSON("/register", `{"client_name":"Television","token_endpoint_auth_method":"none",
		"grant_types":["urn:ietf:params:oauth:grant-type:device_code","refresh_token"]`+extra+`}`)
	if a.status != 201 {
		g.t.Fatalf("registration: %d %s", a.status, a.body)
	}
	return a.str("client_id")
}

func deviceForm(client string, pairs ...string) url.Values {
	return with(url.Values{"client_id": {client}, "resource": {calculator}, "scope": {"calc:basic calc:power"}}, pairs...)
}

// waits begins a device's request.
func (g *rig) waits(client string, edits ...edit) answerOf {
	g.t.Helper()
	a := g.post("/device_authorization", deviceForm(client), edits...)
	if a.status != 200 {
		g.t.Fatalf("device authorization: %d %s", a.status, a.body)
	}
	return a
}

func polling(client string, waits answerOf) url.Values {
	return url.Values{"grant_type": {grantDevice}, "client_id": {client}, "device_code": {waits.str("device_code")}}
}

// devicePages takes a browser from the code to the page that asks.
func (g *rig) devicePages(b *http.Client, code string) answerOf {
	g.t.Helper()
	to := g.submit(b, "/device", url.Values{"user_code": {code}})
	if to.status != 303 {
		return to
	}
	page := g.get(b, to.header.Get("Location"))
	if strings.Contains(page.body, `name="password"`) {
		done := g.submit(b, "/login", url.Values{"request": {formRequest(g.t, page.body)}, "username": {testUser}, "password": {testPassword}})
		page = g.get(b, done.header.Get("Location"))
	}
	return page
}

func (g *rig) answerDevice(b *http.Client, code, decision string) answerOf {
	g.t.Helper()
	page := g.devicePages(b, code)
	return g.submit(b, "/consent", url.Values{"request": {formRequest(g.t, page.body)}, "decision": {decision}})
}

func TestDeviceGetsTheTokensOfItsPerson(t *testing.T) {
	g := newRig(t)
	id := g.television("")
	w := g.waits(id)
	if !regexp.MustCompile(`^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$`).MatchString(w.str("user_code")) {
		t.Errorf("user code %q", w.str("user_code"))
	}
	if w.str("verification_uri") != g.url+"/device" || w.str("verification_uri_complete") != g.url+"/device?user_code="+w.str("user_code") ||
		w.fields["expires_in"] != 600.0 || w.fields["interval"] != 5.0 || w.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %s %v", w.body, w.header)
	}
	g.expect(g.post("/token", polling(id, w)), 400, "authorization_pending")
	if n := strings.Count(g.log.String(), `"reason":"device_pending"`); n != 1 {
		t.Errorf("waiting is told %d times", n)
	}

	b := newBrowser(t)
	page := g.devicePages(b, strings.ToLower(strings.Replace(w.str("user_code"), "-", " ", 1)))
	for _, words := range []string{"Television", "Calculator", "Raise to a power", w.str("user_code"), "device in front of you"} {
		if !strings.Contains(page.body, words) {
			t.Errorf("the page does not say %q: %s", words, page.body)
		}
	}
	checkPageHeaders(t, page.header)
	done := g.submit(b, "/consent", url.Values{"request": {formRequest(t, page.body)}, "decision": {"allow"}})
	if done.status != 200 || !strings.Contains(done.body, "Your device is connected") {
		t.Fatalf("got %d %s", done.status, done.body)
	}

	a := g.post("/token", polling(id, w))
	g.expect(a, 200, "")
	c := g.verified(a)
	if !strings.HasPrefix(c.Subject, "user_") || c.ClientID != id || strings.Join(c.Scope, " ") != "calc:basic calc:power" || c.AuthTime.IsZero() {
		t.Errorf("claims %+v", c)
	}
	g.expect(g.post("/token", polling(id, w)), 400, "invalid_grant")
	g.expect(g.post("/token", refreshing(id, a)), 200, "")
}

func TestDeviceIsTold(t *testing.T) {
	for _, row := range []struct {
		name string
		then func(*rig, answerOf)
		code string
	}{
		{"no answer yet", func(*rig, answerOf) {}, "authorization_pending"},
		{"no", func(g *rig, w answerOf) { g.answerDevice(newBrowser(g.t), w.str("user_code"), "deny") }, "access_denied"},
		{"too late", func(g *rig, _ answerOf) { g.clock.forward(deviceLife) }, "expired_token"},
		{"yes, but too late", func(g *rig, w answerOf) {
			g.answerDevice(newBrowser(g.t), w.str("user_code"), "allow")
			g.clock.forward(deviceLife)
		}, "expired_token"},
		{"yes, and revoked", func(g *rig, w answerOf) {
			g.answerDevice(newBrowser(g.t), w.str("user_code"), "allow")
			if err := g.s.DeleteUser(g.t.Context(), testUser); err != nil {
				g.t.Fatal(err)
			}
		}, "invalid_grant"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newRig(t)
			id := g.television("")
			w := g.waits(id)
			row.then(g, w)
			g.expect(g.post("/token", polling(id, w)), 400, row.code)
		})
	}
}

// RFC 8628 §3.5: five seconds more, from then on.
func TestDeviceThatAsksTooSoonIsSlowed(t *testing.T) {
	g := newRig(t)
	id := g.television("")
	w := g.waits(id)
	for i, row := range []struct {
		pause time.Duration
		code  string
	}{{0, "authorization_pending"}, {4 * time.Second, "slow_down"}, {6 * time.Second, "slow_down"}, {15 * time.Second, "authorization_pending"}, {14 * time.Second, "slow_down"}} {
		g.clock.forward(row.pause)
		if a := g.post("/token", polling(id, w)); a.str("error") != row.code {
			t.Errorf("question %d: %s, want %s", i, a.body, row.code)
		}
	}
	g.answerDevice(newBrowser(t), w.str("user_code"), "allow")
	g.expect(g.post("/token", polling(id, w)), 200, "") // the answer is not held back
}

func TestDeviceRequestsRefused(t *testing.T) {
	g := newRig(t)
	id, other := g.television(""), g.publicClient()
	secret := g.postJSON("/register", `{"grant_types":["`+grantDevice+`"]}`)
	bound := g.television(`,"dpop_bound_access_tokens":true`)
	for _, row := range []struct {
		name   string
		form   url.Values
		reason Reason
		status int
	}{
		{"nobody", deviceForm(""), NoClient, 401},
		{"unknown client", deviceForm("client_nobody"), UnknownClient, 401},
		{"confidential client without its secret", deviceForm(secret.str("client_id")), WrongClientSecret, 401},
		{"client of another grant", deviceForm(other), GrantNotAllowed, 400},
		{"bound client without a proof", deviceForm(bound), ProofRequired, 400},
		{"unknown scope", deviceForm(id, "scope", "calc:all"), BadScope, 400},
		{"unknown resource", deviceForm(id, "resource", "https://mcp.example/x"), BadTarget, 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			if a := g.post("/device_authorization", row.form); a.status != row.status || a.str("device_code") != "" {
				t.Errorf("got %d %s", a.status, a.body)
			}
			g.expectReason(row.reason)
		})
	}
	g.expect(g.post("/device_authorization", deviceForm("", "resource", calculator), basic(secret.str("client_id"), secret.str("client_secret"))), 200, "")
}

func TestDeviceCodeIsTheClients(t *testing.T) {
	g := newRig(t)
	id, other := g.television(""), g.television("")
	w := g.waits(id)
	g.answerDevice(newBrowser(t), w.str("user_code"), "allow")
	for name, form := range map[string]url.Values{
		"another client":   polling(other, w),
		"cut short":        with(polling(id, w), "device_code", w.str("device_code")[:20]),
		"the user code":    with(polling(id, w), "device_code", w.str("user_code")),
		"another resource": with(polling(id, w), "resource", database),
	} {
		a := g.post("/token", form)
		if a.status != 400 || a.str("access_token") != "" || name != "another resource" && a.str("error") != "invalid_grant" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	g.expect(g.post("/token", with(polling(id, w), "device_code", "-")), 400, "invalid_request")
	g.expect(g.post("/token", polling(id, w)), 200, "")
}

// The key of the first request's proof is the one that gets the tokens.
func TestDeviceKeyIsBoundFromTheStart(t *testing.T) {
	g := newRig(t)
	id, key := g.television(""), newKey(t)
	w := g.waits(id, g.proofFor(key, "POST", "/device_authorization", ""))
	g.answerDevice(newBrowser(t), w.str("user_code"), "allow")
	g.expect(g.post("/token", polling(id, w)), 400, "invalid_grant")
	g.expectReason(WrongKey)
	g.expect(g.post("/token", polling(id, w), g.proof(newKey(t), "")), 400, "invalid_grant")
	a := g.post("/token", polling(id, w), g.proof(key, ""))
	g.expect(a, 200, "")
	if a.str("token_type") != "DPoP" || g.verified(a).Thumbprint != key.Public().Thumbprint() {
		t.Errorf("got %s", a.body)
	}
	proof := g.proofFor(key, "POST", "/device_authorization", "")
	g.waits(id, proof)
	g.expect(g.post("/device_authorization", deviceForm(id), proof), 400, "invalid_dpop_proof") // used
	g.expect(g.post("/device_authorization", deviceForm(id), g.proof(key, "")), 400, "invalid_dpop_proof")
}

func TestUserCodesCannotBeGuessed(t *testing.T) {
	g := newRig(t)
	w := g.waits(g.television(""))
	b := newBrowser(t)
	for range 10 {
		a := g.submit(b, "/device", url.Values{"user_code": {"BBBB-BBBB"}})
		if a.status != 400 || !strings.Contains(a.body, "No device shows this code") {
			t.Fatalf("got %d %s", a.status, a.body)
		}
	}
	a := g.submit(b, "/device", url.Values{"user_code": {w.str("user_code")}})
	if a.status != 429 || a.header.Get("Retry-After") != "30" || !strings.Contains(a.body, "Too many requests") {
		t.Errorf("got %d %v", a.status, a.header)
	}
	g.clock.forward(30 * time.Second)
	if a := g.submit(b, "/device", url.Values{"user_code": {w.str("user_code")}}); a.status != 303 {
		t.Errorf("after the wait: %d", a.status)
	}
}

func TestUserCodeIsGoodForOneAnswer(t *testing.T) {
	g := newRig(t)
	id := g.television("")
	for _, decision := range []string{"allow", "deny"} {
		w := g.waits(id)
		b := newBrowser(t)
		page := g.devicePages(b, w.str("user_code"))
		form := url.Values{"request": {formRequest(t, page.body)}, "decision": {decision}}
		if a := g.submit(b, "/consent", form); a.status != 200 {
			t.Fatalf("%s: %d %s", decision, a.status, a.body)
		}
		for _, again := range []string{"allow", "deny"} {
			if a := g.submit(b, "/consent", with(form, "decision", again)); a.status != 400 {
				t.Errorf("%s after %s: %d", again, decision, a.status)
			}
		}
		if a := g.submit(b, "/device", url.Values{"user_code": {w.str("user_code")}}); a.status != 400 {
			t.Errorf("the code is good after %s", decision)
		}
	}
}

// The page belongs to the browser and the session it was shown in; the caller
// names nobody.
func TestDeviceIsAnsweredByItsPersonOnly(t *testing.T) {
	g := newRig(t)
	id := g.television("")
	w := g.waits(id)
	b := newBrowser(t)
	page := g.devicePages(b, w.str("user_code"))
	form := url.Values{"request": {formRequest(t, page.body)}, "decision": {"allow"}, "subject": {"user_other"}}
	for name, a := range map[string]answerOf{
		"no browser":         g.post("/consent", form),
		"another browser":    g.submit(newBrowser(t), "/consent", form),
		"another site":       g.submit(b, "/consent", form, header("Sec-Fetch-Site", "cross-site")),
		"code by a stranger": g.submit(b, "/device", url.Values{"user_code": {w.str("user_code")}}, header("Sec-Fetch-Site", "cross-site")),
	} {
		if a.status < 400 || a.header.Get("Location") != "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	g.expect(g.post("/token", polling(id, w)), 400, "authorization_pending")
}

// A link with the code in it decides nothing: the code is compared first.
func TestDeviceLinkOnlyFillsIn(t *testing.T) {
	g := newRig(t)
	id := g.television("")
	w := g.waits(id)
	b := newBrowser(t)
	page := g.get(b, strings.TrimPrefix(w.str("verification_uri_complete"), g.url))
	if !strings.Contains(page.body, `value="`+w.str("user_code")+`"`) || !strings.Contains(page.body, "Compare this code") {
		t.Errorf("got %s", page.body)
	}
	checkPageHeaders(t, page.header)
	for _, odd := range []string{`"><script>`, "BBBB-BBBBB", "aeiouaei"} {
		if page := g.get(b, "/device?"+url.Values{"user_code": {odd}}.Encode()); !strings.Contains(page.body, `value=""`) {
			t.Errorf("%q: %s", odd, page.body)
		}
	}
	g.expect(g.post("/token", polling(id, w)), 400, "authorization_pending")
}

func TestDevicesThatWaitAreLimited(t *testing.T) {
	g := newRig(t)
	id := g.television("")
	for range 60 {
		g.waits(id)
	}
	a := g.post("/device_authorization", deviceForm(id))
	if a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

func TestUserCodes(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		code := newUserCode()
		if typed(hyphenated(code)) != code || typed(" "+strings.ToLower(code)+" ") != code {
			t.Fatalf("%q is not read as it is shown", code)
		}
		seen[code] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d codes of 1000", len(seen))
	}
	for _, s := range []string{"", "BCDFGHJ", "BCDFGHJKL", "ABCDFGHJ", "BCDF_GHJK", "ВCDFGHJK"} {
		if got := typed(s); got != "" {
			t.Errorf("%q is read as %q", s, got)
		}
	}
}

func deviceCodeRaced(t *testing.T, g *rig) {
	id := g.television("")
	for range 3 {
		w := g.waits(id)
		g.answerDevice(newBrowser(t), w.str("user_code"), "allow")
		good, bad := g.race("/token", polling(id, w))
		if len(good) != 1 {
			t.Fatalf("%d redemptions", len(good))
		}
		for _, a := range bad {
			g.expect(a, http.StatusBadRequest, "invalid_grant")
		}
		g.expect(g.post("/token", refreshing(id, good[0])), 200, "")
	}
}

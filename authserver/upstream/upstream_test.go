package upstream

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/reach"
	"github.com/postern-mcp/postern/authserver/upstream/upstreamtest"
)

func TestSignIn(t *testing.T) {
	h := newHostile(t)
	p := h.provider(h.settings())
	who, err := h.signIn(p, Ask{ACR: []string{"gold", "silver"}, Insist: true, Since: h.Now.Add(-90 * time.Second)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if who.Issuer != h.URL || who.Subject != "ada-1815" || who.Email != "ada@corp.example" || !who.EmailVerified || who.Name != "Ada Lovelace" ||
		who.ACR != "gold" || !slices.Equal(who.AMR, []string{"pwd", "otp"}) || !who.AuthTime.Equal(h.Now) || !who.Claims.Has("groups", "dba") {
		t.Errorf("got %+v", who)
	}
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "postern", "redirect_uri": "https://auth.example/login/with/corp/callback", "scope": "openid email",
		"state": state, "max_age": "90", "acr_values": "gold silver", "prompt": "", "tenant": "1",
	} {
		if got := h.Sent.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// Two requests share nothing that an answer could be moved by.
func TestEveryRequestIsItsOwn(t *testing.T) {
	h := newHostile(t)
	p := h.provider(h.settings())
	seen := map[string]bool{}
	for range 3 {
		if _, err := h.signIn(p, Ask{}, nil); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"nonce", "code_challenge"} {
			if v := h.Sent.Get(name); len(v) != 43 || seen[v] {
				t.Errorf("%s is %q again", name, v)
			}
			seen[h.Sent.Get(name)] = true
		}
	}
}

func TestFreshSignInIsAskedFor(t *testing.T) {
	h := newHostile(t)
	p := h.provider(h.settings())
	for _, row := range []struct {
		since time.Time
		age   string
	}{
		{time.Time{}, "31536000"}, // so that auth_time comes
		{h.Now, "0"},
		{h.Now.Add(-time.Minute), "60"},
	} {
		if _, err := h.signIn(p, Ask{Since: row.since}, nil); err != nil {
			t.Error(err)
		}
		if h.Sent.Get("max_age") != row.age || h.Sent.Has("prompt") {
			t.Errorf("since %v: max_age=%s prompt=%s", row.since, h.Sent.Get("max_age"), h.Sent.Get("prompt"))
		}
	}
}

func answered(name string, values ...string) func(url.Values) {
	return func(q url.Values) {
		q.Del(name)
		if values != nil {
			q[name] = values
		}
	}
}

func TestRefusedAnswers(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer func(url.Values)
		want   Reason
	}{
		{"of another request", answered("state", "another"), WrongState},
		{"without state", answered("state"), WrongState},
		{"with two states", answered("state", state, state), BadAnswer},
		{"of another provider", answered("iss", "https://other.example"), WrongIssuer},
		{"of nobody, though the provider names itself", answered("iss"), WrongIssuer},
		{"of an empty provider", answered("iss", ""), WrongIssuer},
		{"with two providers", answered("iss", "https://other.example", "https://other.example"), BadAnswer},
		{"without code", answered("code"), BadAnswer},
		{"with two codes", answered("code", "one", "other"), BadAnswer},
		{"no", answered("error", "access_denied"), Denied},
		{"an error", answered("error", "server_error"), Declined},
		{"an empty error", answered("error", ""), Declined},
		{"no, for another request", func(q url.Values) { q.Set("error", "access_denied"); q.Set("state", "another") }, WrongState},
		{"no, from another provider", func(q url.Values) { q.Set("error", "access_denied"); q.Set("iss", "https://other.example") }, WrongIssuer},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHostile(t)
			who, err := h.signIn(h.provider(h.settings()), Ask{}, row.answer)
			expect(t, who, err, row.want)
			if h.Count("/token") != 0 {
				t.Error("the code was redeemed")
			}
		})
	}
}

func expect(t *testing.T, who Identity, err error, want Reason) {
	t.Helper()
	if ReasonOf(err) != want || who.Subject != "" || who.Claims != nil {
		t.Errorf("got %+v, %v, want %s", who, err, want)
	}
}

func TestProvidersThatDoNotNameThemselves(t *testing.T) {
	h := newHostile(t)
	h.Metadata = upstreamtest.Without("authorization_response_iss_parameter_supported")
	p := h.provider(h.settings())
	if _, err := h.signIn(p, Ask{}, answered("iss")); err != nil {
		t.Error(err)
	}
	who, err := h.signIn(p, Ask{}, answered("iss", "https://other.example"))
	expect(t, who, err, WrongIssuer)
}

func TestRefusedTokens(t *testing.T) {
	other, err := jose.GenerateKey(jose.RS256)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Second)
	ago := func(d time.Duration) int64 { return now.Add(-d).Unix() }
	for _, row := range []struct {
		name   string
		claims func(upstreamtest.Object)
		ask    Ask
		want   Reason
	}{
		{"as it should be", nil, Ask{}, ""},
		{"of another issuer", upstreamtest.Set("iss", "https://other.example"), Ask{}, WrongIssuer},
		{"of Google without a scheme", upstreamtest.Set("iss", "accounts.google.com"), Ask{}, WrongIssuer},
		{"of nobody", upstreamtest.Without("iss"), Ask{}, WrongIssuer},
		{"for another client", upstreamtest.Set("aud", "other"), Ask{}, WrongAudience},
		{"for nobody", upstreamtest.Without("aud"), Ask{}, WrongAudience},
		{"for us and others, made for us", func(o upstreamtest.Object) { o["aud"], o["azp"] = []string{"other", "postern"}, "postern" }, Ask{}, ""},
		{"for us and others, made for nobody", upstreamtest.Set("aud", []string{"other", "postern"}), Ask{}, WrongAudience},
		{"for us and others, made for others", func(o upstreamtest.Object) { o["aud"], o["azp"] = []string{"other", "postern"}, "other" }, Ask{}, WrongAudience},
		{"for us, made for others", upstreamtest.Set("azp", "other"), Ask{}, WrongAudience},
		{"of another request", upstreamtest.Set("nonce", "another"), Ask{}, WrongNonce},
		{"without nonce", upstreamtest.Without("nonce"), Ask{}, WrongNonce},
		{"expired", upstreamtest.Set("exp", ago(skew+time.Second)), Ask{}, Expired},
		{"expired by less than clocks differ", upstreamtest.Set("exp", ago(skew-time.Second)), Ask{}, ""},
		{"without end", upstreamtest.Without("exp"), Ask{}, Expired},
		{"not valid for long", upstreamtest.Set("nbf", ago(-time.Hour)), Ask{}, BadToken},
		{"issued in the future", upstreamtest.Set("iat", ago(-skew-time.Second)), Ask{}, TooEarly},
		{"issued at no time", upstreamtest.Without("iat"), Ask{}, BadToken},
		{"about nobody", upstreamtest.Without("sub"), Ask{}, BadToken},
		{"about a number", upstreamtest.Set("sub", 7), Ask{}, BadToken},
		{"about too much", upstreamtest.Set("sub", strings.Repeat("x", 256)), Ask{}, BadToken},
		{"for another access token", upstreamtest.Set("at_hash", "AAAA"), Ask{}, BadToken},

		{"weaker than wished", upstreamtest.Set("acr", "bronze"), Ask{ACR: []string{"gold"}}, ""},
		{"weaker than demanded", upstreamtest.Set("acr", "bronze"), Ask{ACR: []string{"gold"}, Insist: true}, WeakerACR},
		{"of no class", upstreamtest.Without("acr"), Ask{ACR: []string{"gold"}, Insist: true}, WeakerACR},
		{"of a class that is no word", upstreamtest.Set("acr", []string{"gold"}), Ask{ACR: []string{"gold"}, Insist: true}, WeakerACR},
		{"proved too long ago", upstreamtest.Set("auth_time", ago(10*time.Minute)), Ask{Since: now.Add(-time.Minute)}, TooOld},
		{"proved before the login that was demanded", upstreamtest.Set("auth_time", ago(time.Minute)), Ask{Since: now}, TooOld},
		{"proved nobody says when", upstreamtest.Without("auth_time"), Ask{Since: now.Add(-time.Minute)}, NoAuthTime},
		{"proved nobody says when, nobody asked", upstreamtest.Without("auth_time"), Ask{}, ""},
		{"proved nobody says when, which is good enough", upstreamtest.Without("auth_time"), Ask{Since: now.Add(-time.Minute), Untold: true}, ""},
		{"proved too long ago, where untold is good enough", upstreamtest.Set("auth_time", ago(10*time.Minute)), Ask{Since: now.Add(-time.Minute), Untold: true}, TooOld},
		{"proved at a time that is none", upstreamtest.Set("auth_time", "now"), Ask{Since: now.Add(-time.Minute)}, NoAuthTime},
		{"proved in the future", upstreamtest.Set("auth_time", ago(-time.Minute)), Ask{}, TooEarly},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHostile(t)
			h.Now, h.Claims = now, row.claims
			who, err := h.signIn(h.provider(h.settings()), row.ask, nil)
			if row.want == "" {
				if err != nil || who.Subject != "ada-1815" {
					t.Errorf("got %+v, %v", who, err)
				}
				return
			}
			expect(t, who, err, row.want)
		})
	}
	header := func(h string) string { return base64.RawURLEncoding.EncodeToString([]byte(h)) }
	body := base64.RawURLEncoding.EncodeToString
	for name, row := range map[string]struct {
		sign func([]byte) string
		want Reason
	}{
		"by another key":                      {func(b []byte) string { s, _ := other.Sign("JWT", b); return s }, WrongSignature},
		"by nobody":                           {func(b []byte) string { return header(`{"alg":"none"}`) + "." + body(b) + "." }, BadToken},
		"by nobody, with a signature":         {func(b []byte) string { return header(`{"alg":"none"}`) + "." + body(b) + ".AAAA" }, BadToken},
		"by our secret":                       {func(b []byte) string { return header(`{"alg":"HS256"}`) + "." + body(b) + ".AAAA" }, BadToken},
		"by the key, under another algorithm": {func(b []byte) string { return header(`{"alg":"ES256"}`) + "." + body(b) + ".AAAA" }, WrongSignature},
		"in four parts":                       {func(b []byte) string { s, _ := other.Sign("JWT", b); return s + ".AAAA" }, BadToken},
		"as JSON":                             {func(b []byte) string { return `{"payload":"` + body(b) + `","signature":"AAAA","protected":"e30"}` }, BadToken},
		"with a member twice": {func(b []byte) string {
			return strings.Replace(string(b), `"sub"`, `"sub":"eve","sub"`, 1)
		}, BadToken},
		"over the limit": {func(b []byte) string {
			return header(`{"alg":"RS256"}`) + "." + strings.Repeat("A", maxToken) + ".AAAA"
		}, BadToken},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t)
			h.Sign = row.sign
			if name == "with a member twice" {
				h.Sign = func(b []byte) string { s, _ := h.Key.Sign("JWT", []byte(row.sign(b))); return s }
			}
			who, err := h.signIn(h.provider(h.settings()), Ask{}, nil)
			expect(t, who, err, row.want)
		})
	}
}

func TestRefusedResponses(t *testing.T) {
	huge := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"x":"` + strings.Repeat("x", answerLimit) + `"}`))
	}
	elsewhere := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }
	status := func(code int, body upstreamtest.Object) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { upstreamtest.Write(w, code, body) }
	}
	page := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }
	const discovery = "/.well-known/openid-configuration"
	for _, row := range []struct {
		name, path string
		answer     http.HandlerFunc
		want       Reason
	}{
		{"huge metadata", discovery, huge, BadMetadata},
		{"redirected metadata", discovery, elsewhere, BadMetadata},
		{"no metadata", discovery, status(404, upstreamtest.Object{}), BadMetadata},
		{"a page for metadata", discovery, page, BadMetadata},
		{"huge keys", "/keys", huge, Unreachable},
		{"redirected keys", "/keys", elsewhere, Unreachable},
		{"no keys", "/keys", status(200, upstreamtest.Object{"keys": []string{}}), BadMetadata},
		{"huge tokens", "/token", huge, Unreachable},
		{"redirected tokens", "/token", elsewhere, Unreachable},
		{"a code that was used", "/token", status(400, upstreamtest.Object{"error": "invalid_grant"}), BadExchange},
		{"tokens that are a list", "/token", func(w http.ResponseWriter, _ *http.Request) { upstreamtest.Write(w, 200, []string{}) }, BadExchange},
		{"a page for tokens", "/token", page, Unreachable},
		{"no ID token", "/token", status(200, upstreamtest.Object{"access_token": "at", "token_type": "Bearer"}), BadExchange},
		{"an ID token that is none", "/token", status(200, upstreamtest.Object{"id_token": "x"}), BadToken},
		{"huge userinfo", "/userinfo", huge, Unreachable},
		{"redirected userinfo", "/userinfo", elsewhere, Unreachable},
		{"userinfo that fails", "/userinfo", status(500, upstreamtest.Object{}), Unreachable},
		{"userinfo of somebody else", "/userinfo", status(200, upstreamtest.Object{"sub": "eve"}), BadProfile},
		{"userinfo of nobody", "/userinfo", status(200, upstreamtest.Object{}), BadProfile},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHostile(t)
			h.Handle[row.path] = row.answer
			who, err := h.signIn(h.provider(h.settings()), Ask{}, nil)
			expect(t, who, err, row.want)
			if h.Count("/elsewhere") != 0 {
				t.Error("the redirect was followed")
			}
		})
	}
}

func TestRefusedMetadata(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(upstreamtest.Object)
		want   Reason
	}{
		{"of another issuer", upstreamtest.Set("issuer", "https://other.example"), BadMetadata},
		{"of the issuer with a slash", func(o upstreamtest.Object) { o["issuer"] = o["issuer"].(string) + "/" }, BadMetadata},
		{"without authorization endpoint", upstreamtest.Without("authorization_endpoint"), BadMetadata},
		{"without token endpoint", upstreamtest.Without("token_endpoint"), BadMetadata},
		{"without keys", upstreamtest.Without("jwks_uri"), BadMetadata},
		{"with a plain token endpoint elsewhere", upstreamtest.Set("token_endpoint", "http://other.example/token"), BadMetadata},
		{"with a plain userinfo elsewhere", upstreamtest.Set("userinfo_endpoint", "http://other.example/me"), BadMetadata},
		{"with a script for authorization endpoint", upstreamtest.Set("authorization_endpoint", "javascript:alert(1)"), BadMetadata},
		{"with a credential in an endpoint", upstreamtest.Set("token_endpoint", "https://u:p@other.example/"), BadMetadata},
		{"that takes no secret", upstreamtest.Set("token_endpoint_auth_methods_supported", []string{"private_key_jwt", "none"}), BadMetadata},
		{"with keys on a machine inside", upstreamtest.Set("jwks_uri", "https://169.254.169.254/keys"), Unreachable},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHostile(t)
			h.Metadata = row.change
			who, err := h.signIn(h.provider(h.settings()), Ask{}, nil)
			expect(t, who, err, row.want)
			if row.want == Unreachable && !errors.Is(err, reach.ErrForbidden) {
				t.Errorf("the address was tried: %v", err)
			}
		})
	}
}

// What userinfo says about the token counts for nothing.
func TestUserinfoDoesNotSpeakForTheToken(t *testing.T) {
	h := newHostile(t)
	h.Claims = upstreamtest.Without("acr", "amr", "auth_time")
	h.Profile = func(o upstreamtest.Object) {
		o["acr"], o["amr"], o["auth_time"], o["name"] = "gold", []string{"mfa"}, h.Now.Unix(), "Eve"
	}
	who, err := h.signIn(h.provider(h.settings()), Ask{}, nil)
	if err != nil || who.ACR != "" || who.AMR != nil || !who.AuthTime.IsZero() || who.Name != "Ada Lovelace" {
		t.Errorf("got %+v, %v", who, err)
	}
}

func TestClientAuthentication(t *testing.T) {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name    string
		methods []string
		with    Credential
		check   func(t *testing.T, h *hostile, r *http.Request, form url.Values)
	}{
		{"basic by default", nil, Credential{Secret: "a:secret/"}, func(t *testing.T, _ *hostile, r *http.Request, form url.Values) {
			user, secret, _ := r.BasicAuth()
			if user != "postern" || secret != "a%3Asecret%2F" || form.Has("client_secret") {
				t.Errorf("%s:%s, %v", user, secret, form)
			}
		}},
		{"post where it is all there is", []string{byPost}, Credential{Secret: "a:secret/"}, func(t *testing.T, _ *hostile, r *http.Request, form url.Values) {
			if form.Get("client_id") != "postern" || form.Get("client_secret") != "a:secret/" || r.Header.Get("Authorization") != "" {
				t.Errorf("%v, %v", r.Header, form)
			}
		}},
		{"by key", []string{byKey, byBasic}, Credential{Key: key}, func(t *testing.T, h *hostile, r *http.Request, form url.Values) {
			u, err := jose.Parse(form.Get("client_assertion"), 1<<12)
			if err != nil || u.VerifyWith(key.Public()) != nil || r.Header.Get("Authorization") != "" {
				t.Fatalf("%v, %v", err, form)
			}
			var c struct {
				Issuer, Subject, Audience, ID string
				Expiry                        int64
			}
			names := strings.NewReplacer(`"iss"`, `"Issuer"`, `"sub"`, `"Subject"`, `"aud"`, `"Audience"`, `"jti"`, `"ID"`, `"exp"`, `"Expiry"`)
			if err := json.Unmarshal([]byte(names.Replace(string(u.Payload))), &c); err != nil {
				t.Fatal(err)
			}
			if c.Issuer != "postern" || c.Subject != "postern" || c.Audience != h.URL || c.ID == "" || c.Expiry != h.Now.Add(assertionLife).Unix() {
				t.Errorf("%s", u.Payload)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHostile(t)
			if row.methods != nil {
				h.Metadata = upstreamtest.Set("token_endpoint_auth_methods_supported", row.methods)
			}
			h.Proved = func(r *http.Request, form url.Values) { row.check(t, h, r, form) }
			conf := h.settings()
			conf.Credential = row.with
			if _, err := h.signIn(h.provider(conf), Ask{}, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// A key that is new is fetched, but nobody can have them fetched all the time.
func TestKeysAreKeptForAWhile(t *testing.T) {
	h := newHostile(t)
	p := h.provider(h.settings())
	signIn := func(want Reason, fetched int) {
		t.Helper()
		if _, err := h.signIn(p, Ask{}, nil); ReasonOf(err) != want || h.Count("/keys") != fetched {
			t.Errorf("got %v, %d fetches", err, h.Count("/keys"))
		}
	}
	signIn("", 1)
	signIn("", 1)
	next, err := jose.GenerateKey(jose.RS256)
	if err != nil {
		t.Fatal(err)
	}
	h.Key = next
	signIn(WrongSignature, 1)
	h.Now = h.Now.Add(keysAgain)
	signIn("", 2)
	h.Now = h.Now.Add(keysFresh)
	signIn("", 3)
}

func TestMetadataIsKeptForAWhile(t *testing.T) {
	const place = "/.well-known/openid-configuration"
	h := newHostile(t)
	p := h.provider(h.settings())
	step := func(forward time.Duration, want Reason, asked int) {
		t.Helper()
		h.Now = h.Now.Add(forward)
		if _, _, err := p.Begin(t.Context(), Ask{State: state}); ReasonOf(err) != want || h.Count(place) != asked {
			t.Errorf("got %v, %d questions", err, h.Count(place))
		}
	}
	step(0, "", 1)
	step(metadataFresh-time.Second, "", 1)
	h.Handle[place] = func(w http.ResponseWriter, _ *http.Request) { upstreamtest.Write(w, 500, upstreamtest.Object{}) }
	step(time.Second, "", 2)
	step(time.Second, "", 2) // it rests after a failure
	step(pauseTime, "", 3)
	step(metadataUsed, BadMetadata, 4)
	delete(h.Handle, place)
	step(pauseTime, "", 5)
}

func TestSettings(t *testing.T) {
	h := newHostile(t)
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Settings){
		"plain issuer":           func(c *Settings) { c.Issuer = "http://provider.example" },
		"issuer with query":      func(c *Settings) { c.Issuer = "https://provider.example?x=1" },
		"issuer with credential": func(c *Settings) { c.Issuer = "https://u@provider.example" },
		"no issuer":              func(c *Settings) { c.Issuer = "" },
		"no client":              func(c *Settings) { c.ClientID = "" },
		"no secret":              func(c *Settings) { c.Secret = "" },
		"secret and key":         func(c *Settings) { c.Key = key },
		"no callback":            func(c *Settings) { c.Callback = "" },
		"no openid":              func(c *Settings) { c.Scopes = []string{"email"} },
		"no clock":               func(c *Settings) { c.Now = nil },
	} {
		conf := h.settings()
		change(&conf)
		if p, err := New(conf); err == nil || p != nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestWhereAProviderMayBe(t *testing.T) {
	inside := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	for _, row := range []struct {
		address               string
		outside, inside, here bool
	}{
		{"93.184.216.34", true, true, false},
		{"10.1.2.3", false, true, false},
		{"::ffff:10.1.2.3", false, true, false},
		{"10.2.0.1", false, false, false},
		{"127.0.0.1", false, false, true},
		{"::1", false, false, true},
		{"169.254.169.254", false, false, false},
	} {
		a := netip.MustParseAddr(row.address)
		if reachable(false, nil)(a) != row.outside || reachable(false, inside)(a) != row.inside || reachable(true, inside)(a) != row.here {
			t.Errorf("%s: %v %v %v", row.address, reachable(false, nil)(a), reachable(false, inside)(a), reachable(true, inside)(a))
		}
	}
}

func TestAddresses(t *testing.T) {
	for s, want := range map[string]string{
		"ada@corp.example": "ada@corp.example", "Ada.L+x@CORP.example": "ada.l+x@corp.example", "\u0130@corp.example": "\u0130@corp.example",
		"a@evil.example@corp.example": "", "a@@corp.example": "", "@corp.example": "", "ada@": "", "ada": "", "": "",
		"ada@corp.example ": "", "a da@corp.example": "", "ada@corp.example\n": "", "ada@corp\u200b.example": "", `"a@evil.example"@corp.example`: "",
		"a(x)@corp.example": "", "<ada@corp.example>": "", "ada@corp.example,eve@evil.example": "", "a\xff@corp.example": "",
		strings.Repeat("x", maxAddress) + "@corp.example": "",
	} {
		if got := Address(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func TestVerifiedAddresses(t *testing.T) {
	for _, row := range []struct {
		email, verified any
		address         string
		good            bool
	}{
		{"ada@corp.example", true, "ada@corp.example", true},
		{"ada@corp.example", "true", "ada@corp.example", false},
		{"ada@corp.example", false, "ada@corp.example", false},
		{"ada@corp.example", "yes", "ada@corp.example", false},
		{"ada@corp.example", 1, "ada@corp.example", false},
		{"ada@corp.example", nil, "ada@corp.example", false},
		{"a@evil.example@corp.example", true, "", false},
		{[]string{"ada@corp.example", "x"}, true, "", false},
	} {
		h := newHostile(t)
		h.Profile = func(o upstreamtest.Object) { o["email"], o["email_verified"] = row.email, row.verified }
		who, err := h.signIn(h.provider(h.settings()), Ask{}, nil)
		if err != nil || who.Email != row.address || who.EmailVerified != row.good {
			t.Errorf("%v, %v: %q %v, %v", row.email, row.verified, who.Email, who.EmailVerified, err)
		}
	}
}

func TestClaimsHave(t *testing.T) {
	var c Claims
	doc := `{"groups":["dba","ops"],"team":"core","n":7,"mixed":["a",1],"realm_access":{"roles":["x"],"a.b":"dotted"},"https://corp.example/roles":["y"],"a.b":"whole","a":{"b":"inner"}}`
	if err := json.Unmarshal([]byte(doc), &c); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		claim, value string
		want         bool
	}{
		{"groups", "dba", true}, {"groups", "db", false}, {"groups", "DBA", false}, {"team", "core", true}, {"n", "7", false}, {"mixed", "a", false},
		{"realm_access.roles", "x", true}, {"realm_access.a.b", "dotted", true}, {"realm_access", "x", false}, {"realm_access.", "x", false},
		{"https://corp.example/roles", "y", true}, {"a.b", "whole", true}, {"a.b", "inner", false}, {"groups.dba", "dba", false}, {"nothing", "", false}, {"", "", false},
	} {
		if got := c.Has(row.claim, row.value); got != row.want {
			t.Errorf("%s = %s: %v", row.claim, row.value, got)
		}
	}
}

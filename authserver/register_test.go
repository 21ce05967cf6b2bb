package authserver

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

func TestRegistration(t *testing.T) {
	g := newRig(t)
	for _, row := range []struct{ name, body, code, want string }{
		{"public native client", `{"redirect_uris":["http://127.0.0.1/cb","http://localhost/cb","http://[::1]/cb"],"token_endpoint_auth_method":"none","application_type":"native"}`, "", `"application_type":"native"`},
		{"type implied by the redirects", `{"redirect_uris":["http://localhost:9/cb"],"token_endpoint_auth_method":"none"}`, "", `"application_type":"native"`},
		{"a web client by default has a secret", `{"redirect_uris":["https://app.example/cb"]}`, "", `"client_secret_expires_at":0`},
		{"reverse-domain scheme", `{"redirect_uris":["com.example.app:/cb"],"token_endpoint_auth_method":"none"}`, "", `"application_type":"native"`},
		{"unknown members are passed over", `{"redirect_uris":["https://app.example/cb"],"software_id":"x","contacts":["a"]}`, "", `"client_id"`},
		{"no redirects", `{}`, "invalid_redirect_uri", ""},
		{"empty redirects", `{"redirect_uris":[]}`, "invalid_redirect_uri", ""},
		{"web client on loopback", `{"redirect_uris":["http://127.0.0.1/cb"],"application_type":"web"}`, "invalid_redirect_uri", ""},
		{"web client on https loopback", `{"redirect_uris":["https://localhost/cb"],"application_type":"web"}`, "invalid_redirect_uri", ""},
		{"plain http", `{"redirect_uris":["http://app.example/cb"]}`, "invalid_redirect_uri", ""},
		{"http on a private address", `{"redirect_uris":["http://192.168.0.1/cb"]}`, "invalid_redirect_uri", ""},
		{"javascript", `{"redirect_uris":["javascript:alert(1)"]}`, "invalid_redirect_uri", ""},
		{"data", `{"redirect_uris":["data:text/html,x"]}`, "invalid_redirect_uri", ""},
		{"file", `{"redirect_uris":["file:///etc/passwd"]}`, "invalid_redirect_uri", ""},
		{"a scheme nobody owns", `{"redirect_uris":["myapp://cb"]}`, "invalid_redirect_uri", ""},
		{"fragment", `{"redirect_uris":["https://app.example/cb#x"]}`, "invalid_redirect_uri", ""},
		{"empty fragment", `{"redirect_uris":["https://app.example/cb#"]}`, "invalid_redirect_uri", ""},
		{"user information", `{"redirect_uris":["https://bank.example@evil.example/cb"]}`, "invalid_redirect_uri", ""},
		{"a host that would speak in a header", `{"redirect_uris":["https://a;script-src/cb"]}`, "invalid_redirect_uri", ""},
		{"wildcard", `{"redirect_uris":["https://*.example/cb"]}`, "invalid_redirect_uri", ""},
		{"space", `{"redirect_uris":["https://app.example/c b"]}`, "invalid_redirect_uri", ""},
		{"relative", `{"redirect_uris":["/cb"]}`, "invalid_redirect_uri", ""},
		{"too many", `{"redirect_uris":[` + strings.Repeat(`"https://a.example/",`, 10) + `"https://a.example/"]}`, "invalid_redirect_uri", ""},
		{"unknown type", `{"redirect_uris":["https://app.example/cb"],"application_type":"service"}`, "invalid_client_metadata", ""},
		{"keys are not taken", `{"redirect_uris":["https://app.example/cb"],"token_endpoint_auth_method":"private_key_jwt"}`, "invalid_client_metadata", ""},
		{"machine by itself", `{"redirect_uris":["https://app.example/cb"],"grant_types":["client_credentials"]}`, "invalid_client_metadata", ""},
		{"refresh alone", `{"redirect_uris":["https://app.example/cb"],"grant_types":["refresh_token"]}`, "invalid_client_metadata", ""},
		{"implicit", `{"redirect_uris":["https://app.example/cb"],"response_types":["token"]}`, "invalid_client_metadata", ""},
		{"name that turns the writing", `{"redirect_uris":["https://app.example/cb"],"client_name":"x\u202eelgooG"}`, "invalid_client_metadata", ""},
		{"name with a line break", `{"redirect_uris":["https://app.example/cb"],"client_name":"a\nb"}`, "invalid_client_metadata", ""},
		{"name that shows nothing", `{"redirect_uris":["https://app.example/cb"],"client_name":"\u3164"}`, "invalid_client_metadata", ""},
		{"port there cannot be", `{"redirect_uris":["https://app.example:99999/cb"]}`, "invalid_redirect_uri", ""},
		{"port left out after its colon", `{"redirect_uris":["http://127.0.0.1:/cb"]}`, "invalid_redirect_uri", ""},
		{"page with a quote", `{"redirect_uris":["https://app.example/cb"],"client_uri":"https://app.example/\"x"}`, "invalid_client_metadata", ""},
		{"long name", `{"redirect_uris":["https://app.example/cb"],"client_name":"` + strings.Repeat("x", 101) + `"}`, "invalid_client_metadata", ""},
		{"page that runs", `{"redirect_uris":["https://app.example/cb"],"client_uri":"javascript:x"}`, "invalid_client_metadata", ""},
		{"member twice", `{"redirect_uris":["https://app.example/cb"],"redirect_uris":["https://evil.example/cb"]}`, "invalid_client_metadata", ""},
		{"wrong type", `{"redirect_uris":"https://app.example/cb"}`, "invalid_client_metadata", ""},
		{"an array", `[]`, "invalid_client_metadata", ""},
		{"trailing bytes", `{"redirect_uris":["https://app.example/cb"]} x`, "invalid_client_metadata", ""},
		{"nothing", ``, "invalid_client_metadata", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			g.s.limits = newLimits(g.clock.Now, shared{}, g.s.metrics.limited)
			a := g.postJSON("/register", row.body)
			if row.code != "" {
				g.expect(a, 400, row.code)
				if strings.Contains(a.body, "evil") || strings.Contains(a.body, "javascript") {
					t.Errorf("repeats what was sent: %s", a.body)
				}
				return
			}
			g.expect(a, 201, "")
			if !strings.Contains(a.body, row.want) || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("got %s", a.body)
			}
			if strings.HasPrefix(a.str("client_id"), "http") {
				t.Error("an id that could be a document's")
			}
		})
	}
}

func TestRegistrationIsGuarded(t *testing.T) {
	const initial = "initial-access-token-1"
	body := `{"redirect_uris":["` + callback + `"]}`
	for _, row := range []struct {
		name   string
		policy Registration
		edits  []edit
		status int
		code   string
	}{
		{"closed", RegistrationClosed, nil, 404, "invalid_request"},
		{"no token", RegistrationToken, nil, 401, "invalid_token"},
		{"wrong token", RegistrationToken, []edit{header("Authorization", "Bearer "+initial+"x")}, 401, "invalid_token"},
		{"token cut short", RegistrationToken, []edit{header("Authorization", "Bearer "+initial[:len(initial)-1])}, 401, "invalid_token"},
		{"empty token", RegistrationToken, []edit{header("Authorization", "Bearer ")}, 401, "invalid_token"},
		{"two tokens", RegistrationToken, []edit{header("Authorization", "Bearer "+initial), header("Authorization", "Bearer "+initial)}, 401, "invalid_token"},
		{"the token", RegistrationToken, []edit{header("Authorization", "Bearer "+initial)}, 201, ""},
		{"open", RegistrationOpen, nil, 201, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newRig(t, func(c *Config) { c.Registration, c.RegistrationToken = row.policy, initial })
			g.expect(g.postJSON("/register", body, row.edits...), row.status, row.code)
			_, advertised := g.get(noRedirect(), "/.well-known/oauth-authorization-server").fields["registration_endpoint"]
			if advertised != (row.policy != RegistrationClosed) {
				t.Errorf("advertised: %v", advertised)
			}
		})
	}
}

func TestRegistrationsOfOneAddressAreLimited(t *testing.T) {
	g := newRig(t)
	body := `{"redirect_uris":["` + callback + `"]}`
	for range 30 {
		g.expect(g.postJSON("/register", body), 201, "")
	}
	a := g.postJSON("/register", body)
	g.expect(a, 429, "temporarily_unavailable")
	if a.header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
}

// Strangers who register without end drop their own clients, not the one that
// somebody is signing in to.
func TestStrangersDoNotDropAClientInUse(t *testing.T) {
	g := newRig(t, func(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	victim := g.publicClient()
	b := newBrowser(t)
	page := g.consentPage(b, authorization(victim))
	body := `{"redirect_uris":["` + callback + `"]}`
	for i := range maxUnusedClients + 60 {
		a := g.postJSON("/register", body, header("X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i%40)))
		if a.status != 201 {
			g.expect(a, 503, "temporarily_unavailable")
			g.expectReason(RegistrationFull)
		}
	}
	back := g.redirected(g.submit(b, "/consent", approval(t, page, "allow")))
	if back.Get("code") == "" {
		t.Errorf("got %v", back)
	}
	a := g.postJSON("/register", body, header("X-Forwarded-For", "198.51.100.1"))
	g.expect(a, 201, "")
}

func TestRegistrationThatIsFull(t *testing.T) {
	g := newRig(t)
	g.keepIn(noRoom{g.s.store})
	a := g.postJSON("/register", `{"redirect_uris":["`+callback+`"]}`)
	g.expect(a, 503, "temporarily_unavailable")
	g.expectReason(RegistrationFull)
	if a.header.Get("Retry-After") != "60" {
		t.Errorf("again after %q", a.header.Get("Retry-After"))
	}
}

type noRoom struct{ Store }

func (noRoom) AddClient(context.Context, store.Client, int) error { return store.ErrFull }

// A client is begun once, however often somebody comes with it, and by devices too.
func TestClientIsBegunOnce(t *testing.T) {
	g := newRig(t)
	client, tv := g.publicClient(), g.television("")
	counted := &begunCount{Store: g.s.store}
	g.keepIn(counted)
	for range 3 {
		g.get(noRedirect(), "/authorize?"+authorization(client).Encode())
		g.waits(tv)
	}
	if counted.n != 2 {
		t.Errorf("%d writes", counted.n)
	}
}

type begunCount struct {
	Store
	n int
}

func (c *begunCount) StartClient(ctx context.Context, id string, now time.Time) error {
	c.n++
	return c.Store.StartClient(ctx, id, now)
}

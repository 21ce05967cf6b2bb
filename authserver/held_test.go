package authserver

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/passkey/passkeytest"
	"github.com/postern-mcp/postern/authserver/store"
)

// held is a body of which nothing is sent before the server asks for it; then
// something happens first.
type held struct {
	io.Reader
	first func()
}

func (h *held) Read(p []byte) (int, error) {
	if h.first != nil {
		h.first()
		h.first = nil
	}
	return h.Reader.Read(p)
}

// submitHeld submits a form whose body waits for the server to read it
// (RFC 9110 §10.1.1): by then the server has looked at all that it looks at before.
func (g *rig) submitHeld(b *http.Client, path string, form url.Values, first func()) answerOf {
	g.t.Helper()
	wire := http.DefaultTransport.(*http.Transport).Clone()
	wire.ExpectContinueTimeout = time.Minute
	defer wire.CloseIdleConnections()
	r := g.request("POST", path, "application/x-www-form-urlencoded", form.Encode(), header("Expect", "100-continue"))
	r.Body, r.GetBody = io.NopCloser(&held{r.Body, first}), nil
	slow := *b
	slow.Transport = wire
	return g.do(&slow, r)
}

// security is how somebody signs in, as it is kept.
type security struct {
	password, fullName, email string
	factors                   factors
	identities                []store.Identity
}

func (g *rig) securityOf(userID string) (v security) {
	g.t.Helper()
	u, err := g.s.store.UserByID(g.t.Context(), userID)
	if err != nil {
		g.t.Fatal(err)
	}
	v.password, v.fullName, v.email = u.PasswordHash, u.FullName, u.Email
	if v.factors, err = g.s.factorsOf(g.t.Context(), userID); err != nil {
		g.t.Fatal(err)
	}
	if v.identities, err = g.s.store.Identities(g.t.Context(), userID); err != nil {
		g.t.Fatal(err)
	}
	return v
}

// A form that began to arrive in a session does nothing after its end.
func TestHeldFormsOfEndedSessions(t *testing.T) {
	page := func(a *abroad, b *http.Client) answerOf { return a.visit(b, passwordPath) }
	for _, row := range []struct {
		name, path string
		form       func(a *abroad, b *http.Client) url.Values
	}{
		{"codes are set up", securityPath + "/code", func(a *abroad, b *http.Client) url.Values {
			p := a.visit(b, securityPath+"/code")
			return url.Values{"token": {tokenOf(a.t, p)}, "setup": {value(a.t, p.body, "setup")}, "code": {generatorOf(a.t, p.body).Code(a.clock.Now())}}
		}},
		{"codes are replaced", securityPath + "/code", func(a *abroad, b *http.Client) url.Values {
			a.setUpCodes(b)
			p := a.visit(b, securityPath+"/code")
			return url.Values{"token": {tokenOf(a.t, p)}, "setup": {value(a.t, p.body, "setup")}, "code": {generatorOf(a.t, p.body).Code(a.clock.Now())}}
		}},
		{"codes are removed", securityPath + "/code/remove", func(a *abroad, b *http.Client) url.Values {
			a.setUpCodes(b)
			return url.Values{"token": {tokenOf(a.t, page(a, b))}}
		}},
		{"recovery codes", securityPath + "/recovery", func(a *abroad, b *http.Client) url.Values {
			a.setUpCodes(b)
			return url.Values{"token": {tokenOf(a.t, page(a, b))}}
		}},
		{"a new passkey", securityPath + "/passkey", func(a *abroad, b *http.Client) url.Values {
			d, p := passkeytest.New(a.url), a.visit(b, securityPath+"/passkey")
			options, state := ask(a.t, p.body)
			return url.Values{"token": {tokenOf(a.t, p)}, "state": {state}, "name": {"mine"}, "answer": {sent(d.Create(options))}}
		}},
		{"a passkey is renamed", securityPath + "/passkey/one", func(a *abroad, b *http.Client) url.Values {
			return url.Values{"passkey": {a.passkeyAt(b)}, "token": {tokenOf(a.t, page(a, b))}, "name": {"mine"}}
		}},
		{"a passkey is removed", securityPath + "/passkey/remove", func(a *abroad, b *http.Client) url.Values {
			return url.Values{"passkey": {a.passkeyAt(b)}, "token": {tokenOf(a.t, page(a, b))}}
		}},
		{"a new password", passwordPath, func(a *abroad, b *http.Client) url.Values {
			return url.Values{"token": {tokenOf(a.t, page(a, b))}, "password": {testPassword}, "new_password": {goodPassword}, "repeat_password": {goodPassword}}
		}},
		{"browsers are forgotten", securityPath + "/browsers", func(a *abroad, b *http.Client) url.Values {
			return url.Values{"token": {tokenOf(a.t, page(a, b))}, "browser": {"all"}}
		}},
		{"an account is linked", linkPath, func(a *abroad, b *http.Client) url.Values {
			return url.Values{"token": {tokenOf(a.t, page(a, b))}, "provider": {"corp"}}
		}},
		{"an account is unlinked", unlinkPath, func(a *abroad, b *http.Client) url.Values {
			one := store.Identity{Issuer: a.op.URL, Subject: "ada-1815", Provider: "corp", UserID: a.userID(), LinkedAt: a.clock.Now(), UsedAt: a.clock.Now()}
			if err := a.s.store.Link(a.t.Context(), one); err != nil {
				a.t.Fatal(err)
			}
			return url.Values{"token": {tokenOf(a.t, page(a, b))}, "issuer": {one.Issuer}, "subject": {one.Subject}}
		}},
	} {
		for when, ends := range map[string]bool{"it goes on": false, "it ended": true} {
			t.Run(row.name+"/"+when, func(t *testing.T) {
				a, b := newAbroad(t, nil, named), newBrowser(t)
				form := row.form(a, b)
				before := a.securityOf(a.userID())
				got := a.submitHeld(b, row.path, form, func() {
					if ends {
						a.endSessions()
					}
				})
				if asked := strings.Contains(got.body, `action="/login"`); asked != ends || got.status >= 400 {
					t.Errorf("got %d %s", got.status, got.body)
				}
				if ends && !reflect.DeepEqual(a.securityOf(a.userID()), before) {
					t.Errorf("had %+v, has %+v", before, a.securityOf(a.userID()))
				}
			})
		}
	}
}

func (g *rig) endSessions() {
	if _, err := g.s.store.EndSessions(g.t.Context(), g.userID(), store.Hash{}); err != nil {
		g.t.Error(err)
	}
}

// passkeyAt enrols a passkey, and names it as forms do.
func (g *rig) passkeyAt(b *http.Client) string {
	g.t.Helper()
	g.enrol(b, "theirs")
	all, err := g.s.store.Passkeys(g.t.Context(), g.userID())
	if err != nil || len(all) != 1 {
		g.t.Fatalf("%v, %v", all, err)
	}
	return base64.RawURLEncoding.EncodeToString(all[0].ID)
}

// A session shows nothing where nobody may sign in from.
func TestDeniedNetworkReadsNoTokens(t *testing.T) {
	g := newSeats(t)
	home := g.seat(atHome, firefox)
	if a := home.signIn(testPassword); !in(a) {
		t.Fatalf("signing in: %d", a.status)
	}
	if a := g.do(home.b, g.request("GET", "/account/tokens", "", "", g.seat(inPrison, firefox).edits()...)); a.status != 403 {
		t.Errorf("the tokens: %d %s", a.status, a.body)
	}
	g.expectReason(NetworkDenied)
}

func TestDeniedNetworkTakesNoOffer(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Link = true }, func(c *Config) {
		c.TrustedProxies, c.SignIn.Deny = networks("127.0.0.0/8"), networks("10.66.0.0/16")
	})
	grace := a.account("grace", address, true)
	b, client := newBrowser(t), a.publicClient()
	done := a.password(b, a.offered(b, client), "grace")
	path := done.header.Get("Location")
	if got := a.do(b, a.request("GET", path, "", "", header("X-Forwarded-For", inPrison))); got.status != 403 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	a.expectReason(NetworkDenied)
	if all, err := a.s.store.Identities(t.Context(), grace.ID); err != nil || len(all) != 0 {
		t.Errorf("linked: %v, %v", all, err)
	}
	a.follow(b, done) // the offer is not spent
	if all, err := a.s.store.Identities(t.Context(), grace.ID); err != nil || len(all) != 1 {
		t.Errorf("at home: %v, %v", all, err)
	}
}

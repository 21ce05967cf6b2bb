package e2e

import (
	"encoding/base32"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/otp"
)

// house is everything that people meet: an authorization server whose issuer has
// a name, because passkeys want one, and a proxy that takes its tokens.
type house struct {
	*desk
	proxy *sidecar
}

const houseConfig = `authserver:
  listen: %s
  issuer: %s
  secret_file: %s
  registration: open
  sign_up: open
  second_factor: {ask: always}
  resources:
    - {resource: %q, name: recorder, scopes: [{name: use, description: "Use the harmless tools", default: true}, {name: more, description: "Use the others", risk: high}]}
  roles:
    everybody: {scopes: [use], everyone: true}
    writer: {description: "People who write", scopes: [more]}
    admin: {description: "Administrators", scopes: ["*", "postern:*"], second_factor: true}
`

// openHouse opens one on a database, "" for SQLite.
func openHouse(t *testing.T, database string) *house {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	public := "http://" + loopback(freePort(t))
	h := &house{desk: &desk{stage: &stage{dir: dir, issuer: fmt.Sprint("http://localhost:", port)}, target: public + "/recorder/mcp"}}
	text := fmt.Sprintf(houseConfig, loopback(port), h.issuer, newSecret(t, dir), h.target)
	if database == "" {
		text += "  database: sqlite:authserver.db\n"
	} else {
		text += "  database_url_file: " + write(t, filepath.Join(dir, "database"), database+"\n") + "\n"
	}
	h.config = write(t, filepath.Join(dir, "postern.yaml"), text)
	h.serve(t)
	h.proxy = startProxy(t, settings{issuer: h.issuer, dpop: "accepted", upstream: newUpstream(t, echo).url, publicURL: public})
	h.public = h.register(t, landing, "refresh_token")
	return h
}

// TestPeople: everything people do, through Chromium without a mouse, against
// the running programs on both databases.
func TestPeople(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]string{"sqlite": "", "postgres": databases.empty(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := openHouse(t, database)
			for _, flow := range []struct {
				name string
				goes func(*testing.T)
			}{
				{"sign-up", h.signUp}, {"invitation", h.invitation}, {"wrong password", h.wrongPassword},
				{"codes", h.codes}, {"passkeys", h.passkeys}, {"new password", h.newPassword}, {"reset link", h.resetLink},
				{"sessions", h.sessions}, {"applications", h.applications}, {"device", h.device}, {"administration", h.administration},
			} {
				t.Run(flow.name, flow.goes)
			}
		})
	}
}

const (
	password = "glacier trombone pickle harbour"
	another  = "marmot saffron ladder eclipse"
)

// somebody signs up, without a browser.
func (h *house) somebody(t *testing.T, name string) person {
	t.Helper()
	w := newWindow(t)
	w.get(t, h.issuer+"/sign-up").expect(t, http.StatusOK)
	w.submit(t, h.issuer+"/sign-up", url.Values{"username": {name}, "new_password": {password}, "repeat_password": {password}}).expect(t, http.StatusSeeOther)
	return person{name, password}
}

// isIn: the window shows the account of whoever is signed in.
func (s *seat) isIn(h *house) {
	s.t.Helper()
	s.opens(h.issuer + "/account/sessions")
	s.looks(`form[action$="/account/sessions/end"]`)
}

// isOut: whoever looks at the account is asked for the password.
func (s *seat) isOut(h *house) {
	s.t.Helper()
	s.opens(h.issuer + "/account/sessions")
	s.looks("input[name=password]")
}

// at opens a page of the server as somebody who has a password alone.
func (h *house) at(t *testing.T, who person, path string) *seat {
	t.Helper()
	s := sit(t, who.Username)
	s.opens(h.issuer + path)
	s.signsIn(who)
	return s
}

// allows agrees at the consent page, and gives the token that comes of it.
func (s *seat) allows(h *house) told {
	s.t.Helper()
	s.does(step{"do": "decide", "decision": "allow"})
	code := s.reads("landed").landed(s.t).Get("code")
	return h.ask(s.t, "/token", redeeming(h.public, code, "redirect_uri", landing)).expect(s.t, http.StatusOK).told(s.t)
}

// calls a tool with a token.
func (h *house) calls(t *testing.T, token, tool string) reply {
	t.Helper()
	return (&caller{url: h.target, token: token}).send(t, modernCall(tool, `{}`))
}

// becomesRefused within the five seconds that are promised.
func (h *house) becomesRefused(t *testing.T, token string) {
	t.Helper()
	err := within(5*time.Second, func() error {
		if got := h.calls(t, token, "echo"); got.status != http.StatusUnauthorized || !strings.Contains(got.body, "token_revoked") {
			return fmt.Errorf("status %d: %s", got.status, got.body)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// spent: a link that was used shows no form any more.
func (h *house) spent(t *testing.T, link string) {
	t.Helper()
	if again := newWindow(t).get(t, link); again.status/100 != 4 || strings.Contains(again.body, "new_password") {
		t.Errorf("the link works twice: %d\n%s", again.status, again.body)
	}
}

// link is the only line that a command prints.
func (h *house) link(t *testing.T, args ...string) string {
	t.Helper()
	for link := range h.administer(t, "", args...) {
		return link
	}
	t.Fatalf("postern admin %v prints nothing", args)
	return ""
}

func (h *house) signUp(t *testing.T) {
	s := sit(t, "grace")
	s.opens(h.authorizeURL(h.public))
	s.presses(`a[href*="/sign-up?"]`)
	s.fills("username", "grace", "full_name", "Grace Hopper", "new_password", "password1", "repeat_password", "password1")
	s.looks("input[name=new_password][aria-invalid=true]")
	if s.looks("input[name=username]") != "grace" || s.looks("input[name=full_name]") != "Grace Hopper" {
		t.Error("what was right has to be typed again")
	}
	s.fills("new_password", password, "repeat_password", password)
	h.calls(t, s.allows(h).Access, "echo").expect(t, http.StatusOK)
	s.isIn(h)
}

func (h *house) invitation(t *testing.T) {
	link := h.link(t, "invite", "--role", "writer", "--email", "hedy@example.com")
	s := sit(t, "hedy")
	s.opens(link)
	s.fills("username", "hedy", "new_password", password, "repeat_password", password)
	s.isIn(h)
	h.spent(t, link)
	s.opens(h.authorizeURL(h.public, "scope", "use more"))
	if got := s.allows(h); got.Scope != "more use" && got.Scope != "use more" {
		t.Errorf("the role of the invitation gives %q", got.Scope)
	}
}

func (h *house) wrongPassword(t *testing.T) {
	who := h.somebody(t, "mary")
	s := sit(t, "mary")
	s.opens(h.authorizeURL(h.public))
	s.signsIn(person{who.Username, "glacier trombone pickle harbor"})
	if said := s.looks("[role=alert]"); said == "" || s.looks("input[name=username]") != who.Username {
		t.Errorf("the page says %q", said)
	}
	s.fills("password", who.Password)
	h.calls(t, s.allows(h).Access, "echo").expect(t, http.StatusOK)
}

// phone is an app that shows codes.
type phone struct {
	otp.Generator
	last int64 // step whose code was used
}

// enrol goes from the page about signing in to codes from an app.
func (s *seat) enrol() *phone {
	s.t.Helper()
	s.presses(`a[href*="/account/security/code"]`)
	key := strings.ReplaceAll(s.looks("code.secret"), " ", "")
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(key)
	if err != nil {
		s.t.Fatalf("%q: %v", key, err)
	}
	generator, err := otp.Open(secret)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &phone{Generator: generator}
	s.fills("code", p.code(s.t))
	return p
}

const (
	codePeriod = 30 // seconds
	typingTime = 10 // seconds, for one code
)

// code is one that was not used: the server takes those of a step before and
// after now, so that nobody has to wait for the second.
func (p *phone) code(t *testing.T) (code string) {
	t.Helper()
	err := within(patience+codePeriod*time.Second, func() error {
		now := time.Now().Unix()
		at := max(p.last+1, (now+typingTime)/codePeriod-1)
		if at > now/codePeriod+1 {
			return fmt.Errorf("the codes up to step %d are used", p.last)
		}
		p.last, code = at, p.Code(time.Unix(at*codePeriod, 0))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// codes: setting them up, signing in with them, once each, a browser that is
// remembered, the step up from there, and recovery codes.
func (h *house) codes(t *testing.T) {
	who := h.somebody(t, "joan")
	elsewhere, s := h.at(t, who, "/account"), h.at(t, who, "/account/security")
	phone := s.enrol()
	recovery := s.looks("ol.codes code") // they come with the first factor
	s.presses(`main a.button[href*="/account/security"]`)
	elsewhere.isOut(h) // it was signed in with less

	other := h.at(t, who, "/account/security") // asked, because of ask: always
	other.fills("code", "000000")
	other.looks("[role=alert]")
	other.strikes("input[name=remember]", " ")
	code := phone.code(t)
	other.fills("code", code)
	other.looks(`form[action$="/account/security/recovery"]`)

	third := h.at(t, who, "/account/security")
	third.fills("code", code)
	third.looks("[role=alert]") // it was used
	third.strikes("details:has(input[name=recovery]) summary", "Enter")
	third.fills("recovery", recovery)
	third.isIn(h)
	fourth := h.at(t, who, "/account/security")
	fourth.strikes("details:has(input[name=recovery]) summary", "Enter")
	fourth.fills("recovery", recovery)
	fourth.looks("[role=alert]") // it was used

	h.remembered(t, other, who, phone)
}

// remembered: a browser that its person trusts is not asked, until something
// asks for more than a password.
func (h *house) remembered(t *testing.T, s *seat, who person, phone *phone) {
	s.opens(h.authorizeURL(h.public, "prompt", "login"))
	s.fills("password", who.Password)
	if got := claimed(t, s.allows(h)); got.ACR != "pwd" || !slices.Equal(got.AMR, []string{"pwd"}) {
		t.Errorf("remembered, and the token says %+v", got)
	}
	s.opens(h.authorizeURL(h.public, "acr_values", "mfa"))
	s.fills("code", phone.code(t))
	if got := claimed(t, s.allows(h)); got.ACR != "mfa" || !slices.Equal(got.AMR, []string{"pwd", "otp", "mfa"}) {
		t.Errorf("stepped up, and the token says %+v", got)
	}
}

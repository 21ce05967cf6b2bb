package authserver

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/risk"
	"github.com/postern-mcp/postern/authserver/store"
)

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
	safari  = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1"

	atHome   = "203.0.113.7"
	atHotel  = "192.0.2.99"
	inPrison = "10.66.1.1"
)

// seat is a browser somewhere: it can sign in more than once.
type seat struct {
	g       *rig
	b       *http.Client
	address string
	agent   string
}

// newSeats is a rig whose test says where each request comes from.
func newSeats(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	behind := func(c *Config) {
		c.TrustedProxies = networks("127.0.0.0/8")
		c.SignIn.Deny = networks("10.66.0.0/16")
	}
	return newRig(t, append([]func(*Config){behind}, change...)...)
}

func (g *rig) seat(address, agent string) seat { return seat{g, newBrowser(g.t), address, agent} }

// signIn fills in the form for ada, whoever is signed in.
func (at seat) signIn(password string) answerOf { return at.signInAs(testUser, password) }

func (at seat) signInAs(name, password string) answerOf {
	at.g.t.Helper()
	at.g.clock.forward(time.Second)
	query := with(authorization(at.g.publicClient()), "prompt", "login").Encode()
	page := at.g.do(at.b, at.g.request("GET", "/authorize?"+query, "", "", at.edits()...))
	form := url.Values{"request": {formRequest(at.g.t, page.body)}, "username": {name}, "password": {password}}
	return at.g.submit(at.b, "/login", form, at.edits()...)
}

func (at seat) edits() []edit {
	return []edit{header("X-Forwarded-For", at.address), header("User-Agent", at.agent)}
}

// in says whether the answer has signed somebody in.
func in(a answerOf) bool {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == "postern-session" {
			return a.status == 303
		}
	}
	return false
}

func (g *rig) userID() string {
	g.t.Helper()
	u, err := g.s.store.User(g.t.Context(), testUser)
	if err != nil {
		g.t.Fatal(err)
	}
	return u.ID
}

// last is the latest sign-in of ada that was recorded.
func (g *rig) last() store.SignInRow {
	g.t.Helper()
	if all := g.lately(1); len(all) > 0 {
		return all[0]
	}
	return store.SignInRow{}
}

// lately are her last ones, the latest first.
func (g *rig) lately(limit int) []store.SignInRow {
	g.t.Helper()
	all, err := g.s.store.SignInRows(g.t.Context(), g.userID(), "", 0, limit)
	if err != nil {
		g.t.Fatal(err)
	}
	return all
}

// waitFor waits for what is recorded beside the answer.
func (g *rig) waitFor(what string, done func() bool) {
	g.t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			g.t.Fatalf("never came: %s; the last is %+v", what, g.last())
		}
	}
}

// recorded compares the latest sign-in, once it is there: its outcome and its reasons.
func (g *rig) recorded(outcome, reasons string) {
	g.t.Helper()
	g.waitFor(outcome+" "+reasons, func() bool {
		v := g.last()
		return v.Outcome == outcome && strings.Join(v.Reasons, " ") == reasons
	})
}

// giveFactor lets ada have a second factor, so that one can be asked for.
func (g *rig) giveFactor() {
	g.t.Helper()
	db := g.database()
	_, err := db.Exec("INSERT INTO code_generators (user_id, sealed, step, created_at, confirmed_at) SELECT id, $1, 0, 1, 1 FROM users", []byte("x"))
	if err != nil {
		g.t.Fatal(err)
	}
}

func addressOf(s string) netip.Addr {
	a, _ := netip.ParseAddr(s) // "" is nobody's
	return a
}

func TestDeniedNetworkTellsNothing(t *testing.T) {
	g := newSeats(t)
	prison := g.seat(inPrison, firefox)
	right, wrong, nobody := prison.signIn(testPassword), prison.signIn("wrong"), prison.signInAs("nobody", "wrong")
	for _, a := range []answerOf{right, wrong, nobody} {
		if a.status != 403 || in(a) || !strings.Contains(a.body, "Nobody may sign in from the network you are on") {
			t.Errorf("got %d %s", a.status, a.body)
		}
	}
	same := func(a answerOf) string {
		return strings.ReplaceAll(hidden.ReplaceAllString(a.body, ""), `value="nobody"`, `value="`+testUser+`"`)
	}
	if same(right) != same(wrong) || same(right) != same(nobody) {
		t.Error("the page tells what was right")
	}
	g.expectReason(NetworkDenied)
	g.waitFor("the two records", func() bool {
		return len(g.lately(10)) == 2
	})
	g.recorded("refuse", "denied_network")
	if a := g.seat(atHome, firefox).signIn(testPassword); !in(a) {
		t.Errorf("from elsewhere: %d", a.status)
	}
	// More than anybody may try elsewhere: no password was checked.
	for range 20 {
		if a := prison.signIn("wrong"); a.status != 403 {
			t.Fatalf("got %d", a.status)
		}
	}
}

func TestOnlySomeNetworks(t *testing.T) {
	g := newSeats(t, func(c *Config) { c.SignIn.Allow = networks("203.0.113.0/24", "10.0.0.0/8") })
	for address, want := range map[string]bool{atHome: true, atHotel: false, inPrison: false, "10.1.1.1": true, "2001:db8::1": false} {
		if a := g.seat(address, firefox).signIn(testPassword); in(a) != want {
			t.Errorf("%s: %d", address, a.status)
		}
	}
}

// Whoever is not a trusted proxy cannot say where they are.
func TestNetworksCannotBeMadeUp(t *testing.T) {
	for name, row := range map[string]struct {
		trusted []string
		deny    string
		from    string
		want    bool
	}{
		"a trusted proxy says who":             {[]string{"127.0.0.0/8"}, "10.66.0.0/16", inPrison, false},
		"nobody is trusted: it says a denied":  {nil, "10.66.0.0/16", inPrison, true},
		"nobody is trusted: it says a good":    {nil, "127.0.0.0/8", atHome, false},
		"another is trusted: it says a good":   {[]string{"10.0.0.0/8"}, "127.0.0.0/8", atHome, false},
		"the caller wrote one before its own":  {[]string{"127.0.0.0/8"}, "10.66.0.0/16", atHome + ", " + inPrison, false},
		"the caller wrote a denied one before": {[]string{"127.0.0.0/8"}, "10.66.0.0/16", inPrison + ", " + atHome, true},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, func(c *Config) { c.TrustedProxies, c.SignIn.Deny = networks(row.trusted...), networks(row.deny) })
			if a := g.seat(row.from, firefox).signIn(testPassword); in(a) != row.want {
				t.Errorf("got %d", a.status)
			}
		})
	}
}

func TestContextsOfPeople(t *testing.T) {
	g := newSeats(t)
	home := g.seat(atHome, firefox)
	if a := home.signIn(testPassword); !in(a) {
		t.Fatalf("the first time: %d", a.status)
	}
	g.recorded("allow", "first_sign_in no_second_factor")
	if a := g.seat("203.0.113.200", strings.ReplaceAll(firefox, "128", "131")).signIn(testPassword); !in(a) {
		t.Errorf("the same network, an update later: %d", a.status)
	}
	g.recorded("allow", "")
	if a := g.seat(atHotel, firefox).signIn(testPassword); !in(a) {
		t.Errorf("without a factor: %d", a.status)
	}
	g.recorded("allow", "new_network no_second_factor")
	g.seat(atHotel, firefox).signIn(testPassword)
	g.recorded("allow", "")

	g.giveFactor()
	if a := home.signIn(testPassword); !in(a) {
		t.Errorf("a known pair: %d", a.status)
	}
	g.recorded("allow", "")
	for _, row := range []struct {
		at      seat
		reasons string
	}{
		{g.seat(atHome, safari), "new_agent"},
		{g.seat("198.51.100.1", firefox), "new_network"},
		{g.seat("198.51.100.1", safari), "new_network new_agent"},
		{g.seat("198.51.100.1", safari), "new_network new_agent"}, // nothing is known of who never came in
	} {
		if a := row.at.signIn(testPassword); in(a) {
			t.Errorf("%s: let in without a second factor", row.reasons)
		}
		g.recorded("step_up", row.reasons)
	}
	if v := g.last(); v.Address != "198.51.100.1" || v.Agent != "Safari on iOS" || !slices.Equal(v.Methods, []string{"pwd"}) || v.ClientID == "" {
		t.Errorf("recorded %+v", v)
	}
	g.clock.forward(181 * 24 * time.Hour)
	if a := home.signIn(testPassword); in(a) {
		t.Error("after half a year: let in without a second factor")
	}
	g.recorded("step_up", "new_network new_agent")
}

// A second factor makes network and browser known, and the sign-in is one
// line, from the question to its end, beside that of a wrong code.
func TestSecondFactorMakesKnown(t *testing.T) {
	g := newSeats(t)
	made := g.setUpCodes(newBrowser(t))
	hotel := g.seat(atHotel, firefox)
	asked := hotel.signIn(testPassword)
	if in(asked) || !strings.Contains(asked.body, "One more step") {
		t.Fatalf("no second factor is asked for: %d %s", asked.status, asked.body)
	}
	g.recorded("step_up", "new_network new_agent")
	lines := len(g.lately(100))
	answer := func(code string) answerOf {
		return g.submit(hotel.b, "/login/second", url.Values{"entry": {value(t, asked.body, "entry")}, "code": {code}}, hotel.edits()...)
	}
	if a := answer("000000"); in(a) {
		t.Fatal("any code will do")
	}
	g.waitFor("the wrong code", func() bool { return len(g.lately(100)) == lines+1 })
	if a := answer(made.Code(g.clock.Now())); !in(a) {
		t.Fatalf("with the code: %d %s", a.status, a.body)
	}
	g.recorded("allow", "new_network new_agent")
	if v := g.last(); len(g.lately(100)) != lines+1 || !slices.Equal(v.Methods, []string{"pwd", "otp", "mfa"}) {
		t.Errorf("%d lines, then %d; the last %+v", lines, len(g.lately(100)), v)
	}
	if a := g.seat(atHotel, firefox).signIn(testPassword); !in(a) {
		t.Errorf("the next time: %d", a.status)
	}
	g.recorded("allow", "")
}

// Where the second factor is wanted always, an attempt that ends there is kept too.
func TestUnfinishedSignInsAreKept(t *testing.T) {
	g := newSeats(t, asking)
	g.setUpCodes(newBrowser(t))
	before := g.last().Number
	if a := g.seat("127.0.0.1", "Go-http-client/1.1").signIn(testPassword); in(a) {
		t.Fatal("let in without a second factor")
	}
	g.recorded("step_up", "")
	if g.last().Number <= before {
		t.Error("nothing was recorded")
	}
}

func TestWithoutFactorCanBeRefused(t *testing.T) {
	g := newSeats(t, func(c *Config) { c.SignIn.WithoutFactor = risk.Refuse })
	if a := g.seat(atHome, firefox).signIn(testPassword); !in(a) {
		t.Fatalf("the first time: %d", a.status)
	}
	a := g.seat(atHotel, firefox).signIn(testPassword)
	if a.status != 403 || in(a) {
		t.Errorf("got %d", a.status)
	}
	g.recorded("refuse", "new_network no_second_factor")
}

// What looks too unusual is answered as a wrong password, down to the number
// of tries: a thief does not learn that it is right.
func TestRefusedSignInLooksLikeAWrongPassword(t *testing.T) {
	guesses := func(password string) (pages []string) {
		g := newSeats(t, func(c *Config) { c.SignIn.WithoutFactor = risk.Refuse })
		g.seat(atHome, firefox).signIn(testPassword)
		thief := g.seat(atHotel, safari)
		for range 11 {
			a := thief.signIn(password)
			pages = append(pages, http.StatusText(a.status)+a.header.Get("Retry-After")+strings.Join(a.header.Values("Set-Cookie"), "")+hidden.ReplaceAllString(a.body, ""))
		}
		return pages
	}
	right, wrong := guesses(testPassword), guesses("wrong")
	if !slices.Equal(right, wrong) {
		t.Errorf("the right password:\n%s\nthe wrong one:\n%s", right, wrong)
	}
	if !strings.HasPrefix(right[10], http.StatusText(429)) {
		t.Error("tries are not counted")
	}
}

// Whoever guesses at an account that is switched off is not told which password is right.
func TestSwitchedOffLooksLikeAWrongPassword(t *testing.T) {
	guesses := func(password string) (pages []string) {
		g := newSeats(t)
		off := func(was store.Person) (store.User, error) {
			was.DisabledAt = g.clock.Now()
			return was.User, nil
		}
		if err := g.s.store.(*store.DB).ChangePerson(t.Context(), g.userID(), g.clock.Now(), off); err != nil {
			t.Fatal(err)
		}
		thief := g.seat(atHotel, safari)
		for range 11 {
			a := thief.signIn(password)
			pages = append(pages, http.StatusText(a.status)+a.header.Get("Retry-After")+strings.Join(a.header.Values("Set-Cookie"), "")+hidden.ReplaceAllString(a.body, ""))
		}
		return pages
	}
	right, wrong := guesses(testPassword), guesses("wrong")
	if !slices.Equal(right, wrong) {
		t.Errorf("the right password:\n%s\nthe wrong one:\n%s", right, wrong)
	}
}

// A session is of no use in a network nobody may sign in from.
func TestDeniedNetworkEndsWhatSessionsDo(t *testing.T) {
	g := newSeats(t)
	home := g.seat(atHome, firefox)
	if a := home.signIn(testPassword); !in(a) {
		t.Fatalf("at home: %d", a.status)
	}
	id := g.publicClient()
	consent := g.do(home.b, g.request("GET", "/authorize?"+authorization(id).Encode(), "", "", home.edits()...))
	form := url.Values{"request": {formRequest(t, consent.body)}, "decision": {"allow"}}
	prison := seat{g, home.b, inPrison, firefox}
	for name, a := range map[string]answerOf{
		"a decision": g.submit(home.b, "/consent", form, prison.edits()...),
		"a page":     g.do(home.b, g.request("GET", "/account", "", "", prison.edits()...)),
	} {
		if a.status != 403 || !strings.Contains(a.body, "Nobody may sign in from the network you are on") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	asked := g.do(home.b, g.request("GET", "/authorize?"+authorization(id).Encode(), "", "", prison.edits()...))
	if v := g.redirected(asked); v.Get("error") != "access_denied" || v.Get("code") != "" {
		t.Errorf("a request: %v", v)
	}
	if a := g.submit(home.b, "/consent", form, home.edits()...); a.status != 303 {
		t.Errorf("at home again: %d", a.status)
	}
}

// Nobody guesses a passkey: whoever showed more than a password hears why.
func TestRefusedSignInSaysWhy(t *testing.T) {
	g := newSeats(t, func(c *Config) { c.SignIn.WithoutFactor = risk.Refuse })
	g.seat(atHome, firefox).signIn(testPassword)
	user, err := g.s.store.User(t.Context(), testUser)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		from    string
		methods []string
		reason  Reason
	}{
		{atHotel, []string{amrPassword}, SignInRefused},
		{atHotel, []string{amrSoftware}, UnusualSignIn},
		{atHotel, []string{amrPassword, amrCode}, UnusualSignIn},
		{inPrison, []string{amrPassword}, NetworkDenied},
		{inPrison, []string{amrSoftware}, NetworkDenied},
	} {
		r := g.request("POST", "/login", "", "", g.seat(row.from, safari).edits()...)
		r.RemoteAddr = "127.0.0.1:1"
		if _, err := g.s.weigh(r, g.s.newEntry(pending{}, user, row.methods...), user); reasonOf(err) != row.reason {
			t.Errorf("%s from %s: %v, want %s", row.methods, row.from, err, row.reason)
		}
	}
}

func TestFailuresCount(t *testing.T) {
	g := newSeats(t)
	home := g.seat(atHome, firefox)
	home.signIn(testPassword)
	g.giveFactor()
	fail := func(at seat, times int) {
		t.Helper()
		for range times {
			before := g.last().Number
			if a := at.signIn("wrong"); a.status != 403 {
				t.Fatalf("got %d", a.status)
			}
			g.waitFor("the failure", func() bool { return g.last().Number > before })
		}
		if v := g.last(); v.Outcome != signInFailed || len(v.Methods) != 0 || v.Address != at.address {
			t.Errorf("recorded %+v", v)
		}
	}
	fail(g.seat(atHotel, firefox), 4)
	if a := home.signIn(testPassword); !in(a) {
		t.Errorf("strangers elsewhere burden the owner: %d", a.status)
	}
	g.recorded("allow", "")
	g.clock.forward(3 * time.Minute)
	fail(g.seat(atHome, firefox), 5)
	if a := home.signIn(testPassword); !in(a) {
		t.Errorf("strangers in the same network burden the owner's browser: %d", a.status)
	}
	g.recorded("allow", "")
	g.clock.forward(3 * time.Minute)
	if a := g.seat(atHome, firefox).signIn(testPassword); in(a) {
		t.Error("a strange browser in a network of failures is let in")
	}
	g.recorded("step_up", "recent_failures")
	if a := g.seat(atHotel, safari).signIn(testPassword); in(a) {
		t.Error("let in from a network of failures")
	}
	g.recorded("refuse", "new_network new_agent recent_failures")
	fail(home, 3)
	if a := home.signIn(testPassword); in(a) {
		t.Error("the browser's own failures do not count")
	}
	g.recorded("step_up", "recent_failures")
	g.clock.forward(time.Hour + time.Second)
	if a := home.signIn(testPassword); !in(a) {
		t.Errorf("an hour later: %d", a.status)
	}
}

func TestTravelAndPace(t *testing.T) {
	g := newSeats(t, func(c *Config) {
		c.SignIn.Places = []risk.Place{
			{Name: "Lisbon", Networks: networks("203.0.113.0/24"), Latitude: 38.7, Longitude: -9.1},
			{Name: "Tokyo", Networks: networks("192.0.2.0/24"), Latitude: 35.7, Longitude: 139.7},
		}
		c.SignIn.Pace.Number = 4
	})
	g.seat(atHome, firefox).signIn(testPassword)
	g.seat(atHotel, firefox).signIn(testPassword)
	g.recorded("allow", "new_network impossible_travel no_second_factor")
	g.seat(atHome, firefox).signIn(testPassword)
	g.recorded("allow", "impossible_travel no_second_factor")
	g.clock.forward(30 * time.Minute)
	g.seat(atHome, firefox).signIn(testPassword)
	g.recorded("allow", "")
	g.seat(atHome, firefox).signIn(testPassword)
	g.recorded("allow", "pace no_second_factor")
}

// What was unusual is told once; what was not, never.
func TestUnusualSignInsAreTold(t *testing.T) {
	g := newSeats(t)
	unseen := func(want int) []store.SignIn {
		t.Helper()
		all, err := g.s.store.UnseenSignIns(t.Context(), g.userID(), 10)
		if err != nil || len(all) != want {
			t.Fatalf("%v unseen, %v; want %d", all, err, want)
		}
		return all
	}
	g.seat(atHome, firefox).signIn(testPassword)
	g.seat(atHome, firefox).signIn(testPassword)
	before := g.last().Number
	g.seat(atHome, firefox).signIn("wrong")
	g.waitFor("the failure", func() bool { return g.last().Number > before })
	unseen(0)
	g.seat(atHotel, safari).signIn(testPassword)
	g.giveFactor()
	g.seat("198.51.100.1", safari).signIn(testPassword)
	news := unseen(2)
	for i, left := range []int{1, 0} {
		if err := g.s.store.SeeSignIns(t.Context(), g.userID(), news[1-i].At, g.clock.Now()); err != nil {
			t.Fatal(err)
		}
		unseen(left)
	}
}

// Every judgement is in the audit, with its reasons.
func TestJudgementsAreAudited(t *testing.T) {
	g := newSeats(t)
	g.seat(atHome, firefox).signIn(testPassword)
	want := `"msg":"login.judged","subject":"` + g.userID() + `","outcome":"allow","score":30,"reasons":["first_sign_in","no_second_factor"],"network":"203.0.113.0/24","agent":"Firefox on Linux","amr":["pwd"],"address":"203.0.113.7"`
	if !strings.Contains(g.log.String(), want) {
		t.Errorf("no %s in\n%s", want, g.log)
	}
}

// What waits when the server ends is recorded all the same.
func TestFailuresAreRecordedAtTheEnd(t *testing.T) {
	g := newSeats(t)
	g.seat(atHome, firefox).signIn("wrong")
	g.s.beside.stop()
	g.recorded(signInFailed, "wrong_password")
	for range waitingFailures + 1 {
		r := g.request("POST", "/login", "", "")
		r.RemoteAddr = "127.0.0.1:1"
		g.s.noteFailure(r, testUser, pending{}, refuse(WrongPassword))
	}
	if !strings.Contains(g.log.String(), "login.failure_not_recorded") {
		t.Error("more failures wait than there is room for")
	}
	v := store.SignIn{UserID: g.userID(), At: g.clock.Now(), Outcome: string(risk.Refuse), Methods: []string{amrPassword}}
	if err := g.s.recordBeside(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	g.recorded("refuse", "") // at once: nobody empties the queue any more
}

// Lines go after 90 days, pairs after as long as they are remembered.
func TestOldSignInsAreSwept(t *testing.T) {
	g := newSeats(t, func(c *Config) { c.SignIn.Remember = 100 * 24 * time.Hour })
	g.seat(atHome, firefox).signIn(testPassword)
	left := func(lines, pairs int) {
		t.Helper()
		g.s.sweep(t.Context())
		h, err := g.s.store.SignInHistory(t.Context(), g.userID(), 10, g.clock.Now())
		if err != nil || len(g.lately(10)) != lines || len(h.Contexts) != pairs || !h.Before {
			t.Errorf("%d lines, %+v, %v; want %d and %d", len(g.lately(10)), h, err, lines, pairs)
		}
	}
	left(1, 1)
	g.clock.forward(90*24*time.Hour + time.Second)
	left(0, 1)
	g.clock.forward(10 * 24 * time.Hour)
	left(0, 0)
}

func TestBadRulesDoNotStart(t *testing.T) {
	c := baseConfig("http://127.0.0.1", &clock{}, &logbook{})
	c.SignIn.StepUp = 0
	if err := c.validate(); err == nil || !strings.Contains(err.Error(), "step_up") {
		t.Errorf("got %v", err)
	}
	c.SignIn = risk.Rules{}
	if c.validate() == nil {
		t.Error("no rules at all are taken")
	}
}

func TestExplainSignIn(t *testing.T) {
	g := newSeats(t)
	c := g.caller(g.adminToken(admin.ScopeRead))
	explain := func(address, agent string) admin.Risk {
		t.Helper()
		return called(t, c, admin.ExplainSignIn, admin.RiskQuery{UserRef: admin.UserRef{ID: g.userID()}, Address: address, Agent: agent})
	}
	g.seat(atHome, firefox).signIn(testPassword)
	before := g.last()
	for _, row := range []struct {
		address, agent, outcome string
		points                  int
		known                   bool
		reasons                 string
	}{
		{atHome, firefox, "allow", 0, true, ""},
		{atHotel, firefox, "allow", 30, false, "new_network no_second_factor"},
		{inPrison, firefox, "refuse", 0, false, "denied_network"},
		{atHome, "", "allow", 30, false, "new_agent no_second_factor"},
	} {
		e := explain(row.address, row.agent)
		var reasons []string
		for _, f := range e.Findings {
			if reasons = append(reasons, f.Reason); f.Words == "" {
				t.Errorf("no words for %s", f.Reason)
			}
		}
		if e.Outcome != row.outcome || e.Points != row.points || e.Known != row.known || strings.Join(reasons, " ") != row.reasons || e.UserName != testUser {
			t.Errorf("%s: %+v", row.address, e)
		}
	}
	g.giveFactor()
	if e := explain(atHotel, firefox); e.Outcome != "step_up" || !e.Factor || e.StepUp != 30 || e.Refuse != 100 {
		t.Errorf("with a factor: %+v", e)
	}
	later := admin.RiskQuery{UserRef: admin.UserRef{ID: g.userID()}, Address: atHome, Agent: firefox, At: g.clock.Now().Add(181 * 24 * time.Hour).Format(time.RFC3339)}
	if e := called(t, c, admin.ExplainSignIn, later); e.Known || e.Outcome != "step_up" {
		t.Errorf("half a year later: %+v", e)
	}
	if g.last().Number != before.Number {
		t.Error("explaining was recorded")
	}
	refusedFor(t, c, admin.ExplainSignIn, admin.RiskQuery{UserRef: admin.UserRef{ID: "nobody"}, Address: atHome}, admin.NotFound)
	refusedFor(t, c, admin.ExplainSignIn, admin.RiskQuery{UserRef: admin.UserRef{ID: g.userID()}}, admin.BadParameter)
	refusedFor(t, c, admin.ExplainSignIn, admin.RiskQuery{UserRef: admin.UserRef{ID: g.userID()}, Address: "10.0.0.0/8"}, admin.BadParameter)
	refusedFor(t, c, admin.ExplainSignIn, admin.RiskQuery{UserRef: admin.UserRef{ID: g.userID()}, Address: atHome, At: "noon"}, admin.BadParameter)
	refusedFor(t, g.caller(g.adminToken(admin.ScopeUsers)), admin.ExplainSignIn, later, admin.LacksScope)
}

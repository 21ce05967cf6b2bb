package authserver

import (
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func takesDetails(c *Config) {
	c.DetailTypes = []DetailType{{Type: "file", Description: "Work with single files", Fields: []string{"actions", "identifier", "max_size"}}}
}

const someFiles = `[{"type":"file","actions":["read","write"],"identifier":"a.txt","locations":["` + calculator + `"]},{"type":"file","identifier":"<b>.txt","max_size":1.0}]`

func TestDetailsAreShownAndCarried(t *testing.T) {
	g := newRig(t, takesDetails)
	id := g.publicClient()
	query := with(authorization(id), "authorization_details", someFiles)
	b := newBrowser(t)
	page := g.consentPage(b, query)
	for _, words := range []string{"Work with single files", `[&#34;read&#34;, &#34;write&#34;]`, "a.txt", "&lt;b&gt;.txt", "max_size"} {
		if !strings.Contains(page.body, words) {
			t.Errorf("the page does not say %q: %s", words, page.body)
		}
	}
	a := g.post("/token", redemption(id, g.authorizeBy(b, query).Get("code")))
	g.expect(a, 200, "")
	want := `[{"actions":["read","write"],"identifier":"a.txt","locations":["` + calculator + `"],"type":"file"},{"identifier":"<b>.txt","max_size":1,"type":"file"}]`
	if got := string(g.verified(a).Details); got != want || !strings.Contains(a.body, `"authorization_details":`+want) {
		t.Errorf("token %s, answer %s", got, a.body)
	}
	watcher, secret := g.resourceServer(calculator)
	i := g.post("/introspect", url.Values{"token": {a.str("access_token")}}, basic(watcher, secret))
	if !strings.Contains(i.body, `"authorization_details":`+want) {
		t.Errorf("introspection %s", i.body)
	}
	if m := g.get(noRedirect(), "/.well-known/oauth-authorization-server"); !strings.Contains(m.body, `"authorization_details_types_supported":["file"]`) {
		t.Errorf("metadata %s", m.body)
	}
}

func TestDetailsRefused(t *testing.T) {
	g := newRig(t, takesDetails)
	id := g.publicClient()
	many := "[" + strings.Repeat(`{"type":"file"},`, 20) + `{"type":"file"}]`
	for name, text := range map[string]string{
		"no JSON": "x", "an object": `{"type":"file"}`, "empty": "[]", "null": "[null]", "text after it": `[{"type":"file"}] x`,
		"no type": `[{"actions":["read"]}]`, "unknown type": `[{"type":"payment"}]`, "type of another type": `[{"type":["file"]}]`,
		"unknown member": `[{"type":"file","owner":"ada"}]`, "a member twice": `[{"type":"file","identifier":"a","identifier":"b"}]`,
		"elsewhere": `[{"type":"file","locations":["` + database + `"]}]`, "nowhere": `[{"type":"file","locations":[]}]`,
		"one good, one not": `[{"type":"file"},{"type":"payment"}]`, "too many": many, "too long": `[{"type":"file","identifier":"` + strings.Repeat("x", 4096) + `"}]`,
	} {
		v := g.redirected(g.get(newBrowser(t), "/authorize?"+with(authorization(id), "authorization_details", text).Encode()))
		if v.Get("error") != "invalid_authorization_details" {
			t.Errorf("%s: %v", name, v)
		}
	}
	without := newRig(t)
	v := without.redirected(without.get(newBrowser(t), "/authorize?"+with(authorization(without.publicClient()), "authorization_details", `[{"type":"file"}]`).Encode()))
	if v.Get("error") != "invalid_authorization_details" {
		t.Errorf("without types: %v", v)
	}
	robot, secret := g.machine("calc:basic")
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}, "authorization_details": {`[{"type":"file"}]`}}
	g.expect(g.post("/token", form, basic(robot, secret)), 400, "invalid_authorization_details")
}

func TestRefreshNarrowsDetails(t *testing.T) {
	g := newRig(t, takesDetails)
	id := g.publicClient()
	current := g.post("/token", redemption(id, g.code(id, "authorization_details", someFiles)))
	for _, row := range []struct{ name, asked, want string }{
		{"one object", `[{"type":"file","max_size":1,"identifier":"<b>.txt"}]`, `[{"identifier":"<b>.txt","max_size":1,"type":"file"}]`},
		{"fewer actions", `[{"type":"file","actions":["read"],"identifier":"a.txt","locations":["` + calculator + `"]}]`,
			`[{"actions":["read"],"identifier":"a.txt","locations":["` + calculator + `"],"type":"file"}]`},
		{"another file", `[{"type":"file","max_size":1,"identifier":"c.txt"}]`, ""},
		{"more actions", `[{"type":"file","actions":["read","delete"],"identifier":"a.txt","locations":["` + calculator + `"]}]`, ""},
		{"all actions, by none", `[{"type":"file","actions":[],"identifier":"a.txt","locations":["` + calculator + `"]}]`, ""},
		{"every size, by leaving it out", `[{"type":"file","identifier":"<b>.txt"}]`, ""},
		{"a larger size", `[{"type":"file","max_size":2,"identifier":"<b>.txt"}]`, ""},
		{"one object twice", `[{"type":"file","max_size":1,"identifier":"<b>.txt"},{"type":"file","max_size":1,"identifier":"<b>.txt"}]`, ""},
		{"not JSON", `[`, ""},
	} {
		a := g.post("/token", with(refreshing(id, current), "authorization_details", row.asked))
		if row.want == "" {
			g.expect(a, 400, "invalid_authorization_details")
			continue
		}
		g.expect(a, 200, "")
		if got := string(g.verified(a).Details); got != row.want {
			t.Errorf("%s: %s", row.name, got)
		}
		current = a
	}
	a := g.post("/token", refreshing(id, current)) // what was granted stays granted
	if got := string(g.verified(a).Details); !strings.Contains(got, "a.txt") || !strings.Contains(got, "<b>.txt") {
		t.Errorf("a refresh that names none: %s", got)
	}
	g.expect(g.post("/token", with(redemption(id, g.code(id)), "authorization_details", `[{"type":"file"}]`)), 400, "invalid_authorization_details")
}

func TestNarrowedDetailsAreEachWithinAnother(t *testing.T) {
	const one, two = `{"type":"file","actions":["a","b"]}`, `{"type":"file","actions":["a"]}`
	for _, row := range []struct {
		asked, granted string
		good           bool
	}{
		{"[" + two + "," + `{"type":"file","actions":["b"]}` + "]", "[" + one + "," + two + "]", true}, // whichever is asked for first
		{"[" + two + "," + two + "]", "[" + one + "," + two + "]", true},
		{"[" + two + "," + two + "]", "[" + one + "]", false},
		{"[" + one + "," + one + "]", "[" + one + "," + two + "]", false},
		{`[{"type":"file","actions":[null]}]`, `[{"type":"file","actions":["","b"]}]`, false},
		{`[{"type":"file","actions":[""]}]`, `[{"type":"file","actions":[null,"b"]}]`, false},
	} {
		if _, err := narrowedDetails(row.asked, row.granted); (err == nil) != row.good {
			t.Errorf("%s of %s: %v", row.asked, row.granted, err)
		}
	}
}

// Consent is remembered for scope, never for details.
func TestDetailsAreAskedForEveryTime(t *testing.T) {
	g := newRig(t, takesDetails)
	_, query := g.httpsClient()
	b := newBrowser(t)
	g.authorizeBy(b, query)
	if a := g.get(b, "/authorize?"+query.Encode()); a.status != 303 {
		t.Errorf("without details: %d", a.status)
	}
	for range 2 {
		asked := with(query, "authorization_details", `[{"type":"file","identifier":"a.txt"}]`)
		if a := g.get(b, "/authorize?"+asked.Encode()); a.status != 200 || !strings.Contains(a.body, "a.txt") {
			t.Errorf("got %d %s", a.status, a.body)
		}
		g.authorizeBy(b, asked)
	}
}

func TestDeviceAsksForDetails(t *testing.T) {
	g := newRig(t, takesDetails)
	id := g.television("")
	w := g.post("/device_authorization", deviceForm(id, "authorization_details", `[{"type":"file","identifier":"a.txt"}]`))
	if page := g.devicePages(newBrowser(t), w.str("user_code")); !strings.Contains(page.body, "a.txt") {
		t.Errorf("got %s", page.body)
	}
	g.answerDevice(newBrowser(t), w.str("user_code"), "allow")
	a := g.post("/token", polling(id, w))
	if got := string(g.verified(a).Details); got != `[{"identifier":"a.txt","type":"file"}]` {
		t.Errorf("got %s", a.body)
	}
	g.expect(g.post("/device_authorization", deviceForm(id, "authorization_details", `[{"type":"payment"}]`)), 400, "invalid_authorization_details")
}

// What a client writes cannot turn the page's words around.
func TestDetailsAreVisible(t *testing.T) {
	for given, want := range map[string]string{
		`"a\u202etxt.exe"`: "\"a\ufffdtxt.exe\", exactly \"a\\u202etxt.exe\"", `["a\nb","c"]`: `["a\nb", "c"]`,
		`{"a":"\u200b"}`: "{\"a\":\"\ufffd\"}, exactly {\"a\":\"\\u200b\"}", `12`: "12", `"ü ☂"`: `"ü ☂", exactly "\u00fc \u2602"`, `"😀"`: `"😀", exactly "\ud83d\ude00"`, `""`: `""`,
	} {
		if got := spoken(canonicalValue(t, given)); got != want {
			t.Errorf("%s: %q, want %q", given, got, want)
		}
	}
}

func canonicalValue(t *testing.T, text string) jsontext.Value {
	t.Helper()
	v := jsontext.Value(text)
	if err := v.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	return v
}

// Values that are two to a server are two to a person, however the page shows
// spaces and whatever signs look alike.
func TestDetailsThatDifferReadDifferently(t *testing.T) {
	seen := map[string]string{}
	for _, text := range []string{
		`"a, b"`, `["a, b"]`, `["a","b"]`, `["a"," b"]`, `"[\"a\", \"b\"]"`, `["a\", \"b"]`, `"a"`, `["a"]`, `"\"a\""`,
		`12`, `"12"`, `true`, `"true"`, `null`, `"null"`, `""`, `[]`, `[""]`, `{}`, `"{}"`, `" "`, `"  "`, `"a b"`, `"a  b"`, `"a   b"`, `"a\u00a0b"`, `"a\tb"`, `"a\\tb"`, `"a\u0009 b"`,
		`"\u200b"`, `"\u200c"`, `"\u2028"`, `"\ufffd"`, `"\\u200b"`, `"\ufeffa"`, `"a\u202eb"`, `"a\u202db"`, `"U+202E"`,
		`"\u00e9"`, `"e\u0301"`, `"\u212b"`, `"\u00c5"`, `"p\u0430y"`, `"pay"`, `"\uff50ay"`, `"\u00e9, exactly \"e\""`, `"\ud83d\ude00"`, `"\ud83d\ude01"`,
	} {
		// A page shows a run of spaces as one, and this test every sign that is not ASCII as one.
		shown := strings.Join(strings.Fields(strings.Map(func(r rune) rune {
			if r > 0x7e {
				return '?'
			}
			return r
		}, spoken(canonicalValue(t, text)))), " ")
		if other, ok := seen[shown]; ok {
			t.Errorf("%s and %s both read %s", other, text, shown)
		}
		seen[shown] = text
	}
	g := newRig(t, takesDetails)
	here, nowhere := g.s.inWords(`[{"type":"file","locations":["`+calculator+`"]}]`), g.s.inWords(`[{"type":"file"}]`)
	if len(here[0].Fields) != 1 || len(nowhere[0].Fields) != 0 {
		t.Errorf("locations: %v, %v", here, nowhere)
	}
}

func TestDetailTypesAreChecked(t *testing.T) {
	g := newRig(t)
	for name, types := range map[string][]DetailType{
		"no type": {{Description: "x"}}, "no words": {{Type: "x"}}, "twice": {{Type: "x", Description: "x"}, {Type: "x", Description: "x"}},
		"type as a field": {{Type: "x", Description: "x", Fields: []string{"type"}}},
	} {
		if _, err := g.reopen(func(c *Config) { c.DetailTypes = types }); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestBrowserShowsDetails(t *testing.T) {
	g := newRig(t, takesDetails)
	c := startChromium(t)
	c.open(g.url + "/authorize?" + with(authorization(g.publicClient()), "authorization_details", someFiles).Encode())
	c.signIn()
	c.until(`document.readyState == "complete" && document.body.innerText.includes("<b>.txt")`)
	c.keep("consent-details")
	c.fits()
}

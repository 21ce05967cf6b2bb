package token

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
)

const (
	issuer   = "https://auth.example.com"
	resource = "https://mcp.example.com/calculator/mcp"
	jkt      = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
)

var now = time.Unix(1_800_000_000, 0)

func newKey(tb testing.TB, alg jose.Algorithm) jose.PrivateKey {
	tb.Helper()
	key, err := jose.GenerateKey(alg)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func rules(tb testing.TB, profile Profile, leeway time.Duration) Rules {
	tb.Helper()
	r, err := NewRules(issuer, []string{"http://127.0.0.1:8080/mcp", resource}, profile, leeway)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func sign(tb testing.TB, key jose.PrivateKey, typ, payload string) string {
	tb.Helper()
	raw, err := key.Sign(typ, []byte(payload))
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func verify(raw string, r Rules, keys ...jose.PublicKey) (Access, error) {
	u, err := Parse(raw)
	if err != nil {
		return Access{}, err
	}
	return u.Verify(now, r, jose.NewKeySet(keys...))
}

func reason(err error) Reason {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.Reason
	}
	return Reason(fmt.Sprint(err))
}

// sound is a token that everything about is right; rows change one thing.
var sound = []string{
	`"iss":"` + issuer + `"`, `"sub":"alice"`, `"aud":"` + resource + `"`, `"client_id":"c1"`,
	`"jti":"j1"`, `"iat":1799999990`, `"exp":1800000300`,
}

// with replaces the members of sound that have the same name, or adds.
func with(members ...string) string {
	out := slices.Clone(sound)
	for _, m := range members {
		name, _, _ := strings.Cut(m, ":")
		out = slices.DeleteFunc(out, func(o string) bool { return strings.HasPrefix(o, name+":") })
		out = append(out, m)
	}
	return "{" + strings.Join(out, ",") + "}"
}

func without(name string) string {
	out := slices.DeleteFunc(slices.Clone(sound), func(o string) bool { return strings.HasPrefix(o, `"`+name+`":`) })
	return "{" + strings.Join(out, ",") + "}"
}

func TestVerify(t *testing.T) {
	key := newKey(t, jose.ES256)
	const ok Reason = "<nil>"
	for _, row := range []struct {
		name, payload string
		foreign, own  Reason // under profile jwt, under profile rfc9068
	}{
		{"everything", with(), ok, ok},
		{"aud as an array", with(`"aud":["x","` + resource + `"]`), ok, ok},
		{"the other audience", with(`"aud":"http://127.0.0.1:8080/mcp"`), ok, ok},
		{"no jti", without("jti"), ok, ok},
		{"no client_id", without("client_id"), ok, ok},
		{"no iat", without("iat"), ok, MissingClaim},
		{"no iss", without("iss"), MissingClaim, MissingClaim},
		{"no sub", without("sub"), MissingClaim, MissingClaim},
		{"sub empty", with(`"sub":""`), MissingClaim, MissingClaim},
		{"no aud", without("aud"), MissingClaim, MissingClaim},
		{"aud empty", with(`"aud":[]`), MissingClaim, MissingClaim},
		{"no exp", without("exp"), MissingClaim, MissingClaim},
		{"nothing", `{}`, MissingClaim, MissingClaim},
		{"issuer with a slash", with(`"iss":"` + issuer + `/"`), WrongIssuer, WrongIssuer},
		{"issuer in capitals", with(`"iss":"HTTPS://auth.example.com"`), WrongIssuer, WrongIssuer},
		{"issuer prefix", with(`"iss":"https://auth.example.com.evil.example"`), WrongIssuer, WrongIssuer},
		{"foreign audience", with(`"aud":"https://other.example"`), WrongTarget, WrongTarget},
		{"audience prefix", with(`"aud":"` + resource + `/"`), WrongTarget, WrongTarget},
		{"localhost is not 127.0.0.1", with(`"aud":"http://localhost:8080/mcp"`), WrongTarget, WrongTarget},
		{"audience empty string", with(`"aud":""`), WrongTarget, WrongTarget},
		{"expired this second", with(`"exp":1800000000`), Expired, Expired},
		{"expires next second", with(`"exp":1800000001`), ok, ok},
		{"expires in a fraction", with(`"exp":1800000000.25`), ok, ok},
		{"exp at the epoch", with(`"exp":0`), Expired, Expired},
		{"nbf this second", with(`"nbf":1800000000`), ok, ok},
		{"nbf next second", with(`"nbf":1800000001`), NotYetValid, NotYetValid},
		{"exp negative", with(`"exp":-1`), Malformed, Malformed},
		{"exp overflow", with(`"exp":9223372036854775808`), Malformed, Malformed},
		{"exp with exponent", with(`"exp":1.8e9`), Malformed, Malformed},
		{"exp string", with(`"exp":"1800000300"`), Malformed, Malformed},
		{"exp null", with(`"exp":null`), Malformed, Malformed},
		{"iat overflow", with(`"iat":18446744073709551616`), Malformed, Malformed},
		{"iss array", with(`"iss":["` + issuer + `"]`), Malformed, Malformed},
		{"sub number", with(`"sub":1`), Malformed, Malformed},
		{"sub null", with(`"sub":null`), Malformed, Malformed},
		{"aud null", with(`"aud":null`), Malformed, Malformed},
		{"aud object", with(`"aud":{}`), Malformed, Malformed},
		{"aud of numbers", with(`"aud":[1]`), Malformed, Malformed},
		{"aud with null", with(`"aud":["` + resource + `",null]`), Malformed, Malformed},
		{"duplicate claim", strings.Replace(with(), "{", `{"sub":"root",`, 1), Malformed, Malformed},
		{"duplicate in cnf", with(`"cnf":{"jkt":"` + jkt + `","jkt":"` + jkt + `"}`), Malformed, Malformed},
		{"claim in capitals", strings.Replace(with(), `"sub"`, `"SUB"`, 1), MissingClaim, MissingClaim},
		{"payload array", "[" + with() + "]", Malformed, Malformed},
		{"payload null", "null", Malformed, Malformed},
		{"trailing data", with() + "{}", Malformed, Malformed},
		{"scope with a quote", with(`"scope":"a\"b"`), Malformed, Malformed},
		{"scope with a line break", with(`"scope":"a\nb"`), Malformed, Malformed},
		{"scope number", with(`"scope":1`), Malformed, Malformed},
		{"bound", with(`"cnf":{"jkt":"` + jkt + `"}`), ok, ok},
		{"bound and more", with(`"cnf":{"kid":"x","jkt":"` + jkt + `"}`), ok, ok},
		{"bound to a certificate", with(`"cnf":{"x5t#S256":"` + jkt + `"}`), ok, ok},
		{"bound to both", with(`"cnf":{"x5t#S256":"` + jkt + `","jkt":"` + jkt + `"}`), ok, ok},
		{"x5t#S256 malformed beside jkt", with(`"cnf":{"x5t#S256":"x","jkt":"` + jkt + `"}`), BadBinding, BadBinding},
		{"jkt malformed beside x5t#S256", with(`"cnf":{"x5t#S256":"` + jkt + `","jkt":""}`), BadBinding, BadBinding},
		{"jkt null beside x5t#S256", with(`"cnf":{"x5t#S256":"` + jkt + `","jkt":null}`), BadBinding, BadBinding},
		{"x5t#S256 null", with(`"cnf":{"x5t#S256":null}`), BadBinding, BadBinding},
		{"x5t is SHA-1", with(`"cnf":{"x5t":"` + jkt + `"}`), BadBinding, BadBinding},
		{"cnf empty", with(`"cnf":{}`), BadBinding, BadBinding},
		{"x5t#S256 not canonical", with(`"cnf":{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}`), BadBinding, BadBinding},
		{"cnf null", with(`"cnf":null`), BadBinding, BadBinding},
		{"cnf string", with(`"cnf":"` + jkt + `"`), BadBinding, BadBinding},
		{"cnf array", with(`"cnf":[{"jkt":"` + jkt + `"}]`), BadBinding, BadBinding},
		{"jkt empty", with(`"cnf":{"jkt":""}`), BadBinding, BadBinding},
		{"jkt null", with(`"cnf":{"jkt":null}`), BadBinding, BadBinding},
		{"jkt number", with(`"cnf":{"jkt":1}`), BadBinding, BadBinding},
		{"jkt array", with(`"cnf":{"jkt":["` + jkt + `"]}`), BadBinding, BadBinding},
		{"jkt short", with(`"cnf":{"jkt":"` + jkt[1:] + `"}`), BadBinding, BadBinding},
		{"jkt long", with(`"cnf":{"jkt":"A` + jkt + `"}`), BadBinding, BadBinding},
		{"jkt not canonical", with(`"cnf":{"jkt":"` + jkt[:42] + `J"}`), BadBinding, BadBinding},
		{"status list", with(`"status":{"status_list":{"idx":0,"uri":"https://a.example/1"}}`), ok, ok},
		{"status list and another", with(`"status":{"x":1,"status_list":{"idx":999999999999999999,"uri":"u","y":[]}}`), ok, ok},
		{"status null", with(`"status":null`), BadStatus, BadStatus},
		{"status string", with(`"status":"valid"`), BadStatus, BadStatus},
		{"status array", with(`"status":[{"status_list":{"idx":0,"uri":"u"}}]`), BadStatus, BadStatus},
		{"status empty", with(`"status":{}`), BadStatus, BadStatus},
		{"status of another mechanism", with(`"status":{"identifier_list":{"id":"1","uri":"u"}}`), BadStatus, BadStatus},
		{"status list null", with(`"status":{"status_list":null}`), BadStatus, BadStatus},
		{"status list empty", with(`"status":{"status_list":{}}`), BadStatus, BadStatus},
		{"status list in capitals", with(`"status":{"Status_List":{"idx":0,"uri":"u"}}`), BadStatus, BadStatus},
		{"no idx", with(`"status":{"status_list":{"uri":"u"}}`), BadStatus, BadStatus},
		{"idx null", with(`"status":{"status_list":{"idx":null,"uri":"u"}}`), BadStatus, BadStatus},
		{"idx text", with(`"status":{"status_list":{"idx":"1","uri":"u"}}`), BadStatus, BadStatus},
		{"idx negative", with(`"status":{"status_list":{"idx":-1,"uri":"u"}}`), BadStatus, BadStatus},
		{"idx with a fraction", with(`"status":{"status_list":{"idx":1.0,"uri":"u"}}`), BadStatus, BadStatus},
		{"idx with an exponent", with(`"status":{"status_list":{"idx":1e2,"uri":"u"}}`), BadStatus, BadStatus},
		{"idx beyond any list", with(`"status":{"status_list":{"idx":18446744073709551617,"uri":"u"}}`), BadStatus, BadStatus},
		{"no uri", with(`"status":{"status_list":{"idx":1}}`), BadStatus, BadStatus},
		{"uri empty", with(`"status":{"status_list":{"idx":1,"uri":""}}`), BadStatus, BadStatus},
		{"uri null", with(`"status":{"status_list":{"idx":1,"uri":null}}`), BadStatus, BadStatus},
		{"uri array", with(`"status":{"status_list":{"idx":1,"uri":["u"]}}`), BadStatus, BadStatus},
		{"idx twice", with(`"status":{"status_list":{"idx":1,"idx":2,"uri":"u"}}`), Malformed, Malformed},
		{"jkt in capitals", with(`"cnf":{"JKT":"` + jkt + `"}`), BadBinding, BadBinding},
	} {
		raw := sign(t, key, "at+jwt", row.payload)
		for profile, want := range map[Profile]Reason{JWT: row.foreign, RFC9068: row.own} {
			access, err := verify(raw, rules(t, profile, 0), key.Public())
			if reason(err) != want {
				t.Errorf("%s under %s: %v, want %s", row.name, profile, err, want)
			}
			if err != nil && !reflect.ValueOf(access).IsZero() {
				t.Errorf("%s: a token beside an error", row.name)
			}
		}
	}
}

func TestTypes(t *testing.T) {
	key := newKey(t, jose.ES256)
	for typ, want := range map[string]struct{ foreign, own bool }{
		"at+jwt":                     {true, true},
		"application/at+jwt":         {true, true},
		"AT+JWT":                     {true, true},
		"JWT":                        {true, false},
		"jwt":                        {true, false},
		"":                           {true, false},
		"dpop+jwt":                   {false, false},
		"logout+jwt":                 {false, false},
		"token-introspection+jwt":    {false, false},
		"at+jwt ":                    {false, false},
		"application/application/at": {false, false},
	} {
		raw := sign(t, key, typ, with())
		_, foreign := verify(raw, rules(t, JWT, 0), key.Public())
		_, own := verify(raw, rules(t, RFC9068, 0), key.Public())
		if (foreign == nil) != want.foreign || (own == nil) != want.own {
			t.Errorf("typ %q: jwt %v, rfc9068 %v", typ, foreign, own)
		}
		for _, err := range []error{foreign, own} {
			if err != nil && reason(err) != WrongType {
				t.Errorf("typ %q: %v, want %s", typ, err, WrongType)
			}
		}
	}
}

// The first thing that is wrong, in the order of the doc comment, names the reason.
func TestOrder(t *testing.T) {
	key, other := newKey(t, jose.ES256), newKey(t, jose.ES256)
	unnamed, err := other.SignWithKey("at+jwt", []byte(with()))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, raw string
		want      Reason
	}{
		{"type before key", sign(t, other, "x", with(`"iss":"x"`)), WrongType},
		{"key before issuer", sign(t, other, "at+jwt", with(`"iss":"x"`)), UnknownKey},
		{"the key in the header is not asked", unnamed, BadSignature},
		{"issuer before audience", sign(t, key, "at+jwt", with(`"iss":"x"`, `"aud":"x"`)), WrongIssuer},
		{"audience before time", sign(t, key, "at+jwt", with(`"aud":"x"`, `"exp":1`)), WrongTarget},
		{"time before subject", sign(t, key, "at+jwt", with(`"exp":1`, `"sub":""`)), Expired},
		{"subject before binding", sign(t, key, "at+jwt", with(`"sub":""`, `"cnf":{}`)), MissingClaim},
		{"payload of another", graft(sign(t, key, "at+jwt", with()), sign(t, key, "at+jwt", with(`"sub":"root"`))), BadSignature},
		{"a megabyte of dots", strings.Repeat(".", 1<<20), Malformed},
		{"over 16 KiB", sign(t, key, "at+jwt", with(`"pad":"`+strings.Repeat("x", 16<<10)+`"`)), Malformed},
		{"alg none", "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.", Malformed},
		{"alg none, signed", "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.AAAA", BadSignature},
		{"empty", "", Malformed},
	} {
		if _, err := verify(row.raw, rules(t, RFC9068, 0), key.Public()); reason(err) != row.want {
			t.Errorf("%s: %v, want %s", row.name, err, row.want)
		}
	}
	if _, err := verify(sign(t, key, "at+jwt", with()), Rules{}, key.Public()); reason(err) != WrongIssuer {
		t.Errorf("zero rules: %v", err)
	}
}

// graft puts the payload of one token between the header and signature of another.
func graft(raw, from string) string {
	parts := strings.Split(raw, ".")
	parts[1] = strings.Split(from, ".")[1]
	return strings.Join(parts, ".")
}

func TestLeeway(t *testing.T) {
	key := newKey(t, jose.ES256)
	r := rules(t, RFC9068, 30*time.Second)
	for payload, want := range map[string]Reason{
		with(`"exp":1799999971`): "<nil>",
		with(`"exp":1799999970`): Expired,
		with(`"nbf":1800000030`): "<nil>",
		with(`"nbf":1800000031`): NotYetValid,
	} {
		if _, err := verify(sign(t, key, "at+jwt", payload), r, key.Public()); reason(err) != want {
			t.Errorf("%s: %v, want %s", payload, err, want)
		}
	}
}

func TestRulesAreNeverEmpty(t *testing.T) {
	one := []string{resource}
	for name, build := range map[string]func() (Rules, error){
		"no issuer":         func() (Rules, error) { return NewRules("", one, JWT, 0) },
		"no audience":       func() (Rules, error) { return NewRules(issuer, nil, JWT, 0) },
		"empty audience":    func() (Rules, error) { return NewRules(issuer, []string{resource, ""}, JWT, 0) },
		"no profile":        func() (Rules, error) { return NewRules(issuer, one, "", 0) },
		"negative leeway":   func() (Rules, error) { return NewRules(issuer, one, JWT, -1) },
		"leeway over 5 min": func() (Rules, error) { return NewRules(issuer, one, JWT, 5*time.Minute+1) },
	} {
		if r, err := build(); err == nil || r.issuer != "" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestClaimForms(t *testing.T) {
	key := newKey(t, jose.RS256)
	for _, row := range []struct {
		name, payload string
		got           func(Claims) any
		want          any
	}{
		{"scope string", with(`"scope":"a b a  c"`), scope, []string{"a", "b", "c"}},
		{"scope array", with(`"scope":["a","b c","a"]`), scope, []string{"a", "b", "c"}},
		{"scp string", with(`"scp":"a b"`), scope, []string{"a", "b"}},
		{"scp array", with(`"scp":["a","b"]`), scope, []string{"a", "b"}},
		{"scope before scp", with(`"scope":"a"`, `"scp":"b"`), scope, []string{"a"}},
		{"empty scope hides scp", with(`"scope":""`, `"scp":"b"`), scope, []string(nil)},
		{"no scope", with(), scope, []string(nil)},
		{"client_id before azp", with(`"azp":"c2"`), client, "c1"},
		{"azp", strings.Replace(without("client_id"), "{", `{"azp":"c2",`, 1), client, "c2"},
		{"amr array", with(`"amr":["pwd","otp"]`), func(c Claims) any { return c.AMR }, []string{"pwd", "otp"}},
		{"amr string", with(`"amr":"pwd"`), func(c Claims) any { return c.AMR }, []string{"pwd"}},
		{"auth_time", with(`"auth_time":1799990000`), func(c Claims) any { return c.AuthTime.Unix() }, int64(1799990000)},
		{"bound", with(`"cnf":{"jkt":"` + jkt + `"}`), func(c Claims) any { return c.Thumbprint }, jkt},
		{"unbound", with(), func(c Claims) any { return c.Thumbprint + c.Certificate }, ""},
		{"bound to a certificate", with(`"cnf":{"x5t#S256":"` + jkt + `"}`), func(c Claims) any { return c.Certificate }, jkt},
	} {
		access, err := verify(sign(t, key, "JWT", row.payload), rules(t, JWT, 0), key.Public())
		if err != nil || !reflect.DeepEqual(row.got(access.Claims()), row.want) {
			t.Errorf("%s: %v, %v, want %v", row.name, row.got(access.Claims()), err, row.want)
		}
	}
}

func scope(c Claims) any  { return c.Scope }
func client(c Claims) any { return c.ClientID }

func full() Claims {
	return Claims{
		Issuer: issuer, Subject: "alice", Audience: []string{resource}, ClientID: "c1", ID: "j1",
		Scope: []string{"a", "b"}, IssuedAt: now, NotBefore: now, Expiry: now.Add(time.Minute),
		AuthTime: now.Add(-time.Hour), ACR: "mfa", AMR: []string{"otp"}, Thumbprint: jkt,
		Status: Status{URI: issuer + "/status/0", Index: 7},
	}
}

func TestSignedTokensVerify(t *testing.T) {
	several := full()
	several.Audience = []string{resource, "https://second.example"}
	several.Status.Index = 0
	for _, want := range []Claims{full(), several} {
		key := newKey(t, jose.ES256)
		raw, err := Sign(key, want)
		if err != nil {
			t.Fatal(err)
		}
		u, err := Parse(raw)
		if err != nil || u.Issuer() != issuer {
			t.Fatalf("issuer %q, %v", u.Issuer(), err)
		}
		access, err := u.Verify(now, rules(t, RFC9068, 0), jose.NewKeySet(key.Public()))
		if err != nil || !reflect.DeepEqual(access.Claims(), want) {
			t.Errorf("%+v became %+v, %v", want, access.Claims(), err)
		}
	}
}

func TestSignRefusals(t *testing.T) {
	key := newKey(t, jose.ES256)
	for name, spoil := range map[string]func(*Claims){
		"iss":             func(c *Claims) { c.Issuer = "" },
		"sub":             func(c *Claims) { c.Subject = "" },
		"aud":             func(c *Claims) { c.Audience = nil },
		"aud empty":       func(c *Claims) { c.Audience = []string{""} },
		"client_id":       func(c *Claims) { c.ClientID = "" },
		"jti":             func(c *Claims) { c.ID = "" },
		"iat":             func(c *Claims) { c.IssuedAt = time.Time{} },
		"exp":             func(c *Claims) { c.Expiry = time.Time{} },
		"exp at iat":      func(c *Claims) { c.Expiry = c.IssuedAt },
		"exp too far":     func(c *Claims) { c.Expiry = time.Unix(253402300800, 0) },
		"two scopes":      func(c *Claims) { c.Scope = []string{"a b"} },
		"empty scope":     func(c *Claims) { c.Scope = []string{""} },
		"thumbprint":      func(c *Claims) { c.Thumbprint = "x" },
		"idx without uri": func(c *Claims) { c.Status.URI = "" },
		"idx too large":   func(c *Claims) { c.Status.Index = maxIndex + 1 },
		"uri not UTF-8":   func(c *Claims) { c.Status.URI = "\xff" },
		"sub not UTF-8":   func(c *Claims) { c.Subject = "\xff" },
		"scope not ASCII": func(c *Claims) { c.Scope = []string{"é"} },
	} {
		c := full()
		spoil(&c)
		if raw, err := Sign(key, c); err == nil || raw != "" {
			t.Errorf("%s: signed %q, %v", name, raw, err)
		}
	}
	if raw, err := Sign(jose.PrivateKey{}, full()); err == nil || raw != "" {
		t.Errorf("signed without a key: %q", raw)
	}
}

func FuzzToken(f *testing.F) {
	key := newKey(f, jose.EdDSA)
	keys := jose.NewKeySet(key.Public())
	anyone, err := NewRules(issuer, []string{resource}, JWT, 0)
	if err != nil {
		f.Fatal(err)
	}
	for _, payload := range []string{with(), without("jti"), with(`"cnf":{"jkt":"` + jkt + `"}`), with(`"cnf":{}`), with(`"scope":["a","b c"]`), with(`"exp":1800000300.5`), `{}`, `null`} {
		f.Add("at+jwt", payload)
	}
	f.Fuzz(func(t *testing.T, typ, payload string) {
		raw, err := key.Sign(typ, []byte(payload))
		if err != nil {
			return // typ is not UTF-8
		}
		u, err := Parse(raw)
		if err != nil {
			if !reflect.ValueOf(u).IsZero() {
				t.Fatal("a token beside an error")
			}
			return
		}
		access, err := u.Verify(now, anyone, keys)
		if err != nil {
			if !reflect.ValueOf(access).IsZero() {
				t.Fatal("access beside an error")
			}
			return
		}
		again(t, key, keys, anyone, access.Claims())
	})
}

// again signs what was accepted, completed to what RFC 9068 asks of a signer, and wants it back.
func again(t *testing.T, key jose.PrivateKey, keys jose.KeySet, r Rules, c Claims) {
	c.ClientID, c.ID = "c", "j"
	c.IssuedAt, c.Expiry = now, now.Add(time.Minute)
	c.NotBefore, c.AuthTime = time.Time{}, time.Time{}
	if slices.Contains(c.Audience, "") {
		return
	}
	raw, err := Sign(key, c)
	if err != nil {
		t.Fatalf("%+v was accepted and cannot be signed: %v", c, err)
	}
	if len(raw) > maxLength {
		return
	}
	u, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	access, err := u.Verify(now, r, keys)
	if err != nil || !reflect.DeepEqual(normal(access.Claims()), normal(c)) {
		t.Fatalf("%+v became %+v, %v", c, access.Claims(), err)
	}
}

// normal makes absent and empty lists equal.
func normal(c Claims) Claims {
	c.AMR = slices.Clip(append([]string{}, c.AMR...))
	return c
}

func BenchmarkVerify(b *testing.B) {
	key := newKey(b, jose.ES256)
	raw, err := Sign(key, full())
	if err != nil {
		b.Fatal(err)
	}
	r, keys := rules(b, RFC9068, 0), jose.NewKeySet(key.Public())
	b.ReportAllocs()
	for b.Loop() {
		u, err := Parse(raw)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := u.Verify(now, r, keys); err != nil {
			b.Fatal(err)
		}
	}
}

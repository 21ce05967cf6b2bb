package dpop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
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
	endpoint = "https://mcp.example.com/calculator/mcp"
	access   = "the.access.token"
)

var (
	now    = time.Unix(1_800_000_000, 999_999_999)
	window = Window{Past: 5 * time.Minute, Future: 5 * time.Minute}
)

func reason(err error) Reason {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.Reason
	}
	return ""
}

func mustTarget(tb testing.TB, uri string) Target {
	tb.Helper()
	target, err := ParseTarget(uri)
	if err != nil {
		tb.Fatal(err)
	}
	return target
}

func newKey(tb testing.TB, alg jose.Algorithm) jose.PrivateKey {
	tb.Helper()
	key, err := jose.GenerateKey(alg)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// forger signs any header and payload with P-256, so that only what a row
// spoils is wrong with a proof.
type forger struct {
	tb  testing.TB
	key *ecdsa.PrivateKey
}

func newForger(tb testing.TB) forger {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return forger{tb, key}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (f forger) jwk() string {
	point, err := f.key.PublicKey.Bytes()
	if err != nil {
		f.tb.Fatal(err)
	}
	return fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, encode(point[1:33]), encode(point[33:]))
}

func (f forger) sign(header, payload string) string {
	signed := encode([]byte(header)) + "." + encode([]byte(payload))
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, f.key, digest[:])
	if err != nil {
		f.tb.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + encode(signature)
}

func (f forger) header() string { return `{"typ":"dpop+jwt","alg":"ES256","jwk":` + f.jwk() + `}` }

// claimsWith replaces the members of a sound payload that have the same name,
// or adds; a value "-" takes the member out.
func claimsWith(members ...string) string {
	out := []string{
		`"jti":"j1"`, `"htm":"POST"`, `"htu":"` + endpoint + `"`, `"iat":1800000000`, `"ath":"` + tokenHash(access) + `"`,
	}
	for _, m := range members {
		name, value, _ := strings.Cut(m, ":")
		out = slices.DeleteFunc(out, func(o string) bool { return strings.HasPrefix(o, name+":") })
		if value != "-" {
			out = append(out, m)
		}
	}
	return "{" + strings.Join(out, ",") + "}"
}

func TestClaims(t *testing.T) {
	f := newForger(t)
	want := AtResource("POST", mustTarget(t, endpoint), access, window)
	for _, row := range []struct {
		name, payload string
		want          Reason
	}{
		{"sound", claimsWith(), ""},
		{"unknown claims", claimsWith(`"aud":1`, `"exp":"never"`), ""},
		{"no jti", claimsWith(`"jti":-`), MissingClaim},
		{"jti empty", claimsWith(`"jti":""`), MissingClaim},
		{"jti of 256 bytes", claimsWith(`"jti":"` + strings.Repeat("j", 256) + `"`), ""},
		{"jti of 257 bytes", claimsWith(`"jti":"` + strings.Repeat("j", 257) + `"`), Malformed},
		{"jti number", claimsWith(`"jti":1`), Malformed},
		{"jti null", claimsWith(`"jti":null`), Malformed},
		{"jti twice", strings.Replace(claimsWith(), "{", `{"jti":"j0",`, 1), Malformed},
		{"no htm", claimsWith(`"htm":-`), MissingClaim},
		{"htm lower case", claimsWith(`"htm":"post"`), WrongMethod},
		{"htm of another", claimsWith(`"htm":"GET"`), WrongMethod},
		{"htm with space", claimsWith(`"htm":"POST "`), WrongMethod},
		{"no htu", claimsWith(`"htu":-`), MissingClaim},
		{"htu array", claimsWith(`"htu":["` + endpoint + `"]`), Malformed},
		{"no iat", claimsWith(`"iat":-`), MissingClaim},
		{"iat oldest", claimsWith(`"iat":1799999700`), ""},
		{"iat too old", claimsWith(`"iat":1799999699`), TooOld},
		{"iat newest", claimsWith(`"iat":1800000300`), ""},
		{"iat in future", claimsWith(`"iat":1800000301`), InFuture},
		{"iat zero", claimsWith(`"iat":0`), TooOld},
		{"iat fraction", claimsWith(`"iat":1800000000.0`), Malformed},
		{"iat exponent", claimsWith(`"iat":18e8`), Malformed},
		{"iat negative", claimsWith(`"iat":-1800000000`), Malformed},
		{"iat minus zero", claimsWith(`"iat":-0`), Malformed},
		{"iat overflows int64", claimsWith(`"iat":9223372036854775808`), Malformed},
		{"iat wraps to now", claimsWith(`"iat":18446744075509551616`), Malformed},
		{"iat largest int64", claimsWith(`"iat":9223372036854775807`), Malformed},
		{"iat milliseconds", claimsWith(`"iat":1800000000000`), Malformed},
		{"iat string", claimsWith(`"iat":"1800000000"`), Malformed},
		{"iat null", claimsWith(`"iat":null`), Malformed},
		{"no ath", claimsWith(`"ath":-`), MissingClaim},
		{"ath of another token", claimsWith(`"ath":"` + tokenHash("another") + `"`), WrongToken},
		{"ath of nothing", claimsWith(`"ath":"` + tokenHash("") + `"`), WrongToken},
		{"ath with padding", claimsWith(`"ath":"` + tokenHash(access) + `="`), WrongToken},
		{"ath is the token", claimsWith(`"ath":"` + access + `"`), WrongToken},
		{"nonce number", claimsWith(`"nonce":1`), Malformed},
		{"payload array", "[]", Malformed},
		{"payload null", "null", Malformed},
		{"trailing data", claimsWith() + "{}", Malformed},
		{"names in capitals", strings.ToUpper(claimsWith()), MissingClaim},
		{"method before target", claimsWith(`"htm":"GET"`, `"htu":"x"`), WrongMethod},
		{"target before time", claimsWith(`"htu":"x"`, `"iat":1`), WrongTarget},
		{"time before token", claimsWith(`"iat":1`, `"ath":"x"`), TooOld},
	} {
		proof, err := Verify(now, []string{f.sign(f.header(), row.payload)}, want)
		if reason(err) != row.want || (err == nil) != (row.want == "") {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
		if err != nil && !reflect.ValueOf(proof).IsZero() {
			t.Errorf("%s: a proof beside an error", row.name)
		}
	}
}

func TestHeaders(t *testing.T) {
	f, other := newForger(t), newForger(t)
	want := AtResource("POST", mustTarget(t, endpoint), access, window)
	p384, err := newKey(t, jose.ES384).SignWithKey("dpop+jwt", []byte(claimsWith()))
	if err != nil {
		t.Fatal(err)
	}
	p384JWK := string(newKey(t, jose.ES384).Public().JWK())
	rsa, err := newKey(t, jose.RS256).SignWithKey("dpop+jwt", []byte(claimsWith()))
	if err != nil {
		t.Fatal(err)
	}
	header := func(typ, alg, jwk string) string { return f.sign(`{`+typ+alg+`"jwk":`+jwk+`}`, claimsWith()) }
	const typ, alg = `"typ":"dpop+jwt",`, `"alg":"ES256",`
	secret := strings.Replace(f.jwk(), "{", `{"d":"AA",`, 1)
	x := f.jwk()[strings.Index(f.jwk(), `"x"`):strings.Index(f.jwk(), `,"y"`)]
	for _, row := range []struct {
		name    string
		headers []string
		want    Reason
	}{
		{"ES384", []string{p384}, ""},
		{"kid, x5c, jku are ignored", []string{header(typ+`"kid":"x","x5c":["x"],"jku":"https://evil.example",`, alg, f.jwk())}, ""},
		{"none", nil, Missing},
		{"two", []string{p384, p384}, Several},
		{"two, one empty", []string{p384, ""}, Several},
		{"folded", []string{p384 + "," + p384}, Several},
		{"folded with space", []string{p384 + ", " + p384}, Several},
		{"trailing comma", []string{p384 + ","}, Several},
		{"empty", []string{""}, Malformed},
		{"a megabyte of dots", []string{strings.Repeat(".", 1<<20)}, Malformed},
		{"over 8 KiB", []string{f.sign(f.header(), claimsWith(`"pad":"`+strings.Repeat("x", 8<<10)+`"`))}, Malformed},
		{"no typ", []string{header("", alg, f.jwk())}, WrongType},
		{"typ JWT", []string{header(`"typ":"JWT",`, alg, f.jwk())}, WrongType},
		{"typ at+jwt", []string{header(`"typ":"at+jwt",`, alg, f.jwk())}, WrongType},
		{"typ in capitals", []string{header(`"typ":"DPOP+JWT",`, alg, f.jwk())}, WrongType},
		{"typ application/", []string{header(`"typ":"application/dpop+jwt",`, alg, f.jwk())}, WrongType},
		{"no alg", []string{header(typ, "", f.jwk())}, Malformed},
		{"alg none", []string{header(typ, `"alg":"none",`, f.jwk())}, BadAlgorithm},
		{"alg HS256", []string{header(typ, `"alg":"HS256",`, f.jwk())}, BadAlgorithm},
		{"alg of another key", []string{header(typ, `"alg":"EdDSA",`, f.jwk())}, BadAlgorithm},
		{"RS256", []string{rsa}, BadAlgorithm},
		{"P-384 key with ES256", []string{header(typ, alg, p384JWK)}, BadAlgorithm},
		{"no jwk", []string{f.sign(`{`+typ+`"alg":"ES256"}`, claimsWith())}, BadKey},
		{"jwk null", []string{header(typ, alg, "null")}, BadKey},
		{"jwk string", []string{header(typ, alg, `"x"`)}, BadKey},
		{"jwk with d", []string{header(typ, alg, secret)}, BadKey},
		{"jwk symmetric", []string{header(typ, alg, `{"kty":"oct","k":"AA"}`)}, BadKey},
		{"jwk off the curve", []string{header(typ, alg, strings.Replace(f.jwk(), x, `"x":"`+encode(make([]byte, 32))+`"`, 1))}, BadKey},
		{"jwk member twice", []string{header(typ, alg, strings.Replace(f.jwk(), "{", "{"+x+",", 1))}, Malformed},
		{"crit", []string{header(typ+`"crit":["exp"],`, alg, f.jwk())}, Malformed},
		{"another's jwk", []string{header(typ, alg, other.jwk())}, BadSignature},
		{"claims before type", []string{f.sign(`{"alg":"ES256"}`, `{}`)}, MissingClaim},
		{"signature before method", []string{f.sign(`{`+typ+alg+`"jwk":`+other.jwk()+`}`, claimsWith(`"htm":"GET"`))}, BadSignature},
	} {
		proof, err := Verify(now, row.headers, want)
		if reason(err) != row.want || (err == nil) != (row.want == "") {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
		if err != nil && !reflect.ValueOf(proof).IsZero() {
			t.Errorf("%s: a proof beside an error", row.name)
		}
	}
}

// Nothing meets a demand that is empty where it must not be.
func TestEmptyDemands(t *testing.T) {
	f := newForger(t)
	proof := []string{f.sign(f.header(), claimsWith())}
	forNothing := []string{f.sign(f.header(), claimsWith(`"ath":"`+tokenHash("")+`"`))}
	target := mustTarget(t, endpoint)
	for name, row := range map[string]struct {
		headers []string
		want    Want
		reason  Reason
	}{
		"zero":      {proof, Want{}, WrongMethod},
		"no method": {proof, AtResource("", target, access, window), WrongMethod},
		"no target": {proof, AtResource("POST", Target{}, access, window), WrongTarget},
		"no token":  {forNothing, AtResource("POST", target, "", window), WrongToken},
	} {
		if _, err := Verify(now, row.headers, row.want); reason(err) != row.reason {
			t.Errorf("%s: %v, want %s", name, err, row.reason)
		}
	}
	if _, err := Verify(now, proof, AtEndpoint("POST", target, window)); err != nil {
		t.Errorf("ath at an endpoint is ignored, not: %v", err)
	}
}

func TestMadeProofsVerify(t *testing.T) {
	target := mustTarget(t, endpoint)
	for _, alg := range Algorithms() {
		key := newKey(t, jose.Algorithm(alg))
		raw, err := Make(key, now, "POST", target, access, "n1")
		if err != nil {
			t.Fatal(err)
		}
		proof, err := Verify(now, []string{raw}, AtResource("POST", target, access, window))
		if err != nil {
			t.Errorf("%s: %v", alg, err)
			continue
		}
		if !proof.BoundTo(key.Public().Thumbprint()) || proof.BoundTo("") || proof.BoundTo("x") {
			t.Errorf("%s: bound to %q", alg, proof.Thumbprint())
		}
		if proof.Nonce() != "n1" || proof.IssuedAt().Unix() != now.Unix() {
			t.Errorf("%s: nonce %q, iat %v", alg, proof.Nonce(), proof.IssuedAt())
		}
		last := proof.Expiry().Add(-1)
		if _, err := Verify(last, []string{raw}, AtResource("POST", target, access, window)); err != nil {
			t.Errorf("%s: just before its expiry: %v", alg, err)
		}
		if _, err := Verify(proof.Expiry(), []string{raw}, AtResource("POST", target, access, window)); reason(err) != TooOld {
			t.Errorf("%s: at its expiry: %v", alg, err)
		}
	}
}

func TestMakeRefusals(t *testing.T) {
	key, target := newKey(t, jose.ES256), mustTarget(t, endpoint)
	for name, make := range map[string]func() (string, error){
		"RS256":     func() (string, error) { return Make(newKey(t, jose.RS256), now, "POST", target, "", "") },
		"no key":    func() (string, error) { return Make(jose.PrivateKey{}, now, "POST", target, "", "") },
		"no method": func() (string, error) { return Make(key, now, "", target, "", "") },
		"no target": func() (string, error) { return Make(key, now, "POST", Target{}, "", "") },
		"nonce":     func() (string, error) { return Make(key, now, "POST", target, "", "\xff") },
	} {
		if proof, err := make(); err == nil || proof != "" {
			t.Errorf("%s: %q, %v", name, proof, err)
		}
	}
}

// The replay key is the same for the same key, target and jti, however the
// target is spelled, and different when any of them is.
func TestReplayKey(t *testing.T) {
	f, other := newForger(t), newForger(t)
	key := func(f forger, uri, id string) [32]byte {
		want := AtEndpoint("POST", mustTarget(t, uri), window)
		raw := f.sign(f.header(), claimsWith(`"htu":"`+uri+`"`, `"jti":"`+id+`"`))
		proof, err := Verify(now, []string{raw}, want)
		if err != nil {
			t.Fatal(err)
		}
		return proof.ReplayKey()
	}
	first := key(f, endpoint, "j1")
	if key(f, strings.Replace(endpoint, ".com", ".COM:443", 1)+"?q", "j1") != first {
		t.Error("another spelling of the target is another key")
	}
	for name, another := range map[string][32]byte{
		"jti":          key(f, endpoint, "j2"),
		"target":       key(f, endpoint+"/", "j1"),
		"key":          key(other, endpoint, "j1"),
		"moved border": key(f, endpoint+"j", "1"),
	} {
		if another == first {
			t.Errorf("another %s, the same replay key", name)
		}
	}
}

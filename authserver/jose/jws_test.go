package jose

import (
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func mustParse(tb testing.TB, compact string) Unverified {
	tb.Helper()
	u, err := Parse(compact, 64<<10)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

// RFC 8037 appendix A.4
func TestPublishedSignature(t *testing.T) {
	const compact = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	key, err := ParsePublicKey([]byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`))
	if err != nil {
		t.Fatal(err)
	}
	u := mustParse(t, compact)
	if err := u.VerifyWith(key); err != nil || string(u.Payload) != "Example of Ed25519 signing" {
		t.Errorf("%q, %v", u.Payload, err)
	}
}

func TestParseRefusals(t *testing.T) {
	head, sig := encode(`{"alg":"ES256"}`), encode("signature")
	for name, compact := range map[string]string{
		"empty":                   "",
		"one part":                head,
		"two parts":               head + "." + sig,
		"four parts":              head + ".e30." + sig + "." + sig,
		"only dots":               "..",
		"a megabyte of dots":      strings.Repeat(".", 1<<20),
		"too long":                head + "." + strings.Repeat("A", 64<<10) + "." + sig,
		"no signature":            head + ".e30.",
		"header not base64":       "{}.e30." + sig,
		"header with padding":     head + "=.e30." + sig,
		"payload with spare bits": head + ".e31." + sig,
		"payload with newline":    head + ".e3\n0." + sig,
		"payload standard base64": head + ".-_+/." + sig,
		"signature carriage ret.": head + ".e30." + sig + "\r",
		"signature spare bits":    head + ".e30.AB",
		"space in front":          " " + head + ".e30." + sig,
		"header not an object":    encode(`["alg"]`) + ".e30." + sig,
		"header null":             encode(`null`) + ".e30." + sig,
		"header trailing data":    encode(`{"alg":"ES256"}{}`) + ".e30." + sig,
		"header invalid UTF-8":    encode("{\"alg\":\"ES256\",\"x\":\"\xff\"}") + ".e30." + sig,
		"no alg":                  encode(`{"typ":"JWT"}`) + ".e30." + sig,
		"alg null":                encode(`{"alg":null}`) + ".e30." + sig,
		"alg in capitals":         encode(`{"ALG":"ES256"}`) + ".e30." + sig,
		"alg twice":               encode(`{"alg":"ES256","alg":"ES256"}`) + ".e30." + sig,
		"alg twice, escaped":      encode(`{"alg":"ES256","\u0061lg":"none"}`) + ".e30." + sig,
		"kid a number":            encode(`{"alg":"ES256","kid":1}`) + ".e30." + sig,
		"duplicate inside jwk":    encode(`{"alg":"ES256","jwk":{"x":1,"x":2}}`) + ".e30." + sig,
		"crit":                    encode(`{"alg":"ES256","crit":["exp"]}`) + ".e30." + sig,
		"crit empty":              encode(`{"alg":"ES256","crit":[]}`) + ".e30." + sig,
		"crit null":               encode(`{"alg":"ES256","crit":null}`) + ".e30." + sig,
		"b64":                     encode(`{"alg":"ES256","b64":false}`) + ".e30." + sig,
		"b64 true":                encode(`{"alg":"ES256","b64":true}`) + ".e30." + sig,
	} {
		if u, err := Parse(compact, 64<<10); !errors.Is(err, ErrMalformed) || !reflect.ValueOf(u).IsZero() {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
	}
}

func TestClaimsRefusals(t *testing.T) {
	for name, payload := range map[string]string{
		"null":          `null`,
		"array":         `[]`,
		"nothing":       ``,
		"string null":   `{"s":null}`,
		"string number": `{"s":1}`,
		"duplicate":     `{"s":"a","s":"a"}`,
		"trailing":      `{"s":"a"} x`,
		"unknown twice": `{"x":1,"x":1}`,
	} {
		var c struct {
			S Text `json:"s"`
		}
		if err := (Unverified{Payload: []byte(payload)}).Claims(&c); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

// The key fixes the algorithm: every key against every header.
func TestAlgorithmTable(t *testing.T) {
	algs := []Algorithm{ES256, ES384, EdDSA, PS256, RS256}
	keys := map[Algorithm]PrivateKey{}
	for _, alg := range algs {
		keys[alg] = newKey(t, alg)
	}
	for _, alg := range algs {
		compact, err := keys[alg].Sign("t", []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		u := mustParse(t, compact)
		for _, other := range algs {
			want := ErrAlgorithm
			if alg == other {
				want = nil
			}
			if err := u.VerifyWith(keys[other].Public()); !errors.Is(err, want) {
				t.Errorf("%s with a key for %s: %v", alg, other, err)
			}
		}
		for _, claimed := range []string{"none", "HS256", "", "es256", "ES512"} {
			forged := u
			forged.Algorithm = claimed
			if err := forged.VerifyWith(keys[alg].Public()); !errors.Is(err, ErrAlgorithm) {
				t.Errorf("%s claimed as %q: %v", alg, claimed, err)
			}
			if err := forged.VerifyIn(NewKeySet(keys[alg].Public())); !errors.Is(err, ErrAlgorithm) {
				t.Errorf("%s claimed as %q in a set: %v", alg, claimed, err)
			}
		}
	}
}

// An RSA key whose JWK names no algorithm signs with either; no other does.
func TestUnnamedRSAKey(t *testing.T) {
	for _, alg := range []Algorithm{PS256, RS256} {
		key := newKey(t, alg)
		open, err := ParsePublicKey([]byte(key.Public().required))
		if err != nil {
			t.Fatal(err)
		}
		compact, err := key.Sign("t", []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		u := mustParse(t, compact)
		if err := u.VerifyWith(open); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		u.Algorithm = map[Algorithm]string{PS256: "RS256", RS256: "PS256"}[alg]
		if err := u.VerifyWith(open); !errors.Is(err, ErrSignature) {
			t.Errorf("%s read as %s: %v", alg, u.Algorithm, err)
		}
	}
}

func TestVerifyIn(t *testing.T) {
	a, b, ed := newKey(t, ES256), newKey(t, ES256), newKey(t, EdDSA)
	named, err := a.Sign("t", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	unnamed, err := a.SignWithKey("t", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	impostor := b.Public()
	impostor.kid = a.Public().ID()
	set := func(keys ...PublicKey) KeySet { return NewKeySet(keys...) }
	for _, row := range []struct {
		name, compact string
		set           KeySet
		want          error
	}{
		{"kid found", named, set(b.Public(), a.Public()), nil},
		{"kid not there", named, set(b.Public()), ErrUnknownKey},
		{"kid on another key", named, set(impostor), ErrSignature},
		{"kid on two keys", named, set(impostor, a.Public()), nil},
		{"no kid, right key last", unnamed, set(ed.Public(), b.Public(), a.Public()), nil},
		{"no kid, no such key", unnamed, set(b.Public()), ErrSignature},
		{"no kid, no key of the type", unnamed, set(ed.Public()), ErrUnknownKey},
		{"empty set", named, KeySet{}, ErrUnknownKey},
	} {
		if err := mustParse(t, row.compact).VerifyIn(row.set); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
}

// Every single-bit change of a signed text is refused, whichever part it hits.
func TestEveryBitCounts(t *testing.T) {
	key := newKey(t, EdDSA)
	compact, err := key.Sign("t", []byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	for i := range compact {
		for bit := range 8 {
			changed := []byte(compact)
			changed[i] ^= 1 << bit
			if u, err := Parse(string(changed), 64<<10); err == nil && u.VerifyWith(key.Public()) == nil {
				t.Fatalf("bit %d of character %d does not matter", bit, i)
			}
		}
	}
	for end := range len(compact) {
		if u, err := Parse(compact[:end], 64<<10); err == nil && u.VerifyWith(key.Public()) == nil {
			t.Fatalf("%d characters are enough", end)
		}
	}
}

func TestHeaders(t *testing.T) {
	key := newKey(t, ES256)
	named, err := key.Sign("a\"b", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if u := mustParse(t, named); u.Algorithm != "ES256" || u.Type != `a"b` || u.KeyID != key.Public().ID() || u.JWK != nil {
		t.Errorf("%+v", u)
	}
	embedded, err := key.SignWithKey("t", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	u := mustParse(t, embedded)
	if got, err := ParsePublicKey(u.JWK); err != nil || got.Thumbprint() != key.Public().Thumbprint() || u.KeyID != "" {
		t.Errorf("%s, %v", u.JWK, err)
	}
}

func TestNumericDate(t *testing.T) {
	for text, want := range map[string]time.Time{
		`0`:                          time.Unix(0, 0),
		`1700000000`:                 time.Unix(1700000000, 0),
		`1700000000.5`:               time.Unix(1700000000, 500_000_000),
		`1700000000.1234567891234`:   time.Unix(1700000000, 123456789),
		`253402300799`:               time.Unix(253402300799, 0),
		`-1`:                         {},
		`-0`:                         {},
		`1e9`:                        {},
		`1.7E9`:                      {},
		`1700000000.5e1`:             {},
		`253402300800`:               {},
		`9223372036854775808`:        {},
		`18446744073709551616000000`: {},
		`"1700000000"`:               {},
		`null`:                       {},
		`true`:                       {},
		`[1]`:                        {},
	} {
		var got struct{ D NumericDate }
		err := json.Unmarshal([]byte(`{"D":`+text+`}`), &got)
		if (err == nil) == want.IsZero() || !got.D.Equal(want) {
			t.Errorf("%s: %v, %v", text, got.D, err)
		}
	}
	if out, err := json.Marshal(NumericDate{time.Unix(1700000000, 9)}); err != nil || string(out) != "1700000000" {
		t.Errorf("printed %s, %v", out, err)
	}
	if out, err := json.Marshal(NumericDate{time.Unix(-1, 0)}); err == nil {
		t.Errorf("printed %s", out)
	}
}

package jose

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

type keyVector struct{ name, expect, jwk string }

func keyVectors(tb testing.TB) []keyVector {
	tb.Helper()
	files, err := filepath.Glob("testdata/jwk/*.txt")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no key vectors: %v", err)
	}
	var vectors []keyVector
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		expect, jwk, _ := strings.Cut(string(text), "\n\n")
		vectors = append(vectors, keyVector{filepath.Base(file), strings.TrimPrefix(expect, "expect: "), jwk})
	}
	return vectors
}

func TestKeyVectors(t *testing.T) {
	for _, v := range keyVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			key, err := ParsePublicKey([]byte(v.jwk))
			if v.expect != "refused" {
				if err != nil || key.Thumbprint() != v.expect {
					t.Errorf("thumbprint %q, %v; want %s", key.Thumbprint(), err, v.expect)
				}
				return
			}
			if !errors.Is(err, ErrKey) || !reflect.ValueOf(key).IsZero() {
				t.Errorf("got %v, %v; want the zero key and ErrKey", key, err)
			}
		})
	}
}

func TestKeySetPassesOverWhatItCannotUse(t *testing.T) {
	good := newKey(t, ES256).Public()
	bad := []string{`{"kty":"oct","k":"AA"}`, `{"kty":"EC","crv":"secp256k1"}`, `null`, `7`, strings.Replace(string(good.JWK()), `"sig"`, `"enc"`, 1)}
	set, err := ParseKeySet([]byte(`{"keys":[` + strings.Join(bad, ",") + "," + string(good.JWK()) + `]}`))
	if err != nil || set.Len() != 1 || !set.Has(good.ID()) || set.Has("") || set.Has("other") {
		t.Fatalf("set of %d, %v", set.Len(), err)
	}
	printed, err := json.Marshal(set)
	if err != nil || string(printed) != `{"keys":[`+string(good.JWK())+`]}` {
		t.Errorf("printed %s, %v", printed, err)
	}
	if again, err := ParseKeySet(printed); err != nil || again.Len() != 1 {
		t.Errorf("printed set reads as %d keys, %v", again.Len(), err)
	}
	if empty, err := json.Marshal(KeySet{}); err != nil || string(empty) != `{"keys":[]}` {
		t.Errorf("empty set printed %s, %v", empty, err)
	}
}

func TestKeySetRefusals(t *testing.T) {
	key := string(newKey(t, ES256).Public().JWK())
	for name, doc := range map[string]string{
		"no usable key":  `{"keys":[{"kty":"oct","k":"AA"}]}`,
		"no keys":        `{"keys":[]}`,
		"keys absent":    `{}`,
		"a bare key":     key,
		"an array":       `[` + key + `]`,
		"duplicate keys": `{"keys":[` + key + `],"keys":[` + key + `]}`,
		"65 keys":        `{"keys":[` + strings.Repeat(key+",", 64) + key + `]}`,
		"over 512 KiB":   `{"pad":"` + strings.Repeat("x", 512<<10) + `","keys":[` + key + `]}`,
		"trailing data":  `{"keys":[` + key + `]}]`,
	} {
		if set, err := ParseKeySet([]byte(doc)); !errors.Is(err, ErrKey) || set.Len() != 0 {
			t.Errorf("%s: set of %d, %v", name, set.Len(), err)
		}
	}
}

func TestPrivateKeysSurviveStorage(t *testing.T) {
	for _, alg := range []Algorithm{ES256, ES384, EdDSA, PS256, RS256} {
		t.Run(string(alg), func(t *testing.T) {
			key := newKey(t, alg)
			stored, err := ParsePrivateKey(key.SecretJWK())
			if err != nil {
				t.Fatal(err)
			}
			if key.Algorithm() != alg || key.Public().ID() != key.Public().Thumbprint() {
				t.Errorf("generated %s with kid %q", key.Algorithm(), key.Public().ID())
			}
			if string(stored.Public().JWK()) != string(key.Public().JWK()) {
				t.Errorf("%s became %s", key.Public().JWK(), stored.Public().JWK())
			}
			compact, err := stored.Sign("t", []byte("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if err := mustParse(t, compact).VerifyWith(key.Public()); err != nil {
				t.Error(err)
			}
			if _, err := ParsePublicKey(key.SecretJWK()); !errors.Is(err, ErrKey) {
				t.Errorf("the private key was taken for a public one: %v", err)
			}
		})
	}
}

func TestPrivateKeyRefusals(t *testing.T) {
	key, other := newKey(t, ES256), newKey(t, ES256)
	secret := string(key.SecretJWK())
	foreign := strings.NewReplacer(
		member(t, key.Public().JWK(), "x"), member(t, other.Public().JWK(), "x"),
		member(t, key.Public().JWK(), "y"), member(t, other.Public().JWK(), "y"))
	for name, doc := range map[string]string{
		"no alg":                  strings.Replace(secret, `"alg":"ES256",`, "", 1),
		"another alg":             strings.Replace(secret, "ES256", "ES384", 1),
		"public only":             string(key.Public().JWK()),
		"another's public half":   foreign.Replace(secret),
		"d is zero":               strings.Replace(secret, member(t, key.SecretJWK(), "d"), strings.Repeat("A", 43), 1),
		"d is too long":           strings.Replace(secret, member(t, key.SecretJWK(), "d"), strings.Repeat("B", 86), 1),
		"symmetric member too":    strings.Replace(secret, "{", `{"k":"AA",`, 1),
		"duplicate d":             strings.Replace(secret, "{", `{"d":"AA",`, 1),
		"over 16 KiB":             strings.Replace(secret, "{", `{"pad":"`+strings.Repeat("x", 16<<10)+`",`, 1),
		"symmetric":               `{"kty":"oct","k":"AA","alg":"HS256"}`,
		"nothing":                 "",
		"RSA with absent factors": `{"kty":"RSA","alg":"RS256","d":"AA"}`,
	} {
		if got, err := ParsePrivateKey([]byte(doc)); !errors.Is(err, ErrKey) || got.held != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := GenerateKey("HS256"); !errors.Is(err, ErrKey) {
		t.Errorf("a key for HS256: %v", err)
	}
}

func TestPrivateKeysDoNotPrint(t *testing.T) {
	for _, alg := range []Algorithm{ES256, EdDSA} {
		key := newKey(t, alg)
		d := member(t, key.SecretJWK(), "d")
		raw, err := appendBase64(nil, []byte(d))
		if err != nil {
			t.Fatal(err)
		}
		holder := struct{ key PrivateKey }{key}
		asJSON, err := json.Marshal(map[string]any{"k": key})
		if err != nil {
			t.Fatal(err)
		}
		printed := fmt.Sprintf("%v %+v %#v %s %d %x %v %+v %#v", key, key, key, key, key, key, holder, holder, holder) + string(asJSON) + key.LogValue().String()
		for _, secret := range []string{d, fmt.Sprintf("%x", raw), strings.Trim(fmt.Sprint(raw), "[]")} {
			if strings.Contains(printed, secret) {
				t.Errorf("%s: the secret is in %s", alg, printed)
			}
		}
	}
}

func TestZeroKeysDoNothing(t *testing.T) {
	if _, err := (PrivateKey{}).Sign("t", nil); !errors.Is(err, ErrKey) {
		t.Errorf("zero key signed: %v", err)
	}
	if (PrivateKey{}).SecretJWK() != nil || (PublicKey{}).JWK() != nil {
		t.Error("zero keys have a JWK")
	}
	compact, err := newKey(t, ES256).Sign("t", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := mustParse(t, compact).VerifyWith(PublicKey{}); !errors.Is(err, ErrKey) {
		t.Errorf("zero key verified: %v", err)
	}
	if NewKeySet(PublicKey{}).Len() != 0 {
		t.Error("a set holds the zero key")
	}
}

func FuzzJWK(f *testing.F) {
	for _, v := range keyVectors(f) {
		f.Add([]byte(v.jwk))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		key, err := ParsePublicKey(doc)
		if err != nil {
			if !reflect.ValueOf(key).IsZero() {
				t.Fatal("a key beside an error")
			}
			return
		}
		again, err := ParsePublicKey(key.JWK())
		if err != nil || again.Thumbprint() != key.Thumbprint() || string(again.JWK()) != string(key.JWK()) {
			t.Fatalf("%s printed as %s reads as %s, %v", doc, key.JWK(), again.JWK(), err)
		}
	})
}

func member(tb testing.TB, doc []byte, name string) string {
	tb.Helper()
	var members map[string]any
	if err := json.Unmarshal(doc, &members); err != nil {
		tb.Fatal(err)
	}
	value, ok := members[name].(string)
	if !ok {
		tb.Fatalf("no %s in %s", name, doc)
	}
	return value
}

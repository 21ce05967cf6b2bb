package jose

import (
	"fmt"
	"strings"
	"testing"
)

// What is remembered is what decoding again would give, for its own bytes only.
func TestRememberedHeaders(t *testing.T) {
	one, err := GenerateKey(ES256)
	if err != nil {
		t.Fatal(err)
	}
	two, err := GenerateKey(ES256)
	if err != nil {
		t.Fatal(err)
	}
	parse := func(k PrivateKey, payload string) Unverified {
		t.Helper()
		compact, err := k.SignWithKey("dpop+jwt", []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		u, err := Parse(compact, 4096)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for i := range 3 {
		for _, k := range []PrivateKey{one, two} {
			u := parse(k, fmt.Sprintf(`{"n":%d}`, i))
			key, err := u.EmbeddedKey()
			if err != nil || key.Thumbprint() != k.Public().Thumbprint() || u.Type != "dpop+jwt" || u.Algorithm != "ES256" {
				t.Fatalf("round %d: %v, %+v", i, err, u)
			}
			if seen := u.key.material != nil; seen != (i > 0) {
				t.Errorf("round %d: seen %v", i, seen)
			}
			if err := u.VerifyWith(key); err != nil {
				t.Errorf("round %d: %v", i, err)
			}
		}
	}
	// The same header does not carry another signature over.
	u, other := parse(one, `{"n":9}`), parse(two, `{"n":9}`)
	u.signature = other.signature
	if key, _ := u.EmbeddedKey(); u.VerifyWith(key) == nil {
		t.Error("a foreign signature passed")
	}
}

func TestRefusedKeysAreNotRemembered(t *testing.T) {
	refused := Unverified{JWK: []byte(`{"kty":"oct","k":"AA"}`), encoded: []byte("refused")}
	for range 2 {
		if _, err := refused.EmbeddedKey(); err == nil {
			t.Error("a symmetric key passed")
		}
	}
	if _, ok := keyedHeaders.get([]byte("refused")); ok {
		t.Error("it is remembered")
	}
}

func TestMemoIsBounded(t *testing.T) {
	var m memo
	for i := range 5 * memoEntries {
		m.put([]byte(fmt.Sprint(i)), keyedHeader{})
	}
	m.put([]byte(strings.Repeat("x", memoHeader+1)), keyedHeader{})
	if len(m.recent) > memoEntries || len(m.older) > memoEntries {
		t.Errorf("%d and %d entries", len(m.recent), len(m.older))
	}
	if _, ok := m.get([]byte(fmt.Sprint(5*memoEntries - 1))); !ok {
		t.Error("the latest is forgotten")
	}
	if _, ok := m.get([]byte("0")); ok {
		t.Error("the oldest is not forgotten")
	}
}

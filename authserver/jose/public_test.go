package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"testing"
)

// RFC 9864: what newer libraries call Ed25519 is the EdDSA of older ones.
func TestEd25519ByItsNewName(t *testing.T) {
	key, err := GenerateKey(EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	renamed, err := ParsePublicKey([]byte(strings.Replace(string(key.Public().JWK()), `"EdDSA"`, `"Ed25519"`, 1)))
	if err != nil || renamed.Thumbprint() != key.Public().Thumbprint() {
		t.Fatalf("a key by the new name: %v", err)
	}
	header := strictBase64.EncodeToString([]byte(`{"alg":"Ed25519"}`))
	signature, err := key.held.signer.Sign(rand.Reader, []byte(header+".e30"), crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	u, err := Parse(header+".e30."+strictBase64.EncodeToString(signature), 1000)
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]PublicKey{"old": key.Public(), "new": renamed} {
		if err := u.VerifyWith(k); err != nil {
			t.Errorf("a key by its %s name: %v", name, err)
		}
	}
	other, err := GenerateKey(ES256)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.VerifyWith(other.Public()); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("a key of another kind: %v", err)
	}
	if _, err := ParsePublicKey([]byte(strings.Replace(string(other.Public().JWK()), `"ES256"`, `"Ed25519"`, 1))); !errors.Is(err, ErrKey) {
		t.Errorf("another kind of key by that name: %v", err)
	}
}

func TestImportPublic(t *testing.T) {
	known, err := GenerateKey(ES256)
	if err != nil {
		t.Fatal(err)
	}
	same, err := ImportPublic(known.held.signer.Public())
	if err != nil || same.Thumbprint() != known.Public().Thumbprint() {
		t.Fatalf("%v", err)
	}
	set := NewKeySet(known.Public())
	other, err := GenerateKey(EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	if !set.Holds(same) || set.Holds(other.Public()) || set.Holds(PublicKey{}) || (KeySet{}).Holds(PublicKey{}) {
		t.Error("the set does not know its keys")
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	odd, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]any{"small RSA": small.Public(), "a curve nobody asked for": odd.Public(), "nothing": nil, "text": "x"} {
		if k, err := ImportPublic(raw); !errors.Is(err, ErrKey) || k.Thumbprint() != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVerifyInOwn(t *testing.T) {
	key, err := GenerateKey(ES256)
	if err != nil {
		t.Fatal(err)
	}
	other, err := GenerateKey(ES256)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := key.Sign("JWT", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	u, err := Parse(signed, 1000)
	if err != nil {
		t.Fatal(err)
	}
	called := func(k PrivateKey, kid string) PublicKey {
		public := k.public
		public.kid = kid
		return public
	}
	for _, row := range []struct {
		name string
		keys []PublicKey
		want error
	}{
		{"by its name", []PublicKey{called(other, ""), key.Public()}, nil},
		{"without a name", []PublicKey{called(other, ""), called(key, "")}, nil},
		{"by another name", []PublicKey{called(key, "x")}, ErrUnknownKey},
		{"another without a name", []PublicKey{called(other, "")}, ErrSignature},
		{"another by its name, itself without", []PublicKey{called(other, u.KeyID), called(key, "")}, ErrSignature},
		{"none", nil, ErrUnknownKey},
	} {
		if err := u.VerifyInOwn(NewKeySet(row.keys...)); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

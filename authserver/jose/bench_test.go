package jose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"
)

// BenchmarkBareVerify is the floor: one P-256 verification and nothing else.
func BenchmarkBareVerify(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("signed"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
			b.Fatal("does not verify")
		}
	}
}

func BenchmarkParsePublicKey(b *testing.B) {
	jwk := newKey(b, ES256).Public().JWK()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParsePublicKey(jwk); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	compact, err := newKey(b, ES256).SignWithKey("dpop+jwt", []byte(`{"jti":"1"}`))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(compact, 8<<10); err != nil {
			b.Fatal(err)
		}
	}
}

func newKey(tb testing.TB, alg Algorithm) PrivateKey {
	tb.Helper()
	key, err := GenerateKey(alg)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

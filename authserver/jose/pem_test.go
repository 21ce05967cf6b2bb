package jose

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
)

func pemText(t *testing.T, kind string, der []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func pkcs8(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pemText(t, "PRIVATE KEY", der, err)
}

func TestParsePEM(t *testing.T) {
	made := map[Algorithm]PrivateKey{}
	for _, alg := range []Algorithm{ES256, ES384, EdDSA, RS256} {
		made[alg] = newKey(t, alg)
	}
	sec1, err := x509.MarshalECPrivateKey(made[ES256].held.signer.(*ecdsa.PrivateKey))
	forms := map[string]struct {
		text []byte
		want PrivateKey
	}{
		"SEC 1 P-256":    {pemText(t, "EC PRIVATE KEY", sec1, err), made[ES256]},
		"PKCS #1":        {pemText(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(made[RS256].held.signer.(*rsa.PrivateKey)), nil), made[RS256]},
		"PKCS #8 P-256":  {pkcs8(t, made[ES256].held.signer), made[ES256]},
		"PKCS #8 P-384":  {pkcs8(t, made[ES384].held.signer), made[ES384]},
		"PKCS #8 Ed":     {pkcs8(t, made[EdDSA].held.signer), made[EdDSA]},
		"PKCS #8 RSA":    {pkcs8(t, made[RS256].held.signer), made[RS256]},
		"text around it": {append([]byte("a comment\n"), pkcs8(t, made[ES256].held.signer)...), made[ES256]},
	}
	for name, row := range forms {
		got, err := ParsePEM(row.text, RS256, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Public().Thumbprint() != row.want.Public().Thumbprint() || got.Algorithm() != row.want.Algorithm() || got.Public().ID() != got.Public().Thumbprint() {
			t.Errorf("%s: %s with %s and kid %s", name, got.Public().Thumbprint(), got.Algorithm(), got.Public().ID())
		}
		compact, err := got.Sign("t", []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if err := mustParse(t, compact).VerifyWith(row.want.Public()); err != nil {
			t.Errorf("%s: its signature: %v", name, err)
		}
	}
	named, err := ParsePEM(forms["PKCS #8 RSA"].text, PS256, "mine")
	if err != nil || named.Algorithm() != PS256 || named.Public().ID() != "mine" {
		t.Errorf("%v %v", named, err)
	}
}

func TestParsePEMRefusals(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	agreement, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := pkcs8(t, newKey(t, ES256).held.signer)
	public, err := x509.MarshalPKIXPublicKey(wide.Public())
	for name, text := range map[string][]byte{
		"nothing":     nil,
		"no PEM":      []byte("secret"),
		"a public":    pemText(t, "PUBLIC KEY", public, err),
		"encrypted":   pemText(t, "ENCRYPTED PRIVATE KEY", []byte{1}, nil),
		"cut off":     pemText(t, "PRIVATE KEY", []byte{0x30, 1}, nil),
		"RSA of 1024": pkcs8(t, small),
		"P-521":       pkcs8(t, wide),
		"X25519":      pkcs8(t, agreement),
		"over 16 KiB": append([]byte(strings.Repeat("x", 16<<10)), good...),
	} {
		if key, err := ParsePEM(text, RS256, ""); !errors.Is(err, ErrKey) || key.held != nil {
			t.Errorf("%s: %v %v", name, key, err)
		}
	}
	if _, err := ParsePEM(pkcs8(t, newKey(t, RS256).held.signer), ES256, ""); !errors.Is(err, ErrKey) {
		t.Errorf("RSA under ES256: %v", err)
	}
}

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// signer is a P-256 key that makes JWTs with nothing but the standard
// library, so that what it proves does not rest on the code under test.
type signer struct{ key *ecdsa.PrivateKey }

func newSigner(t *testing.T) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwk has its members in the order of RFC 7638, so its hash is the thumbprint.
func (s signer) jwk() string {
	x, y := make([]byte, 32), make([]byte, 32)
	s.key.X.FillBytes(x)
	s.key.Y.FillBytes(y)
	return fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, encode(x), encode(y))
}

func (s signer) thumbprint() string {
	sum := sha256.Sum256([]byte(s.jwk()))
	return encode(sum[:])
}

// sign makes an ES256 JWT with this header text.
func (s signer) sign(header string, claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err) // unreachable: claims are made here
	}
	input := encode([]byte(header)) + "." + encode(payload)
	digest := sha256.Sum256([]byte(input))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		panic(err) // unreachable: rand.Reader does not fail
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	v.FillBytes(signature[32:])
	return input + "." + encode(signature)
}

// proof is a DPoP proof (RFC 9449 §4.2) for a call with this token.
func (s signer) proof(method, url, token, nonce string) string {
	hash := sha256.Sum256([]byte(token))
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": url, "iat": time.Now().Unix(), "ath": encode(hash[:])}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	return s.sign(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+s.jwk()+`}`, claims)
}

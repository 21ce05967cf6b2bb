package dpop

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
)

const (
	proofType      = "dpop+jwt" // RFC 9449 §4.2
	maxProofLength = 8 << 10    // in bytes
	maxIDLength    = 256        // of jti, in bytes
)

// Window is how far a proof's iat may lie from now, both in whole seconds > 0.
// Both ends are inside.
type Window struct{ Past, Future time.Duration }

// Want is what a request demands of its proof. Build it with AtResource or
// AtEndpoint; nothing meets the zero value.
type Want struct {
	method    string
	target    Target
	window    Window
	withToken bool
	tokenHash string // "" when withToken and there is no token: met by no ath
}

// AtResource: the proof must carry ath for this access token (§7).
func AtResource(method string, target Target, accessToken string, w Window) Want {
	want := Want{method: method, target: target, window: w, withToken: true}
	if accessToken != "" {
		want.tokenHash = tokenHash(accessToken)
	}
	return want
}

// AtEndpoint: a proof at the authorization server, without a token (§5). An
// ath that is present is ignored.
func AtEndpoint(method string, target Target, w Window) Want {
	return Want{method: method, target: target, window: w}
}

// tokenHash is the ath of RFC 9449 §4.2.
func tokenHash(accessToken string) string {
	digest := sha256.Sum256([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// Proof is a verified proof: only Verify makes one.
type Proof struct {
	thumbprint string
	target     Target
	id         string
	nonce      string
	issuedAt   time.Time
	expiry     time.Time
}

// Thumbprint of the key that signed (RFC 7638), for comparison with cnf.jkt.
func (p Proof) Thumbprint() string { return p.thumbprint }

// BoundTo says whether the proof's key is the one of this cnf.jkt (§6.1).
// Nothing is bound to "" (D17).
func (p Proof) BoundTo(thumbprint string) bool {
	return thumbprint != "" && subtle.ConstantTimeCompare([]byte(p.thumbprint), []byte(thumbprint)) == 1
}

// Nonce as sent, or "".
func (p Proof) Nonce() string { return p.nonce }

// IssuedAt is the proof's iat.
func (p Proof) IssuedAt() time.Time { return p.issuedAt }

// Expiry is the first moment at which the window no longer accepts the proof:
// until then replay memory has to know it (D19).
func (p Proof) Expiry() time.Time { return p.expiry }

// ReplayKey identifies the proof for replay memory: SHA-256 over key, target and jti (D19).
func (p Proof) ReplayKey() [32]byte {
	// Neither a thumbprint nor a normal URI has a line break in it.
	return sha256.Sum256([]byte(p.thumbprint + "\n" + p.target.uri + "\n" + p.id))
}

type claims struct {
	ID        jose.Text `json:"jti,omitzero"`
	Method    jose.Text `json:"htm,omitzero"`
	Target    jose.Text `json:"htu,omitzero"`
	IssuedAt  seconds   `json:"iat,omitzero"`
	TokenHash jose.Text `json:"ath,omitzero"`
	Nonce     jose.Text `json:"nonce,omitzero"`
}

// seconds since the epoch; fractions, exponents and signs are refused (D14).
type seconds struct {
	unix  int64
	given bool
}

// UnmarshalJSON takes digits only.
func (s *seconds) UnmarshalJSON(b []byte) error {
	unix, err := jose.ParseSeconds(string(b))
	if err != nil {
		return err
	}
	*s = seconds{unix: unix, given: true}
	return nil
}

// MarshalJSON writes digits.
func (s seconds) MarshalJSON() ([]byte, error) { return fmt.Append(nil, s.unix), nil }

// Make signs a proof. accessToken "" leaves ath out, nonce "" leaves nonce out.
func Make(key jose.PrivateKey, now time.Time, method string, target Target, accessToken, nonce string) (string, error) {
	if !accepts(key.Algorithm()) {
		return "", fmt.Errorf("a DPoP proof is not signed with %q", key.Algorithm())
	}
	if method == "" || target.uri == "" {
		return "", errors.New("a DPoP proof needs a method and a target")
	}
	c := claims{
		ID: jose.Text(rand.Text()), Method: jose.Text(method), Target: jose.Text(target.uri),
		IssuedAt: seconds{unix: now.Unix(), given: true}, Nonce: jose.Text(nonce),
	}
	if accessToken != "" {
		c.TokenHash = jose.Text(tokenHash(accessToken))
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return key.SignWithKey(proofType, payload)
}

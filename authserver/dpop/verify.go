package dpop

import (
	"crypto/subtle"
	"errors"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
)

// Verify checks the DPoP header fields of one request (all values of the
// header) in the order of §4.3. The nonce is not checked: see Nonces. Any
// error is an *Error.
func Verify(now time.Time, headers []string, want Want) (Proof, error) {
	jws, c, err := parse(headers)
	if err != nil {
		return Proof{}, err
	}
	key, err := verifyKey(jws)
	if err != nil {
		return Proof{}, err
	}
	if err := c.checkRequest(want); err != nil {
		return Proof{}, err
	}
	if err := c.checkTime(now, want.window); err != nil {
		return Proof{}, err
	}
	if err := c.checkToken(want); err != nil {
		return Proof{}, err
	}
	return Proof{
		thumbprint: key.Thumbprint(), target: want.target, id: string(c.ID), nonce: string(c.Nonce),
		issuedAt: time.Unix(c.IssuedAt.unix, 0),
		expiry:   time.Unix(c.IssuedAt.unix+wholeSeconds(want.window.Past)+1, 0),
	}, nil
}

// parse covers checks 1 to 3 of RFC 9449 §4.3.
func parse(headers []string) (jose.Unverified, claims, error) {
	if len(headers) == 0 {
		return jose.Unverified{}, claims{}, refuse(Missing, "no DPoP header")
	}
	// (1), and a comma is how intermediaries fold two fields into one
	if len(headers) > 1 || strings.Contains(headers[0], ",") {
		return jose.Unverified{}, claims{}, refuse(Several, "more than one DPoP proof")
	}
	// (2)
	jws, err := jose.Parse(headers[0], maxProofLength)
	if err != nil {
		return jose.Unverified{}, claims{}, &Error{Malformed, err}
	}
	var c claims
	if err := jws.Claims(&c); err != nil {
		return jose.Unverified{}, claims{}, &Error{Malformed, err}
	}
	// (3)
	if missing := c.missing(); missing != "" {
		return jose.Unverified{}, claims{}, refuse(MissingClaim, "%s", missing)
	}
	if len(c.ID) > maxIDLength {
		return jose.Unverified{}, claims{}, refuse(Malformed, "jti over %d bytes", maxIDLength)
	}
	return jws, c, nil
}

// missing names a claim that RFC 9449 §4.2 requires of every proof, or is "".
func (c claims) missing() string {
	switch {
	case c.ID == "":
		return "jti"
	case c.Method == "":
		return "htm"
	case c.Target == "":
		return "htu"
	case !c.IssuedAt.given:
		return "iat"
	}
	return ""
}

// verifyKey covers checks 4 to 7 of RFC 9449 §4.3.
func verifyKey(jws jose.Unverified) (jose.PublicKey, error) {
	// (4)
	if jws.Type != proofType {
		return jose.PublicKey{}, refuse(WrongType, "typ %q", jws.Type)
	}
	// (5)
	if !accepts(jose.Algorithm(jws.Algorithm)) {
		return jose.PublicKey{}, refuse(BadAlgorithm, "alg %q", jws.Algorithm)
	}
	if jws.JWK == nil {
		return jose.PublicKey{}, refuse(BadKey, "no jwk")
	}
	// (7) before (6): no signature is checked with a key that gives its secret away
	key, err := jws.EmbeddedKey()
	if err != nil {
		return jose.PublicKey{}, &Error{BadKey, err}
	}
	// (6)
	err = jws.VerifyWith(key)
	if errors.Is(err, jose.ErrAlgorithm) {
		return jose.PublicKey{}, &Error{BadAlgorithm, err}
	}
	if err != nil {
		return jose.PublicKey{}, &Error{BadSignature, err}
	}
	return key, nil
}

// checkRequest covers checks 8 and 9 of RFC 9449 §4.3.
func (c claims) checkRequest(want Want) error {
	// (8); methods are case-sensitive (RFC 9110 §9.1)
	if want.method == "" || string(c.Method) != want.method {
		return refuse(WrongMethod, "htm %q", c.Method)
	}
	// (9)
	if want.target.uri == "" {
		return refuse(WrongTarget, "no target to compare with")
	}
	if string(c.Target) == want.target.uri {
		return nil
	}
	target, err := ParseTarget(string(c.Target))
	if err != nil {
		return refuse(WrongTarget, "htu %q: %w", c.Target, err)
	}
	if target != want.target {
		return refuse(WrongTarget, "htu %q", c.Target)
	}
	return nil
}

// checkTime is check 11 of RFC 9449 §4.3.
func (c claims) checkTime(now time.Time, w Window) error {
	age := now.Unix() - c.IssuedAt.unix
	if age > wholeSeconds(w.Past) {
		return refuse(TooOld, "%d s old", age)
	}
	if -age > wholeSeconds(w.Future) {
		return refuse(InFuture, "%d s ahead", -age)
	}
	return nil
}

func wholeSeconds(d time.Duration) int64 { return int64(d / time.Second) }

// checkToken is check 12 of RFC 9449 §4.3.
func (c claims) checkToken(want Want) error {
	if !want.withToken {
		return nil
	}
	if c.TokenHash == "" {
		return refuse(MissingClaim, "ath")
	}
	if want.tokenHash == "" {
		return refuse(WrongToken, "no token to compare with")
	}
	if subtle.ConstantTimeCompare([]byte(c.TokenHash), []byte(want.tokenHash)) != 1 {
		return refuse(WrongToken, "ath of another token")
	}
	return nil
}

package token

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
)

const (
	maxLength = 16 << 10 // of a token, in bytes
	maxLeeway = 5 * time.Minute
)

// Profile says how strict an issuer's tokens are.
type Profile string

const (
	RFC9068 Profile = "rfc9068" // typ at+jwt (or application/at+jwt) and iat required
	JWT     Profile = "jwt"     // typ absent, JWT or at+jwt; iat optional
)

// permits says whether typ may be that of an access token. Media types are
// compared without case (RFC 7515 §4.1.9).
func (p Profile) permits(typ string) bool {
	// RFC 9068 §4: "at+jwt" or "application/at+jwt", everything else is refused.
	if strings.EqualFold(typ, "at+jwt") || strings.EqualFold(typ, "application/at+jwt") {
		return true
	}
	return p == JWT && (typ == "" || strings.EqualFold(typ, "JWT"))
}

// Rules are what a resource demands of a token. Build them with NewRules; the
// zero value refuses every token.
type Rules struct {
	issuer    string
	audiences []string
	profile   Profile
	leeway    time.Duration
}

// NewRules: issuer and at least one audience are required and compared as
// strings; leeway (0…5 min) applies to exp and nbf.
func NewRules(issuer string, audiences []string, profile Profile, leeway time.Duration) (Rules, error) {
	if issuer == "" {
		return Rules{}, errors.New("token rules need an issuer")
	}
	if len(audiences) == 0 || slices.Contains(audiences, "") {
		return Rules{}, errors.New("token rules need audiences, none of them empty")
	}
	if profile != RFC9068 && profile != JWT {
		return Rules{}, fmt.Errorf("token profile %q is neither %q nor %q", profile, RFC9068, JWT)
	}
	if leeway < 0 || leeway > maxLeeway {
		return Rules{}, fmt.Errorf("leeway %v is not between 0 and %v", leeway, maxLeeway)
	}
	return Rules{issuer, slices.Clone(audiences), profile, leeway}, nil
}

// Unverified is a token taken apart. Nothing in it is proven.
type Unverified struct {
	jws    jose.Unverified
	wire   wireClaims
	claims Claims
}

// Parse bounds (16 KiB) and decodes strictly. Any error is an *Error.
func Parse(raw string) (Unverified, error) {
	jws, err := jose.Parse(raw, maxLength)
	if err != nil {
		return Unverified{}, &Error{Malformed, err}
	}
	u := Unverified{jws: jws}
	if err := jws.Claims(&u.wire); err != nil {
		return Unverified{}, &Error{Malformed, err}
	}
	if u.claims, err = u.wire.claims(); err != nil {
		return Unverified{}, &Error{Malformed, err}
	}
	return u, nil
}

// Issuer is the claimed iss: good for choosing which keys to try, for nothing else.
func (u Unverified) Issuer() string { return u.claims.Issuer }

// Access is a verified access token: only Verify makes one.
type Access struct{ claims Claims }

// Claims of the verified token. The slices are shared: do not write to them.
func (a Access) Claims() Claims { return a.claims }

// Verify checks in this order: type, signature, issuer, audience, times,
// required claims, binding (RFC 9068 §4), form of the status claim. It does not
// check revocation, scope or proof. Any error is an *Error.
func (u Unverified) Verify(now time.Time, rules Rules, keys jose.KeySet) (Access, error) {
	if rules.issuer == "" {
		return Access{}, refuse(WrongIssuer, "no rules")
	}
	if !rules.profile.permits(u.jws.Type) {
		return Access{}, refuse(WrongType, "typ %q under profile %s", u.jws.Type, rules.profile)
	}
	if err := u.checkSignature(keys); err != nil {
		return Access{}, err
	}
	if err := u.claims.checkTarget(rules); err != nil {
		return Access{}, err
	}
	if err := u.claims.checkTimes(now, rules.leeway); err != nil {
		return Access{}, err
	}
	if err := u.claims.checkRequired(rules.profile); err != nil {
		return Access{}, err
	}
	claims := u.claims
	var err error
	if claims.Thumbprint, claims.Certificate, err = binding(u.wire.Binding); err != nil {
		return Access{}, &Error{BadBinding, err}
	}
	if claims.Status, err = status(u.wire.Status); err != nil {
		return Access{}, &Error{BadStatus, err}
	}
	return Access{claims}, nil
}

func (u Unverified) checkSignature(keys jose.KeySet) error {
	err := u.jws.VerifyIn(keys)
	if errors.Is(err, jose.ErrUnknownKey) {
		return &Error{UnknownKey, err}
	}
	if err != nil {
		return &Error{BadSignature, err}
	}
	return nil
}

func (c Claims) checkTarget(rules Rules) error {
	if c.Issuer == "" {
		return refuse(MissingClaim, "iss")
	}
	// RFC 9068 §4: exactly the issuer whose keys these are
	if c.Issuer != rules.issuer {
		return refuse(WrongIssuer, "iss %q", c.Issuer)
	}
	if len(c.Audience) == 0 {
		return refuse(MissingClaim, "aud")
	}
	// RFC 9068 §4: aud contains this resource; RFC 7519 §4.1.3: case-sensitive strings
	for _, audience := range rules.audiences {
		if slices.Contains(c.Audience, audience) {
			return nil
		}
	}
	return refuse(WrongTarget, "aud %q", c.Audience)
}

func (c Claims) checkTimes(now time.Time, leeway time.Duration) error {
	if c.Expiry.IsZero() {
		return refuse(MissingClaim, "exp")
	}
	// RFC 7519 §4.1.4: not on or after exp
	if !now.Before(c.Expiry.Add(leeway)) {
		return refuse(Expired, "exp %v", c.Expiry)
	}
	// RFC 7519 §4.1.5: not before nbf
	if now.Before(c.NotBefore.Add(-leeway)) {
		return refuse(NotYetValid, "nbf %v", c.NotBefore)
	}
	return nil
}

// checkRequired covers the claims that no check before needed. client_id and
// jti are optional: many issuers send neither.
func (c Claims) checkRequired(profile Profile) error {
	if c.Subject == "" {
		return refuse(MissingClaim, "sub")
	}
	// RFC 9068 §2.2
	if profile == RFC9068 && c.IssuedAt.IsZero() {
		return refuse(MissingClaim, "iat")
	}
	return nil
}

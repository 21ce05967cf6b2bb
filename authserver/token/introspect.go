package token

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/postern-mcp/postern/authserver/jose"
)

// ErrAnswer says that an answer is none in the sense of RFC 7662 §2.2: the
// token may be good or not.
var ErrAnswer = errors.New("not an introspection answer")

// wireAnswer is RFC 7662 §2.2 as it travels.
type wireAnswer struct {
	Active    jsontext.Value `json:"active"`
	TokenType jose.Text      `json:"token_type"`
	Kind      jose.Text      `json:"typ"` // not in the RFC; Keycloak tells refresh and ID tokens apart by it
}

// answer is what an issuer says about a token, with nothing checked.
type answer struct {
	wireAnswer
	wire   wireClaims
	claims Claims
}

// FromIntrospection makes an Access of what the issuer of rules answers about
// an opaque token. It checks in this order: active, kind, issuer (when it is
// stated), audience, times, subject, binding and token_type. Audience and
// exp must be there, although RFC 7662 has them optional: a token for
// everybody or for ever is not accepted. A missing sub is the client_id, as
// machines have none. Any error is an *Error or wraps ErrAnswer.
//
// That the answer comes from the issuer, and is about the token that was
// presented, is for the caller to know.
func FromIntrospection(now time.Time, rules Rules, doc []byte) (Access, error) {
	return Access{}.Confirm(now, rules, doc)
}

// Confirm holds the issuer's answer about this token against it. What the
// answer leaves out is as the token says; what it states must be acceptable
// by itself, can end the token earlier, take scope away and bind it, and must
// not contradict the binding it has. Who the token is about stays as signed.
// Errors as for FromIntrospection.
func (a Access) Confirm(now time.Time, rules Rules, doc []byte) (Access, error) {
	if rules.issuer == "" {
		return Access{}, refuse(WrongIssuer, "no rules")
	}
	said, err := readAnswer(doc)
	if err != nil {
		return Access{}, err
	}
	// RFC 7662 §2.2: active is false for whatever must not be used
	if said.Active.Kind() == 'f' {
		return Access{}, refuse(Inactive, "the issuer answers active: false")
	}
	if err := said.checkKind(); err != nil {
		return Access{}, err
	}
	claims := said.over(a.claims, rules.issuer)
	if err := claims.checkTarget(rules); err != nil {
		return Access{}, err
	}
	if err := claims.checkTimes(now, rules.leeway); err != nil {
		return Access{}, err
	}
	if err := claims.checkRequired(JWT); err != nil {
		return Access{}, err
	}
	if claims.Thumbprint, claims.Certificate, err = said.bind(a.claims); err != nil {
		return Access{}, &Error{BadBinding, err}
	}
	return Access{claims.within(a.claims)}, nil
}

func readAnswer(doc []byte) (answer, error) {
	var a answer
	if err := json.Unmarshal(doc, &a.wireAnswer); err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if a.Active.Kind() != 't' && a.Active.Kind() != 'f' {
		return answer{}, fmt.Errorf("%w: active is neither true nor false", ErrAnswer)
	}
	if err := json.Unmarshal(doc, &a.wire); err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	var err error
	if a.claims, err = a.wire.claims(); err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return a, nil
}

// checkKind: issuers answer about refresh and ID tokens too.
func (a answer) checkKind() error {
	kind := string(a.Kind)
	if JWT.permits(kind) || strings.EqualFold(kind, "Bearer") || strings.EqualFold(kind, "DPoP") {
		return nil
	}
	return refuse(WrongType, "typ %q", kind)
}

// over is what the answer says, completed by what is known of the token.
func (a answer) over(known Claims, issuer string) Claims {
	c := a.claims
	if c.Issuer == "" {
		c.Issuer = issuer
	}
	if len(c.Audience) == 0 && a.wire.Audience == nil {
		c.Audience = known.Audience
	}
	if c.Expiry.IsZero() {
		c.Expiry = known.Expiry
	}
	if c.NotBefore.IsZero() {
		c.NotBefore = known.NotBefore
	}
	if a.wire.Scope == nil && a.wire.ScopeShort == nil {
		c.Scope = known.Scope
	}
	if c.Subject == "" {
		c.Subject = c.ClientID
	}
	if c.Subject == "" {
		c.Subject = known.Subject
	}
	return c
}

// within are the claims of a signed token, narrowed by the answer c; without
// one, the answer itself.
func (c Claims) within(signed Claims) Claims {
	if signed.Issuer == "" {
		return c
	}
	narrowed := signed
	narrowed.Thumbprint, narrowed.Certificate = c.Thumbprint, c.Certificate
	if c.Expiry.Before(narrowed.Expiry) {
		narrowed.Expiry = c.Expiry
	}
	narrowed.Scope = nil
	for _, s := range signed.Scope {
		if slices.Contains(c.Scope, s) {
			narrowed.Scope = append(narrowed.Scope, s)
		}
	}
	return narrowed
}

// bind joins the bindings that the answer and the token state.
func (a answer) bind(known Claims) (key, certificate string, err error) {
	key, certificate, err = binding(a.wire.Binding)
	if err != nil {
		return "", "", err
	}
	// RFC 9449 §6.2: a token_type beside jkt is DPoP (D16)
	if key != "" && a.TokenType != "" && !strings.EqualFold(string(a.TokenType), "DPoP") {
		return "", "", fmt.Errorf("token_type %q with jkt", a.TokenType)
	}
	if key, err = agreed(key, known.Thumbprint); err != nil {
		return "", "", err
	}
	if certificate, err = agreed(certificate, known.Certificate); err != nil {
		return "", "", err
	}
	return key, certificate, a.checkTokenType(key)
}

func agreed(stated, known string) (string, error) {
	if stated != "" && known != "" && stated != known {
		return "", errors.New("token and answer name different keys")
	}
	if stated == "" {
		return known, nil
	}
	return stated, nil
}

// checkTokenType: RFC 7662 §2.2 by way of RFC 6749 §5.1, whose names have no case.
func (a answer) checkTokenType(key string) error {
	switch strings.ToLower(string(a.TokenType)) {
	case "", "bearer":
		return nil
	case "dpop":
		if key != "" {
			return nil
		}
		return errors.New("token_type DPoP without jkt")
	}
	return fmt.Errorf("token_type %q cannot be checked here", a.TokenType)
}

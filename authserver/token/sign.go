package token

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/postern-mcp/postern/authserver/jose"
)

// Sign makes an at+jwt with every claim RFC 9068 §2.2 requires; a missing one
// is an error. Times are written in whole seconds.
func Sign(key jose.PrivateKey, c Claims) (string, error) {
	if err := c.complete(); err != nil {
		return "", err
	}
	wire, err := c.wire()
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(wire)
	if err != nil {
		return "", err
	}
	return key.Sign("at+jwt", payload)
}

func (c Claims) complete() error {
	missing := []struct {
		claim  string
		absent bool
	}{
		{"iss", c.Issuer == ""},
		{"exp", c.Expiry.IsZero()},
		{"aud", len(c.Audience) == 0 || slices.Contains(c.Audience, "")},
		{"sub", c.Subject == ""},
		{"client_id", c.ClientID == ""},
		{"iat", c.IssuedAt.IsZero()},
		{"jti", c.ID == ""},
	}
	for _, m := range missing {
		if m.absent {
			return fmt.Errorf("an access token needs %s (RFC 9068 §2.2)", m.claim)
		}
	}
	if !c.Expiry.After(c.IssuedAt) {
		return fmt.Errorf("an access token that expires at %v, issued %v", c.Expiry, c.IssuedAt)
	}
	if i := slices.IndexFunc(c.Scope, func(s string) bool { return !isScopeToken(s) }); i >= 0 {
		return fmt.Errorf("%q is not a scope (RFC 6749 §3.3)", c.Scope[i])
	}
	if c.Thumbprint != "" && !isThumbprint(c.Thumbprint) {
		return fmt.Errorf("%q is not a key thumbprint (RFC 9449 §6.1)", c.Thumbprint)
	}
	if c.Certificate != "" && !isThumbprint(c.Certificate) {
		return fmt.Errorf("%q is not a certificate thumbprint (RFC 8705 §3.1)", c.Certificate)
	}
	if c.Status.URI == "" && c.Status.Index != 0 || c.Status.Index > maxIndex {
		return fmt.Errorf("%+v is not a place in a status list", c.Status)
	}
	return nil
}

func (c Claims) wire() (*wireClaims, error) {
	w := &wireClaims{
		Issuer: jose.Text(c.Issuer), Subject: jose.Text(c.Subject), Audience: c.Audience,
		ClientID: jose.Text(c.ClientID), ID: jose.Text(c.ID),
		IssuedAt: jose.NumericDate{Time: c.IssuedAt}, NotBefore: jose.NumericDate{Time: c.NotBefore},
		Expiry: jose.NumericDate{Time: c.Expiry}, AuthTime: jose.NumericDate{Time: c.AuthTime},
		ACR: jose.Text(c.ACR), AMR: c.AMR, Details: c.Details,
	}
	if len(c.Scope) > 0 {
		w.Scope = single{strings.Join(c.Scope, " ")}
	}
	w.Binding = c.confirmation()
	var err error
	w.Status, err = c.Status.claim()
	return w, err
}

// confirmation is cnf (RFC 7800 §3.1), nil when nothing is bound.
func (c Claims) confirmation() jsontext.Value {
	var members []string
	if c.Thumbprint != "" {
		members = append(members, `"jkt":"`+c.Thumbprint+`"`)
	}
	if c.Certificate != "" {
		members = append(members, `"x5t#S256":"`+c.Certificate+`"`)
	}
	if members == nil {
		return nil
	}
	return jsontext.Value("{" + strings.Join(members, ",") + "}")
}

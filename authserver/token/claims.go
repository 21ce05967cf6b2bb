package token

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/postern-mcp/postern/authserver/jose"
)

// wireClaims is the payload as it travels.
type wireClaims struct {
	Issuer     jose.Text        `json:"iss,omitzero"`
	Subject    jose.Text        `json:"sub,omitzero"`
	Audience   single           `json:"aud,omitzero"`
	ClientID   jose.Text        `json:"client_id,omitzero"`
	Authorized jose.Text        `json:"azp,omitzero"`
	ID         jose.Text        `json:"jti,omitzero"`
	Scope      single           `json:"scope,omitzero"`
	ScopeShort single           `json:"scp,omitzero"`
	IssuedAt   jose.NumericDate `json:"iat,omitzero"`
	NotBefore  jose.NumericDate `json:"nbf,omitzero"`
	Expiry     jose.NumericDate `json:"exp,omitzero"`
	AuthTime   jose.NumericDate `json:"auth_time,omitzero"`
	ACR        jose.Text        `json:"acr,omitzero"`
	AMR        list             `json:"amr,omitzero"`
	Binding    jsontext.Value   `json:"cnf,omitzero"`
	Status     jsontext.Value   `json:"status,omitzero"`
	Details    jsontext.Value   `json:"authorization_details,omitzero"`
}

// list is a JSON string or an array of strings; nil means absent.
type list []string

// UnmarshalJSON takes a string as a list of one.
func (l *list) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		texts := []jose.Text{}
		if err := json.Unmarshal(b, &texts); err != nil {
			return err
		}
		*l = make(list, len(texts))
		for i, t := range texts {
			(*l)[i] = string(t)
		}
		return nil
	}
	var one jose.Text
	if err := one.UnmarshalJSON(b); err != nil {
		return err
	}
	*l = list{string(one)}
	return nil
}

// single is a list that is written as a string when it has one member (RFC 7519 §4.1.3).
type single []string

// UnmarshalJSON takes a string as a list of one.
func (s *single) UnmarshalJSON(b []byte) error { return (*list)(s).UnmarshalJSON(b) }

// MarshalJSON writes a string or an array of strings.
func (s single) MarshalJSON() ([]byte, error) {
	if len(s) == 1 {
		return jsontext.AppendQuote(nil, s[0])
	}
	return json.Marshal([]string(s))
}

// claims leaves binding and status to Verify.
func (w *wireClaims) claims() (Claims, error) {
	scope := w.Scope
	if scope == nil {
		scope = w.ScopeShort
	}
	tokens, err := scopeTokens(scope)
	if err != nil {
		return Claims{}, err
	}
	client := w.ClientID
	if client == "" {
		client = w.Authorized
	}
	return Claims{
		Issuer: string(w.Issuer), Subject: string(w.Subject), Audience: w.Audience,
		ClientID: string(client), ID: string(w.ID), Scope: tokens,
		IssuedAt: w.IssuedAt.Time, NotBefore: w.NotBefore.Time, Expiry: w.Expiry.Time,
		AuthTime: w.AuthTime.Time, ACR: string(w.ACR), AMR: w.AMR, Details: w.Details,
	}, nil
}

// scopeTokens splits what an issuer sent, as a string, an array, or an array of strings with spaces.
func scopeTokens(sent []string) ([]string, error) {
	var tokens []string
	for _, s := range sent {
		for t := range strings.SplitSeq(s, " ") {
			if t == "" || slices.Contains(tokens, t) {
				continue
			}
			if !isScopeToken(t) {
				return nil, errors.New("scope with a character that RFC 6749 forbids")
			}
			tokens = append(tokens, t)
		}
	}
	return tokens, nil
}

// RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
func isScopeToken(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// binding reads cnf.jkt (RFC 9449 §6.1) and cnf.x5t#S256 (RFC 8705 §3.1). A
// token that is bound in a way this project cannot check is not a bearer
// token (D16).
func binding(cnf jsontext.Value) (key, certificate string, err error) {
	if cnf == nil {
		return "", "", nil
	}
	if cnf.Kind() != '{' {
		return "", "", errors.New("cnf is not an object")
	}
	var bound struct {
		Key         jsontext.Value `json:"jkt"`
		Certificate jsontext.Value `json:"x5t#S256"`
	}
	if err := json.Unmarshal(cnf, &bound); err != nil {
		return "", "", err
	}
	if bound.Key == nil && bound.Certificate == nil {
		return "", "", errors.New("cnf without jkt or x5t#S256")
	}
	if key, err = member(bound.Key); err != nil {
		return "", "", fmt.Errorf("jkt %w", err)
	}
	if certificate, err = member(bound.Certificate); err != nil {
		return "", "", fmt.Errorf("x5t#S256 %w", err)
	}
	return key, certificate, nil
}

// member is a thumbprint of cnf, "" when it is absent.
func member(sent jsontext.Value) (string, error) {
	if sent == nil {
		return "", nil
	}
	var digest jose.Text
	if err := json.Unmarshal(sent, &digest); err != nil {
		return "", err
	}
	if !isThumbprint(string(digest)) {
		return "", errors.New("is not the base64url of a SHA-256 digest")
	}
	return string(digest), nil
}

// isThumbprint says whether s is the base64url of a SHA-256 digest.
func isThumbprint(s string) bool {
	digest, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(s) == 43 && len(digest) == 32
}

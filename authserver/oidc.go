package authserver

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/token"
)

// Scopes about the person rather than a resource (OpenID Connect Core §5.4).
const (
	scopeOpenID  = "openid"
	scopeProfile = "profile"

	maxNonce = 512
)

var identityScopes = []pages.Scope{
	{Name: scopeOpenID, Words: "Know that it is you when you come back"},
	{Name: scopeProfile, Words: "See your user name"},
}

// about keeps what of scope is about the person.
func about(scope []string) []string {
	var kept []string
	for _, s := range identityScopes {
		if slices.Contains(scope, s.Name) {
			kept = append(kept, s.Name)
		}
	}
	return kept
}

// personal resolves the scope parameter where a person answers: beside what
// the resource has, a client may ask who they are, or for nothing but that.
func (r Resource) personal(asked string, c client) ([]string, error) {
	names, err := scopeTokens(asked)
	if err != nil {
		return nil, err
	}
	person := about(names)
	rest := without(names, person)
	if len(rest) == 0 && len(person) > 0 {
		return c.within(person), nil
	}
	scope, err := r.scope(strings.Join(rest, " "), c)
	return append(c.within(person), scope...), err
}

// identity is whether tokens of a scope say who the person is.
func identity(scope []string) bool { return slices.Contains(scope, scopeOpenID) }

// idClaims is an ID token (OpenID Connect Core §2). Its typ, and its audience,
// the client, keep it from passing as an access token.
type idClaims struct {
	Issuer     string   `json:"iss"`
	Subject    string   `json:"sub"`
	Audience   string   `json:"aud"`
	Expiry     int64    `json:"exp"`
	IssuedAt   int64    `json:"iat"`
	AuthTime   int64    `json:"auth_time,omitzero"`
	Nonce      string   `json:"nonce,omitzero"`
	ACR        string   `json:"acr"`
	AMR        []string `json:"amr"`
	AccessHash string   `json:"at_hash"`
}

const idTokenType = "JWT"

// identify adds the ID token to an answer whose scope asks for it.
func (s *Server) identify(a tokenAnswer, c token.Claims, nonce string) (tokenAnswer, error) {
	if !identity(c.Scope) {
		return a, nil
	}
	key := s.keys.Signer()
	payload, err := json.Marshal(idClaims{
		Issuer: c.Issuer, Subject: c.Subject, Audience: c.ClientID, IssuedAt: c.IssuedAt.Unix(),
		Expiry: c.IssuedAt.Add(idTokenLife).Unix(), AuthTime: c.AuthTime.Unix(), Nonce: nonce, ACR: c.ACR, AMR: c.AMR,
		AccessHash: halfHash(key.Algorithm(), a.AccessToken),
	})
	if err != nil {
		return tokenAnswer{}, err
	}
	if a.IDToken, err = key.Sign(idTokenType, payload); err != nil {
		return tokenAnswer{}, fmt.Errorf("sign an ID token: %w", err)
	}
	return a, nil
}

// idTokenLife is for the client to read it once.
const idTokenLife = 10 * time.Minute

// halfHash: OpenID Connect Core §3.1.3.6: the left half of the hash that the
// signature uses; Ed25519 uses SHA-512.
func halfHash(alg jose.Algorithm, accessToken string) string {
	var digest []byte
	switch alg {
	case jose.EdDSA:
		h := sha512.Sum512([]byte(accessToken))
		digest = h[:]
	case jose.ES384:
		h := sha512.Sum384([]byte(accessToken))
		digest = h[:]
	default:
		h := sha256.Sum256([]byte(accessToken))
		digest = h[:]
	}
	return base64.RawURLEncoding.EncodeToString(digest[:len(digest)/2])
}

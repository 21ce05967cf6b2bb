package credential

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/proxy"
)

const (
	identityType = "postern-identity+jwt" // no access token has this typ
	identityLife = time.Minute
)

// IdentityKeysPath is where the proxy publishes the keys of identities.
const IdentityKeysPath = "/.well-known/postern/jwks.json"

// Identities signs statements about who calls, for upstreams that want them.
type Identities struct {
	key    jose.PrivateKey
	issuer string
	now    func() time.Time
}

// NewIdentities derives the key from secret (≥32 bytes), so that replicas
// that share the one share the other. issuer is the proxy's public URL.
func NewIdentities(secret []byte, issuer string, now func() time.Time) (*Identities, error) {
	if len(secret) < 32 || issuer == "" || now == nil {
		return nil, errors.New("credential: identities need a secret of 32 bytes, an issuer and a clock")
	}
	key, err := deriveKey(secret)
	if err != nil {
		return nil, err
	}
	return &Identities{key: key, issuer: issuer, now: now}, nil
}

// deriveKey takes the first candidate that is a P-256 scalar; all but one in
// four billion are.
func deriveKey(secret []byte) (jose.PrivateKey, error) {
	for i := range 8 {
		candidate, err := hkdf.Key(sha256.New, secret, nil, fmt.Sprintf("postern identity ES256 %d", i), 32)
		if err != nil {
			return jose.PrivateKey{}, err
		}
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), candidate); err == nil {
			return jose.Import(key, "", "")
		}
	}
	return jose.PrivateKey{}, errors.New("credential: no key follows from the secret") // unreachable in practice
}

// Keys is the JWK Set that upstreams verify with.
func (i *Identities) Keys() ([]byte, error) { return json.Marshal(jose.NewKeySet(i.key.Public())) }

// identity is what an upstream is told about a caller. Subject is a name that
// only its issuer makes unique.
type identity struct {
	Issuer        jose.Text        `json:"iss"`
	Audience      jose.Text        `json:"aud"`
	Subject       jose.Text        `json:"sub"`
	SubjectIssuer jose.Text        `json:"sub_iss"` // iss of the caller's token
	ClientID      jose.Text        `json:"client_id,omitzero"`
	Scope         jose.Text        `json:"scope"`
	ID            jose.Text        `json:"jti"` // the request id
	IssuedAt      jose.NumericDate `json:"iat"`
	Expiry        jose.NumericDate `json:"exp"`
}

// sign states who makes one request. It is made anew for each, so that it
// names the request and cannot stand for another.
func (i *Identities) sign(audience string, p proxy.Purpose) (string, error) {
	now := i.now()
	payload, err := json.Marshal(identity{
		Issuer: jose.Text(i.issuer), Audience: jose.Text(audience),
		Subject: jose.Text(p.Caller.Subject), SubjectIssuer: jose.Text(p.Caller.Issuer), ClientID: jose.Text(p.Caller.ClientID),
		Scope: jose.Text(strings.Join(p.Caller.Scope, " ")), ID: jose.Text(p.RequestID),
		IssuedAt: jose.NumericDate{Time: now}, Expiry: jose.NumericDate{Time: now.Add(identityLife)},
	})
	if err != nil {
		return "", err
	}
	return i.key.Sign(identityType, payload)
}

// Identified is another credential with the caller's identity beside it.
type Identified struct {
	proxy.Credential
	identities *Identities
	audience   string
	header     string
}

// NewIdentified: audience is who the statement is for, header where it stands.
func NewIdentified(with proxy.Credential, identities *Identities, audience, header string) (*Identified, error) {
	if with == nil || identities == nil || audience == "" {
		return nil, errors.New("credential: an identity needs a credential, a signer and an audience")
	}
	header = http.CanonicalHeaderKey(header)
	if err := proxy.CheckCredentialHeader(header); err != nil {
		return nil, err
	}
	return &Identified{Credential: with, identities: identities, audience: audience, header: header}, nil
}

// Show shows both.
func (i *Identified) Show(ctx context.Context, p proxy.Purpose) (http.Header, error) {
	shown, err := i.Credential.Show(ctx, p)
	if err != nil {
		return nil, err
	}
	if _, taken := shown[i.header]; taken {
		return nil, fmt.Errorf("the header %s holds the credential already", i.header)
	}
	statement, err := i.identities.sign(i.audience, p)
	if err != nil {
		return nil, err
	}
	both := make(http.Header, len(shown)+1)
	maps.Copy(both, shown)
	both[i.header] = []string{statement}
	return both, nil
}

func (i *Identified) String() string { return i.Credential.String() + ", identity in " + i.header }

package credential

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/proxy/watched"
)

const assertionLife = time.Minute

// Client is how the proxy proves to an issuer who it is.
type Client interface {
	// prove adds the client's authentication to one token request.
	prove(now time.Time, form url.Values, header http.Header) error
}

type secretClient struct {
	id     string
	secret *watched.Value[string]
}

// NewSecretClient authenticates by client_secret_basic with the secret in a
// file of one line.
func NewSecretClient(kit Kit, id, path string) (Client, error) {
	secret, err := watch(kit, func(contents [][]byte) (string, error) {
		if line(contents[0]) == "" {
			return "", errors.New("the secret is empty")
		}
		return line(contents[0]), nil
	}, path)
	if err != nil {
		return nil, err
	}
	return secretClient{id, secret}, nil
}

// RFC 6749 §2.3.1: both are form-encoded before they are put together.
func (c secretClient) prove(_ time.Time, _ url.Values, header http.Header) error {
	r := http.Request{Header: header}
	r.SetBasicAuth(url.QueryEscape(c.id), url.QueryEscape(c.secret.Get()))
	return nil
}

type keyClient struct {
	id       string
	audience string
	key      *watched.Value[jose.PrivateKey]
}

// NewKeyClient authenticates by private_key_jwt (RFC 7523) with the private
// key in a PEM file. audience is whom assertions are for: the issuer, unless
// it insists on another of its names. keyID "" takes the key's thumbprint;
// rsaAlg is what RSA keys sign with.
func NewKeyClient(kit Kit, id, audience, path, keyID string, rsaAlg jose.Algorithm) (Client, error) {
	if id == "" || audience == "" {
		return nil, errors.New("credential: a client with a key needs its id and an audience")
	}
	key, err := watch(kit, func(contents [][]byte) (jose.PrivateKey, error) {
		return jose.ParsePEM(contents[0], rsaAlg, keyID)
	}, path)
	if err != nil {
		return nil, err
	}
	return keyClient{id, audience, key}, nil
}

// assertion is the claim set of RFC 7523 §3. Its audience is one string, so
// that it is good at one issuer.
type assertion struct {
	Issuer   string           `json:"iss"`
	Subject  string           `json:"sub"`
	Audience string           `json:"aud"`
	ID       string           `json:"jti"`
	IssuedAt jose.NumericDate `json:"iat"`
	Expiry   jose.NumericDate `json:"exp"`
}

func (c keyClient) prove(now time.Time, form url.Values, _ http.Header) error {
	payload, err := json.Marshal(assertion{
		Issuer: c.id, Subject: c.id, Audience: c.audience, ID: rand.Text(),
		IssuedAt: jose.NumericDate{Time: now}, Expiry: jose.NumericDate{Time: now.Add(assertionLife)},
	})
	if err != nil {
		return err
	}
	signed, err := c.key.Get().Sign("JWT", payload)
	if err != nil {
		return err
	}
	form.Set("client_id", c.id)
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", signed)
	return nil
}

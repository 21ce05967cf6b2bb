package config

import (
	"slices"
	"strings"
)

// Credential is what the proxy shows the upstream, never the caller's token.
type Credential struct {
	Type   string `yaml:"type"`   // none, header, client_credentials, token_exchange or mtls
	Header string `yaml:"header"` // default Authorization
	Prefix string `yaml:"prefix"` // such as "Bearer "
	File   string `yaml:"file"`   // holds the secret

	Issuer            string   `yaml:"issuer"`             // whose tokens the upstream takes
	TokenURL          string   `yaml:"token_url"`          // its token endpoint; absent: by discovery
	ClientID          string   `yaml:"client_id"`          // of the proxy at the issuer
	SecretFile        string   `yaml:"secret_file"`        // client_secret_basic
	KeyFile           string   `yaml:"key_file"`           // private_key_jwt: a PEM private key
	KeyID             string   `yaml:"key_id"`             // kid of the key; default its thumbprint
	Algorithm         string   `yaml:"algorithm"`          // of an RSA key: RS256 (default) or PS256
	AssertionAudience string   `yaml:"assertion_audience"` // aud of what the key signs; default the issuer
	Scope             []string `yaml:"scope"`
	Resource          string   `yaml:"resource"` // RFC 8707
	Audience          string   `yaml:"audience"`
	DPoP              string   `yaml:"dpop"` // required, auto (default) or off
}

var tokenKeys = []string{"issuer", "token_url", "client_id", "secret_file", "key_file", "key_id", "algorithm", "assertion_audience", "scope", "resource", "audience", "dpop"}

// credentialKeys are the keys that go with each type.
var credentialKeys = map[string][]string{
	"none":               {},
	"mtls":               {},
	"header":             {"header", "prefix", "file"},
	"client_credentials": tokenKeys,
	"token_exchange":     tokenKeys,
}

const credentialTypes = "none, header, client_credentials, token_exchange, mtls"

// AsksIssuer says whether the credential is a token of an issuer.
func (k Credential) AsksIssuer() bool {
	return k.Type == "client_credentials" || k.Type == "token_exchange"
}

func (k *Credential) complete(folder string) {
	absolute(folder, &k.File)
	absolute(folder, &k.SecretFile)
	absolute(folder, &k.KeyFile)
	switch {
	case k.Type == "header":
		fill(&k.Header, "Authorization")
	case k.AsksIssuer():
		fill(&k.DPoP, "auto")
		fill(&k.Algorithm, "RS256")
	}
}

func (k Credential) validate(c *check, at func(...any) []any) {
	keys, known := credentialKeys[k.Type]
	switch {
	case k.Type == "":
		c.fail("missing: say {type: none} or {type: header, file: …}; the types are "+credentialTypes, at("credential")...)
		return
	case !known:
		c.fail("must be one of: "+credentialTypes, at("credential", "type")...)
		return
	}
	for _, key := range slices.Concat(credentialKeys["header"], tokenKeys) {
		if !slices.Contains(keys, key) && c.doc.Has(at("credential", key)...) {
			c.fail("type "+k.Type+" does not take this key", at("credential", key)...)
		}
	}
	if k.Type == "header" {
		c.needs(k.File, "missing: the file that holds the secret", at("credential", "file")...)
	}
	if k.AsksIssuer() {
		k.validateIssuer(c, at)
	}
}

func (k Credential) validateIssuer(c *check, at func(...any) []any) {
	place := func(key string) []any { return at("credential", key) }
	if k.Issuer == "" && k.TokenURL == "" {
		c.fail("missing: the issuer of the tokens the upstream takes, or its token_url", place("issuer")...)
	}
	if k.Issuer != "" {
		c.httpsOrLoopback(k.Issuer, place("issuer")...)
	}
	if k.TokenURL != "" {
		c.httpsOrLoopback(k.TokenURL, place("token_url")...)
	}
	c.needs(k.ClientID, "missing: the proxy's client_id at the issuer", place("client_id")...)
	c.oneOf(k.DPoP, []string{"required", "auto", "off"}, place("dpop")...)
	c.oneOf(k.Algorithm, []string{"RS256", "PS256"}, place("algorithm")...)
	k.validateClient(c, place)
	for i, scope := range k.Scope {
		if scope == "" || strings.ContainsAny(scope, " \t\"\\") {
			c.fail("must be one scope: no spaces, quotes or backslashes", at("credential", "scope", i)...)
		}
	}
}

func (k Credential) validateClient(c *check, place func(string) []any) {
	if (k.SecretFile == "") == (k.KeyFile == "") {
		c.fail("the proxy proves who it is by exactly one of secret_file and key_file", place("client_id")...)
	}
	if k.KeyFile != "" && k.Issuer+k.AssertionAudience == "" {
		c.fail("missing: with key_file the issuer is the audience of what the proxy signs", place("issuer")...)
	}
	if k.KeyFile == "" && k.KeyID != "" {
		c.fail("goes with key_file", place("key_id")...)
	}
	if k.KeyFile == "" && k.AssertionAudience != "" {
		c.fail("goes with key_file", place("assertion_audience")...)
	}
}

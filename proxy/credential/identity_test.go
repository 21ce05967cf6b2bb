package credential_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/proxy"
	"github.com/postern-mcp/postern/proxy/credential"
)

const publicURL = "https://mcp.example.com"

func identities(t *testing.T, b *bench, secret byte) *credential.Identities {
	t.Helper()
	i, err := credential.NewIdentities(bytes.Repeat([]byte{secret}, 32), publicURL, b.Now)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func keySet(t *testing.T, i *credential.Identities) jose.KeySet {
	t.Helper()
	doc, err := i.Keys()
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.ParseKeySet(doc)
	if err != nil || set.Len() != 1 || strings.Contains(string(doc), `"d"`) {
		t.Fatalf("%s: %v", doc, err)
	}
	return set
}

func ada(b *bench) proxy.Purpose {
	p := b.caller("the-token-of-ada")
	p.RequestID = "r1"
	p.Caller.Issuer, p.Caller.Subject, p.Caller.ClientID, p.Caller.Scope = "https://issuer.example", `a"da`, "app", []string{"use", "more"}
	return p
}

func TestIdentity(t *testing.T) {
	b := newBench()
	inner, err := credential.NewHeader("X-Api-Key", "", "hush")
	if err != nil {
		t.Fatal(err)
	}
	signer := identities(t, b, 1)
	c, err := credential.NewIdentified(inner, signer, "recorder", "x-postern-identity")
	if err != nil {
		t.Fatal(err)
	}
	header, err := c.Show(t.Context(), ada(b))
	if err != nil {
		t.Fatal(err)
	}
	if len(header) != 2 || header.Get("X-Api-Key") != "hush" {
		t.Errorf("shows %v", header)
	}
	jws, err := jose.Parse(header.Get("X-Postern-Identity"), 4096)
	if err != nil {
		t.Fatal(err)
	}
	if err := jws.VerifyIn(keySet(t, signer)); err != nil || jws.Type != "postern-identity+jwt" || jws.Algorithm != "ES256" {
		t.Errorf("typ %q alg %q: %v", jws.Type, jws.Algorithm, err)
	}
	var claims map[string]any
	if err := json.Unmarshal(jws.Payload, &claims); err != nil {
		t.Fatal(err)
	}
	now := float64(b.Now().Unix())
	want := map[string]any{
		"iss": publicURL, "aud": "recorder", "sub": `a"da`, "sub_iss": "https://issuer.example", "client_id": "app",
		"scope": "use more", "jti": "r1", "iat": now, "exp": now + 60,
	}
	for name, value := range want {
		if claims[name] != value {
			t.Errorf("%s is %v, want %v", name, claims[name], value)
		}
	}
	if len(claims) != len(want) || strings.Contains(string(jws.Payload), "the-token") {
		t.Errorf("claims %s", jws.Payload)
	}
	second, err := inner.Show(t.Context(), ada(b))
	if err != nil || len(second) != 1 {
		t.Errorf("the credential itself was written to: %v", second)
	}
}

// An identity is no access token under any profile, not even at a server that
// trusts the proxy's address as an issuer and takes its keys.
func TestIdentityIsNoAccessToken(t *testing.T) {
	b := newBench()
	signer := identities(t, b, 1)
	c, err := credential.NewIdentified(credential.None{}, signer, "recorder", "X-Postern-Identity")
	if err != nil {
		t.Fatal(err)
	}
	header, err := c.Show(t.Context(), ada(b))
	if err != nil {
		t.Fatal(err)
	}
	u, err := token.Parse(header.Get("X-Postern-Identity"))
	if err != nil {
		t.Fatal(err)
	}
	for _, profile := range []token.Profile{token.RFC9068, token.JWT} {
		rules, err := token.NewRules(publicURL, []string{"recorder"}, profile, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		_, err = u.Verify(b.Now(), rules, keySet(t, signer))
		if why, ok := err.(*token.Error); !ok || why.Reason != token.WrongType {
			t.Errorf("profile %s: %v", profile, err)
		}
	}
}

func TestIdentityKeysFollowFromTheSecret(t *testing.T) {
	b := newBench()
	keys := func(secret byte) string {
		doc, err := identities(t, b, secret).Keys()
		if err != nil {
			t.Fatal(err)
		}
		return string(doc)
	}
	if keys(1) != keys(1) || keys(1) == keys(2) {
		t.Error("replicas with one secret must have one key, those with another another")
	}
}

func TestIdentityRefusals(t *testing.T) {
	b := newBench()
	if _, err := credential.NewIdentities([]byte("short"), publicURL, b.Now); err == nil {
		t.Error("a short secret was accepted")
	}
	signer := identities(t, b, 1)
	for name, row := range map[string]struct {
		with             proxy.Credential
		signer           *credential.Identities
		audience, header string
	}{
		"no audience":   {credential.None{}, signer, "", "X-Postern-Identity"},
		"no credential": {nil, signer, "recorder", "X-Postern-Identity"},
		"no signer":     {credential.None{}, nil, "recorder", "X-Postern-Identity"},
		"carried":       {credential.None{}, signer, "recorder", "Traceparent"},
		"underscores":   {credential.None{}, signer, "recorder", "X_Postern_Identity"},
	} {
		if _, err := credential.NewIdentified(row.with, row.signer, row.audience, row.header); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	inner, err := credential.NewHeader("X-Key", "", "hush")
	if err != nil {
		t.Fatal(err)
	}
	c, err := credential.NewIdentified(inner, signer, "recorder", "x-key")
	if err != nil {
		t.Fatal(err)
	}
	if header, err := c.Show(t.Context(), ada(b)); err == nil {
		t.Errorf("the identity took the place of the credential: %v", header)
	}
}

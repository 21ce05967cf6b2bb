package e2e

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// keyed is what keyed-client.mjs takes.
type keyed struct {
	Step      string         `json:"step"`
	Issuer    string         `json:"issuer,omitzero"`
	ClientID  string         `json:"clientID,omitzero"`
	Algorithm string         `json:"algorithm,omitzero"`
	Key       jsontext.Value `json:"key,omitzero"`
	Proof     jsontext.Value `json:"proof,omitzero"`
	Resource  string         `json:"resource,omitzero"`
	Scope     string         `json:"scope,omitzero"`
	Redirect  string         `json:"redirect,omitzero"`
	Verifier  string         `json:"verifier,omitzero"`
	Back      string         `json:"back,omitzero"`
}

// keyedFound is what it finds.
type keyedFound struct {
	Key          jsontext.Value `json:"key"`
	Proof        jsontext.Value `json:"proof"`
	URL          string         `json:"url"`
	Verifier     string         `json:"verifier"`
	Rotated      bool           `json:"rotated"`
	TokenType    string         `json:"tokenType"`
	Introspected told           `json:"introspected"`
	Revoked      told           `json:"revoked"`
}

func (k keyed) step(t *testing.T, name string) (found keyedFound) {
	t.Helper()
	k.Step = name
	ask(t, "keyed-client.mjs", k, &found)
	return found
}

// openDeskWith is a desk with further lines in its authserver block, and no
// client yet.
func openDeskWith(t *testing.T, lines string) *desk {
	t.Helper()
	servers := []staged{{"only", "http://" + loopback(freePort(t)), "accepted"}}
	d := &desk{stage: setStage(t, servers), user: person{"ada", adasPassword}}
	text, err := os.ReadFile(d.config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, d.config, strings.Replace(string(text), "  registration: open\n", "  registration: open\n"+lines, 1))
	d.server = start(t, binary, "authserver", "-c", d.config)
	eventually(t, func() error { return healthy(d.issuer + "/.well-known/oauth-authorization-server") })
	d.administer(t, d.user.Password+"\n", "user", "create", d.user.Username, "--password-stdin")
	d.target = d.resource("only")
	return d
}

// registered is the id of a client that an operator registers with these members.
func (d *desk) registered(t *testing.T, members string) string {
	t.Helper()
	file := write(t, filepath.Join(t.TempDir(), "client.json"), "{"+members+"}")
	return d.administer(t, "", "client", "register", file)["client_id"]
}

// TestOpenIDClientWithKeys: openid-client through every flow of a client with
// keys, under both profiles, with each algorithm and a nonce in every proof.
func TestOpenIDClientWithKeys(t *testing.T) {
	for profile, algorithms := range map[string][]string{"mcp": {"ES256", "RS256"}, "fapi2": {"ES256", "PS256", "EdDSA"}} {
		d := openDeskWith(t, "  profile: "+profile+"\n")
		for _, alg := range algorithms {
			t.Run(profile+" "+alg, func(t *testing.T) { d.keyedClient(t, alg) })
		}
	}
}

func (d *desk) keyedClient(t *testing.T, alg string) {
	k := keyed{Issuer: d.issuer, Resource: d.target, Scope: "everything", Redirect: deskCallback, Algorithm: alg}
	made := k.step(t, "make")
	k.Key, k.Proof = made.Key, made.Proof
	var key struct {
		Public jsontext.Value `json:"public"`
	}
	reply{body: string(made.Key)}.decode(t, &key)
	keys := `"token_endpoint_auth_method":"private_key_jwt","token_endpoint_auth_signing_alg":"` + alg + `","jwks":{"keys":[` + string(key.Public) + `]}`

	k.ClientID = d.registered(t, keys+`,"client_name":"Keyed","redirect_uris":["`+deskCallback+`"],"grant_types":["authorization_code","refresh_token"]`)
	pushed := k.step(t, "push")
	asked, err := url.Parse(pushed.URL)
	if err != nil || !strings.HasPrefix(asked.Query().Get("request_uri"), "urn:ietf:params:oauth:request_uri:") {
		t.Fatalf("pushed to %q (%v)", pushed.URL, err)
	}
	back := d.authorize(t, newWindow(t), asked.Query())
	k.Verifier, k.Back = pushed.Verifier, deskCallback+"?"+back.Encode()
	got := k.step(t, "redeem")
	if got.TokenType != "dpop" || got.Rotated || !got.Introspected.Active || got.Introspected.Scope != "everything" || got.Revoked.Active {
		t.Errorf("found %+v", got)
	}

	k.ClientID = d.registered(t, keys+`,"client_name":"Robot","grant_types":["client_credentials"],"scope":"everything"`)
	if got := k.step(t, "machine"); got.TokenType != "dpop" {
		t.Errorf("a machine's token is %q", got.TokenType)
	}
}

// TestClientsWithCertificates: both ways of RFC 8705 over the server's own TLS
// connection, in both protocols, and tokens bound to the certificate.
func TestClientsWithCertificates(t *testing.T) {
	ca, folder := newAuthority(t), t.TempDir()
	cert, key := ca.issue(t, folder, 1)
	clients := write(t, filepath.Join(folder, "clients.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})))
	d := openTLSDesk(t, ca, "  tls: {cert_file: "+cert+", key_file: "+key+", client_certificates: request}\n  client_ca_file: "+clients+"\n")
	signer := newSigner(t)
	own := pocketed(t, signer.key)
	issued := newSigner(t)
	named := tls.Certificate{PrivateKey: issued.key, Certificate: [][]byte{certify(t, &x509.Certificate{
		SerialNumber: ca.cert.SerialNumber, NotBefore: ca.cert.NotBefore, NotAfter: ca.cert.NotAfter, DNSNames: []string{"robot.example"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}, ca.cert, issued.key, ca.key).Raw}}
	const machine = `"grant_types":["client_credentials"],"scope":"everything","tls_client_certificate_bound_access_tokens":true,`
	self := d.registered(t, machine+`"token_endpoint_auth_method":"self_signed_tls_client_auth","jwks":{"keys":[`+signer.jwk()+`]}`)
	chained := d.registered(t, machine+`"token_endpoint_auth_method":"tls_client_auth","tls_client_auth_san_dns":"robot.example"`)
	for _, row := range []struct {
		name, client string
		shown        []tls.Certificate
		status       int
	}{
		{"its own", self, []tls.Certificate{own}, 200},
		{"of an authority", chained, []tls.Certificate{named}, 200},
		{"none", self, nil, 401},
		{"somebody's own", self, []tls.Certificate{pocketed(t, newSigner(t).key)}, 401},
		{"an authority's in the place of its own", self, []tls.Certificate{named}, 401},
		{"its own in the place of an authority's", chained, []tls.Certificate{own}, 401},
	} {
		for _, http2 := range []bool{false, true} {
			client := ca.client(t, http2)
			client.Transport.(*http.Transport).TLSClientConfig.Certificates = row.shown
			resp, err := client.PostForm(d.issuer+"/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {row.client}, "resource": {d.target}})
			if err != nil {
				t.Fatal(err)
			}
			got := read(t, resp)
			if got.status != row.status || row.status == 200 && !strings.Contains(claimsOf(t, got.told(t).Access), `"x5t#S256"`) {
				t.Errorf("%s, HTTP/2 %t: %d %s", row.name, http2, got.status, got.body)
			}
		}
	}
}

// openTLSDesk is a desk that speaks TLS with a certificate of ca.
func openTLSDesk(t *testing.T, ca authority, lines string) *desk {
	t.Helper()
	d := &desk{stage: setStage(t, []staged{{"only", "http://" + loopback(freePort(t)), "accepted"}})}
	text, err := os.ReadFile(d.config)
	if err != nil {
		t.Fatal(err)
	}
	secure := strings.Replace(d.issuer, "http:", "https:", 1)
	config := strings.ReplaceAll(strings.Replace(string(text), "  registration: open\n", "  registration: open\n"+lines, 1), d.issuer, secure)
	write(t, d.config, config)
	d.issuer = secure
	d.server = start(t, binary, "authserver", "-c", d.config)
	eventually(t, func() error { return listening(strings.TrimPrefix(secure, "https://")) })
	d.target = d.resource("only")
	return d
}

// claimsOf is the payload of a JWT.
func claimsOf(t *testing.T, jwt string) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt+"..", ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}

// TestAssertionsAreUsedOnce: the running server takes an assertion once, at
// whichever endpoint, for itself alone, and says why not as the standard has it.
func TestAssertionsAreUsedOnce(t *testing.T) {
	d, key := front.get(t), newSigner(t)
	id := d.registered(t, `"grant_types":["client_credentials"],"scope":"everything","token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[`+key.jwk()+`]}`)
	asserting := func(audience any, by signer) url.Values {
		now := time.Now().Unix()
		signed := by.sign(`{"alg":"ES256","typ":"JWT"}`, map[string]any{"iss": id, "sub": id, "aud": audience, "jti": rand.Text(), "iat": now, "exp": now + 60})
		return url.Values{"grant_type": {"client_credentials"}, "resource": {d.target}, "token": {"x"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {signed}}
	}
	once := asserting(d.issuer, key)
	if got := d.ask(t, "/token", once).expect(t, http.StatusOK).told(t); got.Access == "" {
		t.Error("no token")
	}
	for _, path := range []string{"/token", "/introspect", "/revoke", "/par"} {
		d.ask(t, path, once).refuses(t, http.StatusUnauthorized, "invalid_client")
	}
	d.ask(t, "/token", asserting(d.issuer+"/token", key)).refuses(t, http.StatusUnauthorized, "invalid_client")
	d.ask(t, "/token", asserting([]string{d.issuer}, key)).refuses(t, http.StatusUnauthorized, "invalid_client")
	d.ask(t, "/token", asserting(d.issuer, newSigner(t))).refuses(t, http.StatusUnauthorized, "invalid_client")
	d.ask(t, "/introspect", asserting(d.issuer, key)).expect(t, http.StatusOK)
}

// TestProxyShowsItsKey: the proxy's own credential, an assertion, is good at
// the bundled authorization server.
func TestProxyShowsItsKey(t *testing.T) {
	d, own, issuer, up := front.get(t), newSigner(t), newIssuer(t), newUpstream(t, echo)
	der, err := x509.MarshalPKCS8PrivateKey(own.key)
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, filepath.Join(t.TempDir(), "key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	id := d.registered(t, `"grant_types":["client_credentials"],"scope":"everything","token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[`+own.jwk()+`]}`)
	p := startProxy(t, settings{issuer: issuer.url, dpop: "accepted", upstream: up.url,
		shown: fmt.Sprintf("{type: client_credentials, issuer: %q, client_id: %s, key_file: %s, resource: %q, scope: [everything], dpop: required}", d.issuer, id, file, d.target)})
	p.caller(issuer, "ada").send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
	shown := up.all()[0].field(t, "Authorization")
	scheme, token, _ := strings.Cut(shown, " ")
	if scheme != "DPoP" || !strings.Contains(claimsOf(t, token), `"client_id":"`+id+`"`) {
		t.Errorf("the upstream saw %q", shown)
	}
}

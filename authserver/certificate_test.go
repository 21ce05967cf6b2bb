package authserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
)

// signed is a certificate with its key, by another or by itself.
type signed struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func certificateBy(t *testing.T, by *signed, change func(*x509.Certificate)) *signed {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	change(template)
	parent := &signed{template, key}
	if by != nil {
		parent = by
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.cert, key.Public(), parent.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &signed{cert, key}
}

func authorityCertificate(t *testing.T) *signed {
	t.Helper()
	return certificateBy(t, nil, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
		c.Subject = pkix.Name{CommonName: "authority"}
	})
}

func (s *signed) jwks(t *testing.T) string {
	t.Helper()
	k, err := jose.Import(s.key, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return setOf(t, k)
}

func (s *signed) thumbprint() string {
	sum := sha256.Sum256(s.cert.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// on is the connection a request comes on, as far as the server sees: with
// these certificates, the client's own first.
func (g *rig) on(chain ...*signed) {
	var shown []*x509.Certificate
	for _, c := range chain {
		shown = append(shown, c.cert)
	}
	g.serve = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.TLS = &tls.ConnectionState{PeerCertificates: shown}
		g.s.Handler().ServeHTTP(w, r)
	})
}

func (g *rig) certifiedMachine(members string) string {
	g.t.Helper()
	id, secret, err := g.s.RegisterClient(context.Background(), []byte(`{"grant_types":["client_credentials"],"scope":"calc:basic",`+members+`}`))
	if err != nil || secret != "" {
		g.t.Fatalf("%v, secret %q", err, secret)
	}
	return id
}

func asMachine(id string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}, "client_id": {id}}
}

func TestSelfSignedCertificates(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Clients.Certificates = true })
	plain := func(*x509.Certificate) {}
	own, other := certificateBy(t, nil, plain), certificateBy(t, nil, plain)
	expired := certificateBy(t, own, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	id := g.certifiedMachine(`"token_endpoint_auth_method":"self_signed_tls_client_auth","jwks":` + own.jwks(t))
	aged := g.certifiedMachine(`"token_endpoint_auth_method":"self_signed_tls_client_auth","jwks":` + expired.jwks(t))
	for _, row := range []struct {
		name   string
		id     string
		chain  []*signed
		change []string
		reason Reason
	}{
		{"its own", id, []*signed{own}, nil, ""},
		{"another", id, []*signed{other}, nil, WrongCertificate},
		{"its own behind another", id, []*signed{other, own}, nil, WrongCertificate},
		{"none", id, nil, nil, NoCertificate},
		{"with a secret beside it", id, []*signed{own}, []string{"client_secret", "x"}, WrongMethod},
		{"expired, which means nothing here", aged, []*signed{expired}, nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			g.on(row.chain...)
			a := g.post("/token", with(asMachine(row.id), row.change...))
			if row.reason == "" {
				g.expect(a, 200, "")
				return
			}
			g.expect(a, 401, "invalid_client")
			g.expectReason(row.reason)
		})
	}
	g.serve = g.s.Handler() // TLS ended before this process
	for _, name := range []string{"Client-Cert", "X-Client-Cert", "X-Forwarded-Client-Cert", "Ssl-Client-Cert"} {
		g.expect(g.post("/token", asMachine(id), header(name, base64.StdEncoding.EncodeToString(own.cert.Raw))), 401, "invalid_client")
		g.expectReason(NoCertificate)
	}
}

// smallCertificate is one of an authority that does not mind RSA of 1024 bits.
func smallCertificate(t *testing.T, by *signed, change func(*x509.Certificate)) *signed {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	template := *by.cert
	template.IsCA, template.KeyUsage, template.ExtKeyUsage = false, 0, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	change(&template)
	template.RawSubject = nil
	der, err := x509.CreateCertificate(rand.Reader, &template, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &signed{cert: cert}
}

// subject gives a certificate these steps of a name, of O and CN, in this order.
func subject(steps ...string) func(*x509.Certificate) {
	kinds := map[string]asn1.ObjectIdentifier{"CN": {2, 5, 4, 3}, "O": {2, 5, 4, 10}}
	var name pkix.RDNSequence
	for _, step := range steps {
		var set pkix.RelativeDistinguishedNameSET
		for one := range strings.SplitSeq(step, "+") {
			kind, value, _ := strings.Cut(one, "=")
			set = append(set, pkix.AttributeTypeAndValue{Type: kinds[kind], Value: value})
		}
		name = append(name, set)
	}
	raw, err := asn1.Marshal(name)
	if err != nil {
		panic(err) // unreachable: strings can be encoded
	}
	return func(c *x509.Certificate) { c.RawSubject = raw }
}

func TestCertificatesOfAnAuthority(t *testing.T) {
	authority, stranger := authorityCertificate(t), authorityCertificate(t)
	pool := x509.NewCertPool()
	pool.AddCert(authority.cert)
	g := newRig(t, func(c *Config) { c.Clients.Certificates, c.Clients.Authorities = true, pool })
	full := func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "robot", Organization: []string{"Example"}}
		c.DNSNames, c.EmailAddresses = []string{"Robot.example"}, []string{"robot@example.com"}
		c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 7)}
		c.URIs = []*url.URL{{Scheme: "spiffe", Host: "example", Path: "/robot"}}
	}
	good := certificateBy(t, authority, full)
	between := certificateBy(t, authority, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	for _, row := range []struct {
		name    string
		members string
		chain   []*signed
		reason  Reason
	}{
		{"host", `"tls_client_auth_san_dns":"robot.example"`, []*signed{good}, ""},
		{"host by another link", `"tls_client_auth_san_dns":"robot.example"`, []*signed{certificateBy(t, between, full), between}, ""},
		{"subject", `"tls_client_auth_subject_dn":"CN=robot,O=Example"`, []*signed{good}, ""},
		{"URI", `"tls_client_auth_san_uri":"spiffe://example/robot"`, []*signed{good}, ""},
		{"address", `"tls_client_auth_san_ip":"192.0.2.7"`, []*signed{good}, ""},
		{"mail", `"tls_client_auth_san_email":"robot@example.com"`, []*signed{good}, ""},
		{"another host", `"tls_client_auth_san_dns":"other.example"`, []*signed{good}, WrongCertificate},
		{"a name before the last one", `"tls_client_auth_subject_dn":"CN=robot,O=Example"`, []*signed{certificateBy(t, authority, subject("O=Example", "CN=stranger", "CN=robot"))}, WrongCertificate},
		{"the subject in another order", `"tls_client_auth_subject_dn":"CN=robot,O=Example"`, []*signed{certificateBy(t, authority, subject("CN=robot", "O=Example"))}, WrongCertificate},
		{"the subject in one step", `"tls_client_auth_subject_dn":"CN=robot,O=Example"`, []*signed{certificateBy(t, authority, subject("O=Example+CN=robot"))}, WrongCertificate},
		{"part of the subject", `"tls_client_auth_subject_dn":"CN=robot"`, []*signed{good}, WrongCertificate},
		{"another address", `"tls_client_auth_san_ip":"192.0.2.8"`, []*signed{good}, WrongCertificate},
		{"a URI in other case", `"tls_client_auth_san_uri":"spiffe://example/Robot"`, []*signed{good}, WrongCertificate},
		{"another's mail", `"tls_client_auth_san_email":"x@example.com"`, []*signed{good}, WrongCertificate},
		{"another authority", `"tls_client_auth_san_dns":"robot.example"`, []*signed{certificateBy(t, stranger, full)}, WrongCertificate},
		{"its own authority", `"tls_client_auth_san_dns":"robot.example"`, []*signed{certificateBy(t, nil, full)}, WrongCertificate},
		{"the link missing", `"tls_client_auth_san_dns":"robot.example"`, []*signed{certificateBy(t, between, full)}, WrongCertificate},
		{"for servers only", `"tls_client_auth_san_dns":"robot.example"`, []*signed{certificateBy(t, authority, func(c *x509.Certificate) {
			full(c)
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		})}, WrongCertificate},
		{"expired", `"tls_client_auth_san_dns":"robot.example"`, []*signed{certificateBy(t, authority, func(c *x509.Certificate) {
			full(c)
			c.NotAfter = time.Now().Add(-time.Minute)
		})}, WrongCertificate},
		{"a key that is too small", `"tls_client_auth_san_dns":"robot.example"`, []*signed{smallCertificate(t, authority, full)}, WrongCertificate},
		{"none", `"tls_client_auth_san_dns":"robot.example"`, nil, NoCertificate},
	} {
		t.Run(row.name, func(t *testing.T) {
			id := g.certifiedMachine(`"token_endpoint_auth_method":"tls_client_auth",` + row.members)
			g.on(row.chain...)
			a := g.post("/token", asMachine(id))
			if row.reason == "" {
				g.expect(a, 200, "")
				return
			}
			g.expect(a, 401, "invalid_client")
			g.expectReason(row.reason)
		})
	}
}

func TestCertificateBoundTokens(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Clients.Certificates = true })
	own := certificateBy(t, nil, func(*x509.Certificate) {})
	bound := g.certifiedMachine(`"token_endpoint_auth_method":"self_signed_tls_client_auth","tls_client_certificate_bound_access_tokens":true,"jwks":` + own.jwks(t))
	free := g.certifiedMachine(`"token_endpoint_auth_method":"self_signed_tls_client_auth","jwks":` + own.jwks(t))
	g.on(own)
	a := g.post("/token", asMachine(bound))
	if c := g.verified(a); c.Certificate != own.thumbprint() || a.str("token_type") != "Bearer" {
		t.Errorf("bound to %q: %s", c.Certificate, a.body)
	}
	i := g.post("/introspect", url.Values{"client_id": {bound}, "token": {a.str("access_token")}})
	if !strings.Contains(i.body, `"x5t#S256":"`+own.thumbprint()+`"`) {
		t.Errorf("introspection: %s", i.body)
	}
	both := g.verified(g.post("/token", asMachine(bound), g.proof(newKey(t), "")))
	if both.Certificate == "" || both.Thumbprint == "" {
		t.Errorf("a proof in the place of the certificate: %+v", both)
	}
	if c := g.verified(g.post("/token", asMachine(free))); c.Certificate != "" {
		t.Error("bound without having asked")
	}
	// A client that proves itself by a key is bound to what the connection shows.
	key := newKey(t)
	c := g.signingMachine(key, `,"tls_client_certificate_bound_access_tokens":true`)
	if c := g.verified(g.post("/token", machineWith(sign(t, key, "JWT", g.saying(c, "1"))))); c.Certificate != own.thumbprint() {
		t.Errorf("bound to %q", c.Certificate)
	}
	g.on()
	g.expect(g.post("/token", machineWith(sign(t, key, "JWT", g.saying(c, "2")))), 401, "invalid_client")
	g.expectReason(NoCertificate)
}

func TestCertificatesAreOfferedWhereTheyCanBeShown(t *testing.T) {
	pool := x509.NewCertPool()
	for _, row := range []struct {
		name                  string
		policy                ClientPolicy
		selfSigned, authority bool
	}{
		{"TLS ends in front", ClientPolicy{Profile: ProfileMCP}, false, false},
		{"own connection", ClientPolicy{Profile: ProfileMCP, Certificates: true}, true, false},
		{"and an authority", ClientPolicy{Profile: ProfileMCP, Certificates: true, Authorities: pool}, true, true},
	} {
		g := newRig(t, func(c *Config) { c.Clients = row.policy })
		doc := g.get(noRedirect(), "/.well-known/oauth-authorization-server").body
		if strings.Contains(doc, `"self_signed_tls_client_auth"`) != row.selfSigned || strings.Contains(doc, `"tls_client_auth"`) != row.authority ||
			strings.Contains(doc, `"tls_client_certificate_bound_access_tokens":true`) != row.selfSigned {
			t.Errorf("%s: %s", row.name, doc)
		}
		_, _, err := g.s.RegisterClient(t.Context(), []byte(`{"grant_types":["client_credentials"],"scope":"calc:basic",
			"token_endpoint_auth_method":"tls_client_auth","tls_client_auth_san_dns":"a.example"}`))
		if (err == nil) != row.authority {
			t.Errorf("%s: registered: %v", row.name, err)
		}
	}
}

package credential_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/proxy"
	"github.com/postern-mcp/postern/proxy/credential"
)

// authority signs certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

// issuedPair is a certificate with its key, both in PEM.
type issuedPair struct{ cert, key string }

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: rand.Text()}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

func (a authority) issue(t *testing.T, name string, until time.Time) issuedPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return issuedPair{
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
	}
}

// guarded serves with a certificate and tells each caller the name in its own,
// which must be of that authority; every request has a new connection.
func guarded(t *testing.T, server issuedPair, clients authority) string {
	t.Helper()
	pair, err := tls.X509KeyPair([]byte(server.cert), []byte(server.key))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	pool := x509.NewCertPool()
	pool.AddCert(clients.cert)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func reach(t *testing.T, settings func() *tls.Config, url string) (string, error) {
	t.Helper()
	way, err := proxy.NewTransport(proxy.Reach{TLS: settings, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer way.CloseIdleConnections()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := way.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// Whom the proxy believes and who it is, each thing wrong once.
func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	later := time.Now().Add(time.Hour)
	good, client := ours.issue(t, "127.0.0.1", later), ours.issue(t, "the-proxy", later)
	for _, row := range []struct {
		name       string
		server     issuedPair
		ca         string
		client     issuedPair
		serverName string
		want       string // in the error, "" for none
	}{
		{"all is well", good, ours.pem, client, "", ""},
		{"the system's authorities", good, "", client, "", "certificate signed by unknown authority"},
		{"another authority", good, theirs.pem, client, "", "certificate signed by unknown authority"},
		{"an expired upstream", ours.issue(t, "127.0.0.1", time.Now().Add(-time.Hour)), ours.pem, client, "", "expired"},
		{"another name", ours.issue(t, "elsewhere", later), ours.pem, client, "", "cannot validate certificate for 127.0.0.1"},
		{"another name that is expected", ours.issue(t, "elsewhere", later), ours.pem, client, "elsewhere", ""},
		{"no certificate of the proxy", good, ours.pem, issuedPair{}, "", "certificate required"},
		{"an expired one of the proxy", good, ours.pem, ours.issue(t, "the-proxy", time.Now().Add(-time.Hour)), "", "expired certificate"},
		{"one of another authority", good, ours.pem, theirs.issue(t, "the-proxy", later), "", "unknown certificate authority"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			files := credential.TLSFiles{ServerName: row.serverName}
			if row.ca != "" {
				files.CA = write(t, filepath.Join(dir, "ca"), row.ca)
			}
			if row.client.cert != "" {
				files.Cert, files.Key = write(t, filepath.Join(dir, "cert"), row.client.cert), write(t, filepath.Join(dir, "key"), row.client.key)
			}
			settings, err := credential.NewTLS(newBench().Kit, files)
			if err != nil {
				t.Fatal(err)
			}
			who, err := reach(t, settings, guarded(t, row.server, ours))
			if row.want == "" && (err != nil || who != "the-proxy") {
				t.Errorf("%q %v", who, err)
			}
			if row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("%q %v, want %q", who, err, row.want)
			}
		})
	}
}

// Certificates and authorities are taken from their files with the next
// connection; a pair of which only half is there yet is not.
func TestTLSFollowsItsFiles(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	later, dir := time.Now().Add(time.Hour), t.TempDir()
	first, second := ours.issue(t, "first", later), ours.issue(t, "second", later)
	files := credential.TLSFiles{
		CA:   write(t, filepath.Join(dir, "ca"), theirs.pem),
		Cert: write(t, filepath.Join(dir, "cert"), first.cert), Key: write(t, filepath.Join(dir, "key"), first.key),
	}
	b := newBench()
	settings, err := credential.NewTLS(b.Kit, files)
	if err != nil {
		t.Fatal(err)
	}
	url := guarded(t, ours.issue(t, "127.0.0.1", later), ours)
	if who, err := reach(t, settings, url); err == nil {
		t.Errorf("reached as %q under another authority", who)
	}
	for _, row := range []struct {
		path, text, want string
	}{
		{files.CA, ours.pem, "first"},
		{files.Cert, second.cert, "first"}, // its key is not there yet
		{files.Key, second.key, "second"},
		{files.CA, "not a certificate", "second"},
		{files.Key, "not a key", "second"},
	} {
		write(t, row.path, row.text)
		b.advance(time.Second)
		if who, err := reach(t, settings, url); err != nil || who != row.want {
			t.Errorf("after %s: %q %v, want %q", filepath.Base(row.path), who, err, row.want)
		}
	}
	if log := b.log.String(); !strings.Contains(log, "holds no PEM certificate") || strings.Contains(log, "PRIVATE KEY") {
		t.Errorf("log %s", log)
	}
}

func TestTLSFilesMustBeUsableAtTheStart(t *testing.T) {
	ours, dir := newAuthority(t), t.TempDir()
	pair, other := ours.issue(t, "a", time.Now().Add(time.Hour)), ours.issue(t, "b", time.Now().Add(time.Hour))
	cert, key := write(t, filepath.Join(dir, "cert"), pair.cert), write(t, filepath.Join(dir, "key"), pair.key)
	for name, files := range map[string]credential.TLSFiles{
		"no key":         {Cert: cert},
		"no certificate": {Key: key},
		"another's key":  {Cert: cert, Key: write(t, filepath.Join(dir, "other"), other.key)},
		"absent CA":      {CA: filepath.Join(dir, "absent")},
		"a key as CA":    {CA: key},
	} {
		if settings, err := credential.NewTLS(newBench().Kit, files); err == nil || settings != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := proxy.NewTransport(proxy.Reach{}); err == nil {
		t.Error("a way without a timeout was accepted")
	}
}

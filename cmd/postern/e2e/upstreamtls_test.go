package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pair writes a certificate of a for loopback, good until then, and its key.
func (a authority) pair(t *testing.T, name string, until time.Time) (certFile, keyFile string) {
	t.Helper()
	key, folder := newSigner(t).key, t.TempDir()
	cert := certify(t, &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, a.cert, key, a.key)
	return write(t, filepath.Join(folder, "cert"), pemCertificate(cert)), write(t, filepath.Join(folder, "key"), pemKey(t, key))
}

func pemCertificate(cert *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
}

func (a authority) file(t *testing.T) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "ca"), pemCertificate(a.cert))
}

// exclusive is an https upstream that lets in only holders of certificates by
// clients, and answers with the name in theirs; each call has a connection of
// its own.
func exclusive(t *testing.T, certFile, keyFile string, clients authority) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		answer(w, http.StatusOK, fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","content":[{"type":"text","text":%q}]}}`,
			r.TLS.PeerCertificates[0].Subject.CommonName))
	}))
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(clients.cert)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL + "/mcp"
}

// TestMutualTLSTowardUpstreams: whatever is wrong with either certificate, the
// call fails, the log names the cause, and nothing is sent without verifying.
func TestMutualTLSTowardUpstreams(t *testing.T) {
	issuer, ours, theirs := newIssuer(t), newAuthority(t), newAuthority(t)
	later, before := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	for _, row := range []struct {
		name        string
		upstream    authority
		upstreamEnd time.Time
		believed    string // ca_file of the proxy
		proxy       authority
		proxyEnd    time.Time
		shows       bool
		cause       string // in the log; "" when the call passes
	}{
		{"both are good", ours, later, ours.file(t), ours, later, true, ""},
		{"the upstream is of another authority", theirs, later, ours.file(t), ours, later, true, "certificate signed by unknown authority"},
		{"the upstream is not the system's", ours, later, "", ours, later, true, "certificate signed by unknown authority"},
		{"the upstream has expired", ours, before, ours.file(t), ours, later, true, "certificate has expired"},
		{"the proxy is of another authority", ours, later, ours.file(t), theirs, later, true, "unknown certificate authority"},
		{"the proxy has expired", ours, later, ours.file(t), ours, before, true, "expired certificate"},
		{"the proxy shows none", ours, later, ours.file(t), ours, later, false, "certificate required"},
	} {
		t.Run(row.name, func(t *testing.T) {
			upCert, upKey := row.upstream.pair(t, "upstream", row.upstreamEnd)
			cert, key := row.proxy.pair(t, "the-proxy", row.proxyEnd)
			var keys []string
			if row.believed != "" {
				keys = append(keys, "ca_file: "+row.believed)
			}
			kind := "{type: none}"
			if row.shows {
				kind, keys = "{type: mtls}", append(keys, "cert_file: "+cert, "key_file: "+key)
			}
			p := showing(t, issuer, exclusive(t, upCert, upKey, ours), kind, "    tls: {"+strings.Join(keys, ", ")+"}\n")
			got := p.caller(issuer, "ada").send(t, modernCall("echo", `{}`))
			if row.cause == "" {
				if got.expect(t, http.StatusOK); !strings.Contains(got.body, "the-proxy") {
					t.Errorf("the upstream sees %s", got.body)
				}
				return
			}
			got.expect(t, http.StatusBadGateway)
			if !strings.Contains(got.body, `"reason":"upstream_unreachable"`) || strings.Contains(got.body, "certificate") {
				t.Errorf("answered with %s", got.body)
			}
			eventually(t, func() error { return p.logged(row.cause) })
		})
	}
}

// TestClientCertificateTowardUpstreamsIsReloaded: the next connection shows
// the new one, and half a change is none.
func TestClientCertificateTowardUpstreamsIsReloaded(t *testing.T) {
	issuer, ours, later := newIssuer(t), newAuthority(t), time.Now().Add(time.Hour)
	upCert, upKey := ours.pair(t, "upstream", later)
	folder := t.TempDir()
	install := func(name string, whole bool) {
		t.Helper()
		cert, key := ours.pair(t, name, later)
		copyFile(t, cert, filepath.Join(folder, "cert"))
		if whole {
			copyFile(t, key, filepath.Join(folder, "key"))
		}
	}
	install("first", true)
	p := showing(t, issuer, exclusive(t, upCert, upKey, ours), "{type: mtls}",
		fmt.Sprintf("    tls: {ca_file: %s, cert_file: %s/cert, key_file: %s/key}\n", ours.file(t), folder, folder))
	ada := p.caller(issuer, "ada")
	seen := func(name string) func() error {
		return func() error {
			if got := ada.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK); !strings.Contains(got.body, name) {
				return fmt.Errorf("the upstream sees %s", got.body)
			}
			return nil
		}
	}
	eventually(t, seen("first"))
	install("half", false)
	eventually(t, func() error {
		if err := seen("first")(); err != nil {
			return err
		}
		return p.logged("credential files not taken")
	})
	install("second", true)
	eventually(t, seen("second"))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(text))
}

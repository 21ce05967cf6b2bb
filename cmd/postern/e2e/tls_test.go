package e2e

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key := newSigner(t).key
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "e2e authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	return authority{cert: certify(t, template, template, key, key), key: key}
}

func certify(t *testing.T, template, parent *x509.Certificate, of, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, of.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// issue writes a pair for loopback, with this serial number, into folder.
func (a authority) issue(t *testing.T, folder string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := certify(t, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "e2e"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
	}, a.cert, key, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return write(t, filepath.Join(folder, "tls.crt"), block("CERTIFICATE", cert.Raw)),
		write(t, filepath.Join(folder, "tls.key"), block("PRIVATE KEY", der))
}

// trust is what a client of the authority's servers needs.
func (a authority) trust(protocols ...string) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{RootCAs: pool, NextProtos: protocols}
}

// client speaks HTTP/2, or only HTTP/1.1.
func (a authority) client(t *testing.T, http2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: a.trust(), ForceAttemptHTTP2: http2}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// secured is a proxy that speaks TLS itself.
type secured struct {
	*sidecar
	authority authority
	issuer    *issuer
	upstream  *upstream
	folder    string // of the pair
}

// startSecured launches one with a certificate of serial number 1; options are
// further lines of its tls block, and blocks after it.
func startSecured(t *testing.T, handler http.HandlerFunc, options string) *secured {
	t.Helper()
	s := &secured{authority: newAuthority(t), issuer: newIssuer(t), upstream: newUpstream(t, handler), folder: t.TempDir()}
	cert, key := s.authority.issue(t, s.folder, 1)
	s.sidecar = startProxy(t, settings{
		issuer: s.issuer.url, dpop: "accepted", upstream: s.upstream.url, publicURL: "https://" + loopback(freePort(t)),
		more: fmt.Sprintf("tls:\n  cert_file: %s\n  key_file: %s\n%s", cert, key, options),
	})
	return s
}

func (s *secured) caller(t *testing.T, http2 bool) *caller {
	t.Helper()
	key := newSigner(t)
	token := s.issuer.token("ada", s.resource, "use", &key)
	return &caller{url: s.resource, token: token, key: &key, http: s.authority.client(t, http2)}
}

// dial makes one TLS connection by hand.
func (s *secured) dial(t *testing.T, protocols ...string) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", s.address, s.authority.trust(protocols...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

func TestCallsOverTLS(t *testing.T) {
	s := startSecured(t, echo, "")
	for _, row := range []struct {
		name  string
		http2 bool
		proto string
	}{{"HTTP/1.1", false, "HTTP/1.1"}, {"HTTP/2", true, "HTTP/2.0"}} {
		t.Run(row.name, func(t *testing.T) {
			c := s.caller(t, row.http2)
			resp := c.open(t, modernCall("echo", `{}`))
			if got := read(t, resp).expect(t, http.StatusOK); resp.Proto != row.proto || !strings.Contains(got.body, "done") {
				t.Errorf("%s answered %s", resp.Proto, got.body)
			}
			anonymous := caller{url: s.resource, http: c.http}
			got := anonymous.send(t, modernCall("echo", `{}`)).expect(t, http.StatusUnauthorized)
			for scheme, params := range challenges(t, got.header) {
				if !strings.HasPrefix(params["resource_metadata"], "https://"+s.address+"/") {
					t.Errorf("%s leads to %s", scheme, params["resource_metadata"])
				}
			}
		})
	}
	if got := len(s.upstream.all()); got != 2 {
		t.Errorf("the upstream got %d calls, want 2", got)
	}
}

// TestEndWithStreamsOpenOverHTTP2: the process ends in time, and the stream has
// its audit line.
func TestEndWithStreamsOpenOverHTTP2(t *testing.T) {
	t.Parallel()
	s := startSecured(t, gatekeeper{make(chan struct{})}.handle, "")
	c := s.caller(t, true)
	stream := c.open(t, message{method: http.MethodGet, header: map[string]string{"Accept": "text/event-stream"}})
	defer stream.Body.Close()
	nextEvent(t, bufio.NewReader(stream.Body))
	s.signal(syscall.SIGTERM)
	if code := s.exit(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
	id := stream.Header.Get("X-Request-Id")
	if !slices.ContainsFunc(auditLines(t, s.audit), func(l auditLine) bool { return l.RequestID == id && l.Decision == "allow" }) {
		t.Error("the stream has no audit line")
	}
}

// TestOldTLSIsRefused: 1.2 is the least.
func TestOldTLSIsRefused(t *testing.T) {
	s := startSecured(t, echo, "")
	for version, good := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conf := s.authority.trust()
		conf.MinVersion, conf.MaxVersion = version, version
		conn, err := tls.Dial("tcp", s.address, conf)
		if (err == nil) != good {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			conn.Close()
		}
	}
}

// TestPlainHTTPAtTheTLSPortIsTold what to do.
func TestPlainHTTPAtTheTLSPortIsTold(t *testing.T) {
	s := startSecured(t, echo, "")
	resp, body := raw(t, s.address, []string{"POST /recorder/mcp HTTP/1.1", "Host: " + s.address, "Content-Length: 2"}, "{}")
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "https") {
		t.Errorf("%s %q", resp.Status, body)
	}
}

// TestSilentPeersDelayNobody: connections that never begin their handshake.
func TestSilentPeersDelayNobody(t *testing.T) {
	s := startSecured(t, echo, "")
	for range 100 {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
	s.caller(t, true).send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
}

// TestFramingIsGuardedWithinTLS: the guard of HTTP/1.1 stands behind the handshake.
func TestFramingIsGuardedWithinTLS(t *testing.T) {
	s := startSecured(t, echo, "")
	token := s.issuer.token("ada", s.resource, "use", nil)
	for name, lines := range map[string]string{
		"both lengths":     "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
		"two lengths":      "Content-Length: 4\r\nContent-Length: 5\r\n",
		"a folded line":    "X: a\r\n b\r\n",
		"HTTP/2 in plain":  "",
		"a bare line feed": "X: a\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.dial(t, "http/1.1")
			text := "POST /recorder/mcp HTTP/1.1\r\nHost: " + s.address + "\r\nAuthorization: Bearer " + token + "\r\n" + lines + "\r\n"
			if lines == "" {
				text = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
			}
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(conn)
			if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 400") {
				t.Errorf("%q %v", got, err)
			}
		})
	}
	if got := s.upstream.all(); len(got) != 0 {
		t.Errorf("the upstream got %q", got)
	}
}

// TestClientCertificateIsAskedFor only when the configuration says so.
func TestClientCertificateIsAskedFor(t *testing.T) {
	for options, want := range map[string]bool{"": false, "  client_certificates: request\n": true} {
		s := startSecured(t, echo, options)
		for _, protocol := range []string{"http/1.1", "h2"} {
			var asked atomic.Bool
			conf := s.authority.trust(protocol)
			conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				asked.Store(true)
				return &tls.Certificate{}, nil
			}
			conn, err := tls.Dial("tcp", s.address, conf)
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
			if asked.Load() != want {
				t.Errorf("%s with %q: asked %t", protocol, options, asked.Load())
			}
		}
	}
}

// serial of the certificate a new connection sees.
func (s *secured) serial() (int64, error) {
	conn, err := tls.Dial("tcp", s.address, s.authority.trust())
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

func (s *secured) shows(t *testing.T, want int64) {
	t.Helper()
	eventually(t, func() error {
		got, err := s.serial()
		if err == nil && got != want {
			err = fmt.Errorf("certificate %d, want %d", got, want)
		}
		return err
	})
}

// TestCertificateIsReloaded when files are renamed over; a pair that does not
// fit leaves the old one and is said in log and metric; open connections go on.
func TestCertificateIsReloaded(t *testing.T) {
	s := startSecured(t, echo, "")
	s.shows(t, 1)
	c := s.caller(t, true)
	c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)

	next := t.TempDir()
	s.authority.issue(t, next, 2)
	move(t, next, s.folder, "tls.crt", "tls.key")
	s.shows(t, 2)

	broken := t.TempDir()
	s.authority.issue(t, broken, 3)
	move(t, broken, s.folder, "tls.crt")
	eventually(t, func() error {
		if _, err := s.serial(); err != nil {
			return err
		}
		return s.says("postern_tls_reloads_total{result=\"broken\"} 1")
	})
	s.shows(t, 2)
	if !strings.Contains(s.out.String(), "the old one stays") {
		t.Error("the log says nothing of the broken pair")
	}
	move(t, broken, s.folder, "tls.key")
	s.shows(t, 3)
	c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
}

func move(t *testing.T, from, to string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// says asks the metrics for one line.
func (p *sidecar) says(line string) error {
	resp, err := http.Get(p.admin + "/metrics")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && !slices.Contains(strings.Split(string(text), "\n"), line) {
		err = fmt.Errorf("the metrics do not say %s", line)
	}
	return err
}

// TestCertificateBehindASymbolicLink: Kubernetes swaps the folder that ..data
// points to, and touches nothing else.
func TestCertificateBehindASymbolicLink(t *testing.T) {
	s := &secured{authority: newAuthority(t), issuer: newIssuer(t), upstream: newUpstream(t, echo), folder: t.TempDir()}
	link := func(name, target string) {
		temporary := filepath.Join(s.folder, "new")
		if err := os.Symlink(target, temporary); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(temporary, filepath.Join(s.folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range []string{"..first", "..second"} {
		if err := os.Mkdir(filepath.Join(s.folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
		s.authority.issue(t, filepath.Join(s.folder, name), int64(i+1))
	}
	link("..data", "..first")
	link("tls.crt", "..data/tls.crt")
	link("tls.key", "..data/tls.key")
	s.sidecar = startProxy(t, settings{
		issuer: s.issuer.url, upstream: s.upstream.url, publicURL: "https://" + loopback(freePort(t)),
		more: fmt.Sprintf("tls: {cert_file: %s/tls.crt, key_file: %s/tls.key}\n", s.folder, s.folder),
	})
	s.shows(t, 1)
	link("..data", "..second")
	s.shows(t, 2)
}

// TestBrokenCertificateDoesNotStart: a certificate and the key of another.
func TestBrokenCertificateDoesNotStart(t *testing.T) {
	a, folder, other := newAuthority(t), t.TempDir(), t.TempDir()
	cert, _ := a.issue(t, folder, 1)
	_, key := a.issue(t, other, 2)
	p := launchProxy(t, settings{
		issuer: "https://issuer.example", upstream: "http://127.0.0.1:1/mcp", publicURL: "https://" + loopback(freePort(t)),
		more: fmt.Sprintf("tls: {cert_file: %s, key_file: %s}\n", cert, key),
	})
	if code := p.exit(t); code != 2 || !strings.Contains(p.out.String(), "tls: "+cert) {
		t.Errorf("exit %d:\n%s", code, p.out.String())
	}
}

func TestAuthserverSpeaksTLS(t *testing.T) {
	a, dir := newAuthority(t), t.TempDir()
	cert, key := a.issue(t, dir, 1)
	address := loopback(freePort(t))
	start(t, binary, "authserver", "-c", write(t, filepath.Join(dir, "postern.yaml"), fmt.Sprintf(`authserver:
  listen: %s
  issuer: https://%s
  database: sqlite:auth.db
  secret_file: %s
  resources: [{resource: "https://mcp.example.com/mcp", name: mcp}]
  tls: {cert_file: %s, key_file: %s}
`, address, address, newSecret(t, dir), cert, key)))
	client := a.client(t, true)
	eventually(t, func() error {
		resp, err := client.Get("https://" + address + "/.well-known/oauth-authorization-server")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
			return fmt.Errorf("%s %s", resp.Proto, resp.Status)
		}
		return nil
	})
}

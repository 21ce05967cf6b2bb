package handshake

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func pair(t *testing.T) *Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c, err := OpenCertificate(file("crt", "CERTIFICATE", cert), file("key", "PRIVATE KEY", secret), func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func listen(t *testing.T) (net.Listener, Config) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln, Config{Certificate: pair(t), HTTP1: func(c net.Conn) net.Conn { return c }, Log: slog.New(slog.DiscardHandler)}
}

func TestListenerNeedsEverything(t *testing.T) {
	for name, leaveOut := range map[string]func(*Config){
		"certificate": func(c *Config) { c.Certificate = nil },
		"HTTP1":       func(c *Config) { c.HTTP1 = nil },
		"log":         func(c *Config) { c.Log = nil },
	} {
		ln, conf := listen(t)
		leaveOut(&conf)
		if _, err := Listener(ln, conf); err == nil {
			t.Errorf("accepted without %s", name)
		}
	}
}

// HTTP/2 goes on as net/http knows it, HTTP/1.1 as the guard makes it.
func TestProtocolsGoTheirWays(t *testing.T) {
	type guarded struct{ net.Conn }
	ln, conf := listen(t)
	conf.HTTP1 = func(c net.Conn) net.Conn { return guarded{c} }
	secure, err := Listener(ln, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer secure.Close()
	for protocol, known := range map[string]bool{"h2": true, "http/1.1": false, "": false} {
		client := &tls.Config{InsecureSkipVerify: true}
		if protocol != "" {
			client.NextProtos = []string{protocol}
		}
		done := make(chan error, 1)
		go func() {
			c, err := tls.Dial("tcp", ln.Addr().String(), client)
			if err == nil {
				err = c.Close()
			}
			done <- err
		}()
		c, err := secure.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, plain := c.(*tls.Conn); plain != known {
			t.Errorf("%q is accepted as %T", protocol, c)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		c.Close()
	}
}

// What encrypts first and authenticates afterwards, and keys that open what was
// recorded, are not spoken.
func TestOldCipherSuitesAreNotSpoken(t *testing.T) {
	for suite, good := range map[uint16]bool{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: true, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: true,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: false, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: false,
	} {
		ln, conf := listen(t)
		secure, err := Listener(ln, conf)
		if err != nil {
			t.Fatal(err)
		}
		c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}})
		if (err == nil) != good {
			t.Errorf("%s: %v", tls.CipherSuiteName(suite), err)
		}
		if err == nil {
			_ = c.Close()
		}
		_ = secure.Close()
	}
}

// Nobody waits for a listener that is closed: neither who accepts nor who is
// through with the handshake.
func TestClosedListenerLetsGo(t *testing.T) {
	ln, conf := listen(t)
	secure, err := Listener(ln, conf)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := secure.Close(); err != nil {
		t.Error(err)
	}
	if _, err := secure.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is still open: %v", err)
	}
}

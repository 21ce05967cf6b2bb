// Package handshake takes TLS off connections before HTTP is spoken on them.
//
// Laws: whoever accepts never waits for a handshake, and gets only
// connections that finished theirs in time; HTTP/2 goes on as the *tls.Conn
// that net/http knows, HTTP/1.1 through a guard; both tell requests their TLS
// state. Client certificates prove that the client holds their key and nothing
// else: no authority is asked about them (RFC 8705 §3).
package handshake

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// timeLimit of one handshake.
const timeLimit = 10 * time.Second

// Config is how TLS is spoken. Every field is needed.
type Config struct {
	Certificate        *Certificate
	ClientCertificates bool                    // ask for one; it is not held against any authority
	HTTP1              func(net.Conn) net.Conn // what HTTP/1.1 connections become
	Log                *slog.Logger
}

// Listener returns ln with TLS taken off every connection. How many
// handshakes run at a time is for ln to bound.
func Listener(ln net.Listener, c Config) (net.Listener, error) {
	if c.Certificate == nil || c.HTTP1 == nil || c.Log == nil {
		return nil, errors.New("handshake: Certificate, HTTP1 and Log are required")
	}
	l := &listener{
		Listener: ln, conf: c, tls: serverConfig(c),
		done: make(chan net.Conn), ended: make(chan struct{}),
	}
	go l.accept()
	return l, nil
}

func serverConfig(c Config) *tls.Config {
	conf := &tls.Config{
		MinVersion: tls.VersionTLS12,
		// RFC 9325 §4.2: of TLS 1.2 only what authenticates what it encrypts, with keys of its own.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.Certificate.Current(), nil
		},
	}
	if c.ClientCertificates {
		conf.ClientAuth = tls.RequestClientCert
	}
	return conf
}

type listener struct {
	net.Listener
	conf  Config
	tls   *tls.Config
	done  chan net.Conn // handshakes that are through
	ended chan struct{} // closed once nothing is accepted any more
	once  sync.Once
	err   error // why it ended
}

// accept starts a handshake for each connection until the listener fails.
func (l *listener) accept() {
	for {
		c, err := l.Listener.Accept()
		if temporary(err) {
			time.Sleep(50 * time.Millisecond) // as net/http does when files run out
			continue
		}
		if err != nil {
			l.end(err)
			return
		}
		go l.shake(c)
	}
}

func temporary(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Temporary() // what net/http asks too
}

// shake gives the connection to Accept once the handshake is done.
func (l *listener) shake(raw net.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	secure := tls.Server(raw, l.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		explain(err)
		_ = raw.Close()
		l.conf.Log.Debug("TLS handshake", "peer", raw.RemoteAddr(), "cause", err)
		return
	}
	var ready net.Conn = secure
	if secure.ConnectionState().NegotiatedProtocol != "h2" {
		ready = l.conf.HTTP1(secure)
	}
	select {
	case l.done <- ready:
	case <-l.ended:
		_ = raw.Close()
	}
}

// explain tells who speaks plain HTTP what to do, and lets them read it:
// closing with bytes unread would make TCP throw the answer away.
func explain(err error) {
	var wrong tls.RecordHeaderError
	if !errors.As(err, &wrong) || wrong.Conn == nil {
		return
	}
	switch string(wrong.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET":
		_ = wrong.Conn.SetDeadline(time.Now().Add(250 * time.Millisecond))
		_, _ = io.WriteString(wrong.Conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nThis port speaks TLS: use https.\n")
		if half, ok := wrong.Conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
			_, _ = io.CopyN(io.Discard, wrong.Conn, 64<<10)
		}
	}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.done:
		return c, nil
	case <-l.ended:
		return nil, l.err
	}
}

func (l *listener) end(err error) {
	l.once.Do(func() {
		l.err = err
		close(l.ended)
	})
}

// Close ends accepting; handshakes under way come to nothing.
func (l *listener) Close() error {
	err := l.Listener.Close()
	l.end(net.ErrClosed)
	return err
}

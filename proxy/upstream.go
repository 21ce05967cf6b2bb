package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/token"
)

// Purpose is the one request an upstream credential is for.
type Purpose struct {
	Server    string
	Method    string // of the outgoing request
	RequestID string
	Caller    token.Claims // proven
	Token     string       // the caller's access token: for exchange at an issuer, never for an upstream
}

// Credential is what the proxy shows an upstream. String must not show a
// secret. Package proxy/credential has them.
type Credential interface {
	// Show gives the header fields of one outgoing request. They are read, not
	// written, and overrule every other.
	Show(ctx context.Context, p Purpose) (http.Header, error)

	// Refused hears that an upstream answered 401 with the header answer to
	// what was shown, and says whether showing anew may do better.
	Refused(p Purpose, shown, answer http.Header) (again bool)

	String() string
}

// ErrExchangeRefused in an error of Show: the issuer gives no token for this
// caller's, so that asking again changes nothing.
var ErrExchangeRefused = errors.New("the issuer does not exchange this caller's token")

// ErrCallerEnded in an error of Show: the caller's token, good until a moment
// ago and let pass for its clock, is too old for what it is needed for.
var ErrCallerEnded = errors.New("the caller's token has expired")

// framing are headers that frame a message or belong to a connection.
var framing = map[string]bool{
	"Accept-Encoding":   true,
	"Connection":        true,
	"Content-Encoding":  true,
	"Content-Length":    true,
	"Expect":            true,
	"Host":              true,
	"Keep-Alive":        true,
	"Proxy-Connection":  true,
	"Te":                true,
	"Trailer":           true,
	"Transfer-Encoding": true,
	"Upgrade":           true,
	"X-Request-Id":      true,
}

// SubjectOf is whom a request to an upstream is carried out for, by its
// context: the same for the same subject of one issuer, "" for nobody. Ways to
// an upstream hold everybody to a share by it.
func SubjectOf(ctx context.Context) string {
	t, ok := ctx.Value(tripKey{}).(*trip)
	if !ok {
		return ""
	}
	return subjectOf(t.errand.permit.call.caller).String()
}

// CheckCredentialHeader refuses canonical names that are not the proxy's to
// fill with a credential.
func CheckCredentialHeader(name string) error {
	if name == "" || strings.ContainsFunc(name, notInHeaderName) {
		return fmt.Errorf("%q is not a header name", name)
	}
	if carried[name] || framing[name] || strings.HasPrefix(name, "Mcp-") {
		return errors.New("the header " + name + " is not for credentials")
	}
	return nil
}

// notInHeaderName: letters, digits and hyphens only. What else a token of
// RFC 9110 §5.6.2 may hold is read by some servers as a hyphen.
func notInHeaderName(c rune) bool {
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-')
}

// Errors of a Transport that have reasons of their own.
var (
	ErrBusy     = errors.New("the upstream takes no more requests at a time")
	ErrStarting = errors.New("the upstream is not running")
)

// Reach is how connections to an HTTP upstream are made.
type Reach struct {
	Socket  string             // path of a Unix socket; "" goes by TCP to the URL's host
	TLS     func() *tls.Config // of one new connection: roots and client certificate; nil takes the system's roots and shows none
	Timeout time.Duration      // until the upstream's response header
}

const handshakeTimeout = 5 * time.Second

// NewTransport is the way to one HTTP upstream. It follows no environment.
func NewTransport(r Reach) (*http.Transport, error) {
	if r.Timeout <= 0 {
		return nil, errors.New("proxy: Reach needs a Timeout")
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	dial := dialer.DialContext
	if r.Socket != "" {
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", r.Socket)
		}
	}
	way := &http.Transport{
		DialContext:            dial,
		TLSHandshakeTimeout:    handshakeTimeout,
		ResponseHeaderTimeout:  r.Timeout,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
	if r.TLS != nil {
		way.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return secured(ctx, conn, r.TLS(), address)
		}
	}
	return way, nil
}

// secured makes a connection a TLS one.
func secured(ctx context.Context, conn net.Conn, conf *tls.Config, address string) (net.Conn, error) {
	if conf.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			_ = conn.Close()
			return nil, err
		}
		conf.ServerName = host
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	client := tls.Client(conn, conf)
	if err := client.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return client, nil
}

// presenter repeats a request once when the upstream turned the credential
// down and a new one may do better: a refused request was not carried out.
type presenter struct{ http.RoundTripper }

func (t presenter) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	e := req.Context().Value(tripKey{}).(*trip).errand
	credential := e.permit.call.caller.visit.server.credential
	if !credential.Refused(e.purpose, e.shown, resp.Header) {
		return resp, nil
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	_ = resp.Body.Close()
	shown, err := credential.Show(req.Context(), e.purpose)
	if err != nil {
		return nil, unequipped(err)
	}
	again, err := repeated(req, e.shown, shown)
	if err != nil {
		return nil, err
	}
	return t.RoundTripper.RoundTrip(again)
}

// unequipped is the refusal of a call the proxy has no credential for.
func unequipped(err error) *refusal {
	switch {
	case errors.Is(err, ErrExchangeRefused):
		return refused(stageEquip, reasonExchangeRefused, err)
	case errors.Is(err, ErrCallerEnded):
		return refused(stageEquip, reason(token.Expired), err)
	}
	return refused(stageEquip, reasonCredentialFails, err)
}

// repeated is the request with another credential.
func repeated(req *http.Request, old, shown http.Header) (*http.Request, error) {
	again := req.Clone(req.Context())
	for name := range old {
		delete(again.Header, name)
	}
	for name, values := range shown {
		again.Header[name] = values
	}
	if req.GetBody == nil {
		return again, nil
	}
	body, err := req.GetBody()
	again.Body = body
	return again, err
}

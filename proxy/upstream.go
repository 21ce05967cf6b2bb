package proxy

import (
	"context"
	"crypto/tls"
	"errors"
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
	Refused(shown, answer http.Header) (again bool)

	String() string
}

// CheckCredentialHeader refuses canonical names that are not the proxy's to
// fill with a credential.
func CheckCredentialHeader(name string) error {
	if name == "" || carried[name] || strings.HasPrefix(name, "Mcp-") {
		return errors.New("the header " + name + " is not for credentials")
	}
	return nil
}

// Reach is how connections to an HTTP upstream are made.
type Reach struct {
	Socket  string        // path of a Unix socket; "" goes by TCP to the URL's host
	TLS     *tls.Config   // roots and client certificate; nil takes the system's roots and shows none
	Timeout time.Duration // until the upstream's response header
}

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
	return &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        r.TLS,
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  r.Timeout,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}, nil
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
	if !credential.Refused(e.shown, resp.Header) {
		return resp, nil
	}
	shown, err := credential.Show(req.Context(), e.purpose)
	if err != nil {
		return resp, nil // the refusal stands
	}
	again, err := repeated(req, e.shown, shown)
	if err != nil {
		return resp, nil
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	_ = resp.Body.Close()
	return t.RoundTripper.RoundTrip(again)
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

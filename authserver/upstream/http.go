package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/reach"
)

const (
	timeLimit   = 5 * time.Second
	answerLimit = 256 << 10 // bytes of any one answer
)

var errTooLarge = fmt.Errorf("the answer is larger than %d bytes", answerLimit)

// newClient follows no redirect and uses no proxy.
func newClient(allowed func(netip.Addr) bool) *http.Client {
	dialer := &net.Dialer{Timeout: timeLimit, Control: reach.Only(allowed)}
	return &http.Client{
		Timeout:       timeLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: bounded{&http.Transport{
			DialContext: dialer.DialContext, DisableCompression: true, ForceAttemptHTTP2: true,
			MaxResponseHeaderBytes: 32 << 10, TLSHandshakeTimeout: timeLimit, IdleConnTimeout: time.Minute,
		}},
	}
}

// reachable is where a provider may be: at a public address or in networks;
// one on this machine is on this machine and nowhere else.
func reachable(local bool, networks []netip.Prefix) func(netip.Addr) bool {
	if local {
		return netip.Addr.IsLoopback
	}
	return func(a netip.Addr) bool {
		inside := func(n netip.Prefix) bool { return n.Contains(a.Unmap()) }
		return reach.Public(a) || slices.ContainsFunc(networks, inside)
	}
}

// bounded cuts every answer off, whoever reads it.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &cut{resp.Body, answerLimit}
	return resp, nil
}

type cut struct {
	io.ReadCloser
	left int
}

func (c *cut) Read(p []byte) (int, error) {
	if len(p) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.ReadCloser.Read(p)
	if c.left -= n; c.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// get reads one JSON document.
func (p *Provider) get(ctx context.Context, address, authorization string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	status, body, err := p.send(req)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d", address, status)
	}
	return body, nil
}

// send makes one request and reads its answer, which must be JSON.
func (p *Provider) send(req *http.Request) (status int, body []byte, err error) {
	req.Header.Set("Accept", "application/json")
	resp, err := p.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		return 0, nil, err
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" && !(strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")) {
		return 0, nil, errors.Join(fmt.Errorf("%s answers %d with no JSON", req.URL.Redacted(), resp.StatusCode), err)
	}
	return resp.StatusCode, body, nil
}

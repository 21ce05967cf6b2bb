// Package discovery reads what authorization servers publish about themselves
// (RFC 8414, OpenID Connect Discovery). Its laws: documents come over TLS or
// from this machine, from where the issuer says and nowhere it redirects to,
// bounded in time and size; metadata that names another issuer is not used.
package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	timeout = 5 * time.Second
	limit   = 2 << 20 // bytes of one document: a status list that does not compress
)

// Metadata is the part of an issuer's document that matters here.
type Metadata struct {
	Issuer          string   `json:"issuer"`
	KeySet          string   `json:"jwks_uri"`
	TokenEndpoint   string   `json:"token_endpoint"`
	Introspection   string   `json:"introspection_endpoint"`
	ProofAlgorithms []string `json:"dpop_signing_alg_values_supported"` // RFC 9449 §5.1
}

// NewHTTPClient is for requests to issuers: a redirect is an answer, not a way.
func NewHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxConnsPerHost, transport.MaxIdleConnsPerHost = 32, 32
	return &http.Client{
		Transport: transport,
		Timeout:   timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// Find tries the well-known places of issuer in the order MCP clients do.
func Find(ctx context.Context, client *http.Client, issuer string) (Metadata, error) {
	var failures []error
	for _, place := range places(issuer) {
		m, err := read(ctx, client, place)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		if m.Issuer != issuer { // RFC 8414 §3.3: identical, or not to be used
			failures = append(failures, fmt.Errorf("%s is the metadata of %.200q", place, m.Issuer))
			continue
		}
		return m, nil
	}
	return Metadata{}, errors.Join(failures...)
}

func places(issuer string) []string {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil // unreachable: the configuration parsed it
	}
	base, path := u.Scheme+"://"+u.Host, strings.TrimSuffix(u.Path, "/")
	all := []string{
		base + "/.well-known/oauth-authorization-server" + path,
		base + "/.well-known/openid-configuration" + path,
	}
	if path != "" {
		all = append(all, base+path+"/.well-known/openid-configuration")
	}
	return all
}

// Trusted refuses URLs that go in plain over a network.
func Trusted(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return err
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && local) {
		return nil
	}
	return fmt.Errorf("%.200q must be https", raw)
}

func read(ctx context.Context, client *http.Client, place string) (Metadata, error) {
	body, err := Get(ctx, client, place, "application/json")
	if err != nil {
		return Metadata{}, err
	}
	var m Metadata
	if err := json.Unmarshal(body, &m); err != nil {
		return Metadata{}, fmt.Errorf("%s: %w", place, err)
	}
	return m, nil
}

// Get fetches a document that an issuer publishes, of at most 2 MiB. Caches
// on the way are asked for a fresh one.
func Get(ctx context.Context, client *http.Client, place, accept string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("Cache-Control", "no-cache")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return ReadAnswer(resp, limit)
}

// ReadAnswer takes the body of a 200, bounded.
func ReadAnswer(resp *http.Response, most int64) ([]byte, error) {
	place := resp.Request.URL
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", place, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > most {
		return nil, fmt.Errorf("%s is larger than %d bytes", place, most)
	}
	return body, nil
}

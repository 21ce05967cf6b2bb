package discovery_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/postern-mcp/postern/proxy/discovery"
)

// publisher answers some paths and remembers which were asked for.
type publisher struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func newPublisher(t *testing.T, answer func(base string, w http.ResponseWriter, r *http.Request)) *publisher {
	t.Helper()
	p := &publisher{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, r.URL.Path)
		p.mu.Unlock()
		answer(p.URL, w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func TestFindInTheOrderOfClients(t *testing.T) {
	for _, row := range []struct {
		path   string // of the issuer
		served string // the one place that answers
		asked  []string
	}{
		{"", "/.well-known/oauth-authorization-server", []string{"/.well-known/oauth-authorization-server"}},
		{"", "/.well-known/openid-configuration", []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"}},
		{"/realms/x", "/.well-known/oauth-authorization-server/realms/x", []string{"/.well-known/oauth-authorization-server/realms/x"}},
		{"/realms/x", "/realms/x/.well-known/openid-configuration", []string{
			"/.well-known/oauth-authorization-server/realms/x", "/.well-known/openid-configuration/realms/x", "/realms/x/.well-known/openid-configuration"}},
	} {
		p := newPublisher(t, func(base string, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != row.served {
				http.NotFound(w, r)
				return
			}
			fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":"https://issuer.example/token","unknown":[1]}`, base+row.path)
		})
		m, err := discovery.Find(t.Context(), discovery.NewHTTPClient(), p.URL+row.path)
		if err != nil || m.TokenEndpoint != "https://issuer.example/token" || !slices.Equal(p.asked, row.asked) {
			t.Errorf("%s at %s: %+v %v after %q", row.path, row.served, m, err, p.asked)
		}
	}
}

// What does not come straight from the issuer, about itself, is not used.
func TestFindRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		answer func(base string, w http.ResponseWriter, r *http.Request)
		want   string
	}{
		"another issuer's": {func(base string, w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"issuer":"%s/"}`, base) }, "is the metadata of"},
		"nobody's":         {func(_ string, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) }, "is the metadata of"},
		"two issuers": {func(base string, w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"issuer":"x","issuer":%q}`, base)
		}, "duplicate"},
		"not JSON":        {func(_ string, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `<html>`) }, "invalid"},
		"in another case": {func(base string, w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"Issuer":%q}`, base) }, "is the metadata of"},
		"with an error": {func(base string, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			fmt.Fprintf(w, `{"issuer":%q}`, base)
		}, "500"},
		"larger than bound": {func(_ string, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(" ", 2<<20+1)) }, "larger than"},
		"redirected": {func(base string, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				fmt.Fprintf(w, `{"issuer":%q}`, base)
				return
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}, "302"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPublisher(t, row.answer)
			m, err := discovery.Find(t.Context(), discovery.NewHTTPClient(), p.URL)
			if err == nil || m.Issuer != "" || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%+v %v, want %q", m, err, row.want)
			}
			if slices.Contains(p.asked, "/elsewhere") {
				t.Error("a redirect was followed")
			}
		})
	}
}

func TestTrusted(t *testing.T) {
	for raw, want := range map[string]bool{
		"https://issuer.example/token":  true,
		"http://127.0.0.1:8090/token":   true,
		"http://localhost/token":        true,
		"http://[::1]:1/token":          true,
		"http://issuer.example/token":   false,
		"http://127.0.0.1.example/":     false,
		"http://localhost.example/":     false,
		"http://user@issuer.example/":   false,
		"https:///token":                false,
		"ftp://127.0.0.1/":              false,
		"/token":                        false,
		"":                              false,
		"http://127.0.0.1:8090:1/token": false,
	} {
		if err := discovery.Trusted(raw); (err == nil) != want {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

package credential_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/proxy/credential"
)

// provingIssuer demands a proof with its nonce, as strictly as our own.
func provingIssuer(t *testing.T, b *bench) *issuerStand {
	t.Helper()
	var i *issuerStand
	i = newIssuer(t, func(n int, a asked) (int, string, http.Header) {
		target, _ := dpop.ParseTarget(i.URL + "/token")
		proof, err := dpop.Verify(b.Now(), a.header.Values("DPoP"), dpop.AtEndpoint("POST", target, dpop.Window{Past: time.Minute, Future: time.Second}))
		if err != nil {
			return 400, `{"error":"invalid_dpop_proof"}`, nil
		}
		if proof.Nonce() != "n1" {
			return 400, `{"error":"use_dpop_nonce"}`, http.Header{"Dpop-Nonce": {"n1"}}
		}
		return 200, fmt.Sprintf(`{"access_token":"t-%s","token_type":"DPoP","expires_in":60}`, proof.Thumbprint()), nil
	})
	return i
}

func TestBoundTokens(t *testing.T) {
	for name, row := range map[string]struct {
		binding  credential.Binding
		metadata string
		requests int // until there is a token
	}{
		"demanded":                            {credential.Bound, ``, 2},
		"offered by metadata":                 {credential.Offered, `,"dpop_signing_alg_values_supported":["ES256"]`, 2},
		"wanted, but not in metadata":         {credential.Offered, ``, 3},
		"metadata names other algorithms":     {credential.Offered, `,"dpop_signing_alg_values_supported":["RS256"]`, 3},
		"off, so the issuer's no is an error": {credential.Unbound, `,"dpop_signing_alg_values_supported":["ES256"]`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			i := provingIssuer(t, b)
			i.algs = row.metadata
			c := machineToken(t, b, i.conf(t, b, row.binding))
			header, err := c.Show(t.Context(), post)
			if n := len(i.all()); n != row.requests {
				t.Errorf("%d requests, want %d", n, row.requests)
			}
			if row.binding == credential.Unbound {
				if err == nil {
					t.Errorf("shows %v", header)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkShown(t, b, header, "")
			challenge := http.Header{"Www-Authenticate": {`DPoP error="use_dpop_nonce"`}, "Dpop-Nonce": {"up1"}}
			if !c.Refused(post, header, challenge) {
				t.Fatal("the upstream's nonce is not tried")
			}
			again, err := c.Show(t.Context(), post)
			if err != nil {
				t.Fatal(err)
			}
			checkShown(t, b, again, "up1")
			if n := len(i.all()); n != row.requests {
				t.Errorf("a nonce of the upstream made %d requests at the issuer", n)
			}
		})
	}
}

// checkShown verifies what an upstream is shown as an upstream does.
func checkShown(t *testing.T, b *bench, header http.Header, nonce string) {
	t.Helper()
	scheme, access, _ := strings.Cut(header.Get("Authorization"), " ")
	target, err := dpop.ParseTarget(upstream.String())
	if err != nil {
		t.Fatal(err)
	}
	proof, err := dpop.Verify(b.Now(), header.Values("DPoP"), dpop.AtResource("POST", target, access, dpop.Window{Past: time.Minute, Future: time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	if scheme != "DPoP" || "t-"+proof.Thumbprint() != access || proof.Nonce() != nonce {
		t.Errorf("shows %s %s with a proof of %s and nonce %q", scheme, access, proof.Thumbprint(), proof.Nonce())
	}
}

func TestBearerIsNoBoundToken(t *testing.T) {
	b, i := newBench(), newIssuer(t, numbered)
	c := machineToken(t, b, i.conf(t, b, credential.Bound))
	if header, err := c.Show(t.Context(), post); err == nil || !strings.Contains(err.Error(), "dpop: required") {
		t.Errorf("%v %v", header, err)
	}
	c = machineToken(t, b, i.conf(t, b, credential.Offered))
	if s := shown(t, c); s != "Bearer t2" {
		t.Errorf("under auto it shows %q", s)
	}
}

// A refused token is dropped, but an upstream that refuses everything does not
// make every call a token request.
func TestRefusedTokens(t *testing.T) {
	b, i := newBench(), newIssuer(t, numbered)
	c := machineToken(t, b, i.conf(t, b, credential.Unbound))
	first, err := c.Show(t.Context(), post)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Refused(post, first, http.Header{}) || shown(t, c) != "Bearer t2" {
		t.Error("the refused token was not renewed")
	}
	if !c.Refused(post, first, http.Header{}) || shown(t, c) != "Bearer t2" {
		t.Error("a late refusal of the old token dropped the new one")
	}
	second, _ := c.Show(t.Context(), post)
	if c.Refused(post, second, http.Header{}) {
		t.Error("the new token was dropped a moment after")
	}
	b.advance(11 * time.Second)
	if !c.Refused(post, second, http.Header{}) || shown(t, c) != "Bearer t3" {
		t.Error("the refused token was not renewed later")
	}
}

func TestTokenEndpointsMustBeTrusted(t *testing.T) {
	b := newBench()
	if _, err := credential.NewClientCredentials(b.Kit, credential.Issuer{TokenEndpoint: "http://issuer.example/token", Client: secretClient(t, b), Binding: credential.Unbound}, credential.Want{}, upstream); err == nil {
		t.Error("a plain token endpoint was accepted")
	}
	for name, document := range map[string]string{
		"plain http": `{"issuer":%q,"token_endpoint":"http://issuer.example/token"}`,
		"none":       `{"issuer":%q}`,
		"other":      `{"issuer":%q,"issuer":"x"}`,
		"another's":  `{"issuer":"%sx","token_endpoint":"http://127.0.0.1:1/token"}`,
	} {
		t.Run(name, func(t *testing.T) {
			var base string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, document, base) }))
			defer server.Close()
			base = server.URL
			c := machineToken(t, b, credential.Issuer{URL: base, Client: secretClient(t, b), Binding: credential.Unbound})
			if header, err := c.Show(t.Context(), post); err == nil {
				t.Errorf("shows %v", header)
			}
		})
	}
}

func TestIssuersAreComplete(t *testing.T) {
	b := newBench()
	for name, conf := range map[string]credential.Issuer{
		"no client":  {URL: "https://issuer.example", Binding: credential.Offered},
		"no place":   {Client: secretClient(t, b), Binding: credential.Offered},
		"no binding": {URL: "https://issuer.example", Client: secretClient(t, b)},
	} {
		if _, err := credential.NewClientCredentials(b.Kit, conf, credential.Want{}, upstream); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := credential.NewExchange(b.Kit, conf, credential.Want{}, upstream); err == nil {
			t.Errorf("%s: accepted for exchange", name)
		}
	}
	full := credential.Issuer{URL: "https://issuer.example", Client: secretClient(t, b), Binding: credential.Offered}
	if _, err := credential.NewClientCredentials(b.Kit, full, credential.Want{}, nil); err == nil {
		t.Error("no upstream: accepted")
	}
	if _, err := credential.NewClientCredentials(credential.Kit{}, full, credential.Want{}, upstream); err == nil {
		t.Error("no kit: accepted")
	}
}

func TestCallerWhoLeavesDoesNotEndTheFetch(t *testing.T) {
	release := make(chan struct{})
	b, i := newBench(), newIssuer(t, nil)
	i.answers(func(n int, a asked) (int, string, http.Header) {
		<-release
		return numbered(n, a)
	})
	c := machineToken(t, b, i.conf(t, b, credential.Unbound))
	gone, leave := contextWithCancel(t)
	go leave()
	if _, err := c.Show(gone, post); !errors.Is(err, gone.Err()) {
		t.Errorf("%v", err)
	}
	close(release)
	if s := shown(t, c); s != "Bearer t1" {
		t.Errorf("shows %q", s)
	}
}

// A token endpoint that is known serves on while the metadata cannot be had.
func TestMetadataAway(t *testing.T) {
	b, i := newBench(), newIssuer(t, numbered)
	c := machineToken(t, b, i.conf(t, b, credential.Unbound))
	if s := shown(t, c); s != "Bearer t1" {
		t.Fatalf("shows %q", s)
	}
	i.mu.Lock()
	i.silent = true
	i.mu.Unlock()
	b.advance(2 * time.Hour)
	if s := shown(t, c); s != "Bearer t2" {
		t.Errorf("shows %q", s)
	}
	other := machineToken(t, b, i.conf(t, b, credential.Unbound))
	if s := shown(t, other); s != "" {
		t.Errorf("without a known endpoint it shows %q", s)
	}
}

package clientdoc

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	publicJWK = `{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	keyed     = `,"token_endpoint_auth_method":"private_key_jwt"`
)

func TestAuthenticationOfMetadata(t *testing.T) {
	all := Rules{Methods: []string{Basic, None, Post, Key, SelfSigned, Authority}}
	for _, row := range []struct {
		name, members string
		rules         Rules
		good          bool
	}{
		{"keys", keyed + `,"jwks":{"keys":[` + publicJWK + `]}`, all, true},
		{"keys elsewhere", keyed + `,"jwks_uri":"https://app.example/keys"`, all, true},
		{"self-signed", `,"token_endpoint_auth_method":"self_signed_tls_client_auth","jwks":{"keys":[` + publicJWK + `]}`, all, true},
		{"an algorithm by its new name", keyed + `,"token_endpoint_auth_signing_alg":"Ed25519","jwks":{"keys":[` + publicJWK + `]}`, all, true},
		{"a method that is not there", keyed + `,"jwks":{"keys":[` + publicJWK + `]}`, Rules{Methods: []string{None}}, false},
		{"no keys", keyed, all, false},
		{"no keys in it", keyed + `,"jwks":{"keys":[]}`, all, false},
		{"null", keyed + `,"jwks":null`, all, false},
		{"keys in two places", keyed + `,"jwks_uri":"https://app.example/keys","jwks":{"keys":[` + publicJWK + `]}`, all, false},
		{"a private key", keyed + `,"jwks":{"keys":[` + strings.Replace(publicJWK, "{", `{"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",`, 1) + `]}`, all, false},
		{"a private key beside a good one", keyed + `,"jwks":{"keys":[` + publicJWK + `,{"kty":"EC","d":"x"}]}`, all, false},
		{"a symmetric key", keyed + `,"jwks":{"keys":[` + publicJWK + `,{"kty":"oct","k":"AAAA"}]}`, all, false},
		{"too many keys", keyed + `,"jwks":{"keys":[` + strings.Repeat(publicJWK+",", maxKeys) + publicJWK + `]}`, all, false},
		{"too large a set", keyed + `,"jwks":{"x":"` + strings.Repeat("x", maxKeyBytes) + `","keys":[` + publicJWK + `]}`, all, false},
		{"keys on a plain host", keyed + `,"jwks_uri":"http://app.example/keys"`, all, false},
		{"keys on loopback", keyed + `,"jwks_uri":"http://127.0.0.1/keys"`, all, false},
		{"keys on loopback, for development", keyed + `,"jwks_uri":"http://127.0.0.1/keys"`, Rules{Methods: all.Methods, Loopback: true}, true},
		{"keys in a file", keyed + `,"jwks_uri":"file:///etc/passwd"`, Rules{Methods: all.Methods, Loopback: true}, false},
		{"an algorithm with a shared secret", keyed + `,"token_endpoint_auth_signing_alg":"HS256","jwks":{"keys":[` + publicJWK + `]}`, all, false},
		{"no algorithm", keyed + `,"token_endpoint_auth_signing_alg":"none","jwks":{"keys":[` + publicJWK + `]}`, all, false},
		{"a name in a certificate", `,"token_endpoint_auth_method":"tls_client_auth","tls_client_auth_san_ip":"192.0.2.1"`, all, true},
		{"two names", `,"token_endpoint_auth_method":"tls_client_auth","tls_client_auth_san_ip":"192.0.2.1","tls_client_auth_san_dns":"a"`, all, false},
		{"no name", `,"token_endpoint_auth_method":"tls_client_auth"`, all, false},
		{"no address", `,"token_endpoint_auth_method":"tls_client_auth","tls_client_auth_san_ip":"a.example"`, all, false},
		{"bound by nothing", `,"token_endpoint_auth_method":"none","tls_client_certificate_bound_access_tokens":true`, all, false},
		{"no methods at all", "", Rules{}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			m, err := Parse([]byte(`{"redirect_uris":["https://app.example/cb"]`+row.members+`}`), row.rules)
			if (err == nil) != row.good || err != nil && !errors.Is(err, ErrMetadata) {
				t.Fatalf("got %v", err)
			}
			if err != nil && m.Redirects != nil {
				t.Error("an error with a value")
			}
		})
	}
}

func TestAbsentMethodIsTheFirst(t *testing.T) {
	m, err := Parse([]byte(`{"redirect_uris":["https://app.example/cb"]}`), Rules{Methods: []string{Basic, None}})
	if err != nil || m.AuthMethod != Basic {
		t.Errorf("%q, %v", m.AuthMethod, err)
	}
}

func TestKeysAreRemembered(t *testing.T) {
	set := `{"keys":[` + publicJWK + `]}`
	h, f, now := newHost(t, func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", "max-age=86400")
		_, _ = w.Write([]byte(set))
	})
	ask := func(kid string, want int) {
		t.Helper()
		keys, err := f.Keys(t.Context(), h.id, kid, free)
		if err != nil || keys.Len() != 1 || h.count() != want {
			t.Errorf("kid %q: %v, asked %d times, want %d", kid, err, h.count(), want)
		}
	}
	ask("1", 1)
	ask("", 1)
	ask("2", 1) // a kid that is not there, asked for a moment ago
	*now = now.Add(keysAgain)
	ask("1", 1)
	ask("2", 2)
	*now = now.Add(maxKeyLife - time.Second)
	ask("1", 2)
	*now = now.Add(time.Second)
	ask("1", 3) // no key is believed for longer, whatever its host says
	set = `{"keys":[]}`
	*now = now.Add(maxKeyLife)
	for range 2 {
		if keys, err := f.Keys(t.Context(), h.id, "1", free); !errors.Is(err, ErrNotDocument) || keys.Len() != 0 {
			t.Errorf("an empty set: %v", err)
		}
	}
	if h.count() != 5 {
		t.Errorf("a bad set was remembered: asked %d times", h.count())
	}
	broke := errors.New("not paid")
	if _, err := f.Keys(t.Context(), h.id, "1", payer(func() error { return broke })); !errors.Is(err, broke) {
		t.Errorf("unpaid: %v", err)
	}
}

func TestHostsThatAreLetIn(t *testing.T) {
	f := NewFetcher(Options{Rules: Rules{Methods: documentMethods}, Hosts: []string{"app.example", "*.trusted.example"}, Now: time.Now})
	none := NewFetcher(Options{Rules: Rules{Methods: documentMethods}, Hosts: []string{}, Now: time.Now})
	for id, want := range map[string]bool{
		"https://app.example/c": true, "https://APP.example/c": true, "https://app.example:8443/c": true,
		"https://a.trusted.example/c": true, "https://a.b.trusted.example/c": true,
		"https://trusted.example/c": false, "https://nottrusted.example/c": false, "https://app.example.evil.example/c": false,
		"https://sub.app.example/c": false, "https://app.example./c": false,
	} {
		if _, err := f.parseID(id); (err == nil) != want || err != nil && !errors.Is(err, ErrUntrusted) {
			t.Errorf("%s: %v", id, err)
		}
		if _, err := none.parseID(id); !errors.Is(err, ErrUntrusted) {
			t.Errorf("nobody is let in, but %s: %v", id, err)
		}
	}
	for pattern, good := range map[string]bool{"app.example": true, "*.app.example": true, "*": false, "": false, "App.example": false, "https://app.example": false, "a.example:1": false, "*.*.example": false} {
		if err := CheckHosts([]string{pattern}); (err == nil) != good {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

// A document has another version as soon as anything that was read is another.
func TestVersions(t *testing.T) {
	body := ""
	h, f, now := newHost(t, func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(body))
	})
	version := func(doc string) string {
		body = doc
		*now = now.Add(maxLife)
		d, err := f.Fetch(t.Context(), h.id, free)
		if err != nil || d.Version == "" {
			t.Fatalf("%v", err)
		}
		return d.Version
	}
	first := version(document(h.id))
	if version(document(h.id)+"\n") != first || version(strings.Replace(document(h.id), "{", `{"x_unknown":1,`, 1)) != first {
		t.Error("another version of the same")
	}
	withKeys := strings.Replace(document(h.id), "{", `{"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[`+publicJWK+`]},`, 1)
	seen := map[string]bool{first: true}
	for _, doc := range []string{
		strings.Replace(document(h.id), "Client", "Other", 1), strings.Replace(document(h.id), "/cb", "/cb2", 1),
		strings.Replace(document(h.id), "a b", "a", 1), withKeys, strings.Replace(withKeys, `"kid":"1"`, `"kid":"2"`, 1),
	} {
		v := version(doc)
		if seen[v] {
			t.Errorf("the same version: %s", doc)
		}
		seen[v] = true
	}
}

// RFC 9111, for a cache that many share.
func TestLifetimes(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for name, row := range map[string]struct {
		header []string
		want   time.Duration
	}{
		"nothing":                   {nil, minLife},
		"max-age":                   {[]string{"Cache-Control", "max-age=3600"}, time.Hour},
		"s-maxage first":            {[]string{"Cache-Control", "max-age=3600, s-maxage=7200"}, 2 * time.Hour},
		"used up elsewhere":         {[]string{"Cache-Control", "max-age=3600", "Age", "600"}, 50 * time.Minute},
		"older than fresh":          {[]string{"Cache-Control", "max-age=3600", "Age", "7200"}, minLife},
		"an age that is none":       {[]string{"Cache-Control", "max-age=3600", "Age", "-600"}, time.Hour},
		"private":                   {[]string{"Cache-Control", "private, max-age=3600"}, minLife},
		"two lines":                 {[]string{"Cache-Control", "max-age=3600", "Cache-Control", "no-store"}, minLife},
		"expires":                   {[]string{"Expires", at(time.Hour)}, time.Hour},
		"expires by its own clock":  {[]string{"Expires", at(time.Hour), "Date", at(-time.Hour)}, 2 * time.Hour},
		"max-age before expires":    {[]string{"Expires", at(time.Hour), "Cache-Control", "max-age=600"}, 10 * time.Minute},
		"expired":                   {[]string{"Expires", "0"}, minLife},
		"for a year":                {[]string{"Expires", at(365 * 24 * time.Hour)}, maxLife},
		"a number beyond all years": {[]string{"Cache-Control", "max-age=99999999999999999999"}, minLife},
	} {
		h := http.Header{}
		for i := 0; i < len(row.header); i += 2 {
			h.Add(row.header[i], row.header[i+1])
		}
		if got := lifetime(h, now); got != row.want {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}

// A key that its owner took away is good for an hour, also in a document that
// may be kept for longer.
func TestDocumentsWithKeysAreRememberedAsKeysAre(t *testing.T) {
	body := ""
	h, f, now := newHost(t, func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "max-age=86400")
		_, _ = w.Write([]byte(body))
	})
	keyed := func(jwk string) string {
		return strings.Replace(document(h.id), "{", `{"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[`+jwk+`]},`, 1)
	}
	body = keyed(publicJWK)
	for _, step := range []struct {
		forward time.Duration
		asked   int
	}{{0, 1}, {maxKeyLife - time.Second, 1}, {time.Second, 2}} {
		*now = now.Add(step.forward)
		if _, err := f.Fetch(t.Context(), h.id, free); err != nil || h.count() != step.asked {
			t.Errorf("after %v: asked %d times, %v", step.forward, h.count(), err)
		}
	}
	// Nor is a new key unknown for that long: who finds that one does not fit may ask.
	body = keyed(strings.Replace(publicJWK, `"kid":"1"`, `"kid":"2"`, 1))
	if f.Renew(t.Context(), h.id, "", free) || h.count() != 2 {
		t.Error("asked again at once")
	}
	*now = now.Add(keysAgain)
	if !f.Renew(t.Context(), h.id, "", free) || h.count() != 3 {
		t.Error("not asked again")
	}
	if d, err := f.Fetch(t.Context(), h.id, free); err != nil || !strings.Contains(string(d.Keys), `"2"`) || h.count() != 3 {
		t.Errorf("%s, %v", d.Keys, err)
	}
	// What a host says wrong takes nothing away.
	body = "broken"
	*now = now.Add(keysAgain)
	if f.Renew(t.Context(), h.id, "", free) {
		t.Error("news of a broken document")
	}
	if _, err := f.Fetch(t.Context(), h.id, free); err != nil {
		t.Error(err)
	}
	if f.Renew(t.Context(), "client_x", "https://nowhere.example/keys", free) {
		t.Error("news of what nobody knows")
	}
}

func TestKeySetsAreRenewed(t *testing.T) {
	h, f, now := newHost(t, func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		_, _ = w.Write([]byte(`{"keys":[` + publicJWK + `]}`))
	})
	if _, err := f.Keys(t.Context(), h.id, "1", free); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		forward time.Duration
		news    bool
	}{{0, false}, {keysAgain, true}, {0, false}} {
		*now = now.Add(step.forward)
		if got := f.Renew(t.Context(), "client_x", h.id, free); got != step.news {
			t.Errorf("after %v: %v", step.forward, got)
		}
	}
	if h.count() != 2 {
		t.Errorf("asked %d times", h.count())
	}
}

package credential_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/proxy"
	"github.com/postern-mcp/postern/proxy/credential"
)

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}

func exchange(t *testing.T, b *bench, i *issuerStand) *credential.Exchange {
	t.Helper()
	x, err := credential.NewExchange(b.Kit, i.conf(t, b, credential.Unbound), credential.Want{Audience: "mcp", Scope: []string{"use"}}, upstream)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func (b *bench) caller(raw string) proxy.Purpose {
	return proxy.Purpose{Method: "POST", Token: raw, Caller: token.Claims{Subject: raw, Expiry: b.Now().Add(5 * time.Minute)}}
}

// traded gives a token that names its subject and its number.
func traded(n int, a asked) (int, string, http.Header) {
	return 200, fmt.Sprintf(`{"access_token":"%s-%d","token_type":"Bearer","expires_in":3600,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`,
		a.form.Get("subject_token"), n), nil
}

func authorization(t *testing.T, c proxy.Credential, p proxy.Purpose) string {
	t.Helper()
	header, err := c.Show(t.Context(), p)
	if err != nil {
		return err.Error()
	}
	return header.Get("Authorization")
}

func TestExchangeRequest(t *testing.T) {
	b, i := newBench(), newIssuer(t, traded)
	x := exchange(t, b, i)
	if got := authorization(t, x, b.caller("ada")); got != "Bearer ada-1" {
		t.Fatalf("shows %q", got)
	}
	const prefix = "urn:ietf:params:oauth:"
	want := map[string]string{
		"grant_type": prefix + "grant-type:token-exchange", "subject_token": "ada", "subject_token_type": prefix + "token-type:access_token",
		"requested_token_type": prefix + "token-type:access_token", "audience": "mcp", "scope": "use",
	}
	form := i.all()[0].form
	for name, value := range want {
		if got := form[name]; len(got) != 1 || got[0] != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	if len(form) != len(want) {
		t.Errorf("asked %v", form)
	}
}

// Each caller's token has an exchanged one of its own.
func TestExchangesAreKeptApart(t *testing.T) {
	b, i := newBench(), newIssuer(t, traded)
	x := exchange(t, b, i)
	got := make(chan string)
	for n := range 60 {
		go func() { got <- authorization(t, x, b.caller(fmt.Sprint("caller", n%3))) }()
	}
	seen := map[string]int{}
	for range 60 {
		seen[<-got]++
	}
	if len(seen) != 3 || len(i.all()) != 3 {
		t.Errorf("%v after %d requests", seen, len(i.all()))
	}
	for s, times := range seen {
		if times != 20 || !strings.HasPrefix(s, "Bearer caller") {
			t.Errorf("%q %d times", s, times)
		}
	}
}

// It lives no longer than the caller's token.
func TestExchangeEndsWithTheCallersToken(t *testing.T) {
	b, i := newBench(), newIssuer(t, traded)
	x := exchange(t, b, i)
	ada := b.caller("ada")
	if got := authorization(t, x, ada); got != "Bearer ada-1" {
		t.Fatalf("shows %q", got)
	}
	b.advance(5 * time.Minute)
	if header, err := x.Show(t.Context(), ada); !errors.Is(err, proxy.ErrCallerEnded) {
		t.Errorf("after the caller's token: %v %v", header, err)
	}
	if n := len(i.all()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// The issuer's own expiry counts too.
func TestExchangeEndsWithItsOwnToken(t *testing.T) {
	b := newBench()
	i := newIssuer(t, func(n int, a asked) (int, string, http.Header) {
		_, body, _ := traded(n, a)
		return 200, strings.Replace(body, "3600", "60", 1), nil
	})
	x, ada := exchange(t, b, i), b.caller("ada")
	if got := authorization(t, x, ada); got != "Bearer ada-1" {
		t.Fatalf("shows %q", got)
	}
	b.advance(time.Minute)
	if got := authorization(t, x, ada); got != "Bearer ada-2" {
		t.Errorf("shows %q", got)
	}
}

// What the issuer says of the caller is the caller's; the rest is the proxy's.
func TestExchangeRefusals(t *testing.T) {
	for code, callers := range map[string]bool{
		"invalid_request": true, "invalid_target": true, "invalid_grant": true, "invalid_scope": true, "access_denied": true, "invalid_token": true,
		"interaction_required": true, "mfa_required": true, "consent_required": true, "account_locked": true, // of issuers' own making
		"invalid_client": false, "unauthorized_client": false, "unsupported_grant_type": false, "temporarily_unavailable": false,
	} {
		t.Run(code, func(t *testing.T) {
			b, i := newBench(), newIssuer(t, says(400, `{"error":"`+code+`","error_description":"because\nof it"}`))
			x, ada := exchange(t, b, i), b.caller("ada")
			for range 3 {
				if header, err := x.Show(t.Context(), ada); err == nil || errors.Is(err, proxy.ErrExchangeRefused) != callers {
					t.Errorf("%v %v", header, err)
				}
			}
			if n := len(i.all()); n != 1 {
				t.Errorf("%d requests, want 1: a no is remembered for a while", n)
			}
			i.answers(traded)
			bob := authorization(t, x, b.caller("bob"))
			if blocked := strings.Contains(bob, "a moment ago"); blocked == callers || !blocked && bob != "Bearer bob-2" {
				t.Errorf("another caller gets %q", bob)
			}
			b.advance(11 * time.Second)
			if got := authorization(t, x, ada); !strings.HasPrefix(got, "Bearer ada-") {
				t.Errorf("later it shows %q", got)
			}
			if log := b.log.String(); !strings.Contains(log, code) || !strings.Contains(log, "because") || strings.Count(log, "\n") != strings.Count(log, "level=") {
				t.Errorf("log %s", log)
			}
		})
	}
}

// A no ends the use of what the issuer gave before.
func TestExchangeRefusedAtRenewal(t *testing.T) {
	b, i := newBench(), newIssuer(t, traded)
	x, ada := exchange(t, b, i), b.caller("ada")
	if got := authorization(t, x, ada); got != "Bearer ada-1" {
		t.Fatalf("shows %q", got)
	}
	i.answers(says(400, `{"error":"invalid_grant"}`))
	b.advance(4 * time.Minute)
	authorization(t, x, ada)
	eventually(t, "the refusal", func() bool {
		_, err := x.Show(t.Context(), ada)
		return errors.Is(err, proxy.ErrExchangeRefused)
	})
	b.advance(11 * time.Second)
	if _, err := x.Show(t.Context(), ada); !errors.Is(err, proxy.ErrExchangeRefused) {
		t.Errorf("later: %v", err)
	}
}

// Nonsense does not: the token before serves on while it lives.
func TestExchangeAnsweredWithNonsenseAtRenewal(t *testing.T) {
	b, i := newBench(), newIssuer(t, traded)
	x, ada := exchange(t, b, i), b.caller("ada")
	if got := authorization(t, x, ada); got != "Bearer ada-1" {
		t.Fatalf("shows %q", got)
	}
	i.answers(says(200, `{}`))
	b.advance(4 * time.Minute)
	authorization(t, x, ada)
	eventually(t, "the attempt to renew", func() bool { return strings.Contains(b.log.String(), "no upstream token") })
	for range 20 {
		if got := authorization(t, x, ada); got != "Bearer ada-1" {
			t.Errorf("shows %q", got)
		}
	}
	if n := len(i.all()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestCallersTokenIsNeverShown(t *testing.T) {
	const typed = `,"token_type":"Bearer","expires_in":60,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`
	for name, body := range map[string]string{
		"the caller's own back": `{"access_token":"ada"` + typed,
		"a refresh token":       strings.Replace(`{"access_token":"x"`+typed, "token-type:access", "token-type:refresh", 1),
		"an ID token":           strings.Replace(`{"access_token":"x"`+typed, "token-type:access_token", "token-type:id_token", 1),
		"a transaction token":   `{"access_token":"x","token_type":"N_A","issued_token_type":"urn:ietf:params:oauth:token-type:txn_token"}`,
		"no type":               `{"access_token":"x","token_type":"Bearer","expires_in":60}`,
	} {
		t.Run(name, func(t *testing.T) {
			b, i := newBench(), newIssuer(t, says(200, body))
			x := exchange(t, b, i)
			for range 5 {
				header, err := x.Show(t.Context(), b.caller("ada"))
				if err == nil || header != nil || errors.Is(err, proxy.ErrExchangeRefused) {
					t.Errorf("%v %v", header, err)
				}
			}
			if n := len(i.all()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
			i.answers(traded)
			if got := authorization(t, x, b.caller("bob")); got != "Bearer bob-2" {
				t.Errorf("another caller gets %q", got)
			}
		})
	}
	b, i := newBench(), newIssuer(t, traded)
	if _, err := exchange(t, b, i).Show(t.Context(), proxy.Purpose{Method: "POST"}); err == nil || len(i.all()) != 0 {
		t.Error("no token was exchanged for one")
	}
}

// A token without an expiry of its own is exchanged anew each minute.
func TestExchangeForTokensThatDoNotSay(t *testing.T) {
	b, i := newBench(), newIssuer(t, traded)
	x := exchange(t, b, i)
	opaque := proxy.Purpose{Method: "POST", Token: "opaque"}
	if got := authorization(t, x, opaque); got != "Bearer opaque-1" {
		t.Fatalf("shows %q", got)
	}
	b.advance(time.Minute)
	if got := authorization(t, x, opaque); got != "Bearer opaque-2" {
		t.Errorf("shows %q", got)
	}
}

func TestRefusedExchangedTokenIsRenewed(t *testing.T) {
	b, i := newBench(), newIssuer(t, traded)
	x, ada, bob := exchange(t, b, i), b.caller("ada"), b.caller("bob")
	authorization(t, x, bob)
	shown, err := x.Show(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	if !x.Refused(ada, shown, http.Header{}) || authorization(t, x, ada) != "Bearer ada-3" || authorization(t, x, bob) != "Bearer bob-1" {
		t.Error("not renewed, or also for somebody else")
	}
}

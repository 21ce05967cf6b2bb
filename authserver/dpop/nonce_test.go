package dpop

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// born is when the replay memory of these tests began.
var born = now.Add(-time.Hour)

func newNonces(tb testing.TB, secret, label string) *Nonces {
	tb.Helper()
	n, err := NewNonces([]byte(strings.Repeat(secret, 32)), label, time.Minute)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func TestNonces(t *testing.T) {
	n, replica := newNonces(t, "s", "resource"), newNonces(t, "s", "resource")
	nonce := n.Issue(now, born)
	for _, row := range []struct {
		name  string
		by    *Nonces
		after time.Duration
		nonce string
		want  Reason
	}{
		{"at once", n, 0, nonce, ""},
		{"at a replica", replica, 0, nonce, ""},
		{"at its end", n, time.Minute, nonce, ""},
		{"after its end", n, time.Minute + time.Second, nonce, NonceInvalid},
		{"at a replica 15 s behind", replica, -15 * time.Second, nonce, ""},
		{"from the future", replica, -16 * time.Second, nonce, NonceInvalid},
		{"of another label", newNonces(t, "s", "authserver"), 0, nonce, NonceInvalid},
		{"of another secret", newNonces(t, "t", "resource"), 0, nonce, NonceInvalid},
		{"absent", n, 0, "", NonceRequired},
		{"cut short", n, 0, nonce[1:], NonceInvalid},
		{"longer", n, 0, nonce + "A", NonceInvalid},
		{"not base64url", n, 0, strings.Repeat("!", len(nonce)), NonceInvalid},
		{"with a line break", n, 0, "\n" + nonce[1:], NonceInvalid},
		{"zeros", n, 0, strings.Repeat("A", len(nonce)), NonceInvalid},
	} {
		err := row.by.Check(now.Add(row.after), born, row.nonce)
		if reason(err) != row.want || (err == nil) != (row.want == "") {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
	for i := range nonce {
		changed := []byte(nonce)
		changed[i] ^= 1
		if err := n.Check(now, born, string(changed)); reason(err) != NonceInvalid {
			t.Errorf("character %d changed: %v", i, err)
		}
	}
}

func TestNoncesAreReusedForAQuarterOfTheirLife(t *testing.T) {
	n := newNonces(t, "s", "resource")
	first := n.Issue(now, born)
	if n.Issue(now.Add(15*time.Second-1), born) != first {
		t.Error("a new one within the quarter")
	}
	second := n.Issue(now.Add(15*time.Second), born)
	if second == first {
		t.Error("the same one after the quarter")
	}
	if err := n.Check(now.Add(15*time.Second), born, first); err != nil {
		t.Errorf("the previous one: %v", err)
	}
	if n.Issue(now, born) == second {
		t.Error("a clock that went back gets a nonce from the future")
	}
	if strings.Trim(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Errorf("%q is not 1*NQCHAR", first)
	}
}

// Memory that was lost takes its nonces with it.
func TestNoncesBelongToOneMemory(t *testing.T) {
	n := newNonces(t, "s", "resource")
	before := n.Issue(now, born)
	after := n.Issue(now, now)
	if err := n.Check(now, now, before); reason(err) != NonceInvalid {
		t.Errorf("a nonce of the lost memory: %v", err)
	}
	if err := n.Check(now, now, after); err != nil {
		t.Errorf("a nonce of the new memory: %v", err)
	}
}

func TestNoncesConcurrently(t *testing.T) {
	n := newNonces(t, "s", "resource")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for step := range 100 {
				at := now.Add(time.Duration(i+step) * time.Second)
				if err := n.Check(at, born, n.Issue(at, born)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestNewNoncesRefusals(t *testing.T) {
	secret := make([]byte, 32)
	for name, build := range map[string]func() (*Nonces, error){
		"short secret": func() (*Nonces, error) { return NewNonces(secret[1:], "l", time.Minute) },
		"no label":     func() (*Nonces, error) { return NewNonces(secret, "", time.Minute) },
		"no life":      func() (*Nonces, error) { return NewNonces(secret, "l", 0) },
		"short life":   func() (*Nonces, error) { return NewNonces(secret, "l", 4*time.Second-1) },
	} {
		if n, err := build(); err == nil || n != nil {
			t.Errorf("%s: %v, %v", name, n, err)
		}
	}
}

package strength

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	long := strings.Repeat("x", 25)
	for _, row := range []struct {
		password string
		want     error
	}{
		{"", TooShort}, {"k4%Fz9q", TooShort}, {"äöüßäöü", TooShort},
		{strings.Repeat("jk4Fz9qP", 128) + "x", TooLong},
		{"password", Common}, {"Password1!", Common}, {"P@ssw0rd", Common}, {"PASSWORD", Common}, {"!!password!!", Common},
		{"12345678", Common}, {"letmein1", Common}, {"trustno1", Common}, {"dragon99", Common}, {"qwerty123456", Common}, {"iloveyou2", Common},
		{"adalovelace", Yours}, {"Lovelace1815", Yours}, {"ada-lovelace", Yours}, {"ecalevol99", Yours}, {"l0vel4ce!", Yours},
		{"aaaaaaaaaaaa", Pattern}, {"abcabcabcabc", Pattern}, {"sdfghjkl;rewq", Pattern}, {"1qaz2wsx3edc", Pattern}, {"mnbvcxzmnbvcxz", Pattern},
		{"abcdefghijkl", Pattern}, {"24121985", Pattern}, {"19841985", Pattern}, {long, Pattern}, {strings.Repeat("ab1", 300), Pattern},
		{"Summer2024!", Common}, {"thunder storm", Weak}, {"bluelamp", Weak}, {"photosynthesis", Weak}, {"ThunderStorm", Weak}, {"elizabeth82", Weak},
		{"correct horse battery", nil}, {"correct horse battery staple", nil}, {"jk4Fz9qP", nil}, {"7f3kq9x2m1", nil},
		{"green river stone", nil}, {"heizölrückstoßabdämpfung", nil}, {"пароль на завтра", nil}, {"a very long sentence that is easy", nil},
		{"Ada likes purple thunder", nil}, {strings.Repeat("jk4Fz9qPwm", 100), nil}, {"   k4%Fz9q   ", nil},
	} {
		if got := Check(row.password, "Ada Lovelace", "lovelace@example.com"); got != row.want {
			bits, _ := price([]rune(row.password), own([]string{"Ada Lovelace"}))
			t.Errorf("%.40q (%.1f bits): got %v, want %v", row.password, bits, got, row.want)
		}
	}
}

// What programs generate passes, whatever comes out.
func TestGeneratedPasswordsPass(t *testing.T) {
	for range 2000 {
		var b [16]byte
		_, _ = rand.Read(b[:])
		for _, p := range []string{hex.EncodeToString(b[:]), hex.EncodeToString(b[:8]), base64.RawURLEncoding.EncodeToString(b[:]), base64.RawURLEncoding.EncodeToString(b[:9])} {
			if err := Check(p, "admin", "admin@example.com"); err != nil {
				t.Errorf("%q: %v", p, err)
			}
		}
	}
}

// A program gives up on what takes it a minute: so does this test.
func TestLongPasswordsAreCheap(t *testing.T) {
	for _, block := range []string{"a", "4@", "l1|!", "p4ssw0rd", "qwertyuiop", "19", "é", "\xff"} {
		password := strings.Repeat(block, Max/len(block))
		done := make(chan struct{})
		go func() { defer close(done); _ = Check(password, password, "ada") }()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatalf("%q takes longer than a minute", block)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("correct horse battery", "ada")
	f.Add("\xff\xfe1qaz", "")
	f.Fuzz(func(t *testing.T, password, about string) {
		err := Check(password, about)
		// A longer password whose beginning is good enough is good enough.
		if err == nil && len(password)+3 <= Max && Check(password+"x9k", about) == TooShort {
			t.Errorf("%q is too short with more", password)
		}
		if _, ok := err.(Problem); err != nil && !ok {
			t.Errorf("%v is no Problem", err)
		}
	})
}

func BenchmarkLong(b *testing.B) {
	password := strings.Repeat("l1|!4@", 170)
	for b.Loop() {
		_ = Check(password, "ada")
	}
}

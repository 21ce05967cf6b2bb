package strength

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

// told is what is known of the person who chooses, and of the place.
var told = []string{"ada", "Ada Lovelace", "countess.lovelace@example.org", "https://auth.gate-house.example", "postern mcp"}

func TestCheck(t *testing.T) {
	long := strings.Repeat("x", 25)
	for _, row := range []struct {
		password string
		want     error
	}{
		{"", TooShort}, {"k4%Fz9q", TooShort}, {"äöüßäöü", TooShort},
		{strings.Repeat("jk4Fz9qP", 128) + "x", TooLong},
		{"password", Common}, {"Password1!", Common}, {"P@ssw0rd", Common}, {"P@ssw0rd2026!", Common}, {"PASSWORD", Common}, {"!!password!!", Common},
		{"12345678", Common}, {"letmein1", Common}, {"trustno1", Common}, {"dragon99", Common}, {"qwerty123456", Common}, {"iloveyou2", Common},
		{"Summer2026!", Common}, {"Winter2026", Common}, {"Welcome@2026", Common}, {"Passwort2026!", Common}, {"motdepasse1", Common}, {"Changeme123!", Common}, {"C0ntr4sena!", Common},
		{"adalovelace", Yours}, {"Lovelace1815", Yours}, {"ada-lovelace", Yours}, {"ecalevol99", Yours}, {"l0vel4ce!", Yours}, {"Countess2026!", Yours}, {"Ada.Lovelace.1815", Yours},
		{"Postern2026!", Yours}, {"p0st3rn-2026", Yours}, {"postern-mcp", Yours}, {"gatehouse1", Yours}, {"gate-house-auth", Yours}, {"auth.gate-house.example", Yours},
		{"aaaaaaaaaaaa", Pattern}, {"abcabcabcabc", Pattern}, {"sdfghjkl;rewq", Pattern}, {"1qaz2wsx3edc", Pattern}, {"mnbvcxzmnbvcxz", Pattern}, {"qwe123asd456", Weak}, {"asdfjkl;asdfjkl;", Pattern},
		{"abcdefghijkl", Pattern}, {"24121985", Pattern}, {"24.12.1985", Pattern}, {"1985-12-24", Pattern}, {"24/12/85!", Pattern}, {"19841985", Pattern}, {long, Pattern}, {strings.Repeat("ab1", 300), Pattern},
		{"kettle-kettle_Kettle", Pattern}, {"banana banana banana", Pattern},
		{"correct horse battery staple", Famous}, {"CorrectHorseBatteryStaple", Famous}, {"correct-horse-battery-staple-7", Famous}, {"c0rrect h0rse b4ttery", Famous},
		{"tobeornottobe", Famous}, {"May the Force be with you!", Famous}, {"loremipsumdolor", Famous}, {"hakuna matata 1", Famous},
		{"kettle orbit", Weak}, {"mcp-server-1", Weak}, {"thunder storm", Weak}, {"bluelamp", Weak}, {"photosynthesis", Weak}, {"ThunderStorm", Weak}, {"elizabeth82", Weak}, {"Purple Monkey", Weak},
		{"Berlin2026!!", Common}, {"ada24.12.1985", Pattern}, {"december 1985", Common},
		{"correct tractor lemon", nil}, {"jk4Fz9qP", nil}, {"7f3kq9x2m1", nil}, {"kettle orbit walnut", nil}, {"yellow tractor sings", nil},
		{"green river stone", nil}, {"heizölrückstoßabdämpfung", nil}, {"пароль на завтра", nil}, {"a very long sentence that is easy", nil},
		{"Ada likes purple thunder", nil}, {strings.Repeat("jk4Fz9qPwm", 100), nil}, {"   k4%Fz9q   ", nil},
	} {
		if got := Check(row.password, told...); got != row.want {
			bits, _ := price([]rune(row.password), own(told))
			t.Errorf("%.40q (%.1f bits): got %v, want %v", row.password, bits, got, row.want)
		}
	}
}

// A name with a digit in it is a name all the same.
func TestNamesWithDigits(t *testing.T) {
	for _, password := range []string{"j4ne-2026", "J4ne1234!", "r2d2r2d2r2d2"} {
		if got := Check(password, "j4ne", "r2d2@example.com"); got == nil {
			t.Errorf("%q is taken", password)
		}
		if got := Check(password+" purple kettle walnut", "j4ne"); got != nil {
			t.Errorf("%q with three words more: %v", password, got)
		}
	}
}

// Every line of the file is there for something: it is refused by itself, where
// it is long enough to be a password.
func TestPhrasesAreRefused(t *testing.T) {
	for line := range strings.Lines(phrasesText) {
		line = strings.TrimSpace(line)
		if line == "" || strings.ToLower(line) != line {
			t.Errorf("%q is not as lines are", line)
		}
		if got := Check(line); got == nil {
			t.Errorf("%q is taken", line)
		}
	}
}

// What programs generate passes, whatever comes out.
func TestGeneratedPasswordsPass(t *testing.T) {
	for range 1000 {
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

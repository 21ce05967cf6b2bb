package otp

import (
	"image"
	"image/color"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
)

// The vectors of RFC 6238, appendix B, in six digits.
func TestCodesOfTheStandard(t *testing.T) {
	g, err := Open([]byte("12345678901234567890"))
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := g.Code(time.Unix(at, 0)); got != want {
			t.Errorf("%d: got %s, want %s", at, got, want)
		}
	}
}

func TestMatch(t *testing.T) {
	g, now := NewGenerator(), time.Unix(1_800_000_000, 0)
	step := now.Unix() / period
	at := func(steps int) string { return g.Code(now.Add(time.Duration(steps*period) * time.Second)) }
	for name, row := range map[string]struct {
		code string
		last int64
		step int64
		err  error
	}{
		"now":                     {at(0), 0, step, nil},
		"one early":               {at(1), 0, step + 1, nil},
		"one late":                {at(-1), 0, step - 1, nil},
		"two early":               {at(2), 0, 0, ErrWrong},
		"two late":                {at(-2), 0, 0, ErrWrong},
		"with spaces":             {at(0)[:3] + " " + at(0)[3:] + " ", 0, step, nil},
		"used":                    {at(0), step, 0, ErrUsed},
		"late, a later was used":  {at(-1), step, 0, ErrUsed},
		"later than the last one": {at(0), step - 1, step, nil},
		"empty":                   {"", 0, 0, ErrWrong},
		"short":                   {at(0)[:5], 0, 0, ErrWrong},
		"long":                    {at(0) + "0", 0, 0, ErrWrong},
		"other digits":            {"١٢٣", 0, 0, ErrWrong},
		"of somebody else":        {NewGenerator().Code(now), 0, 0, ErrWrong},
	} {
		got, err := g.Match(row.code, now, row.last)
		if got != row.step || err != row.err {
			t.Errorf("%s: got %d, %v; want %d, %v", name, got, err, row.step, row.err)
		}
	}
}

func TestURI(t *testing.T) {
	g := NewGenerator()
	key, err := otp.NewKeyFromURL(g.URI("Ada's: desk", "ada:lovelace@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	if key.Issuer() != "Ada's  desk" || key.AccountName() != "ada lovelace@example.com" || key.Secret() != strings.ReplaceAll(g.Key(), " ", "") || key.Period() != 30 || key.Type() != "totp" {
		t.Errorf("got %s", key)
	}
	if u, err := url.Parse(g.URI("a b", "c")); err != nil || strings.Contains(u.RawQuery, "+") {
		t.Errorf("%v %v", u, err)
	}
	if len(g.Key()) != 39 {
		t.Errorf("key %q", g.Key())
	}
	again, err := Open(g.Secret())
	if err != nil || again.Key() != g.Key() {
		t.Error("another one after keeping it")
	}
	if _, err := Open(g.Secret()[1:]); err == nil {
		t.Error("opened a part of a secret")
	}
}

// The path, drawn, is the picture that the library for phones' QR codes makes.
func TestDraw(t *testing.T) {
	uri := NewGenerator().URI("Postern", "ada")
	q, err := Draw(uri)
	if err != nil {
		t.Fatal(err)
	}
	key, err := otp.NewKeyFromURL(uri)
	if err != nil {
		t.Fatal(err)
	}
	side := q.Size - 2*quiet
	want, err := key.Image(side, side)
	if err != nil {
		t.Fatal(err)
	}
	got := draw(t, q)
	for y := range side {
		for x := range side {
			if got[image.Pt(x+quiet, y+quiet)] != (want.At(x, y) == color.Black) {
				t.Fatalf("differs at %d, %d", x, y)
			}
		}
	}
	if _, err := Draw(strings.Repeat("x", 5000)); err == nil {
		t.Error("drew what does not fit")
	}
}

func draw(t *testing.T, q QR) map[image.Point]bool {
	t.Helper()
	dark := map[image.Point]bool{}
	for _, one := range strings.Split(strings.TrimSuffix(q.Path, "z"), "z") {
		parts := strings.FieldsFunc(one, func(r rune) bool { return strings.ContainsRune("M hv", r) })
		var n [3]int
		for i := range n {
			v, err := strconv.Atoi(parts[i])
			if err != nil {
				t.Fatal(err)
			}
			n[i] = v
		}
		for i := range n[2] {
			dark[image.Pt(n[0]+i, n[1])] = true
		}
	}
	return dark
}

func TestRecoveryCodes(t *testing.T) {
	seen := map[[32]byte]bool{}
	for range 100 {
		codes := NewRecoveryCodes()
		if len(codes) != HowMany {
			t.Fatalf("%d codes", len(codes))
		}
		for _, c := range codes {
			h, ok := Recovery("u1", c)
			if !ok || seen[h] || len(c) != 14 {
				t.Errorf("%q: %v, seen %v", c, ok, seen[h])
			}
			seen[h] = true
		}
	}
	code := NewRecoveryCodes()[0]
	want, _ := Recovery("u1", code)
	if got, ok := Recovery("u1", " "+strings.ToUpper(strings.ReplaceAll(code, "-", " "))+" "); !ok || got != want {
		t.Error("written otherwise it is another")
	}
	if got, _ := Recovery("u2", code); got == want {
		t.Error("it is worth something for another account")
	}
	for _, bad := range []string{"", "aaaa-aaaa-aaa", "aaaa-aaaa-aaaa-a", "aaaa-aaaa-aaa0", "aaaa-aaaa-aaaä"} {
		if h, ok := Recovery("u1", bad); ok || h != [32]byte{} {
			t.Errorf("%q: taken", bad)
		}
	}
}

func TestIsRecovery(t *testing.T) {
	for code, want := range map[string]bool{"k3px-7mwq-d9rt": true, " K3PX 7MWQ D9RT": true, "123456": false, "234567234567": true, "123 456": false, "": false, "k3px-7mwq": false} {
		if got := IsRecovery(code); got != want {
			t.Errorf("%q: got %v", code, got)
		}
	}
}

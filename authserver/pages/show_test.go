package pages

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/postern-mcp/postern/authserver/legible"
)

func TestWhatShowsNothingIsShown(t *testing.T) {
	for name, row := range map[string]struct{ text, want string }{
		"letters":             {"Claude", "Claude"},
		"markup":              {`<b title="x">&'`, "&lt;b title=&#34;x&#34;&gt;&amp;&#39;"},
		"Arabic":              {"مطبخ", "مطبخ"},
		"a turn to the left":  {"a\u202egnp.exe", `a<span class="odd">U+202E</span>gnp.exe`},
		"nothing at all":      {"a\u200bb", `a<span class="odd">U+200B</span>b`},
		"a Hangul filler":     {"\u3164", `<span class="odd">U+3164</span>`},
		"a blank of Braille":  {"\u2800", `<span class="odd">U+2800</span>`},
		"a line break":        {"a\nb", `a<span class="odd">U+000A</span>b`},
		"a space that is not": {"a\u00a0b", `a<span class="odd">U+00A0</span>b`},
		"bytes that are none": {"a\xffb", `a<span class="odd">U+FFFD</span>b`},
		"marks as needed":     {"e\u0301\u0323", "e\u0301\u0323"},
		"Russian":             {"Калькулятор оса", "Калькулятор оса"},
		"Greek":               {"Υπολογιστής", "Υπολογιστής"},
		"Japanese and Latin":  {"AIアプリ", "AIアプリ"},
		"accents":             {"Çaça Ærø Ðữ", "Çaça Ærø Ðữ"},
		"a Russian a":         {"Cl\u0430ude", `Cl<span class="odd">а U+0430</span>ude`},
		"nothing but twins":   {"\u0441\u043e\u0440", `<span class="odd">с U+0441</span><span class="odd">о U+043E</span><span class="odd">р U+0440</span>`},
		"a Greek letter":      {"G\u03bfogle", `G<span class="odd">ο U+03BF</span>ogle`},
		"a wide letter":       {"\uff23laude", `<span class="odd">Ｃ U+FF23</span>laude`},
		"mathematics":         {"\U0001d402laude", "<span class=\"odd\">\U0001d402 U+1D402</span>laude"},
		"marks in a heap":     {"e" + strings.Repeat("\u0301", 5), "e" + strings.Repeat("\u0301", 4) + `<span class="odd">U+0301</span>`},
	} {
		if got := string(shown(row.text)); got != "<bdi>"+row.want+"</bdi>" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestAddressesBreakAtTheirSigns(t *testing.T) {
	for text, want := range map[string]string{
		"grace@example.com":   "grace@<wbr>example.<wbr>com",
		"https://a.example/x": "https://<wbr>a.<wbr>example/<wbr>x",
		"Add. Then multiply.": "Add. Then multiply.",
		"a.\u200bb":           `a.<wbr><span class="odd">U+200B</span>b`,
		"<b>.c":               "&lt;b&gt;.<wbr>c",
		"in /etc/x":           "in /etc/<wbr>x",
		"":                    "",
		"known here":          "known here",
	} {
		if got := string(within(text)); got != "<bdi>"+want+"</bdi>" {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestAddressesInSentencesKeepTheirHosts(t *testing.T) {
	if got := string(prose("Back to https://auth.example.com/account. Ada@b.example")); got != "<bdi>Back to https://<wbr>auth.example.com/<wbr>account. Ada@b.example</bdi>" {
		t.Errorf("got %s", got)
	}
	if got := string(bare("https://auth.example.com/x")); got != "<bdi>auth.example.com/<wbr>x</bdi>" {
		t.Errorf("got %s", got)
	}
}

// A name that nobody vouches for does not end the quotation it stands in.
func TestNamesDoNotQuote(t *testing.T) {
	for text, want := range map[string]string{
		"Claude":             "Claude",
		"Bob's and l’Ami":    "Bob&#39;s and l’Ami",
		"Claude” (verified)": `Claude<span class="odd">” U+201D</span> (verified)`,
		`a"b`:                `a<span class="odd">&#34; U+0022</span>b`,
		"a' b":               `a<span class="odd">&#39; U+0027</span> b`,
		"’a":                 `<span class="odd">’ U+2019</span>a`,
		"a\u2033":            `a<span class="odd">″ U+2033</span>`,
		"a\u275e«":           `a<span class="odd">❞ U+275E</span><span class="odd">« U+00AB</span>`,
		"Cl\u0430ude":        `Cl<span class="odd">а U+0430</span>ude`,
	} {
		if got := string(claimed(text)); got != "<bdi>"+want+"</bdi>" {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// FuzzNothingShownIsMarkup: whatever is put in, only bdi and span come out.
func FuzzNothingShownIsMarkup(f *testing.F) {
	f.Add("<script>")
	f.Add("\"><!--\x00&#60;")
	f.Fuzz(func(t *testing.T, text string) {
		out := string(shown(text) + claimed(text))
		for _, ours := range []string{"<bdi>", "</bdi>", `<span class="odd">`, "</span>"} {
			out = strings.ReplaceAll(out, ours, "")
		}
		if strings.ContainsAny(out, `<>"'`) {
			t.Errorf("%q becomes %q", text, out)
		}
	})
}

// Whatever is not legible is shown by its code, in all of Unicode, and has no
// place in a title.
func TestPagesAreLegible(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		code := strings.Contains(string(shown("a"+string(r))), fmt.Sprintf(`">U+%04X<`, r))
		if code == legible.Shows(r) && utf8.ValidRune(r) {
			t.Errorf("U+%04X", r)
		}
	}
	w := httptest.NewRecorder()
	p := Overview{Name: "ada", FullName: "A\u2800d\u3164a"}
	if err := (Frame{Visitor: &Visitor{Name: "ada"}}).Overview(w, http.StatusOK, p); err != nil {
		t.Fatal(err)
	}
	if body := w.Body.String(); strings.ContainsAny(body, "\u2800\u3164") || !strings.Contains(body, "<title>Hello, A\ufffdd\ufffda") {
		t.Errorf("got %s", body)
	}
}

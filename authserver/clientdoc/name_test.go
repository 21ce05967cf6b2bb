package clientdoc

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/postern-mcp/postern/authserver/legible"
)

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"": true, "Claude": true, "VS Code": true, "\u041a\u043e\u0434": true, "\u5de5\u5177": true, "caf\u00e9": true, "cafe\u0301": true,
		"\u0e1b\u0e38\u0e48\u0e21": true, "\U0001f680 Rocket": true,
		" Claude": false, "Claude ": false, " ": false, "\u00a0": false, "a\u00a0b": false, "a\u3000b": false, "a\u2003b": false,
		"\u3164": false, "\u115f": false, "\uffa0": false, "\u2800": false, "\u034f": false, "a\ufe0fb": false,
		"a\u200bb": false, "a\u202eb": false, "a\u2066b": false, "a\nb": false, "a\x00b": false, "\ufffd": false, "\u00ad": false,
		"Z" + strings.Repeat("\u0300", maxMarks): true, "Z" + strings.Repeat("\u0300", maxMarks+1): false,
	} {
		if got := Plain(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// A name of a client has what is legible, in all of Unicode.
func TestNamesAreLegible(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if Plain("a"+string(r)+"b") != legible.Shows(r) && utf8.ValidRune(r) {
			t.Errorf("U+%04X", r)
		}
	}
}

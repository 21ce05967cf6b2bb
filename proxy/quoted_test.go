package proxy

import (
	"mime"
	"strings"
	"testing"
)

// FuzzQuoted: another parser of quoted-string reads back what was written, but
// for what no header may carry.
func FuzzQuoted(f *testing.F) {
	for _, seed := range []string{"", "plain", `a"b`, `\`, `a\"`, "a\r\nX: y", "größe", "a, b=\"c\"", "\x00\x7f\t"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want := strings.Map(func(c rune) rune {
			if c < 0x20 || c > 0x7e {
				return -1
			}
			return c
		}, text)
		_, params, err := mime.ParseMediaType("x/x; a=" + quoted(text) + "; b=" + quoted("end"))
		if err != nil || params["a"] != want || params["b"] != "end" {
			t.Errorf("%q is written %s and read as %q (%v)", text, quoted(text), params, err)
		}
	})
}

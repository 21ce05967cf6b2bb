package wire

import "testing"

func TestTextInWordsAndBytes(t *testing.T) {
	for c := range 256 {
		for at := range 20 {
			value := []byte("obs-text \xf6\tand\xff more")
			value[at] = byte(c)
			want := c >= 0x20 && c != 0x7f || c == '\t'
			if text(value) != want || slowText(value) != want {
				t.Fatalf("byte %#x at %d: %v, %v", c, at, text(value), slowText(value))
			}
		}
	}
}

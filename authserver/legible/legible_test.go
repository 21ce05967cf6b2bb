package legible

import (
	"testing"
	"unicode"
)

// ignorable is Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.
var ignorable = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x00ad, Hi: 0x00ad, Stride: 1}, {Lo: 0x034f, Hi: 0x034f, Stride: 1}, {Lo: 0x061c, Hi: 0x061c, Stride: 1},
		{Lo: 0x115f, Hi: 0x1160, Stride: 1}, {Lo: 0x17b4, Hi: 0x17b5, Stride: 1}, {Lo: 0x180b, Hi: 0x180f, Stride: 1},
		{Lo: 0x200b, Hi: 0x200f, Stride: 1}, {Lo: 0x202a, Hi: 0x202e, Stride: 1}, {Lo: 0x2060, Hi: 0x206f, Stride: 1},
		{Lo: 0x3164, Hi: 0x3164, Stride: 1}, {Lo: 0xfe00, Hi: 0xfe0f, Stride: 1}, {Lo: 0xfeff, Hi: 0xfeff, Stride: 1},
		{Lo: 0xffa0, Hi: 0xffa0, Stride: 1}, {Lo: 0xfff0, Hi: 0xfff8, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x1bca0, Hi: 0x1bca3, Stride: 1}, {Lo: 0x1d173, Hi: 0x1d17a, Stride: 1}, {Lo: 0xe0000, Hi: 0xe0fff, Stride: 1},
	},
}

func TestWhatShows(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if r != ' ' && Shows(r) && unicode.In(r, ignorable, unicode.White_Space, unicode.C, unicode.Z) {
			t.Errorf("U+%04X shows", r)
		}
	}
	for _, r := range "\u2800\u3164\u115f\u034f\ufe0f\u200d\ufffc\ufffd\U0001d159\U00013441\U00013442\U00016fe4\U000e0041\u00a0\u3000\n\x1b" {
		if Shows(r) {
			t.Errorf("U+%04X shows", r)
		}
	}
	for _, r := range " aZ9-éßЖالא山田か한ก\u0e38\u0301\u17d2\u0f0b´¨–’€©☀❤🚀♪" {
		if !Shows(r) {
			t.Errorf("U+%04X does not show", r)
		}
	}
}

func TestText(t *testing.T) {
	if got := Text("A\u2800d\u202ea\xff 山"); got != "A\ufffdd\ufffda\ufffd 山" {
		t.Errorf("%q", got)
	}
}

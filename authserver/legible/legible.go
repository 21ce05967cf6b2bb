// Package legible says which characters people can see: the one list for all that
// takes names and all that shows them.
package legible

import (
	"strings"
	"unicode"
)

// Shows says that there is something to see where r stands, or the common space.
// Nothing to see have: what Unicode gives no graphic (control and format
// characters, such as those that turn the writing around; what is not assigned),
// spaces other than the common one, what may be left out when its font has
// nothing for it (Default_Ignorable_Code_Point), and a few letters and symbols
// that are drawn as a blank. The signs that stand for lost text do not count as
// something to see. It does not tell characters that look alike, and a mark that
// shows may still be drawn over its neighbours.
func Shows(r rune) bool {
	return unicode.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, blank)
}

// blank is drawn as nothing, or in place of what is not there, although Unicode
// counts it as a letter, a mark or a symbol.
var blank = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x2800, Hi: 0x2800, Stride: 1}, // Braille without dots
		{Lo: 0xfffc, Hi: 0xfffd, Stride: 1}, // an object, and a character, that is not here
	},
	R32: []unicode.Range32{
		{Lo: 0x13441, Hi: 0x13442, Stride: 1}, // hieroglyphs: blank, and half of one
		{Lo: 0x16fe4, Hi: 0x16fe4, Stride: 1}, // Khitan: filler
		{Lo: 0x1d159, Hi: 0x1d159, Stride: 1}, // music: no note
	},
}

// Text is text for where nothing can be marked, such as the title of a window:
// a sign stands for each character that shows nothing.
func Text(s string) string {
	return strings.Map(func(r rune) rune {
		if !Shows(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

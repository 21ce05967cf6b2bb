package clientdoc

import (
	"strings"
	"unicode"
)

// maxMarks is how many marks one letter may carry: as many as any writing
// needs, and too few to paint over the line above.
const maxMarks = 4

// Plain refuses what could disguise a name where people read it: control and
// format characters, such as those that turn the writing around; characters
// that show nothing; heaps of marks; and spaces other than the common one. It
// does not tell letters that look alike: a name is never proof of anything.
func Plain(name string) bool {
	if strings.TrimSpace(name) != name {
		return false
	}
	marks := 0
	for _, r := range name {
		if !unicode.IsGraphic(r) || blank(r) {
			return false
		}
		if !unicode.Is(unicode.M, r) {
			marks = 0
			continue
		}
		if marks++; marks > maxMarks {
			return false
		}
	}
	return true
}

// blank: drawn as nothing, although Unicode counts it as a letter, mark or symbol.
func blank(r rune) bool {
	if r == ' ' {
		return false
	}
	const braille = '\u2800'
	return unicode.Is(unicode.Zs, r) || r == braille || r == unicode.ReplacementChar ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

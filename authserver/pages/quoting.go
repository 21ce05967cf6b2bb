package pages

import "unicode"

// likeQuotes are characters that pass for quotation marks and are none.
var likeQuotes = &unicode.RangeTable{R16: []unicode.Range16{
	{0x60, 0x60, 1}, {0xb4, 0xb4, 1}, {0x2b9, 0x2bd, 1}, {0x2c8, 0x2c8, 1}, {0x2ca, 0x2cb, 1}, {0x2dd, 0x2dd, 1}, {0x2ee, 0x2ee, 1}, {0x5f3, 0x5f4, 1},
	{0x2032, 0x2037, 1}, {0x275b, 0x2760, 1}, {0x276e, 0x276f, 1}, {0x3003, 0x3003, 1},
}, R32: []unicode.Range32{{0x1f676, 0x1f678, 1}}}

// quoting says for each character whether it looks as if a quotation began or
// ended. An apostrophe within a word does not.
func quoting(text []rune) []bool {
	marks := make([]bool, len(text))
	for i, r := range text {
		marks[i] = unicode.In(r, unicode.Quotation_Mark, likeQuotes) && !apostrophe(text, i)
	}
	return marks
}

func apostrophe(text []rune, at int) bool {
	if text[at] != '\'' && text[at] != '\u2019' || at == 0 || at == len(text)-1 {
		return false
	}
	return unicode.IsLetter(text[at-1]) && unicode.IsLetter(text[at+1])
}

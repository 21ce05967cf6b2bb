package pages

import (
	"slices"
	"unicode"
)

// imitating are the writings that have letters which look like Latin ones.
var imitating = []*unicode.RangeTable{unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee, unicode.Coptic, unicode.Lisu}

// twins are letters of those writings that a reader takes for Latin ones.
var twins = func() map[rune]bool {
	set := map[rune]bool{}
	for _, r := range "аеорсухіјѕһԁԛԝӏкАВЕЅІЈКМНОРСТУХҮԌԚԜ" + "οινυρκΑΒΕΖΗΙΚΜΝΟΡΤΥΧ" + "օոսհցՕՍԼ" + "ᎪᏴᏟᎠᎬᏀᎻᎫᏦᏞᎷᏢᏒᏚᎢᏙᎳᏃ" + "ⲟⲣⲥⲞⲢⲤ" + "ꓐꓑꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓤꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ" {
		set[r] = true
	}
	return set
}()

// dressed are Latin letters in another shape: small capitals, mathematical,
// circled, or as wide as Chinese ones.
var dressed = &unicode.RangeTable{
	R16: []unicode.Range16{{0x251, 0x251, 1}, {0x261, 0x261, 1}, {0x26a, 0x26a, 1}, {0x274, 0x274, 1}, {0x280, 0x280, 1}, {0x28f, 0x28f, 1}, {0x299, 0x299, 1}, {0x29c, 0x29c, 1}, {0x29f, 0x29f, 1},
		{0x1d00, 0x1d22, 1}, {0x2102, 0x2102, 1}, {0x210a, 0x2113, 1}, {0x2115, 0x2115, 1}, {0x2119, 0x211d, 1}, {0x2124, 0x2124, 1}, {0x212c, 0x212d, 1}, {0x212f, 0x2134, 1}, {0x2160, 0x217f, 1}, {0x249c, 0x24e9, 1}, {0xff21, 0xff3a, 1}, {0xff41, 0xff5a, 1}},
	R32: []unicode.Range32{{0x1d400, 0x1d7ff, 1}, {0x1f110, 0x1f169, 1}},
}

// imitations says for each character of a text whether it passes for a Latin
// letter: it is dressed up, it stands in a word beside Latin ones, or its word
// has nothing but twins, in a text that shows nowhere else which writing it is.
func imitations(text []rune) []bool {
	marked := make([]bool, len(text))
	var hidden [][2]int
	plain := false
	for at := 0; at < len(text); {
		end := wordEnd(text, at)
		switch foreign, latin, honest := writings(text[at:end]); {
		case foreign && latin:
			mark(marked, text, at, end)
		case foreign && honest:
			plain = true
		case foreign:
			hidden = append(hidden, [2]int{at, end})
		}
		at = end
	}
	for _, w := range hidden {
		if !plain {
			mark(marked, text, w[0], w[1])
		}
	}
	for i, r := range text {
		marked[i] = marked[i] || unicode.Is(dressed, r)
	}
	return marked
}

// wordEnd is where the word that begins at a place ends; whatever is no letter is one of its own.
func wordEnd(text []rune, at int) int {
	end := at
	for end < len(text) && (unicode.IsLetter(text[end]) || unicode.Is(unicode.M, text[end])) {
		end++
	}
	return max(end, at+1)
}

// writings says what a word is written in: letters of another writing, Latin
// ones, and any that nobody takes for Latin.
func writings(word []rune) (foreign, latin, honest bool) {
	for _, r := range word {
		if unicode.In(r, imitating...) {
			foreign, honest = true, honest || !twins[r]
		}
		latin = latin || unicode.Is(unicode.Latin, r)
	}
	return foreign, latin, honest
}

func mark(marked []bool, text []rune, from, to int) {
	for i := from; i < to; i++ {
		marked[i] = unicode.In(text[i], imitating...)
	}
}

// disguised says whether a text has letters that imitate others.
func disguised(text string) bool { return slices.Contains(imitations([]rune(text)), true) }

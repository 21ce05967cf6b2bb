package strength

import (
	"math"
	"strings"
	"unicode"
)

const (
	perCharacter = 4.0  // bits of one that no pattern explains
	perSpace     = 1.5  // of a space or a dash between words
	perCopy      = 3.0  // of what stood there before
	perDate      = 16.0 // of a day of a year
	disguise     = 2.0  // of a word that is not written as it is in the list
	maxPiece     = 24   // characters of a word of the lists, at most
)

// piece is a part of the password that has a price as a whole.
type piece struct {
	length int
	bits   float64
	kind   Problem
}

// way is the cheapest way to a place in the password.
type way struct {
	bits  float64
	parts int             // pieces; characters that no pattern explains are one together
	loose bool            // the last is such characters
	by    map[Problem]int // how many characters were explained by what
}

// price is the cheapest way through the whole password, and what most of it is.
func price(password []rune, own map[string]bool) (bits float64, mostly Problem) {
	if len(password) > maxPriced {
		password = password[:maxPriced]
	}
	end := cheapest(password, own)
	mostly, most := Weak, len(password)/2
	for kind, n := range end.by {
		if n > most {
			mostly, most = kind, n
		}
	}
	return end.bits, mostly
}

func cheapest(password []rune, own map[string]bool) way {
	ways := make([]way, len(password)+1)
	for i := range ways[1:] {
		ways[i+1].bits = math.Inf(1)
	}
	read := readings(password)
	for i := range password {
		for _, p := range append(pieces(password[i:], own), copied(read[0], i), saying(read, i)) {
			ways[i+p.length].take(ways[i], p)
		}
	}
	return ways[len(password)]
}

// readings are the password in lower case, and with the letters its characters
// stand for.
func readings(password []rune) [][]rune {
	lower := make([]rune, len(password))
	for i, r := range password {
		lower[i] = unicode.ToLower(r)
	}
	all := [][]rune{lower}
	for _, plain := range unmasked(string(lower)) {
		all = append(all, []rune(plain))
	}
	return all
}

// take goes on with p, where that is cheaper. Whoever guesses does not know in
// which order the parts come: each has as many places as there are parts.
func (w *way) take(from way, p piece) {
	loose, parts := p.length == 1, from.parts
	if !loose || !from.loose {
		parts++
	}
	bits := from.bits + p.bits
	if parts > from.parts {
		bits += math.Log2(float64(parts))
	}
	if bits >= w.bits {
		return
	}
	*w = way{bits, parts, loose, map[Problem]int{p.kind: p.length}}
	for kind, n := range from.by {
		w.by[kind] += n
	}
}

// pieces are the ways to begin rest, which is not empty.
func pieces(rest []rune, own map[string]bool) []piece {
	all := []piece{{1, perCharacter, Weak}}
	if strings.ContainsRune(" -_.,", rest[0]) {
		all[0].bits = perSpace
	}
	all = append(all, words(rest, own)...)
	all = append(all, run(rest), walk(rest))
	return append(all, dates(rest)...)
}

// words are those of the lists and of the person; in capitals, backwards or
// with characters exchanged they cost a little more.
func words(rest []rune, own map[string]bool) []piece {
	var all []piece
	for n := 3; n <= min(len(rest), maxPiece); n++ {
		lower := strings.ToLower(string(rest[:n]))
		extra := capitals(rest[:n])
		all = append(all, word(lower, n, extra, own)...)
		for _, w := range append(unmasked(lower), backwards(lower)) {
			if w != lower {
				all = append(all, word(w, n, extra+disguise, own)...)
			}
		}
	}
	return all
}

func word(w string, length int, extra float64, own map[string]bool) []piece {
	var all []piece
	if own[w] {
		all = append(all, piece{length, 1 + extra, Yours})
	}
	if famous()[w] {
		all = append(all, piece{length, perFamous + extra, Weak})
	}
	if rank, ok := lists().ranks[w]; ok {
		all = append(all, piece{length, math.Log2(float64(rank)+1) + extra, Weak})
	}
	return all
}

// capitals is what they add: little at the beginning or everywhere, more elsewhere.
func capitals(w []rune) float64 {
	upper := 0
	for _, r := range w {
		if unicode.IsUpper(r) {
			upper++
		}
	}
	switch {
	case upper == 0:
		return 0
	case upper == len(w), upper == 1 && unicode.IsUpper(w[0]):
		return 1
	}
	return 2
}

func backwards(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}

// run is abcd, 9753, aaaa: the same step from each character to the next.
func run(rest []rune) piece {
	n := 1
	for n < len(rest) && n < 2 || n < len(rest) && rest[n]-rest[n-1] == rest[1]-rest[0] {
		n++
	}
	if n < 3 || rest[1]-rest[0] > 3 || rest[1]-rest[0] < -3 {
		return piece{1, perCharacter, Weak}
	}
	return piece{n, 5 + math.Log2(float64(n)), Pattern}
}

// keyboards are rows and columns of keys as fingers go along them.
var keyboards = []string{
	"qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "`1234567890-=", "qwertzuiop", "azertyuiop", "yxcvbnm,.-",
	"!@#$%^&*()_+", "!\"§$%&/()=", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/", "zaq1xsw2cde3vfr4bgt5nhy6mju7,ki8", "qazwsxedcrfvtgbyhnujmikolp",
	"7894561230", "147258369", "159753", "qweasdzxc", "qawsedrftgyhujikolp",
}

// walk goes along a keyboard, in either direction.
func walk(rest []rune) piece {
	longest := 1
	for _, keys := range keyboards {
		for _, way := range []string{keys, backwards(keys)} {
			longest = max(longest, along(rest, []rune(way)))
		}
	}
	if longest < 3 {
		return piece{1, perCharacter, Weak}
	}
	return piece{longest, 5 + math.Log2(float64(longest)), Pattern}
}

// along is how far rest goes with keys, wherever in them it begins.
func along(rest, keys []rune) int {
	longest := 0
	for start := range keys {
		n := 0
		for n < len(rest) && start+n < len(keys) && unicode.ToLower(rest[n]) == keys[start+n] {
			n++
		}
		longest = max(longest, n)
	}
	return longest
}

// dates are years, and days of a year, however written.
func dates(rest []rune) []piece {
	var all []piece
	digits := leadingDigits(rest)
	if digits >= 4 && (rest[0] == '1' && rest[1] == '9' || rest[0] == '2' && rest[1] == '0') {
		all = append(all, piece{4, 7, Pattern})
	}
	// Any two, four, six or eight digits: at most as many as there are numbers.
	for _, n := range []int{2, 4, 6, 8} {
		if n <= digits {
			all = append(all, piece{n, min(3.33*float64(n), perDate), Pattern})
		}
	}
	if n := dated(rest); n > 0 {
		all = append(all, piece{n, perDate, Pattern})
	}
	return all
}

func leadingDigits(rest []rune) (n int) {
	for n < len(rest) && n < 8 && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	return n
}

// dated is the length of a date with something between its three numbers, such
// as 24.12.1985 or 1985-12-24, 0 where there is none.
func dated(rest []rune) int {
	at, digits := 0, 0
	for i := range 3 {
		n := leadingDigits(rest[at:])
		if n == 0 || n == 3 || n > 4 {
			return 0
		}
		at, digits = at+n, digits+n
		if i == 2 {
			break
		}
		if at == len(rest) || !strings.ContainsRune("-./ _", rest[at]) {
			return 0
		}
		at++
	}
	if digits > 8 {
		return 0
	}
	return at
}

// copied is what stood in the password before, once or over and over.
func copied(lower []rune, at int) piece {
	longest := 0
	for from := range at {
		n := 0
		for at+n < len(lower) && lower[from+n] == lower[at+n] {
			n++
		}
		longest = max(longest, n)
	}
	if longest < 3 {
		return piece{1, perCharacter, Weak}
	}
	return piece{longest, perCopy, Pattern}
}

// saying is a part of a phrase that many know.
func saying(read [][]rune, at int) piece {
	best := piece{1, perCharacter, Weak}
	for i, plain := range read {
		bits := perPhrase
		if i > 0 {
			bits += disguise
		}
		if n := quoted(plain[at:]); n > best.length {
			best = piece{n, bits, Famous}
		}
	}
	return best
}

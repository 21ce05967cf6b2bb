// Package strength says whether a password would be guessed soon.
//
// It has no rules about kinds of characters. It prices a password as a guesser
// would build it: out of the most used passwords, words and names, phrases that
// many know, the names of the person and the place, runs along the keyboard,
// sequences, dates and repetitions, whichever way is cheapest, and asks for 2^31
// guesses: two words that people use are not enough, and eight characters of a
// generator are. The work is bounded whatever the password is: only its first 64 characters are
// priced, and more of it cannot be guessed with less.
//
// The lists are those of a Go port of zxcvbn, and one of our own of what they
// lack. The port's estimator is not used: reading the lists at each start of the
// program takes it 50 ms and 18 MB, and a password of 1 KiB a minute.
package strength

import (
	"strings"
	"unicode"
)

// The bounds of a password, in bytes.
const (
	Min = 8
	Max = 1024
)

const (
	enough    = 31 // bits
	maxPriced = 64 // characters
)

// Problem is why a password is not good enough: a sentence for the person who
// chose it, that says what to do.
type Problem string

func (p Problem) Error() string { return string(p) }

// Every problem there is.
const (
	TooShort Problem = "A password has at least 8 characters. Three or four words that have nothing to do with each other are easy to remember and hard to guess."
	TooLong  Problem = "A password has at most 1024 bytes. Leave out some of it."
	Common   Problem = "This is one of the most used passwords, or one with little changed: whoever guesses begins with these. Take three or four words that have nothing to do with each other."
	Famous   Problem = "This is a phrase that many people know, and soon guessed. Take three or four words that have nothing to do with each other."
	Yours    Problem = "This is little more than your own name, or that of the place, which whoever guesses tries first. Add two or three words that have nothing to do with either."
	Pattern  Problem = "This is a row of keys, a sequence, a date or a repetition, and soon guessed. Add two or three words that have nothing to do with each other."
	Weak     Problem = "This would be guessed soon. Add one or two more words that have nothing to do with each other."
)

// Check is nil for a password that is good enough, and else a Problem. about is
// what others know of the person and the place: names, mail addresses.
func Check(password string, about ...string) error {
	// At least as many bytes as characters, which is all that is said.
	if len([]rune(password)) < Min {
		return TooShort
	}
	if len(password) > Max {
		return TooLong
	}
	if mostUsed(password) {
		return Common
	}
	bits, mostly := price([]rune(password), own(about))
	if bits >= enough {
		return nil
	}
	return mostly
}

// mostUsed: one of the list, also in capitals, with letters exchanged, or with
// something before and after it that people add so that it counts.
func mostUsed(password string) bool {
	lower := strings.ToLower(password)
	bare := strings.TrimFunc(lower, isOrnament)
	for _, written := range append(append(unmasked(lower), unmasked(bare)...), lower, bare) {
		if isListed(written) || isListed(strings.TrimFunc(written, isOrnament)) {
			return true
		}
	}
	return false
}

func isListed(word string) bool { return lists().passwords[word] || famous()[word] }

func isOrnament(r rune) bool { return r < 'a' && r < 128 || strings.ContainsRune("{|}~", r) }

func isNoWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// own are the words of what is known about somebody, with the digits in them
// and without.
func own(about []string) map[string]bool {
	words := map[string]bool{}
	for _, a := range about {
		lower := strings.ToLower(a)
		for _, w := range append(strings.FieldsFunc(lower, isOrnament), strings.FieldsFunc(lower, isNoWord)...) {
			if len([]rune(w)) >= 3 {
				words[w] = true
			}
		}
	}
	return words
}

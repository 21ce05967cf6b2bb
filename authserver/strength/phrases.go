package strength

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"
)

// phrasesText has one phrase a line, in lower case. A line of one word is a
// word that the other lists lack.
//
//go:embed phrases.txt
var phrasesText string

const (
	perPhrase      = 8.0 // bits of some words of a phrase, one after the other
	perFamous      = 6.0 // bits of a word that the file has a line for
	shortestPhrase = 8   // letters
)

// phrase is its letters from one of its words on, and how many of them there
// are at the end of each word.
type phrase struct {
	letters []rune
	ends    []int
}

// phrases are read when a password is first chosen: those that go on from each
// word but the last, by its first letter.
var phrases = sync.OnceValue(func() map[rune][]phrase {
	all := map[rune][]phrase{}
	for line := range strings.Lines(phrasesText) {
		words := strings.Fields(line)
		for ; len(words) > 1; words = words[1:] {
			p := newPhrase(words)
			all[p.letters[0]] = append(all[p.letters[0]], p)
		}
	}
	return all
})

// famous are the words that have a line of their own.
var famous = sync.OnceValue(func() map[string]bool {
	words := map[string]bool{}
	for line := range strings.Lines(phrasesText) {
		if w := strings.TrimSpace(line); w != "" && !strings.Contains(w, " ") {
			words[w] = true
		}
	}
	return words
})

func newPhrase(words []string) (p phrase) {
	for _, w := range words {
		p.letters = append(p.letters, []rune(w)...)
		p.ends = append(p.ends, len(p.letters))
	}
	return p
}

// quoted is how much of rest, which is in lower case and not empty, are words
// of a phrase one after the other, from any of them on: two at least. What
// stands between them does not count.
func quoted(rest []rune) (length int) {
	for _, p := range phrases()[rest[0]] {
		length = max(length, p.begins(rest))
	}
	return length
}

// begins is how much of rest are words of p from the first on.
func (p phrase) begins(rest []rune) (length int) {
	i, at := 0, 0
	for n, end := range p.ends {
		for ; at < end; at++ {
			for i > 0 && i < len(rest) && isBetween(rest[i]) {
				i++
			}
			if i == len(rest) || rest[i] != p.letters[at] {
				return length
			}
			i++
		}
		if n > 0 && end >= shortestPhrase {
			length = i
		}
	}
	return length
}

// isBetween: people write phrases with spaces, dashes, or nothing between words.
func isBetween(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsPunct(r) || unicode.IsSymbol(r)
}

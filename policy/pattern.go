package policy

import (
	"regexp"
	"strings"
)

// pattern is what follows the literal text of a resource pattern. * stands
// for one or more characters of one segment, ** for any characters across
// segments, none included. Neither reaches into the query: a pattern that
// means one writes the ? itself.
type pattern struct {
	source  string
	tail    []element
	matcher *regexp.Regexp // nil when tail is ** alone
	rule    rule
}

// element is one step of a pattern: a wildcard, or one byte as it stands.
type element struct {
	wild wildcard
	char byte
}

type wildcard byte

const (
	literal wildcard = iota
	one              // one character of a segment
	many             // any more of the same segment
	all              // anything, across segments
)

func newPattern(source, tail string, r rule) pattern {
	p := pattern{source: source, rule: r, tail: elements(tail)}
	if tail == "**" {
		return p
	}
	expression := regexp.QuoteMeta(tail)
	expression = strings.ReplaceAll(expression, `\*\*`, `[^?]*`)
	expression = strings.ReplaceAll(expression, `\*`, `[^/?]+`)
	p.matcher = regexp.MustCompile(`^(?:` + expression + `)$`)
	return p
}

func (p pattern) matches(rest string) bool {
	if p.matcher == nil {
		return !strings.Contains(rest, "?")
	}
	return p.matcher.MatchString(rest)
}

func elements(tail string) []element {
	var list []element
	for i := 0; i < len(tail); i++ {
		switch {
		case strings.HasPrefix(tail[i:], "**"):
			list = append(list, element{wild: all})
			i++
		case tail[i] == '*':
			list = append(list, element{wild: one}, element{wild: many})
		default:
			list = append(list, element{char: tail[i]})
		}
	}
	return list
}

// overlap says whether some text matches both a and b: a walk over the pairs
// of places in a and b that a common text can lead to.
func overlap(a, b []element) bool {
	type place struct{ a, b int }
	seen := map[place]bool{}
	queue := []place{{}}
	visit := func(p place) {
		if !seen[p] {
			seen[p] = true
			queue = append(queue, p)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at.a == len(a) && at.b == len(b) {
			return true
		}
		if at.a < len(a) && a[at.a].repeats() {
			visit(place{at.a + 1, at.b})
		}
		if at.b < len(b) && b[at.b].repeats() {
			visit(place{at.a, at.b + 1})
		}
		if at.a < len(a) && at.b < len(b) && meet(a[at.a], b[at.b]) {
			visit(place{at.a + a[at.a].step(), at.b + b[at.b].step()})
		}
	}
	return false
}

func (e element) repeats() bool { return e.wild == many || e.wild == all }

func (e element) step() int {
	if e.repeats() {
		return 0
	}
	return 1
}

func (e element) accepts(b byte) bool {
	switch e.wild {
	case one, many:
		return b != '/' && b != '?'
	case all:
		return b != '?'
	default:
		return e.char == b
	}
}

// meet says whether one character satisfies both.
func meet(a, b element) bool {
	if a.wild == literal {
		return b.accepts(a.char)
	}
	if b.wild == literal {
		return a.accepts(b.char)
	}
	return true // every class of characters holds the letters
}

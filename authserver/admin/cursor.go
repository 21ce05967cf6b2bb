package admin

import (
	"encoding/base64"
	"strings"
)

const (
	usualPage = 50
	fullPage  = 200
)

// Size is how many entries the page has at most.
func (p Paging) Size() int {
	if p.Limit == 0 {
		return usualPage
	}
	return p.Limit
}

// From goes on after a page.
func (p *Paging) From(next string) { p.After = next }

// Take asks for as many as a page may have, or for most if that is fewer; 0 or
// less is no bound.
func (p *Paging) Take(most int) {
	p.Limit = fullPage
	if most > 0 {
		p.Limit = min(most, fullPage)
	}
}

// Place is where the page begins: the parts that Cut was given for the last
// entry of the page before, nil at the beginning.
func (p Paging) Place(parts int) ([]string, error) {
	if p.After == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(p.After)
	place := strings.Split(string(raw), "\n")
	if err != nil || len(place) != parts || !storable(string(raw)) {
		return nil, &Error{Reason: BadParameter, Member: "after", Detail: "after must be the next of a page of the same list."}
	}
	return place, nil
}

// Cut makes a page of one entry more than it has, if there is one: place says
// where an entry stands in the order of the list.
func Cut[T any](found []T, size int, place func(T) []string) Page[T] {
	if len(found) <= size {
		return Page[T]{Items: found}
	}
	found = found[:size]
	at := strings.Join(place(found[size-1]), "\n")
	return Page[T]{Items: found, Next: base64.RawURLEncoding.EncodeToString([]byte(at))}
}

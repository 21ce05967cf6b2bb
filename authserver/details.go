package authserver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/postern-mcp/postern/authserver/legible"
	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/token"
)

// DetailType is one type of authorization details (RFC 9396 §2).
type DetailType struct {
	Type        string
	Description string   // words for the consent page
	Fields      []string // members it may have beside type and locations
}

const (
	maxDetails     = 20      // objects of a request
	maxDetailBytes = 4 << 10 // of all of them: they travel in addresses and tokens
)

// detail is one object: its members, each in canonical JSON.
type detail map[string]jsontext.Value

// details are the objects of a request or a grant, in its order.
type details []detail

// parseDetails reads the parameter strictly: an array of objects, no member twice.
func parseDetails(text string) (details, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxDetailBytes {
		return nil, refuseWith(BadDetails, "At most 4096 bytes.")
	}
	var all details
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, &Error{Reason: BadDetails, Cause: err, Detail: "It is no JSON array of objects, or a member is there twice."}
	}
	if len(all) == 0 || len(all) > maxDetails {
		return nil, refuseWith(BadDetails, fmt.Sprintf("There must be 1 to %d objects.", maxDetails))
	}
	for i, d := range all {
		if err := d.canonical(); err != nil {
			return nil, &Error{Reason: BadDetails, Cause: err, Detail: fmt.Sprintf("Item %d is no object.", i+1)}
		}
	}
	return all, nil
}

func (d detail) canonical() error {
	if d == nil {
		return errors.New("not an object")
	}
	for name, v := range d {
		if err := v.Canonicalize(); err != nil {
			return err
		}
		d[name] = v
	}
	return nil
}

// text is the canonical form, "" for none.
func (all details) text() string {
	if len(all) == 0 {
		return ""
	}
	doc, err := json.Marshal(all, json.Deterministic(true))
	if err != nil {
		return "" // unreachable: every member is JSON
	}
	return string(doc)
}

// readDetails checks a request's details against the types there are (RFC 9396
// §5): an unknown type or member is refused, never passed over.
func (s *Server) readDetails(p params, resource string) (string, error) {
	all, err := parseDetails(p["authorization_details"])
	if err != nil {
		return "", err
	}
	for i, d := range all {
		if err := s.checkDetail(d, resource); err != nil {
			return "", &Error{Reason: BadDetails, Cause: err, Detail: fmt.Sprintf("Item %d: %v.", i+1, err)}
		}
	}
	return all.text(), nil
}

// served is what of a grant's details there is still a type for. An object with
// a member that its type lost goes whole: without the member it would allow more.
func (s *Server) served(resource, text string) (string, error) {
	all, err := parseDetails(text)
	if err != nil {
		return "", err // unreachable: it was read before
	}
	return slices.DeleteFunc(all, func(d detail) bool { return s.checkDetail(d, resource) != nil }).text(), nil
}

func (s *Server) checkDetail(d detail, resource string) error {
	known, ok := s.detailType(d)
	if !ok {
		return errors.New("its type is none of authorization_details_types_supported")
	}
	for name, value := range d {
		if name == "type" {
			continue
		}
		if name == "locations" {
			// RFC 9396 §2.2; a token here has one audience.
			if l, ok := texts(value); !ok || !slices.Equal(l, []string{resource}) {
				return errors.New("locations must hold the resource, and nothing else")
			}
			continue
		}
		if !slices.Contains(known.Fields, name) {
			return fmt.Errorf("beside type and locations, %s has these members only: %s", known.Type, strings.Join(known.Fields, " "))
		}
	}
	return nil
}

func (s *Server) detailType(d detail) (DetailType, bool) {
	var name string
	if json.Unmarshal(d["type"], &name) != nil {
		return DetailType{}, false
	}
	i := slices.IndexFunc(s.config.DetailTypes, func(t DetailType) bool { return t.Type == name })
	if i < 0 {
		return DetailType{}, false
	}
	return s.config.DetailTypes[i], true
}

// texts reads an array of strings, and of nothing else: null is none.
func texts(v jsontext.Value) ([]string, bool) {
	var all []jsontext.Value
	if v.Kind() != '[' || json.Unmarshal(v, &all) != nil {
		return nil, false
	}
	if slices.ContainsFunc(all, func(one jsontext.Value) bool { return one.Kind() != '"' }) {
		return nil, false
	}
	var l []string
	return l, json.Unmarshal(v, &l) == nil
}

// narrowedDetails: RFC 9396 §6: a token request asks for what was granted, or
// less: fewer objects, and fewer members of their arrays of strings. What was
// granted once is not had twice.
func narrowedDetails(asked, granted string) (string, error) {
	want, err := parseDetails(asked)
	if err != nil || want == nil {
		return granted, err
	}
	have, err := parseDetails(granted)
	if err != nil {
		return "", err
	}
	if !want.eachWithin(have) {
		return "", refuseWith(BadDetails, "That is more than was granted, or something else.")
	}
	return want.text(), nil
}

// eachWithin says whether every object of want lies within one of granted, and
// no two within the same: an assignment, found by augmenting paths.
func (want details) eachWithin(granted details) bool {
	taken := make([]int, len(granted)) // by which object of want, counted from 1
	var place func(i int, tried []bool) bool
	place = func(i int, tried []bool) bool {
		for j, g := range granted {
			if tried[j] || !want[i].within(g) {
				continue
			}
			tried[j] = true
			if taken[j] == 0 || place(taken[j]-1, tried) {
				taken[j] = i + 1
				return true
			}
		}
		return false
	}
	for i := range want {
		if !place(i, make([]bool, len(granted))) {
			return false
		}
	}
	return true
}

// within says whether d allows nothing that granted does not. A member left
// out would allow more than one that is there.
func (d detail) within(granted detail) bool {
	if len(d) != len(granted) {
		return false
	}
	for name, value := range d {
		whole, ok := granted[name]
		if !ok || string(value) != string(whole) && !subset(value, whole) {
			return false
		}
	}
	return true
}

func subset(part, whole jsontext.Value) bool {
	p, ok1 := texts(part)
	w, ok2 := texts(whole)
	return ok1 && ok2 && len(p) > 0 && len(intersect(p, w)) == len(p)
}

// detailed puts the details of a grant into a token of it.
func detailed(req tokenRequest, g store.Grant, c token.Claims) (token.Claims, error) {
	text, err := narrowedDetails(req.params["authorization_details"], g.Details)
	if err != nil {
		return token.Claims{}, err
	}
	if text != "" {
		c.Details = jsontext.Value(text)
	}
	return c, nil
}

// inWords is a request's details as people read them.
func (s *Server) inWords(text string) []pages.Detail {
	all, err := parseDetails(text)
	if err != nil {
		return nil // unreachable: it was read before
	}
	var shown []pages.Detail
	for _, d := range all {
		known, _ := s.detailType(d)
		line := pages.Detail{Type: known.Type, Words: known.Description}
		for _, name := range append(slices.Clone(known.Fields), "locations") {
			if value, ok := d[name]; ok {
				line.Fields = append(line.Fields, pages.Field{Name: name, Value: spoken(value)})
			}
		}
		shown = append(shown, line)
	}
	return shown
}

// spoken writes a value as JSON, which has one reading: strings in quotes, lists
// in brackets. Where signs could be taken for others, or for none, the same
// follows in ASCII: no two values read alike.
func spoken(v jsontext.Value) string {
	v = v.Clone()
	if err := v.Format(jsontext.SpaceAfterComma(true)); err != nil {
		return exactly(string(v)) // unreachable: it was read before
	}
	text := string(v)
	if exact := exactly(text); exact != text {
		return legible.Text(text) + ", exactly " + exact
	}
	return text
}

// exactly writes JSON in ASCII. A space after another is written out: pages show one of them.
func exactly(text string) string {
	var b strings.Builder
	var before rune
	for _, r := range text {
		if r > 0x20 && r < 0x7f || r == ' ' && before != ' ' {
			b.WriteRune(r)
		} else {
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
		before = r
	}
	return b.String()
}

func checkDetailTypes(types []DetailType) error {
	seen := map[string]bool{}
	for _, t := range types {
		if t.Type == "" || t.Description == "" || seen[t.Type] || slices.Contains(t.Fields, "type") || slices.Contains(t.Fields, "locations") {
			return demand(false, fmt.Sprintf("authorization details %q need a type, named once, and a description; type and locations are no fields", t.Type))
		}
		seen[t.Type] = true
	}
	return nil
}

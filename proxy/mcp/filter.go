package mcp

import (
	"bytes"
	"errors"
	"slices"

	"github.com/postern-mcp/postern/policy"
)

// Filter rewrites list results on the way back.
type Filter struct {
	// Method is the list that was asked for: tools/list, resources/list,
	// resources/templates/list or prompts/list. "" filters every list it
	// meets, for streams that can carry answers to earlier requests.
	Method string

	// Keep says whether the caller may see a tool or prompt of that name or a resource of that URI.
	Keep func(kind policy.Kind, name string) bool

	// KeepTemplate says the same of a resource template. Nil asks Keep about the
	// template's text as a resource.
	KeepTemplate func(uriTemplate string) bool

	// Schemes is the JSON value that a listed tool carries as securitySchemes,
	// in place of what the server may have said. Nil leaves tools as they are.
	Schemes func(tool string) []byte
}

// list is one kind of list result.
type list struct {
	method string
	key    string // of the entries, in the result
	id     string // what names an entry, in the entry
	kind   policy.Kind
}

var lists = []list{
	{"tools/list", "tools", "name", policy.Tool},
	{"prompts/list", "prompts", "name", policy.Prompt},
	{"resources/list", "resources", "uri", policy.Resource},
	{"resources/templates/list", "resourceTemplates", "uriTemplate", policy.Resource},
}

var resultKeys = names("tools", "prompts", "resources", "resourceTemplates", "resultType", "ttlMs", "cacheScope")

var entryKeys = map[string][][]byte{
	"name": names("name"), "uri": names("uri"), "uriTemplate": names("uriTemplate"),
}

// JSON rewrites one JSON-RPC response body: entries Keep refuses are taken
// out, the rest stays byte for byte, and cacheScope becomes "private" where
// the result has one or the protocol demands one (a result with resultType or
// ttlMs, that is 2026-07-28). A body that cannot be read as the answer to the
// method is an error: the caller must refuse (502). An answer without a
// result, that is an error, passes as it is.
func (f Filter) JSON(body []byte, limits Limits) ([]byte, error) {
	a, err := f.read(body, limits)
	if err != nil {
		return nil, asResponseError(err)
	}
	if f.Method != "" && a.result.absent() && a.failed.absent() {
		return nil, wrong("response_not_list")
	}
	return f.rewrite(body, a)
}

// event is JSON for one message of a stream: requests and notifications pass,
// but for news of resources the caller may not see. Those are nil.
func (f Filter) event(body []byte, limits Limits) ([]byte, error) {
	a, err := f.read(body, limits)
	if err == nil && a.method.text == "notifications/resources/updated" {
		return f.news(body, a, limits)
	}
	if err != nil {
		return nil, asResponseError(err)
	}
	return f.rewrite(body, a)
}

// news passes a notification about a resource, or gives nil.
func (f Filter) news(body []byte, a answer, limits Limits) ([]byte, error) {
	s, err := scan(a.params.raw, limits)
	if err != nil {
		return nil, nil // of nothing that could be named
	}
	defer s.release()
	var uri value
	_, err = s.object(entryKeys["uri"], func(name []byte) (err error) {
		if string(name) != "uri" {
			return s.skip()
		}
		uri, err = s.read()
		return err
	})
	if err != nil || uri.kind != '"' || !f.Keep(policy.Resource, uri.text) {
		return nil, nil
	}
	return f.rewrite(body, a) // a message that is also an answer is filtered as one
}

// answer is a JSON-RPC response as found.
type answer struct {
	result, failed value
	method, params value // of a notification or request
	resultType     value
	cacheScope     value
	modern         bool // the result is of 2026-07-28 or later
	lists          []found
}

// found is one list in a result and the entries that stay.
type found struct {
	list
	whole   value
	kept    [][]byte
	changed bool // something was dropped or rewritten
}

func (f Filter) read(body []byte, limits Limits) (answer, error) {
	s, err := scan(body, limits)
	if err != nil {
		return answer{}, err
	}
	defer s.release()
	var a answer
	top, err := s.object(messageKeys, func(name []byte) (err error) {
		switch string(name) {
		case "result":
			a.result, err = s.object(resultKeys, func(name []byte) error { return f.member(s, &a, name) })
		case "error":
			a.failed, err = s.read()
		case "method":
			a.method, err = s.read()
		case "params":
			a.params, err = s.read()
		default:
			err = s.skip()
		}
		return err
	})
	if err != nil {
		return answer{}, err
	}
	if top.kind != '{' {
		return answer{}, wrong("body_not_object")
	}
	return a, s.finish()
}

func (f Filter) member(s *scanner, a *answer, name []byte) (err error) {
	for _, l := range lists {
		if string(name) == l.key {
			entries, err := f.entries(s, l)
			a.lists = append(a.lists, entries)
			return err
		}
	}
	switch string(name) {
	case "resultType":
		a.modern = true
		a.resultType, err = s.read()
	case "ttlMs":
		a.modern = true
		err = s.skip()
	case "cacheScope":
		a.cacheScope, err = s.read()
	default:
		err = s.skip()
	}
	return err
}

func (f Filter) entries(s *scanner, l list) (found, error) {
	entries := found{list: l}
	var err error
	entries.whole, err = s.array(func() error {
		var id, schemes value
		entry, err := s.object(entryKeys[l.id], func(name []byte) (err error) {
			switch string(name) {
			case l.id:
				id, err = s.read()
			case schemesKey:
				schemes, err = s.read()
			default:
				err = s.skip()
			}
			return err
		})
		if err != nil {
			return err
		}
		if entry.kind != '{' || id.kind != '"' {
			return wrong("response_not_list")
		}
		if !f.keeps(l, id.text) {
			entries.changed = true
			return nil
		}
		if l.key == "tools" && f.Schemes != nil {
			entry.raw, entries.changed = withSchemes(entry, schemes, f.Schemes(id.text)), true
		}
		entries.kept = append(entries.kept, entry.raw)
		return nil
	})
	if err == nil && entries.whole.kind != '[' {
		err = wrong("response_not_list")
	}
	return entries, err
}

// schemesKey is where clients look for the scopes of a tool before they call it.
const schemesKey = "securitySchemes"

// withSchemes is the entry with the member set to text.
func withSchemes(entry, old value, text []byte) []byte {
	if !old.absent() {
		return edit(entry.raw, []change{{old.at - entry.at, len(old.raw), text}})
	}
	end := len(entry.raw) - 1 // an entry has a name, so there is a member before this one
	return edit(entry.raw, []change{{end, 0, append([]byte(`,"`+schemesKey+`":`), text...)}})
}

func (f Filter) keeps(l list, id string) bool {
	if l.key == "resourceTemplates" && f.KeepTemplate != nil {
		return f.KeepTemplate(id)
	}
	return f.Keep(l.kind, id)
}

func (f Filter) rewrite(body []byte, a answer) ([]byte, error) {
	if a.result.absent() {
		return body, nil
	}
	if a.result.kind != '{' {
		if f.Method == "" {
			return body, nil
		}
		return nil, wrong("response_not_list")
	}
	if !a.answers(f.Method) {
		return nil, wrong("response_not_list")
	}
	return edit(body, a.edits()), nil
}

// answers says whether the result is what the method asks for.
func (a answer) answers(method string) bool {
	if method == "" {
		return true
	}
	// MCP 2026-07-28 §ResultType: another type of result may take the list's place.
	if a.resultType.kind == '"' && a.resultType.text != "complete" {
		return true
	}
	return slices.ContainsFunc(a.lists, func(l found) bool { return l.method == method })
}

// change puts text in place of part of the body.
type change struct {
	at, length int
	text       []byte
}

// edits are what has to change, in the order of the body.
func (a answer) edits() []change {
	if len(a.lists) == 0 {
		return nil
	}
	var changes []change
	for _, l := range a.lists {
		if l.changed {
			text := append([]byte{'['}, append(bytes.Join(l.kept, []byte{','}), ']')...)
			changes = append(changes, change{l.whole.at, len(l.whole.raw), text})
		}
	}
	switch {
	case !a.cacheScope.absent():
		changes = append(changes, change{a.cacheScope.at, len(a.cacheScope.raw), []byte(`"private"`)})
	case a.modern:
		end := a.result.at + len(a.result.raw) - 1
		changes = append(changes, change{end, 0, []byte(`,"cacheScope":"private"`)})
	}
	slices.SortFunc(changes, func(a, b change) int { return a.at - b.at })
	return changes
}

func edit(body []byte, changes []change) []byte {
	if len(changes) == 0 {
		return body
	}
	var out []byte
	at := 0
	for _, c := range changes {
		out = append(append(out, body[at:c.at]...), c.text...)
		at = c.at + c.length
	}
	return append(out, body[at:]...)
}

func asResponseError(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Status >= 500 {
		return e
	}
	if e != nil && e.Reason == "body_too_large" {
		return wrong("response_too_large")
	}
	return wrong("response_malformed")
}

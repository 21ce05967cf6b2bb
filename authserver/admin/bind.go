package admin

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// parameter is a field of a request that stands outside the body.
type parameter struct {
	in, name string
	field    reflect.StructField // its Index is from the outermost type
}

// places are where a parameter may stand.
var places = []string{"path", "query", "header"}

// parameters are those of a request type, embedded ones too.
func parameters(t reflect.Type) []parameter {
	var all []parameter
	for _, f := range reflect.VisibleFields(t) {
		for _, place := range places {
			if name, ok := f.Tag.Lookup(place); ok {
				all = append(all, parameter{place, name, f})
			}
		}
	}
	return all
}

func hasParameter(t reflect.Type, place, name string) bool {
	return slices.ContainsFunc(parameters(t), func(p parameter) bool { return p.in == place && p.name == name })
}

// bodyFields are the members of a request's body.
func bodyFields(t reflect.Type) []reflect.StructField {
	var all []reflect.StructField
	for _, f := range reflect.VisibleFields(t) {
		if member(f) != "" {
			all = append(all, f)
		}
	}
	return all
}

// member is a field's name in JSON, "" when it has none.
func member(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "-" || f.Anonymous {
		return ""
	}
	return name
}

// optional says whether a member may be absent.
func optional(f reflect.StructField) bool {
	_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return strings.Contains(options, "omit")
}

// bind reads a request into in: parameters, then the body, each strictly.
func bind(in any, r *http.Request, path map[string]string, body []byte) error {
	v := reflect.ValueOf(in).Elem()
	query, err := readQuery(r, v.Type())
	if err != nil {
		return err
	}
	if len(bodyFields(v.Type())) > 0 {
		if err := decode(body, in); err != nil {
			return err
		}
	}
	for _, p := range parameters(v.Type()) {
		sent := map[string]string{"path": path[p.name], "query": query[p.name], "header": r.Header.Get(p.name)}[p.in]
		if sent == "" {
			continue
		}
		if !storable(sent) {
			return &Error{Reason: BadParameter, Member: p.name, Detail: p.name + " " + unstorable}
		}
		if err := set(v.FieldByIndex(p.field.Index), sent); err != nil {
			return &Error{Reason: BadParameter, Member: p.name, Detail: p.name + " " + err.Error()}
		}
	}
	return checkAll(v)
}

// readQuery takes each parameter of the operation once, and no other.
func readQuery(r *http.Request, t reflect.Type) (map[string]string, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &Error{Reason: BadParameter, Detail: "The query cannot be read: check its percent-encoding."}
	}
	query := map[string]string{}
	for name, sent := range values {
		if !hasParameter(t, "query", name) {
			return nil, &Error{Reason: BadParameter, Member: clip(name), Detail: "There is no parameter of this name here: see openapi.json."}
		}
		if len(sent) > 1 {
			return nil, &Error{Reason: BadParameter, Member: name, Detail: name + " is there more than once: send it once."}
		}
		query[name] = sent[0]
	}
	return query, nil
}

// decode reads one JSON object with known members, each once.
func decode(body []byte, in any) error {
	if jsontext.Value(body).Kind() != '{' {
		return &Error{Reason: BadBody}
	}
	err := json.Unmarshal(body, in, json.RejectUnknownMembers(true))
	if err == nil {
		return checkStrings(body)
	}
	e := &Error{Reason: BadBody, Cause: err}
	if wrong, ok := errors.AsType[*json.SemanticError](err); ok {
		e.Member = clip(string(wrong.JSONPointer))
	}
	if broken, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		e.Member = clip(string(broken.JSONPointer))
	}
	return e
}

const unstorable = "must be UTF-8 without the character NUL."

// storable says whether every database keeps a text as it is: PostgreSQL has no
// NUL in one.
func storable(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

// checkStrings looks at every name and string of a body that was read, at any
// depth: their form is JSON's, and nothing else is wrong with it.
func checkStrings(body []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(body))
	for {
		t, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &Error{Reason: BadBody, Cause: err}
		}
		if t.Kind() == '"' && !storable(t.String()) {
			return &Error{Reason: BadBody, Member: clip(string(d.StackPointer())), Detail: "A string " + unstorable}
		}
	}
}

var errNumber = errors.New("takes a whole number")

// set writes a parameter's text into a field.
func set(v reflect.Value, sent string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(sent)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(sent, 10, 64)
		if err != nil {
			return errNumber
		}
		v.SetInt(n)
	case reflect.Pointer:
		yes := sent == "true"
		if !yes && sent != "false" {
			return errors.New("takes true or false")
		}
		v.Set(reflect.ValueOf(&yes))
	default:
		return errors.New("cannot be read") // unreachable: the table has no other, a test says so
	}
	return nil
}

const longest = 300

func clip(s string) string {
	if len(s) > longest {
		s = s[:longest]
	}
	return strings.ToValidUTF8(s, "")
}

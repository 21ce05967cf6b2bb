package admin

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"reflect"
	"strings"
)

//go:embed docs.html
var pageText string

var pageTemplate = template.Must(template.New("docs").Parse(pageText))

// pageHeader forbids framing, scripts and everything that is not of this server.
var pageHeader = http.Header{
	"Content-Type":            {"text/html; charset=utf-8"},
	"Content-Security-Policy": {"default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"},
	"X-Frame-Options":         {"DENY"},
	"Referrer-Policy":         {"no-referrer"},
}

// The page's data: the same table, in words.
type (
	docsPage struct {
		Base, Style string
		Scopes      []struct{ Name, Words string }
		Groups      []docsGroup
		Problems    []docsProblem
	}
	docsGroup struct {
		Name, Title string
		Rows        []docsRow
	}
	docsRow struct {
		ID, Method, Path, Scope, Summary, Detail string
		Status                                   int
		Parameters, Body, Answer                 []docsField
		List                                     bool // Answer is of each of the items
	}
	docsField   struct{ Name, Kind, Words string }
	docsProblem struct {
		Reason     Reason
		Status     int
		Title, Fix string
	}
)

// render is the page for people, of an API at base.
func render(base string) ([]byte, error) {
	style, err := url.Parse(strings.TrimSuffix(base, Prefix) + "/style.css")
	if err != nil {
		return nil, err
	}
	p := docsPage{Base: base, Style: style.EscapedPath(), Scopes: ScopeWords}
	at := map[string]int{}
	for _, o := range table {
		f := o.facts()
		i, known := at[f.tag()]
		if !known {
			i = len(p.Groups)
			at[f.tag()] = i
			p.Groups = append(p.Groups, docsGroup{Name: f.tag(), Title: f.title()})
		}
		p.Groups[i].Rows = append(p.Groups[i].Rows, f.words())
	}
	for _, k := range problems {
		p.Problems = append(p.Problems, docsProblem{k.reason, k.status, k.title, k.fix})
	}
	var out bytes.Buffer
	err = pageTemplate.Execute(&out, p)
	return out.Bytes(), err
}

func (f facts) words() docsRow {
	row := docsRow{ID: f.id, Method: f.method, Path: f.path, Scope: f.scope, Summary: f.summary, Detail: f.detail, Status: f.status}
	for _, p := range parameters(f.in) {
		row.Parameters = append(row.Parameters, docsField{p.name, p.in + ", " + kindWords(p.field), p.field.Tag.Get("doc")})
	}
	row.Body = fieldWords(f.in)
	answer := f.out
	if items, ok := answer.FieldByName("Items"); ok {
		answer, row.List = items.Type.Elem(), true
	}
	row.Answer = fieldWords(answer)
	return row
}

func fieldWords(t reflect.Type) []docsField {
	var all []docsField
	for _, f := range bodyFields(t) {
		all = append(all, docsField{member(f), kindWords(f), f.Tag.Get("doc")})
	}
	return all
}

// kindWords says what kind of value a member has, and whether it may be absent.
func kindWords(f reflect.StructField) string {
	kind := typeWords(f.Type)
	if format := f.Tag.Get("format"); format != "" {
		kind = format
	}
	if words := f.Tag.Get("enum"); words != "" {
		kind += ": " + strings.ReplaceAll(words, ",", " | ")
	}
	if optional(f) {
		kind += ", may be absent"
	}
	return kind
}

// typeWords names a type, and of an object its members.
func typeWords(t reflect.Type) string {
	s := schemas{}.of(t)
	if format, ok := s["format"].(string); ok {
		return format
	}
	if kind, ok := s["type"].(string); ok && kind != "array" {
		return kind
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice {
		return "list of " + typeWords(t.Elem())
	}
	var names []string
	for _, f := range bodyFields(t) {
		names = append(names, member(f))
	}
	return "{" + strings.Join(names, ", ") + "}"
}

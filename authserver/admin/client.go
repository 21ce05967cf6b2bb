package admin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// Doer sends a request: an http.Client, or whoever adds a token before it.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Caller calls the API at a base, through a Doer.
type Caller struct {
	Base string // issuer + Prefix
	Via  Doer
}

// Answer is what an operation answered.
type Answer[Out any] struct {
	Value Out
	Raw   []byte // the JSON as it came, nil without any
}

const maxAnswer = 16 << 20

// Call asks for one operation. What the API refuses is a *Problem; any other
// error is of the way there.
func Call[In, Out any](ctx context.Context, c Caller, o Operation[In, Out], in In) (Answer[Out], error) {
	req, err := newRequest(ctx, c.Base, o.facts(), in)
	if err != nil {
		return Answer[Out]{}, err
	}
	resp, err := c.Via.Do(req)
	if err != nil {
		return Answer[Out]{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return Answer[Out]{}, err
	}
	if resp.StatusCode != o.Status {
		return Answer[Out]{}, readProblem(resp, body)
	}
	var a Answer[Out]
	if o.Status == http.StatusNoContent {
		return a, nil
	}
	a.Raw = body
	return a, json.Unmarshal(body, &a.Value)
}

func newRequest(ctx context.Context, base string, f facts, in any) (*http.Request, error) {
	v, path, query := reflect.ValueOf(in), f.path, url.Values{}
	header := http.Header{}
	for _, p := range parameters(f.in) {
		sent := text(v.FieldByIndex(p.field.Index))
		switch {
		case p.in == "path" && sent == "":
			return nil, fmt.Errorf("%s is empty", p.name)
		case p.in == "path":
			path = strings.Replace(path, "{"+p.name+"}", url.PathEscape(sent), 1)
		case sent == "":
		case p.in == "query":
			query.Set(p.name, sent)
		default:
			header.Set(p.name, sent)
		}
	}
	var body io.Reader = http.NoBody
	if f.body() {
		text, err := marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
		header.Set("Content-Type", "application/json")
	}
	address := base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, f.method, address, body)
	if err != nil {
		return nil, err
	}
	req.Header = header
	return req, nil
}

// text is a parameter as it is sent, "" for none.
func text(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		return strconv.FormatBool(v.Elem().Bool())
	case reflect.Int, reflect.Int64:
		if v.Int() == 0 {
			return ""
		}
		return strconv.FormatInt(v.Int(), 10)
	}
	return v.String()
}

func readProblem(resp *http.Response, body []byte) error {
	var p Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Reason == "" {
		return fmt.Errorf("the answer was %s, and is not of this API", resp.Status)
	}
	return &p
}

// paged is a request for a list that has pages.
type paged interface {
	From(next string)
	Take(most int)
}

// All collects the pages of a list until it has so many entries, 0 for every
// one: Next of what it answers is empty when there are no more.
func All[In, Item any](ctx context.Context, c Caller, o Operation[In, Page[Item]], in In, most int) (Page[Item], error) {
	all := Page[Item]{Items: []Item{}}
	pages, _ := any(&in).(paged) // nil: the list is one page
	for {
		if pages != nil {
			pages.Take(most - len(all.Items))
		}
		a, err := Call(ctx, c, o, in)
		if err != nil {
			return all, err
		}
		all.Items, all.Next = append(all.Items, a.Value.Items...), a.Value.Next
		if all.Next == "" || len(all.Items) == most {
			return all, nil
		}
		pages.From(all.Next)
	}
}

// Inside calls a handler in this process, without a network.
type Inside struct{ Handler http.Handler }

// Do serves the request and gives the answer.
func (i Inside) Do(r *http.Request) (*http.Response, error) {
	w := &heard{header: http.Header{}, status: http.StatusOK}
	i.Handler.ServeHTTP(w, r)
	return &http.Response{
		StatusCode: w.status, Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status),
		Header: w.header, Body: io.NopCloser(&w.body), Request: r,
	}, nil
}

// heard is an answer that stays in this process.
type heard struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heard) Header() http.Header            { return h.header }
func (h *heard) WriteHeader(status int)         { h.status = status }
func (h *heard) Write(part []byte) (int, error) { return h.body.Write(part) }

package admin

import (
	"context"
	"net/http"
	"reflect"
	"strings"
)

// Operation is one thing that can be asked for: where it lies, what scope it
// needs, what goes in and what comes out. In's fields say where they stand:
// path:"…", query:"…", header:"…", or json for the body.
type Operation[In, Out any] struct {
	ID      string // operationId, and the word of the audit
	Method  string
	Path    string // under Prefix; {name} is a field of In
	Scope   string
	Status  int    // of success
	Summary string // what it does, in one line
	Detail  string // what there is to know, or ""
	do      func(Desk, context.Context, Actor, In) (Out, error)
}

// row is an operation whatever goes in and out.
type row interface {
	facts() facts
	run(ctx context.Context, d Desk, by Actor, r *http.Request, path map[string]string, body []byte) (any, error)
}

// facts is what is known of a row without its types.
type facts struct {
	id, method, path, scope string
	status                  int
	summary, detail         string
	in, out                 reflect.Type
}

func (o Operation[In, Out]) facts() facts {
	return facts{o.ID, o.Method, o.Path, o.Scope, o.Status, o.Summary, o.Detail, reflect.TypeFor[In](), reflect.TypeFor[Out]()}
}

func (o Operation[In, Out]) run(ctx context.Context, d Desk, by Actor, r *http.Request, path map[string]string, body []byte) (any, error) {
	var in In
	if err := bind(&in, r, path, body); err != nil {
		return nil, err
	}
	return o.do(d, ctx, by, in)
}

// segments are the parts of a path pattern.
func (f facts) segments() []string { return strings.Split(strings.Trim(f.path, "/"), "/") }

// match gives the path parameters when these segments fit.
func (f facts) match(segments []string) (map[string]string, bool) {
	pattern := f.segments()
	if len(pattern) != len(segments) {
		return nil, false
	}
	found := map[string]string{}
	for i, p := range pattern {
		name, variable := strings.CutPrefix(p, "{")
		if !variable && p != segments[i] || variable && segments[i] == "" {
			return nil, false
		}
		if variable {
			found[strings.TrimSuffix(name, "}")] = segments[i]
		}
	}
	return found, true
}

// body says whether the operation reads one.
func (f facts) body() bool {
	return len(bodyFields(f.in)) > 0
}

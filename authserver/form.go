package authserver

import (
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

const maxBody = 64 << 10

// params are request parameters, each there once and not empty.
type params map[string]string

// newParams: OAuth 2.1 §3.1 and §3.2 (B1): no parameter repeats, one without a
// value is as if it were not there. resource may repeat by RFC 8707, but a
// token here has one audience.
func newParams(v url.Values) (params, error) {
	p := params{}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		values := v[name]
		if len(values) > 1 && name == "resource" {
			return nil, refuse(BadTarget)
		}
		if len(values) > 1 {
			return nil, repeated(name)
		}
		if !isText(name) || !isText(values[0]) {
			return nil, refuse(BadForm)
		}
		if values[0] != "" {
			p[name] = values[0]
		}
	}
	return p, nil
}

// isText: UTF-8, and no NUL, which not every database takes: whatever is asked
// for by such a name is not there.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// isTextIn says the same of everything that an address carries.
func isTextIn(u *url.URL) bool {
	if !isText(u.Path) {
		return false
	}
	for name, values := range u.Query() {
		if !isText(name) || slices.ContainsFunc(values, func(v string) bool { return !isText(v) }) {
			return false
		}
	}
	return true
}

// repeated names the parameter where its name is like that of a standard's.
func repeated(name string) error {
	if name == "" || len(name) > 40 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return refuse(RepeatedParameter)
	}
	return refuseWith(RepeatedParameter, "It is "+name+".")
}

// readForm reads the parameters of a POST from its body, never from its query (B5, B8).
func readForm(w http.ResponseWriter, r *http.Request) (params, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, refuse(BadContentType)
	}
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	v, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, refuseFor(BadForm, err)
	}
	return newParams(v)
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, refuse(BodyTooLarge)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, refuse(BodyTooSlow)
	}
	if err != nil {
		return nil, refuseFor(BadForm, err)
	}
	return body, nil
}

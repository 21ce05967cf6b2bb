package admin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/trail"
)

// API serves the operations of the table over one desk.
type API struct {
	base     string // issuer + Prefix
	path     string // of base
	desk     Desk
	gate     Gate
	log      *slog.Logger
	document []byte // openapi.json
	page     []byte // the same for people
}

const maxBody = 64 << 10

// New makes the API that lies at issuer + Prefix.
func New(issuer string, desk Desk, gate Gate, log *slog.Logger) (*API, error) {
	u, err := url.Parse(issuer + Prefix)
	if err != nil {
		return nil, err
	}
	a := &API{base: issuer + Prefix, path: u.EscapedPath(), desk: desk, gate: gate, log: log}
	if a.document, err = marshal(document(a.base)); err != nil {
		return nil, err
	}
	a.page, err = render(a.base)
	return a, err
}

// ServeHTTP answers one request; every error is a problem (RFC 9457).
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if err := a.serve(w, r); err != nil {
		a.Refuse(w, r, err)
	}
}

// Refuse answers with the problem that an error is.
func (a *API) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	if why := a.gate.Passing(err); why != "" {
		err = &Error{Reason: why, Cause: err}
		w.Header().Set("Retry-After", "2")
	}
	p := problemOf(err, a.base)
	level, cause := slog.LevelInfo, errors.Unwrap(err)
	if p.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	if cause == nil {
		cause = err
	}
	a.log.Log(r.Context(), level, "admin.refused", "path", clip(trail.Path(r.URL.Path)), "method", clip(r.Method),
		"reason", string(p.Reason), "cause", clip(cause.Error()))
	a.gate.Refused(r, p.Reason)
	writeProblem(w, p)
}

func (a *API) serve(w http.ResponseWriter, r *http.Request) error {
	segments, err := a.segments(r)
	if err != nil {
		return err
	}
	if done := a.serveDocument(w, r, segments); done {
		return nil
	}
	op, path, err := find(w, r.Method, segments)
	if err != nil {
		return err
	}
	body, broken := readBody(w, r, op.facts()) // first: it may take a while, in which a caller loses what they may
	by, err := a.gate.Admit(w, r, op.facts().scope)
	if err != nil {
		return err
	}
	if broken != nil {
		return broken
	}
	answer, err := op.run(r.Context(), a.desk, by, r, path, body)
	if err != nil {
		return err
	}
	return write(w, op.facts().status, answer)
}

// segments are the decoded parts of the path below the API's.
func (a *API) segments(r *http.Request) ([]string, error) {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), a.path+"/")
	if !ok {
		return nil, &Error{Reason: UnknownPath}
	}
	parts := strings.Split(rest, "/")
	for i, p := range parts {
		decoded, err := url.PathUnescape(p)
		if err != nil {
			return nil, &Error{Reason: UnknownPath}
		}
		parts[i] = decoded
	}
	return parts, nil
}

// find gives the row for a path and method, and the path's parameters. What is
// spelled out comes before what is a parameter.
func find(w http.ResponseWriter, method string, segments []string) (row, map[string]string, error) {
	var (
		best    row
		path    map[string]string
		methods []string
	)
	for _, candidate := range table {
		f := candidate.facts()
		found, ok := f.match(segments)
		if !ok {
			continue
		}
		methods = append(methods, f.method)
		if (f.method == method || f.method == get && method == http.MethodHead) && (best == nil || len(found) < len(path)) {
			best, path = candidate, found
		}
	}
	switch {
	case best != nil:
		return best, path, nil
	case methods == nil:
		return nil, nil, &Error{Reason: UnknownPath}
	}
	slices.Sort(methods)
	w.Header().Set("Allow", strings.Join(slices.Compact(methods), ", "))
	return nil, nil, &Error{Reason: WrongMethod}
}

// readBody takes JSON where the operation has a body; anywhere else it is not read.
func readBody(w http.ResponseWriter, r *http.Request, f facts) ([]byte, error) {
	if !f.body() {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &Error{Reason: TooLarge}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil, &Error{Reason: BadBody, Detail: "The body did not arrive in time.", Cause: err}
	}
	if err != nil {
		return nil, &Error{Reason: BadBody, Cause: err}
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" && media != "application/merge-patch+json" {
		return nil, &Error{Reason: BadMediaType}
	}
	return body, nil
}

// write answers; a value that has a tag says it as its ETag.
func write(w http.ResponseWriter, status int, answer any) error {
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return nil
	}
	if tagged, ok := answer.(interface{ Tag() string }); ok {
		w.Header().Set("ETag", tagged.Tag())
	}
	w.Header().Set("Content-Type", "application/json")
	return writeBody(w, status, answer)
}

func writeBody(w http.ResponseWriter, status int, v any) error {
	body, err := marshal(v)
	if err != nil {
		return err
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the caller is gone: nobody to tell
	return nil
}

func marshal(v any) ([]byte, error) { return json.Marshal(v, json.Deterministic(true)) }

// tagOf is a strong entity tag (RFC 9110 §8.8.3) of a representation.
func tagOf(v any) string {
	body, err := marshal(v)
	if err != nil {
		return "" // unreachable: the types of this package always marshal
	}
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// Matches says whether a change that was made for the given tag may go ahead:
// RFC 9110 §13.1.1; * and "" are for any.
func Matches(ifMatch, tag string) error {
	if ifMatch == "" || ifMatch == "*" {
		return nil
	}
	for given := range strings.SplitSeq(ifMatch, ",") {
		if strings.TrimSpace(given) == tag {
			return nil
		}
	}
	return &Error{Reason: Changed}
}

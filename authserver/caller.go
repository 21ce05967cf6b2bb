package authserver

import (
	"context"
	"net/http"
	"strings"
)

// caller is which client a request is from, for the log: as it says, until it
// has proved that; and what became of its request.
type caller struct {
	id     string // of the request
	said   string
	proven bool
	grant  string // the grant type it asked for, or ""

	risk       string // how its sign-in was judged, or ""
	refused    Reason // "" when it was not
	unrecorded error  // of an audit line that could not be written
}

type callerKey struct{}

// withCaller is a request whose log lines say who it was from.
func withCaller(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, &caller{id: newRequestID()}))
}

// callerOf is never nil. Of a request that has none, nobody hears what is noted.
func callerOf(r *http.Request) *caller { return callerIn(r.Context()) }

func callerIn(ctx context.Context) *caller {
	if c, ok := ctx.Value(callerKey{}).(*caller); ok {
		return c
	}
	return &caller{}
}

// fields are what a log line says of the caller, nothing when it said nothing.
func (c *caller) fields() []any {
	var fields []any
	if c.proven || looksLikeID(c.said) {
		fields = append(fields, "client_id", clip(c.said), "client_proven", c.proven)
	}
	if c.grant != "" {
		fields = append(fields, "grant_type", clip(c.grant))
	}
	return fields
}

// looksLikeID: what a stranger sends as their id may be anything, such as a
// secret in the wrong place, and only what has the form of an id is logged.
func looksLikeID(said string) bool {
	return strings.HasPrefix(said, "client_") || strings.HasPrefix(said, "https://") || strings.HasPrefix(said, "http://")
}

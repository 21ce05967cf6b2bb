package authserver

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/store"
)

var unlisted = answer{500, "server_error", ""}

// Error is a refusal. The reason goes everywhere, the cause to the log only.
type Error struct {
	Reason     Reason
	Cause      error
	RetryAfter time.Duration // for the Retry-After header, 0 for the default of the status
	Sent       string        // what of the request it is about: told to programs, as plain prints it, and on no page
	Detail     string        // what the public sentence adds: printable ASCII without " and \ (RFC 6749 §5.2), never what was sent
}

func (e *Error) Error() string {
	if e.Cause == nil {
		return string(e.Reason)
	}
	return string(e.Reason) + ": " + e.Cause.Error()
}

func (e *Error) Unwrap() error { return e.Cause }

func refuse(r Reason) error { return &Error{Reason: r} }

func refuseFor(r Reason, cause error) error { return &Error{Reason: r, Cause: cause} }

// missing names a parameter that is needed.
func missing(name string) error { return refuseWith(MissingParameter, "It is "+name+".") }

// refuseWith says more in public than the reason does.
func refuseWith(r Reason, detail string) error { return &Error{Reason: r, Detail: detail} }

// reasonOf is the reason in err, and "internal" for an error that has none and
// does not come from a database or Redis that is away.
func reasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	if errors.Is(err, store.ErrAway) {
		return RedisAway
	}
	if store.Unavailable(err) {
		return DatabaseAway
	}
	return "internal"
}

func answerTo(err error) answer {
	if a, ok := answers[reasonOf(err)]; ok {
		return a
	}
	return unlisted
}

// causeOf is what the log says beyond the reason: the proof's own reason, or
// the wrapped error.
func causeOf(err error) string {
	if p, ok := errors.AsType[*dpop.Error](err); ok {
		return string(p.Reason)
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err.Error()
	}
	if e.Cause == nil {
		return ""
	}
	return e.Cause.Error()
}

// retryAfter is how long to wait, for the two statuses that say so.
func retryAfter(err error) time.Duration {
	a := answerTo(err)
	if a.status != http.StatusTooManyRequests && a.status != http.StatusServiceUnavailable {
		return 0
	}
	if e, ok := errors.AsType[*Error](err); ok && e.RetryAfter > 0 {
		return e.RetryAfter
	}
	return 2 * time.Second
}

// detailOf is the part of a public sentence that depends on the request: what an
// error says for it, or the rule a client's metadata breaks. Those errors never
// repeat what was sent.
func detailOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Detail != "" {
		return plain(e.Detail)
	}
	if d, ok := errors.AsType[*admin.Error](err); ok && reasonOf(err) == DeskRefused {
		return d.Error()
	}
	if !errors.Is(err, clientdoc.ErrMetadata) && !errors.Is(err, clientdoc.ErrRedirect) {
		return ""
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return ""
	}
	return "(" + e.Cause.Error() + ")"
}

// plain keeps to what an error_description may hold (RFC 6749 §5.2).
func plain(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '"' || c == '\\':
			return '\''
		case c < ' ' || c > '~':
			return '?'
		}
		return c
	}, text)
}

package authserver

import (
	"net/http"
	"strings"
	"time"
)

// exchange is a request being answered. An answer whose audit line could not be
// written does not go out: the refusal that does says so.
type exchange struct {
	http.ResponseWriter
	r      *http.Request
	caller *caller
	refuse func(w http.ResponseWriter, cause error) // answers instead
	status int                                      // 0 until the header is out
	mute   bool
}

// Unwrap is for http.ResponseController.
func (e *exchange) Unwrap() http.ResponseWriter { return e.ResponseWriter }

// WriteHeader sends the answer on its way, or the refusal.
func (e *exchange) WriteHeader(status int) {
	if e.status != 0 {
		return
	}
	if e.caller.unrecorded == nil || e.caller.refused == AuditAway {
		e.status = status
		e.ResponseWriter.WriteHeader(status)
		return
	}
	e.mute, e.status = true, answers[AuditAway].status
	clear(e.Header())
	e.refuse(e.ResponseWriter, refuseFor(AuditAway, e.caller.unrecorded))
}

// Write passes on the body of the answer, and drops it after the refusal.
func (e *exchange) Write(body []byte) (int, error) {
	e.WriteHeader(http.StatusOK)
	if e.mute {
		return len(body), nil
	}
	return e.ResponseWriter.Write(body)
}

// exchange begins an answer. end is called when it is complete.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request, at string, to route) (e *exchange, end func()) {
	c, began := callerOf(r), time.Now()
	e = &exchange{ResponseWriter: w, r: r, caller: c}
	e.refuse = func(w http.ResponseWriter, cause error) {
		s.frame(w.Header(), c, to)
		s.fail(w, r, to, cause)
	}
	return e, func() {
		e.WriteHeader(http.StatusOK)
		s.metrics.answered(at, e.outcome(), time.Since(began))
	}
}

// outcome is the OAuth error code of what was refused, whether the client or a
// person was told, and "ok" of the rest.
func (e *exchange) outcome() string {
	if a, known := answers[e.caller.refused]; known {
		return a.code
	}
	switch {
	case e.caller.refused != "" && e.status < http.StatusBadRequest, e.status >= http.StatusInternalServerError:
		return "server_error"
	case e.status >= http.StatusBadRequest:
		return "invalid_request"
	}
	return "ok"
}

// recordable refuses what could not be put on record. What changes nothing and
// gives nobody anything is answered all the same.
func (s *Server) recordable(to route) error {
	if s.config.Audit == nil || to.open {
		return nil
	}
	if err := s.config.Audit.Ready(); err != nil {
		return refuseFor(AuditAway, err)
	}
	return nil
}

// endpoint is what metrics call a path: the first part of it, of those there are.
func (s *Server) endpoint(path string, to route) string {
	if to.every == nil && to.methods() == nil {
		return "unknown"
	}
	if strings.HasPrefix(path, "/.well-known/") || strings.HasPrefix(path, s.site.local("/.well-known/")) {
		return "/.well-known"
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(path, s.site.path+"/"), "/")
	return "/" + first
}

// operated is a handler whose caller is whoever has the machine: its changes go
// on record like any.
func (s *Server) operated(h http.Handler) http.Handler {
	to := route{every: func(w http.ResponseWriter, r *http.Request) error { h.ServeHTTP(w, r); return nil }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = withCaller(r)
		e, end := s.exchange(w, r, "operator", to)
		defer end()
		if err := s.recordable(to); err != nil {
			s.fail(e, r, to, err)
			return
		}
		h.ServeHTTP(e, r)
	})
}

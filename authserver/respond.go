package authserver

import (
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/trail"
)

// handle is an endpoint: it answers, or says why not.
type handle func(w http.ResponseWriter, r *http.Request) error

// writeJSON answers with v; nothing this server says in JSON may be cached unless it says so first.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller is gone: nobody to tell
	return nil
}

type errorBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitzero"`
}

// writeError is the one place that tells a program what went wrong (RFC 6749 §5.2).
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	s.logRefusal(r, err)
	a := answerTo(err)
	h := w.Header()
	setRetryAfter(h, retryAfter(err))
	if a.status == http.StatusUnauthorized || a.code == "insufficient_scope" {
		h.Set("WWW-Authenticate", s.challenge(r, a))
	}
	if a.code == "use_dpop_nonce" {
		h.Set("DPoP-Nonce", s.config.Proofs.Nonce(r.Context(), s.config.Now()))
	}
	h.Set("Cache-Control", "no-store")
	_ = writeJSON(w, a.status, errorBody{a.code, inFull(err)}) // two strings always marshal
}

func describe(err error) string {
	text := answerTo(err).text
	if d := detailOf(err); d != "" {
		text += " " + d
	}
	return text
}

// mostSent is the longest word that is sent back: whatever opens something here is
// longer, and may have been sent in the wrong place.
const mostSent = 32

// inFull is describe for programs: it names what of their request is at fault.
// A page does not: whoever made the link would write on it.
func inFull(err error) string {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Sent == "" || len(e.Sent) > mostSent {
		return describe(err)
	}
	return describe(err) + " It is '" + plain(e.Sent) + "'."
}

// challenge: RFC 9110 §11.6.1 wants one with every 401 (B9).
func (s *Server) challenge(r *http.Request, a answer) string {
	// RFC 9449 §7.1
	if scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "DPoP") {
		return `DPoP realm="` + s.config.Issuer + `", error="` + a.code + `", algs="` + strings.Join(s.profile.proofAlgorithms(), " ") + `"`
	}
	if a.code == "invalid_token" || a.code == "insufficient_scope" {
		return `Bearer realm="` + s.config.Issuer + `", error="` + a.code + `"`
	}
	return `Basic realm="` + s.config.Issuer + `"`
}

func setRetryAfter(h http.Header, d time.Duration) {
	if d > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
	}
}

// logRefusal keeps the reason and the cause: what the caller is not told.
func (s *Server) logRefusal(r *http.Request, err error) {
	level := slog.LevelInfo
	if answerTo(err).status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	fields := []any{"path", clip(trail.Path(r.URL.Path)), "method", clip(r.Method), "reason", string(reasonOf(err)), "cause", clip(causeOf(err)), "address", s.address(r)}
	s.report(r.Context(), level, "request.refused", append(fields, callerOf(r).fields()...)...)
}

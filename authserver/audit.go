package authserver

import (
	"net/http"
	"strings"
)

// audit is one line per decision: a stable event name and who, what and why,
// never a secret.
func (s *Server) audit(r *http.Request, event string, fields ...any) {
	s.config.Log.InfoContext(r.Context(), event, append(fields, "address", s.address(r))...)
}

const maxLogged = 300

// clip bounds what a stranger may write into one field of a log line.
func clip(s string) string {
	if len(s) <= maxLogged {
		return s
	}
	return strings.ToValidUTF8(s[:maxLogged], "") + "…"
}

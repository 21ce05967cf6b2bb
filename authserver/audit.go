package authserver

import "net/http"

// audit is one line per decision: a stable event name and who, what and why,
// never a secret.
func (s *Server) audit(r *http.Request, event string, fields ...any) {
	s.config.Log.InfoContext(r.Context(), event, append(fields, "address", s.address(r))...)
}

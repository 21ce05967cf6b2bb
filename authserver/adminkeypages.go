package authserver

import (
	"net/http"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
)

const keysPath = "/admin/keys"

func (s *Server) keysPage(w http.ResponseWriter, r *http.Request, a administrator) error {
	found, err := s.Desk().Keys(r.Context(), a.Actor, admin.None{})
	if err != nil {
		return err
	}
	p := pages.Keys{Now: s.config.Now(), Change: a.has(admin.ScopeKeys), Notices: doneNotices(r)}
	for _, k := range found.Items {
		p.All = append(p.All, pages.Key{ID: k.ID, Algorithm: k.Algorithm, State: k.State, Signs: k.SignsFrom, Until: k.Until})
	}
	return a.frame.Keys(w, http.StatusOK, p)
}

func (s *Server) askRotateKey(w http.ResponseWriter, _ *http.Request, a administrator) error {
	return a.frame.Confirm(w, http.StatusOK, pages.Confirm{
		At: keysPath, Title: "Rotate the key now?", Button: "Rotate now", Path: "/admin/keys/rotate", Back: pages.Link{Text: "Keys", Path: keysPath},
		Effects: []string{"The next key is published now, and signs once everybody has had time to read it.", "The one that signs now is kept until its last token has ended: nothing stops working."},
	})
}

func (s *Server) rotateKey(w http.ResponseWriter, r *http.Request, a administrator, _ params) error {
	if _, err := s.Desk().RotateKey(r.Context(), a.Actor, admin.KeyRotation{}); err != nil {
		return err
	}
	return s.onward(w, keysPath, "rotated")
}

func (s *Server) askRevokeKey(w http.ResponseWriter, r *http.Request, a administrator) error {
	kid := r.URL.Query().Get("kid")
	if kid == "" {
		return refuse(NoSuchThing)
	}
	return a.frame.Confirm(w, http.StatusOK, pages.Confirm{
		At: keysPath, Title: "Revoke this key?", Lead: kid, Button: "Revoke the key", Path: "/admin/keys/revoke", Hidden: []pages.Hidden{{Name: "kid", Value: kid}},
		Back: pages.Link{Text: "Keys", Path: keysPath},
		Effects: []string{"Only for a key that was stolen. If it is merely old, rotate instead.", "Every token it signed is dead at once: applications have to get new ones, and people do not notice.",
			"A key that nobody knows yet signs instead: some servers refuse its first tokens for a few seconds, those that are slow to look for new keys for longer.", "This cannot be undone."},
	})
}

func (s *Server) revokeKey(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	if _, err := s.Desk().RevokeKey(r.Context(), a.Actor, admin.KeyRef{ID: form["kid"]}); err != nil {
		return err
	}
	return s.onward(w, keysPath, "revoked")
}

func (s *Server) riskPage(w http.ResponseWriter, r *http.Request, a administrator) error {
	return a.frame.Risk(w, http.StatusOK, pages.Risk{Agent: r.UserAgent(), Address: s.address(r)})
}

func (s *Server) explainRisk(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	p := pages.Risk{Name: form["user"], Address: form["address"], Agent: form["agent"]}
	id, err := s.named(r, a, p.Name)
	if err != nil {
		return err
	}
	if id == "" {
		p.Unknown = "Nobody has this user name."
		return a.frame.Risk(w, http.StatusUnprocessableEntity, p)
	}
	e, err := s.Desk().ExplainSignIn(r.Context(), a.Actor, admin.RiskQuery{UserRef: admin.UserRef{ID: id}, Address: p.Address, Agent: p.Agent})
	if _, ok := refusedHere(err); ok {
		p.Problem = "This is no IP address: write it as 203.0.113.7 or 2001:db8::7."
		return a.frame.Risk(w, http.StatusUnprocessableEntity, p)
	}
	if err != nil {
		return err
	}
	v := pages.Verdict{Outcome: e.Outcome, Score: e.Points, Ask: e.StepUp, Stop: e.Refuse}
	for _, f := range e.Findings {
		v.Reasons = append(v.Reasons, f.Words)
	}
	p.Verdict = &v
	return a.frame.Risk(w, http.StatusOK, p)
}

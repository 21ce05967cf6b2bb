package console

import (
	"net/http"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
)

const (
	signInsPath = Path + "/sign-ins"
	riskPath    = Path + "/risk"
)

func (c *Console) signIns(w http.ResponseWriter, r *http.Request, a Administrator) error {
	q := r.URL.Query().Get("q")
	id, err := c.named(r, a, q)
	if err != nil {
		return err
	}
	p := pages.SignIns{Now: c.of.Now(), Query: q}
	if q != "" && id == "" {
		return a.Frame.SignIns(w, http.StatusOK, p)
	}
	found, err := c.desk.SignIns(r.Context(), a.Actor, admin.SignInQuery{Paging: place(r), User: id})
	if err != nil {
		return err
	}
	for _, v := range found.Items {
		shown := shownSignIn(v)
		shown.Name = v.UserName
		p.All = append(p.All, shown)
	}
	p.First, p.Next = firstPage(r, signInsPath, "q", q), nextPage(signInsPath, found.Next, "q", q)
	return a.Frame.SignIns(w, http.StatusOK, p)
}

// shownSignIn is a sign-in on the page of its person.
func shownSignIn(v admin.SignIn) pages.SignIn {
	p := pages.SignIn{At: v.At, Outcome: v.Outcome, Reasons: v.Reasons, Agent: v.Agent, Address: v.Address, Client: v.ClientName, Methods: v.Methods}
	if p.Client == "" {
		p.Client = v.ClientID
	}
	return p
}

func (c *Console) risk(w http.ResponseWriter, r *http.Request, a Administrator) error {
	return a.Frame.Risk(w, http.StatusOK, pages.Risk{Agent: r.UserAgent(), Address: a.Address})
}

func (c *Console) explainRisk(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	p := pages.Risk{Name: f["user"], Address: f["address"], Agent: f["agent"]}
	id, err := c.named(r, a, p.Name)
	if err != nil {
		return err
	}
	if id == "" {
		p.Unknown = "Nobody has this user name."
		return a.Frame.Risk(w, http.StatusUnprocessableEntity, p)
	}
	e, err := c.desk.ExplainSignIn(r.Context(), a.Actor, admin.RiskQuery{UserRef: admin.UserRef{ID: id}, Address: p.Address, Agent: p.Agent})
	if _, ok := faultOf(err); ok {
		p.Problem = "This is no IP address: write it as 203.0.113.7 or 2001:db8::7."
		return a.Frame.Risk(w, http.StatusUnprocessableEntity, p)
	}
	if err != nil {
		return err
	}
	v := pages.Verdict{Outcome: e.Outcome, Score: e.Points, Ask: e.StepUp, Stop: e.Refuse}
	for _, finding := range e.Findings {
		v.Reasons = append(v.Reasons, finding.Words)
	}
	p.Verdict = &v
	return a.Frame.Risk(w, http.StatusOK, p)
}

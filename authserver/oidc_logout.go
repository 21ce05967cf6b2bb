package authserver

import (
	"net/http"
	"net/url"
	"time"

	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
)

const maxHint = 8 << 10

// departure is a request to end the session of this browser (OpenID Connect
// RP-Initiated Logout §2).
type departure struct {
	hint     string // as it was sent, to come back with the form
	to       string // where the client wants the person afterwards, "" unless it proved to be its own
	state    string
	subject  string // who the client says is signed in, "" when it proved nothing
	asked    string // post_logout_redirect_uri as it was sent
	clientID string
}

// logout ends the session at once when an ID token says whose it is; anybody
// else's link only asks.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(r.URL.RawQuery) > maxQuery {
		return refuseFor(BadForm, err)
	}
	p, err := newParams(query)
	if err != nil {
		return err
	}
	return s.leave(w, r, p, false)
}

// logoutByForm takes the person's yes; what another site posts asks first.
func (s *Server) logoutByForm(w http.ResponseWriter, r *http.Request) error {
	p, err := readForm(w, r)
	if err != nil {
		return err
	}
	return s.leave(w, r, p, p["confirm"] == "yes" && s.fromHere(r) == nil)
}

func (s *Server) leave(w http.ResponseWriter, r *http.Request, p params, confirmed bool) error {
	if _, err := s.limits.authorize.try(s.network(r)); err != nil {
		return err
	}
	d, err := s.readDeparture(r, p)
	if err != nil {
		return err
	}
	v, ok, err := s.session(r)
	if err != nil {
		return err
	}
	_, lost := s.lost(r)
	// A form of another site brings no cookie, and a session that is lost no name:
	// nobody knows who is signed in.
	if !confirmed && (r.Method == http.MethodPost || ok && v.UserID != d.subject || !ok && lost) {
		return s.pages(d.to).Logout(w, http.StatusOK, pages.Logout{User: v.UserName, Hint: d.hint, Target: d.asked, State: d.state, Client: d.clientID})
	}
	if err := s.endHere(w, r, v, ok); err != nil {
		return err
	}
	return s.departed(w, d)
}

// endHere ends the session of this browser, also one that is lost. Where there is
// none nothing is written: anybody can ask for this.
func (s *Server) endHere(w http.ResponseWriter, r *http.Request, v store.Session, ok bool) error {
	until, lost := s.lost(r)
	switch {
	case ok:
		return s.depart(w, r, v)
	case lost:
		return s.endSession(w, r, until)
	}
	s.setCookie(w, sessionCookie, "", -time.Second)
	return nil
}

func (s *Server) depart(w http.ResponseWriter, r *http.Request, v store.Session) error {
	if err := s.endSession(w, r, v.ExpiresAt); err != nil {
		return err
	}
	s.audit(r, "logout", "subject", v.UserID)
	return nil
}

func (s *Server) departed(w http.ResponseWriter, d departure) error {
	if d.to == "" {
		return s.pages("").SignedOut(w, http.StatusOK)
	}
	if d.state == "" {
		seeOther(w, d.to)
		return nil
	}
	u, err := url.Parse(d.to)
	if err != nil {
		return refuseFor(UnregisteredLogout, err) // unreachable: it is registered
	}
	query := u.Query()
	query.Set("state", d.state)
	u.RawQuery = query.Encode()
	seeOther(w, u.String())
	return nil
}

// readDeparture: RP-Initiated Logout §2, §3: only a client that shows an ID
// token of its own has the person sent on, and only to where it registered.
func (s *Server) readDeparture(r *http.Request, p params) (departure, error) {
	d := departure{hint: p["id_token_hint"], asked: p["post_logout_redirect_uri"], clientID: p["client_id"]}
	if len(p["state"]) <= maxState {
		d.state = p["state"]
	}
	said, ok := s.readHint(d.hint)
	if !ok {
		return d, nil
	}
	if d.clientID != "" && d.clientID != said.Audience {
		return departure{}, refuse(ForeignHint)
	}
	d.subject = said.Subject
	if d.asked == "" {
		return d, nil
	}
	c, err := s.client(r, said.Audience)
	if err != nil {
		return departure{}, err
	}
	if !clientdoc.MatchRedirect(c.AfterLogout, d.asked) || !clientdoc.Permitted(d.asked, s.config.RedirectSchemes) {
		return departure{}, refuse(UnregisteredLogout)
	}
	d.to = d.asked
	return d, nil
}

// readHint reads an ID token of this server, expired or not.
func (s *Server) readHint(raw string) (idClaims, bool) {
	u, err := jose.Parse(raw, maxHint)
	if err != nil || u.Type != idTokenType {
		return idClaims{}, false
	}
	if u.VerifyIn(s.keys.Published()) != nil {
		return idClaims{}, false
	}
	var c idClaims
	if u.Claims(&c) != nil || c.Issuer != s.config.Issuer || c.Subject == "" || c.Audience == "" {
		return idClaims{}, false
	}
	return c, true
}

package authserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
)

// consentLists is what a person let in, and how to take it back.
type consentLists interface {
	ConsentsOf(ctx context.Context, user string) ([]store.Consented, error)
	Forget(ctx context.Context, user, client string, now time.Time) error
}

const applicationsPath = accountPath + "/applications"

// mostGrants is how many grants, and how many tokens, a person is shown.
const mostGrants = 500

// letIn is what a person let in: applications, and what they hold.
type letIn struct {
	applications []pages.Application
	grants       []store.GrantOf
	tokens       []store.Token
}

func (s *Server) letInBy(ctx context.Context, user string) (letIn, error) {
	now, who := s.config.Now(), store.Whose{User: user}
	consents, err := s.store.ConsentsOf(ctx, user)
	if err != nil {
		return letIn{}, err
	}
	var all letIn
	if all.grants, err = s.store.GrantsOf(ctx, who, time.Time{}, "", now, mostGrants); err != nil {
		return letIn{}, err
	}
	if all.tokens, err = s.store.TokensOf(ctx, who, 0, now.Add(slowClocks), mostGrants); err != nil {
		return letIn{}, err
	}
	for _, c := range consents {
		all.add(s, ctx, c)
	}
	for _, g := range all.grants {
		all.add(s, ctx, store.Consented{Consent: store.Consent{ClientID: g.ClientID, Resource: g.Resource, Scope: g.Scope}, At: g.CreatedAt})
	}
	for _, t := range all.tokens {
		if a := all.find(t.ClientID); a != nil {
			a.Tokens++
		}
	}
	return all, nil
}

// add notes what one yes allows: a device's is remembered by its grant alone.
func (l *letIn) add(s *Server, ctx context.Context, c store.Consented) {
	a := l.find(c.ClientID)
	if a == nil {
		l.applications = append(l.applications, s.applicationOf(ctx, c.ClientID))
		a = &l.applications[len(l.applications)-1]
	}
	if a.Since.IsZero() || c.At.Before(a.Since) {
		a.Since = c.At
	}
	host, _, _ := strings.Cut(c.RedirectHost, " ") // the version of a document follows
	a.GoesTo(host)
	res := s.catalogue.byURL[c.Resource]
	a.Allow(s.resourceName(c.Resource), res.About, res.lines(c.Scope))
}

func (l *letIn) find(client string) *pages.Application {
	for i := range l.applications {
		if l.applications[i].ID == client {
			return &l.applications[i]
		}
	}
	return nil
}

// applicationOf is a client as its person knows it. A document is not fetched
// for it: the address of one says enough.
func (s *Server) applicationOf(ctx context.Context, id string) pages.Application {
	if s.documents.IsID(id) {
		host := redirectHost(id)
		return pages.Application{ID: id, Name: host, Host: host, Verified: provable(id)}
	}
	if id == adminClient {
		return pages.Application{ID: id, Name: s.commandClient().label(), Command: true}
	}
	c, err := s.store.Client(ctx, id)
	if err != nil {
		return pages.Application{ID: id, Name: clientGone}
	}
	return pages.Application{ID: id, Name: client{Client: c}.label(), Known: !c.Dynamic}
}

const clientGone = "An application that is gone"

// labelOf is what an application is called in lists, "" for none.
func (s *Server) labelOf(ctx context.Context, id string) string {
	if id == "" {
		return ""
	}
	return s.applicationOf(ctx, id).Name
}

func (s *Server) applicationsPage(w http.ResponseWriter, r *http.Request, v store.Session) error {
	let, err := s.letInBy(r.Context(), v.UserID)
	if err != nil {
		return err
	}
	f, err := s.frameOf(r.Context(), v)
	if err != nil {
		return err
	}
	return f.Applications(w, http.StatusOK, pages.Applications{Now: s.config.Now(), All: let.applications, Tokens: s.shownTokens(let, ""), Notices: tokenNotices(r, let)})
}

// tokenNotices are those of what was just done, with the way to take back the
// access of an application whose token ended.
func tokenNotices(r *http.Request, let letIn) []pages.Notice {
	notices, q := doneNotices(r), r.URL.Query()
	a := let.find(q.Get("client"))
	if q.Get("done") != "token" || a == nil {
		return notices
	}
	notices[0].Link = pages.Link{Text: "Take back its access", Path: "/account/application/remove?" + url.Values{"client": {a.ID}}.Encode()}
	return notices
}

// shownTokens are the live tokens of a client, or of all (""), as pages show them.
func (s *Server) shownTokens(let letIn, client string) []pages.Token {
	var all []pages.Token
	for _, t := range let.tokens {
		if client != "" && t.ClientID != client {
			continue
		}
		name := ""
		if a := let.find(t.ClientID); a != nil {
			name = a.Name
		}
		all = append(all, pages.Token{ID: t.ID, ClientID: t.ClientID, Client: name, Resource: s.resourceName(t.Resource), Scope: s.catalogue.byURL[t.Resource].lines(t.Scope), Expires: t.ExpiresAt.Add(-slowClocks)})
	}
	return all
}

func (s *Server) applicationPage(w http.ResponseWriter, r *http.Request, v store.Session) error {
	let, err := s.letInBy(r.Context(), v.UserID)
	if err != nil {
		return err
	}
	a := let.find(r.URL.Query().Get("client"))
	if a == nil {
		return s.onward(w, applicationsPath, "removed")
	}
	p := pages.ApplicationOf{Now: s.config.Now(), Of: *a, Tokens: s.shownTokens(let, a.ID), Notices: doneNotices(r)}
	for _, g := range let.grants {
		if g.ClientID == a.ID {
			p.Grants = append(p.Grants, pages.Grant{ID: g.ID, ClientID: a.ID, Resource: s.resourceName(g.Resource),
				Scope: s.catalogue.byURL[g.Resource].lines(g.Scope), Since: g.CreatedAt, Expires: g.ExpiresAt})
		}
	}
	f, err := s.frameOf(r.Context(), v)
	if err != nil {
		return err
	}
	return f.Application(w, http.StatusOK, p)
}

func (s *Server) askForget(w http.ResponseWriter, r *http.Request, v store.Session) error {
	id := r.URL.Query().Get("client")
	if id == "" {
		return refuse(MissingParameter)
	}
	let, err := s.letInBy(r.Context(), v.UserID)
	if err != nil {
		return err
	}
	var losses []pages.Fact
	if a := let.find(id); a != nil {
		losses = a.Losses()
	}
	f, err := s.frameOf(r.Context(), v)
	if err != nil {
		return err
	}
	return f.Confirm(w, http.StatusOK, pages.Confirm{
		At: applicationsPath, Title: "Take back all access of " + s.labelOf(r.Context(), id) + "?", About: losses,
		Effects: []string{"Its tokens end within seconds, and it gets no new ones.", "The next time it wants something, you are asked again.", "What it has read or copied already cannot be taken back."},
		Button:  "Take back all access", Path: "/account/application/remove", Hidden: []pages.Hidden{{Name: "client", Value: id}},
		Back: pages.Link{Text: "Applications", Path: applicationsPath},
	})
}

func (s *Server) forget(w http.ResponseWriter, r *http.Request, v store.Session, form params) error {
	if form["client"] == "" {
		return refuse(MissingParameter)
	}
	if err := s.store.Forget(r.Context(), v.UserID, form["client"], s.config.Now()); err != nil {
		return err
	}
	s.audit(r, "consent.removed", "subject", v.UserID, "client_id", form["client"])
	return s.onward(w, applicationsPath, "removed")
}

// endOwnGrant ends a grant of the person; somebody else's is as if it were not there.
func (s *Server) endOwnGrant(w http.ResponseWriter, r *http.Request, v store.Session, form params) error {
	g, err := s.store.Grant(r.Context(), form["grant"])
	if err == nil && g.UserID == v.UserID {
		if err := s.store.RevokeGrant(r.Context(), g.ID, s.config.Now()); err != nil {
			return err
		}
		s.audit(r, "grant.revoked", "subject", v.UserID, "grant", g.ID)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return s.onward(w, applicationsPath, "grant")
}

// endOwnToken is endOwnGrant for one access token.
func (s *Server) endOwnToken(w http.ResponseWriter, r *http.Request, v store.Session, form params) error {
	back := applicationsPath
	t, err := s.store.AccessToken(r.Context(), form["token_id"])
	if err == nil && t.Subject == v.UserID {
		back += "?" + url.Values{"client": {t.ClientID}}.Encode()
		if err := s.store.RevokeToken(r.Context(), t.ID); err != nil {
			return err
		}
		s.audit(r, "token.revoked", "subject", v.UserID, "token_id", t.ID)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return s.onward(w, back, "token")
}

package authserver

import (
	"context"
	"errors"
	"net/http"

	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
)

const (
	linkPath   = securityPath + "/elsewhere/link"
	unlinkPath = securityPath + "/elsewhere/unlink"
)

// elsewhere are the accounts of a person at other providers, and the
// providers that are left to link.
func (s *Server) elsewhere(ctx context.Context, userID string) (linked []pages.LinkedAccount, left []pages.Way, err error) {
	all, err := s.store.Identities(ctx, userID)
	if err != nil {
		return nil, nil, err
	}
	has := map[string]bool{}
	for _, v := range all {
		has[v.Issuer] = true
		linked = append(linked, pages.LinkedAccount{Label: s.providers.labelOf(v), Address: v.Email, Issuer: v.Issuer, Subject: v.Subject, Since: v.LinkedAt, Used: v.UsedAt})
	}
	for _, p := range s.providers {
		if !has[p.Issuer] {
			left = append(left, pages.Way{Name: p.Name, Label: p.Label})
		}
	}
	return linked, left, nil
}

// labelOf is what people know the provider of an identity as.
func (ps providers) labelOf(v store.Identity) string {
	if p := ps.of(v.Issuer); p != nil {
		return p.Label
	}
	return v.Provider
}

func (ps providers) of(issuer string) *provider {
	for _, p := range ps {
		if p.Issuer == issuer {
			return p
		}
	}
	return nil
}

// linkOwn sends a person away to link an account of theirs.
func (s *Server) linkOwn(w http.ResponseWriter, r *http.Request, v store.Session, _ factors, form params) error {
	p := s.providers.named(form["provider"])
	if p == nil {
		return refuse(BadForm)
	}
	now := s.config.Now()
	back := pending{ID: newSecret(""), Next: securityPath + "?done=linked", Expires: now.Add(requestLife).Unix()}
	return s.sendAway(w, r, p, errand{To: back, Link: v.UserID})
}

// unlinkOwn ends a way in, and every session but this one: it may have been
// somebody else's way in.
func (s *Server) unlinkOwn(w http.ResponseWriter, r *http.Request, v store.Session, _ factors, form params) error {
	err := s.store.Unlink(r.Context(), v.UserID, v.Era, form["issuer"], form["subject"], s.providers.issuers())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return refuse(BadForm)
	case errors.Is(err, store.ErrLastWay):
		return refuse(LastWayIn)
	case err != nil:
		return admitted(err)
	}
	if p := s.providers.of(form["issuer"]); p != nil {
		if err := s.give(r.Context(), p, v.UserID, nil); err != nil {
			return err
		}
	}
	if _, err := s.store.EndSessions(own(r, v), v.UserID, v.Hash); err != nil {
		return admitted(err)
	}
	if err := s.rememberAs(w, r, v); err != nil {
		return err
	}
	s.audit(r, "identity.unlinked", "provider_issuer", form["issuer"], "subject", v.UserID)
	return s.secured(w, form, "unlinked")
}

package authserver

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
)

const devicePath = "/device"

type deviceAnswers interface {
	AllowDevice(ctx context.Context, h store.Hash, g store.Grant, version string) error
	DenyDevice(ctx context.Context, h store.Hash, now time.Time) error
}

// devicePage asks for the code that a device shows. A code in the URL is
// filled in and looked at by a person, who compares it (RFC 8628 §3.3.1).
func (s *Server) devicePage(w http.ResponseWriter, r *http.Request) error {
	p := pages.Device{}
	if code := typed(r.URL.Query().Get("user_code")); code != "" {
		p.Code, p.Given = hyphenated(code), true
	}
	return s.pages("").Device(w, http.StatusOK, p)
}

// enterDevice takes the code. RFC 8628 §5.1: codes are short, so tries are few.
func (s *Server) enterDevice(w http.ResponseWriter, r *http.Request) error {
	if err := s.fromHere(r); err != nil {
		return err
	}
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	p, err := s.pendingDevice(r, typed(form["user_code"]))
	if err != nil {
		return s.deviceNotFound(w, r, err)
	}
	return s.goOn(w, p, s.browser(w, r))
}

func (s *Server) pendingDevice(r *http.Request, code string) (pending, error) {
	if code == "" {
		return pending{}, refuse(BadUserCode)
	}
	giveBack, err := s.limits.userCodes.try(s.network(r))
	if err != nil {
		return pending{}, err
	}
	d, err := s.store.DeviceRequestOf(r.Context(), hashOf(code))
	if errors.Is(err, store.ErrNotFound) {
		return pending{}, refuse(BadUserCode)
	}
	if err != nil {
		return pending{}, err
	}
	if d.GrantID != "" || d.Denied || !s.config.Now().Before(d.ExpiresAt) {
		return pending{}, refuse(BadUserCode)
	}
	giveBack()
	return pending{ID: newSecret(""), Client: d.ClientID, Resource: d.Resource, Scope: d.Scope, Details: d.Details,
		Device: hex.EncodeToString(d.Hash[:]), UserCode: hyphenated(code), Expires: d.ExpiresAt.Unix()}, nil
}

// deviceNotFound shows the form again, empty: a wrong code is looked up on the device.
func (s *Server) deviceNotFound(w http.ResponseWriter, r *http.Request, cause error) error {
	if answerTo(cause).status >= http.StatusInternalServerError {
		return cause
	}
	s.audit(r, "device.code_refused", "reason", string(reasonOf(cause)))
	setRetryAfter(w.Header(), retryAfter(cause))
	return s.pages("").Device(w, answerTo(cause).status, pages.Device{Problem: describe(cause)})
}

// answerDevice tells the waiting device what the person said.
func (s *Server) answerDevice(w http.ResponseWriter, r *http.Request, to redirection, p pending, v store.Session, allowed bool) error {
	h, err := p.deviceHash()
	if err != nil {
		return err
	}
	said := event("device.denied")
	if allowed {
		said, err = "device.allowed", s.store.AllowDevice(r.Context(), h, s.newGrant(p, v, p.until()), to.client.Version)
	} else {
		err = s.store.DenyDevice(r.Context(), h, s.config.Now())
	}
	if errors.Is(err, store.ErrSpent) {
		return refuse(RequestSpent)
	}
	if errors.Is(err, store.ErrChanged) || allowed && errors.Is(err, store.ErrNotFound) {
		return s.advance(w, r, p, s.cookie(r, browserCookie))
	}
	if err != nil {
		return err
	}
	s.audit(r, said, "client_id", p.Client, "subject", v.UserID, "resource", p.Resource, "scope", strings.Join(p.Scope, " "), "not_in_roles", strings.Join(p.Beyond, " "))
	res := s.catalogue.byURL[p.Resource]
	return s.pages("").Done(w, http.StatusOK, pages.Done{Asker: to.client.asker(s.site.name(), p.Redirect), Resource: s.resourceName(p.Resource), About: res.aboutFor(p), Knows: res.identifies(p), Allowed: allowed, TakeBack: s.site.url(applicationsPath)})
}

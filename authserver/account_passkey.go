package authserver

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"

	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/passkey"
	"github.com/postern-mcp/postern/authserver/risk"
	"github.com/postern-mcp/postern/authserver/store"
)

const maxPasskeys = 20

// passkeyPage asks the browser for a new passkey.
func (s *Server) passkeyPage(w http.ResponseWriter, r *http.Request, v store.Session, f factors) error {
	q, err := newParams(r.URL.Query())
	if err != nil {
		return err
	}
	return s.showEnrol(w, r, http.StatusOK, v, f, q["then"], "")
}

func (s *Server) showEnrol(w http.ResponseWriter, r *http.Request, status int, v store.Session, f factors, then, problem string) error {
	if s.party == nil {
		return refuse(UnknownPath)
	}
	ask, err := s.party.Enrol(personOf(store.User{ID: v.UserID, Name: v.UserName}, f.passkeys))
	if err != nil {
		return err
	}
	page, err := s.pageOf(ask, "enrol "+v.UserID, s.browser(w, r))
	if err != nil {
		return err
	}
	frame, err := s.securityFrame(r, v)
	if err != nil {
		return err
	}
	return frame.NewPasskey(w, status, pages.NewPasskey{Passkey: *page, Name: nameFor(r, f.passkeys), Then: then, Problem: problem})
}

// addPasskey registers what the browser made.
func (s *Server) addPasskey(w http.ResponseWriter, r *http.Request, v store.Session, f factors, form params) error {
	if s.party == nil {
		return refuse(UnknownPath)
	}
	key, now, err := s.enrolled(r, v, f, form)
	if err != nil && answerTo(err).status < http.StatusInternalServerError {
		return s.showEnrol(w, r, answerTo(err).status, v, f, form["then"], describe(err))
	}
	if err != nil {
		return err
	}
	s.audit(r, "factor.added", "subject", v.UserID, "factor", "passkey", "passkey", base64.RawURLEncoding.EncodeToString(key.ID))
	v, err = s.strengthened(w, r, now, howPasskey(key))
	if err != nil {
		return err
	}
	return s.factorAdded(w, r, v, f, form, "passkey-on")
}

// enrolled keeps what the browser made, and gives the session as it is then.
func (s *Server) enrolled(r *http.Request, v store.Session, f factors, form params) (passkey.Key, store.Session, error) {
	if len(f.passkeys) >= maxPasskeys {
		return passkey.Key{}, store.Session{}, refuse(TooManyPasskeys)
	}
	key, err := s.made(r, v, f, form)
	if err != nil {
		return passkey.Key{}, store.Session{}, err
	}
	name := form["name"]
	if oneLine(name) == "" {
		name = nameFor(r, f.passkeys)
	}
	kept := store.Passkey{ID: key.ID, UserID: v.UserID, Era: v.Era, Name: passkeyName(name), Credential: string(key.Credential), Counter: key.Counter, CreatedAt: s.config.Now()}
	v, err = s.setUp(r, v, !f.any(), func(alone *store.Alone) (ended int64, err error) { return s.store.AddPasskey(r.Context(), kept, alone) })
	if errors.Is(err, store.ErrExists) {
		return passkey.Key{}, store.Session{}, refuse(PasskeyExists)
	}
	return key, v, admitted(err)
}

// made is the passkey that the browser made.
func (s *Server) made(r *http.Request, v store.Session, f factors, form params) (passkey.Key, error) {
	state, err := s.spendQuestion(r, form["state"], "enrol "+v.UserID)
	if err != nil {
		return passkey.Key{}, err
	}
	answer, err := base64.RawURLEncoding.DecodeString(form["answer"])
	if err != nil {
		return passkey.Key{}, refuseFor(BadRequestState, err)
	}
	key, err := s.party.Enrolled(personOf(store.User{ID: v.UserID, Name: v.UserName}, f.passkeys), state, answer)
	if errors.Is(err, passkey.ErrAnswer) {
		return passkey.Key{}, refuseFor(BadRequestState, err)
	}
	return key, err
}

const maxPasskeyName = 60

func passkeyName(name string) string {
	runes := []rune(oneLine(name))
	if len(runes) == 0 {
		return "Passkey"
	}
	return string(runes[:min(len(runes), maxPasskeyName)])
}

// nameFor is what a passkey is called that gets no name: after the browser, and
// as none of the others.
func nameFor(r *http.Request, keys []store.Passkey) string {
	name, taken := risk.ReadAgent(r.UserAgent()).String(), map[string]bool{}
	for _, k := range keys {
		taken[k.Name] = true
	}
	free := name
	for n := 2; taken[free]; n++ {
		free = name + " " + strconv.Itoa(n)
	}
	return free
}

// passkeyForm is one passkey of the person: its page, to rename or remove it.
func (s *Server) passkeyForm(w http.ResponseWriter, r *http.Request, v store.Session, f factors) error {
	q, err := newParams(r.URL.Query())
	if err != nil {
		return err
	}
	for _, k := range f.passkeys {
		if base64.RawURLEncoding.EncodeToString(k.ID) == q["passkey"] {
			last := !k.ClonedAt.IsZero() || f.generator || len(f.usable()) > 1
			frame, err := s.securityFrame(r, v)
			if err != nil {
				return err
			}
			return frame.OnePasskey(w, http.StatusOK, pages.OnePasskey{Now: s.config.Now(), Key: passkeyShown(k), Last: !last})
		}
	}
	return refuse(UnknownPath)
}

func (s *Server) renamePasskey(w http.ResponseWriter, r *http.Request, v store.Session, _ factors, form params) error {
	id, err := base64.RawURLEncoding.DecodeString(form["passkey"])
	if err != nil {
		return refuseFor(BadForm, err)
	}
	err = s.store.RenamePasskey(r.Context(), v.UserID, v.Era, id, passkeyName(form["name"]))
	if errors.Is(err, store.ErrNotFound) {
		return refuse(UnknownPath)
	}
	if err != nil {
		return admitted(err)
	}
	return s.secured(w, form, "passkey-renamed")
}

func (s *Server) removePasskey(w http.ResponseWriter, r *http.Request, v store.Session, f factors, form params) error {
	id, err := base64.RawURLEncoding.DecodeString(form["passkey"])
	if err != nil {
		return refuseFor(BadForm, err)
	}
	err = s.store.RemovePasskey(r.Context(), v.UserID, v.Era, id, s.providers.issuers())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return refuse(UnknownPath)
	case errors.Is(err, store.ErrLastWay):
		return refuse(LastWayIn)
	case err != nil:
		return admitted(err)
	}
	s.audit(r, "factor.removed", "subject", v.UserID, "factor", "passkey", "passkey", form["passkey"])
	if f.passkeys, err = s.passkeysOf(r.Context(), v.UserID); err != nil {
		return err
	}
	if err := s.lessFactors(r, v, f); err != nil {
		return err
	}
	return s.secured(w, form, "passkey-off")
}

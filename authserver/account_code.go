package authserver

import (
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"github.com/postern-mcp/postern/authserver/otp"
	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
)

// setup is a generator that has not shown a code yet: it travels in the form,
// sealed for the session, and is nowhere until it has.
type setup struct {
	Secret  []byte `json:"secret"`
	Expires int64  `json:"expires"`
}

const (
	setupLife        = 15 * time.Minute
	usedRecoveryPath = "/account/security/recovery/used"
)

// codePage shows a new generator, as a QR code and as text.
func (s *Server) codePage(w http.ResponseWriter, r *http.Request, v store.Session, f factors) error {
	q, err := newParams(r.URL.Query())
	if err != nil {
		return err
	}
	return s.showGenerator(w, r, http.StatusOK, v, f, otp.NewGenerator(), q["then"], "")
}

func (s *Server) showGenerator(w http.ResponseWriter, r *http.Request, status int, v store.Session, f factors, g otp.Generator, then, problem string) error {
	uri := g.URI(s.site.name(), v.UserName)
	qr, err := otp.Draw(uri)
	if err != nil {
		return err
	}
	sealed, err := sealPending(s.seals.setups, setup{g.Secret(), s.config.Now().Add(setupLife).Unix()}, contextOf(v.Hash))
	if err != nil {
		return err
	}
	frame, err := s.securityFrame(r, v)
	if err != nil {
		return err
	}
	return frame.Generator(w, status, pages.Generator{
		Site: s.site.name(), User: v.UserName, Setup: sealed, Key: g.Key(), Open: template.URL(uri), QRSize: qr.Size, QRPath: qr.Path, Replaces: f.generator, Recovery: f.recovery > 0, Then: then, Problem: problem,
	})
}

// setCode keeps the generator once it has shown a good code, which counts as a
// proof at once.
func (s *Server) setCode(w http.ResponseWriter, r *http.Request, v store.Session, f factors, form params) error {
	g, err := s.openSetup(form["setup"], v)
	if err != nil {
		return err
	}
	giveBack, err := s.limits.familiar.try("set up " + v.UserID)
	if err != nil {
		return err
	}
	step, err := g.Match(form["code"], s.config.Now(), 0)
	if err != nil {
		err = refuseFor(WrongSecond, err)
		return s.showGenerator(w, r, answerTo(err).status, v, f, g, form["then"], describe(err))
	}
	giveBack()
	kept := store.Generator{UserID: v.UserID, Era: v.Era, Sealed: s.seals.generators.close(g.Secret(), v.UserID), Step: step, CreatedAt: s.config.Now()}
	v, err = s.setUp(r, v, f.generator || !f.any(), func(alone *store.Alone) (ended int64, err error) {
		return s.store.SetGenerator(r.Context(), kept, alone)
	})
	if err != nil {
		return admitted(err)
	}
	s.audit(r, "factor.added", "subject", v.UserID, "factor", "code", "replaced", f.generator)
	v, err = s.strengthened(w, r, v, amrCode)
	if err != nil {
		return err
	}
	return s.factorAdded(w, r, v, f, form, codeDone(f))
}

// codeDone is what a new generator did, by what there was before.
func codeDone(before factors) string {
	switch {
	case before.generator:
		return "code-moved"
	case before.any():
		return "code-beside"
	}
	return "code-on"
}

func (s *Server) openSetup(text string, v store.Session) (otp.Generator, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || text == "" {
		return otp.Generator{}, refuse(BadRequestState)
	}
	kept, err := openSealed[setup](s.seals.setups, base64.RawURLEncoding.EncodeToString(raw), "session", contextOf(v.Hash))
	if err != nil {
		return otp.Generator{}, err
	}
	if s.config.Now().Unix() >= kept.Expires {
		return otp.Generator{}, refuse(BadRequestState)
	}
	return otp.Open(kept.Secret)
}

func (s *Server) removeCodePage(w http.ResponseWriter, r *http.Request, v store.Session, f factors) error {
	frame, err := s.securityFrame(r, v)
	if err != nil {
		return err
	}
	return frame.RemoveCode(w, http.StatusOK, pages.RemoveCode{Last: !f.resistant()})
}

// removeCode takes the generator away, and remembered browsers with the last factor.
func (s *Server) removeCode(w http.ResponseWriter, r *http.Request, v store.Session, f factors, form params) error {
	if err := admitted(s.store.RemoveGenerator(r.Context(), v.UserID, v.Era)); err != nil {
		return err
	}
	s.audit(r, "factor.removed", "subject", v.UserID, "factor", "code")
	f.generator = false
	if err := s.lessFactors(r, v, f); err != nil {
		return err
	}
	return s.secured(w, form, "code-off")
}

// lessFactors: recovery codes and remembered browsers are worth nothing without
// a factor they stand in for.
func (s *Server) lessFactors(r *http.Request, v store.Session, left factors) error {
	if left.any() {
		return nil
	}
	if err := admitted(s.store.SetRecoveryCodes(r.Context(), v.UserID, v.Era, nil)); err != nil {
		return err
	}
	return admitted(s.store.ForgetBrowsers(r.Context(), v.UserID, v.Era, store.Hash{}))
}

// factorAdded goes back to the page about signing in, saying what was done.
// Whoever has no recovery codes sees theirs first: the day they are missed is
// too late to make them.
func (s *Server) factorAdded(w http.ResponseWriter, r *http.Request, v store.Session, f factors, form params, done string) error {
	if f.recovery > 0 {
		return s.secured(w, form, done)
	}
	return s.showNewRecovery(w, r, v, form["then"], done)
}

// makeRecovery makes recovery codes and shows them, this once.
func (s *Server) makeRecovery(w http.ResponseWriter, r *http.Request, v store.Session, f factors, form params) error {
	if !f.any() {
		return s.secured(w, form, "factor-first")
	}
	return s.showNewRecovery(w, r, v, form["then"], "")
}

func (s *Server) showNewRecovery(w http.ResponseWriter, r *http.Request, v store.Session, then, done string) error {
	codes := otp.NewRecoveryCodes()
	var hashes []store.Hash
	for _, c := range codes {
		h, _ := otp.Recovery(v.UserID, c) // it has the form of one
		hashes = append(hashes, h)
	}
	if err := admitted(s.store.SetRecoveryCodes(r.Context(), v.UserID, v.Era, hashes)); err != nil {
		return err
	}
	s.audit(r, "recovery_codes.made", "subject", v.UserID)
	frame, err := s.securityFrame(r, v)
	if err != nil {
		return err
	}
	return frame.RecoveryCodes(w, http.StatusOK, pages.RecoveryCodes{Codes: codes, Site: s.site.name(), User: v.UserName, Then: then, Done: done, Passkeys: s.party != nil})
}

// usedRecovery is where somebody who signed in with a recovery code comes by on
// the way on: how many are left, and what to do.
func (s *Server) usedRecovery(w http.ResponseWriter, r *http.Request, v store.Session) error {
	q, err := newParams(r.URL.Query())
	if err != nil {
		return err
	}
	f, err := s.factorsOf(r.Context(), v.UserID)
	if err != nil {
		return err
	}
	_, _, goOn := s.wantedFor(r, q["then"], v)
	if goOn == "" {
		goOn = accountPath
	}
	frame, err := s.securityFrame(r, v)
	if err != nil {
		return err
	}
	return frame.RecoveryUsed(w, http.StatusOK, pages.RecoveryUsed{Left: f.recovery, App: f.generator, Passkeys: s.party != nil, GoOn: goOn})
}

// wayOn is where a finished sign-in leads to: by usedRecovery, where a recovery
// code was used.
func (s *Server) wayOn(r *http.Request, e entry) (pending, error) {
	if !e.Recovery {
		return e.To, nil
	}
	then, err := s.sealRequest(e.To, s.cookie(r, browserCookie))
	if err != nil {
		return pending{}, err
	}
	return pending{Next: usedRecoveryPath + "?" + url.Values{"then": {then}}.Encode()}, nil
}

package authserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/postern-mcp/postern/authserver/otp"
	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/risk"
	"github.com/postern-mcp/postern/authserver/store"
)

// FactorPolicy says when people are asked for a second factor they have: always
// where a client, a role or the risk of a sign-in demands it.
type FactorPolicy struct {
	Always   bool          // at every sign-in
	Remember time.Duration // how long not at a browser, when its person wishes so; 0: people cannot
}

func (p FactorPolicy) check() error {
	return within("SecondFactor.Remember", p.Remember, 0, 366*24*time.Hour)
}

type generatorStore interface {
	Generator(ctx context.Context, user string) (store.Generator, error)
	SetGenerator(ctx context.Context, g store.Generator, alone *store.Alone) (ended int64, err error)
	TakeStep(ctx context.Context, user string, step int64) error
}

type generatorRemover interface {
	RemoveGenerator(ctx context.Context, user string, era int64) error
}

type recoveryStore interface {
	RecoveryCodes(ctx context.Context, user string) (left int, err error)
	SetRecoveryCodes(ctx context.Context, user string, era int64, codes []store.Hash) error
	UseRecoveryCode(ctx context.Context, user string, code store.Hash, now time.Time) error
}

// factors are what a person has.
type factors struct {
	generator bool
	since     time.Time // when the generator was set up
	recovery  int       // codes that are left
	passkeys  []store.Passkey
}

// any: a passkey that has a copy opens nothing, and is asked for all the same:
// who copied it does not get by with the password.
func (f factors) any() bool { return f.generator || len(f.passkeys) > 0 }

// resistant: there is a passkey that opens something.
func (f factors) resistant() bool { return len(f.usable()) > 0 }

func (f factors) usable() []store.Passkey {
	var good []store.Passkey
	for _, k := range f.passkeys {
		if k.ClonedAt.IsZero() {
			good = append(good, k)
		}
	}
	return good
}

// meets says whether what the person has can reach a level.
func (f factors) meets(l level) bool {
	if l == levelResistant {
		return f.resistant()
	}
	return f.any()
}

func (s *Server) factorsOf(ctx context.Context, userID string) (f factors, err error) {
	g, err := s.store.Generator(ctx, userID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return factors{}, err
	}
	f.generator, f.since = err == nil, g.CreatedAt
	if f.passkeys, err = s.passkeysOf(ctx, userID); err != nil {
		return factors{}, err
	}
	f.recovery, err = s.store.RecoveryCodes(ctx, userID)
	return f, err
}

// askSecond asks for a second factor where one is wanted: the request demands
// it, something about the sign-in does, or the person has one and did not ask
// to be remembered here. asked is false when what was proved is enough.
func (s *Server) askSecond(w http.ResponseWriter, r *http.Request, e entry, user store.User) (asked bool, err error) {
	f, err := s.factorsOf(r.Context(), user.ID)
	if err != nil {
		return false, err
	}
	wanted, err := s.wantedLevel(r, e, f)
	if err != nil || levelOf(e.Methods).meets(wanted) {
		return false, err
	}
	if f.meets(wanted) || !levelOf(e.Methods).meets(levelMulti) && f.any() { // else first what there is
		if e, err = s.recordAsked(r, e); err != nil {
			return false, err
		}
		return true, s.showSecond(w, r, http.StatusOK, e, f, "")
	}
	if wanted == levelResistant && s.party == nil {
		return true, s.unmet(w, r, e)
	}
	return true, s.askToSetUp(w, r, e, user)
}

// wantedLevel is how sure the sign-in must be. Where the person asked to be
// remembered, another network is no reason to ask: another browser is, because
// then somebody moved the cookie.
func (s *Server) wantedLevel(r *http.Request, e entry, f factors) (level, error) {
	demanded := e.To.Level
	if demanded.meets(levelMulti) || !f.any() || e.Held {
		return e.wanted(), nil
	}
	if len(e.Why) == 0 && !s.config.SecondFactor.Always {
		return demanded, nil
	}
	trusted, err := s.trusted(r, e.UserID)
	if err != nil || trusted && onlyMoved(e.Why) {
		return demanded, err
	}
	return levelMulti, nil
}

func onlyMoved(why []string) bool {
	return !slices.ContainsFunc(why, func(r string) bool { return r != string(risk.NewNetwork) && r != string(risk.NewContext) })
}

// askToSetUp lets the person in as they are, to where they can set up what the
// request demands, and from there on to the request.
func (s *Server) askToSetUp(w http.ResponseWriter, r *http.Request, e entry, user store.User) error {
	then, err := s.sealRequest(e.To, s.cookie(r, browserCookie))
	if err != nil {
		return err
	}
	s.audit(r, "login.factor_missing", "subject", user.ID, "wanted", string(e.wanted()))
	e.To = pending{Next: securityPath + "?" + url.Values{"then": {then}}.Encode()}
	if e.Held {
		return s.goOn(w, e.To, s.cookie(r, browserCookie))
	}
	return s.letIn(w, r, e, user)
}

func (s *Server) showSecond(w http.ResponseWriter, r *http.Request, status int, e entry, f factors, problem string) error {
	return s.showTried(w, r, status, e, f, lastTry{problem: problem})
}

// lastTry is what went wrong before, and whether it was typed as a recovery code.
type lastTry struct {
	problem  string
	recovery bool
}

func (s *Server) showTried(w http.ResponseWriter, r *http.Request, status int, e entry, f factors, before lastTry) error {
	browser := s.cookie(r, browserCookie)
	sealed, err := s.sealEntry(e, browser)
	if err != nil {
		return err
	}
	page := pages.Second{Entry: sealed, User: e.UserName, Unusual: len(e.Why) > 0, Code: f.generator, Recovery: f.recovery > 0, RecoveryTried: before.recovery, Problem: before.problem}
	if wanted := e.To.Level; wanted == levelResistant && levelOf(e.Methods).meets(levelMulti) {
		page.Code, page.Recovery = false, false // a code makes it no stronger
	}
	if e.To.Level == "" && s.config.SecondFactor.Remember > 0 {
		page.RememberDays = int(s.config.SecondFactor.Remember / (24 * time.Hour))
	}
	if page.Passkey, err = s.askPasskey(e, f, browser); err != nil {
		return err
	}
	if before.problem == "" && !f.generator && !f.resistant() {
		page.Problem = describe(refuse(PasskeyCloned))
	}
	return s.pages(e.To.Redirect).Second(w, status, page)
}

// second takes the form of the second factor.
func (s *Server) second(w http.ResponseWriter, r *http.Request) error {
	if err := s.fromHere(r); err != nil {
		return err
	}
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	e, err := s.openEntry(form["entry"], s.cookie(r, browserCookie))
	if err != nil {
		return err
	}
	if err := s.stands(r, e); err != nil {
		return err
	}
	methods, err := s.checkSecond(r, e, form)
	if err != nil {
		return s.secondFailed(w, r, e, form, err)
	}
	e = e.with(methods)
	if form["remember"] == "yes" && s.config.SecondFactor.Remember > 0 {
		if err := s.trust(w, r, e); err != nil {
			return err
		}
	}
	return s.proven(w, r, e)
}

// checkSecond checks what the form proves: the methods, or why it proves nothing.
func (s *Server) checkSecond(r *http.Request, e entry, form params) (methods []string, err error) {
	if form["answer"] != "" {
		return s.paidPasskey(r, e, form)
	}
	giveBack, err := s.mayTry(r, e)
	if err != nil {
		return nil, err
	}
	methods = []string{amrCode}
	if code := recoveryTyped(form); code != "" {
		methods, err = []string{recordedRecovery}, s.checkRecovery(r, e.UserID, code)
	} else {
		err = s.takeCode(r.Context(), e.UserID, form["code"])
	}
	if reasonOf(err) != WrongSecond {
		giveBack()
	}
	return methods, err
}

// recoveryTyped is the recovery code of a form, in whichever of the fields, ""
// when there is none.
func recoveryTyped(form params) string {
	if form["answer"] != "" {
		return ""
	}
	if otp.IsRecovery(form["code"]) {
		return form["code"]
	}
	return form["recovery"]
}

// paidPasskey checks a passkey. It cannot be guessed: its tries are those of
// the address, and codes that somebody guesses leave it open to its owner.
func (s *Server) paidPasskey(r *http.Request, e entry, form params) (methods []string, err error) {
	giveBack, err := s.limits.login.try(s.network(r))
	if err != nil {
		return nil, err
	}
	methods, err = s.checkPasskey(r, e, form)
	if reasonOf(err) != WrongSecond {
		giveBack()
	}
	return methods, err
}

// takeCode takes a code of the person's generator: one is taken once, at
// whichever instance, and none of before it afterwards (RFC 6238 §5.2).
func (s *Server) takeCode(ctx context.Context, userID, code string) error {
	kept, err := s.store.Generator(ctx, userID)
	if errors.Is(err, store.ErrNotFound) {
		return refuse(WrongSecond)
	}
	if err != nil {
		return err
	}
	secret, err := s.seals.generators.open(kept.Sealed, userID)
	if err != nil {
		return err
	}
	g, err := otp.Open(secret)
	if err != nil {
		return err
	}
	step, err := g.Match(code, s.config.Now(), kept.Step)
	if errors.Is(err, otp.ErrUsed) {
		return refuse(SecondUsed)
	}
	if err != nil {
		return refuseFor(WrongSecond, err)
	}
	err = s.store.TakeStep(ctx, userID, step)
	if errors.Is(err, store.ErrSpent) {
		return refuse(SecondUsed)
	}
	return err
}

func (s *Server) checkRecovery(r *http.Request, userID, code string) error {
	h, ok := otp.Recovery(userID, code)
	if !ok {
		return refuse(WrongSecond)
	}
	err := s.store.UseRecoveryCode(r.Context(), userID, h, s.config.Now())
	if errors.Is(err, store.ErrSpent) {
		return refuse(WrongSecond)
	}
	if err == nil {
		s.audit(r, "recovery_code.used", "subject", userID)
	}
	return err
}

const wrongRecovery = "That is not one of your recovery codes, or it was used before: each works once."

// secondFailed shows the page again with what went wrong.
func (s *Server) secondFailed(w http.ResponseWriter, r *http.Request, e entry, form params, cause error) error {
	if answerTo(cause).status >= http.StatusInternalServerError {
		return cause
	}
	s.audit(r, "login.second_failed", "subject", e.UserID, "reason", string(reasonOf(cause)))
	typed := recoveryTyped(form)
	if err := s.noteSecondFailure(r, e, cause, otp.IsRecovery(typed)); err != nil {
		return err
	}
	setRetryAfter(w.Header(), retryAfter(cause))
	f, err := s.factorsOf(r.Context(), e.UserID)
	if err != nil {
		return err
	}
	if !f.any() {
		return refuse(BadRequestState) // they were taken away meanwhile
	}
	problem := describe(cause)
	if reasonOf(cause) == WrongSecond && typed != "" {
		problem = wrongRecovery
	}
	return s.showTried(w, r, answerTo(cause).status, e, f, lastTry{problem, form["recovery"] != ""})
}

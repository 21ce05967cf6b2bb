package authserver

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/passkey"
	"github.com/postern-mcp/postern/authserver/store"
)

type passkeyStore interface {
	Passkeys(ctx context.Context, user string) ([]store.Passkey, error)
	AddPasskey(ctx context.Context, k store.Passkey, alone *store.Alone) (ended int64, err error)
	UsePasskey(ctx context.Context, k store.Passkey, now time.Time) error
}

type passkeyChanges interface {
	MarkCloned(ctx context.Context, user string, id []byte, now time.Time) error
	RenamePasskey(ctx context.Context, user string, era int64, id []byte, name string) error
	RemovePasskey(ctx context.Context, user string, era int64, id []byte, issuers []string) error
}

// question is what a passkey is asked, as it travels in the form: sealed, for
// one browser and one purpose, and good for one answer.
type question struct {
	State   []byte `json:"state"`
	For     string `json:"for"` // "sign-in", or the id of whom it is asked
	Expires int64  `json:"expires"`
}

const (
	questionLife = 5 * time.Minute
	forSignIn    = "sign-in" // of whoever it is
)

// openParty: where the issuer's host is an address, there are no passkeys.
func (s *Server) openParty() (err error) {
	s.party, err = passkey.New(s.config.Issuer, "Postern")
	if errors.Is(err, passkey.ErrNoDomain) {
		return nil
	}
	return err
}

func (s *Server) passkeysOf(ctx context.Context, userID string) ([]store.Passkey, error) {
	if s.party == nil {
		return nil, nil
	}
	return s.store.Passkeys(ctx, userID)
}

// person is who has these passkeys, without those that have a copy.
func personOf(u store.User, keys []store.Passkey) passkey.Person {
	p := passkey.Person{ID: u.ID, Name: u.Name}
	for _, k := range keys {
		p.Keys = append(p.Keys, passkey.Key{ID: k.ID, Credential: []byte(k.Credential), Counter: k.Counter})
	}
	return p
}

// askPasskey is the question to the passkeys of who is signing in, nil without any.
func (s *Server) askPasskey(e entry, f factors, browser string) (*pages.Passkey, error) {
	if !f.resistant() {
		return nil, nil
	}
	ask, err := s.party.Ask(personOf(store.User{ID: e.UserID, Name: e.UserName}, f.usable()))
	if err != nil {
		return nil, err
	}
	return s.pageOf(ask, e.UserID, browser)
}

// askAnyPasskey is the question of the sign-in page, nil where there are no passkeys.
func (s *Server) askAnyPasskey(browser string) (*pages.Passkey, error) {
	if s.party == nil {
		return nil, nil
	}
	ask, err := s.party.AskAnyone()
	if err != nil {
		return nil, err
	}
	return s.pageOf(ask, forSignIn, browser)
}

func (s *Server) pageOf(ask passkey.Ask, whose, browser string) (*pages.Passkey, error) {
	q := question{State: ask.State, For: whose, Expires: s.config.Now().Add(questionLife).Unix()}
	sealed, err := sealPending(s.seals.passkeys, q, contextOf(hashOf(browser)))
	if err != nil {
		return nil, err
	}
	return &pages.Passkey{Options: string(ask.Options), State: sealed}, nil
}

// spendQuestion opens the question of a form, for this purpose, and uses it up.
func (s *Server) spendQuestion(r *http.Request, sealed, whose string) (state []byte, err error) {
	browser := s.cookie(r, browserCookie)
	q, err := openSealed[question](s.seals.passkeys, sealed, browser, contextOf(hashOf(browser)))
	if err != nil {
		return nil, err
	}
	until := time.Unix(q.Expires, 0)
	if q.For != whose || !s.config.Now().Before(until) {
		return nil, refuse(BadRequestState)
	}
	err = s.store.Spend(r.Context(), hashOf("passkey\x00"+sealed), until)
	if errors.Is(err, store.ErrSpent) {
		return nil, refuse(RequestSpent)
	}
	return q.State, err
}

// checkPasskey checks a passkey as the second factor of who is signing in.
func (s *Server) checkPasskey(r *http.Request, e entry, form params) (methods []string, err error) {
	if s.party == nil {
		return nil, refuse(WrongSecond)
	}
	state, err := s.spendQuestion(r, form["state"], e.UserID)
	if err != nil {
		return nil, err
	}
	_, methods, err = s.answered(r, state, form["answer"])
	return methods, err
}

// passkeySignIn takes the answer of a passkey on the sign-in page: it is the
// whole sign-in, because the device made sure of its person.
func (s *Server) passkeySignIn(w http.ResponseWriter, r *http.Request) error {
	if err := s.fromHere(r); err != nil {
		return err
	}
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	browser := s.cookie(r, browserCookie)
	p, err := s.openRequest(form["request"], browser)
	if err != nil {
		return err
	}
	user, methods, err := s.signInByPasskey(r, form)
	if err != nil {
		return s.loginFailed(w, r, p, browser, "", err)
	}
	return s.proven(w, r, s.newEntry(p, user, methods...))
}

func (s *Server) signInByPasskey(r *http.Request, form params) (store.User, []string, error) {
	if err := s.admitNetwork(r); err != nil {
		return store.User{}, nil, err
	}
	giveBack, err := s.limits.login.try(s.network(r))
	if err != nil {
		return store.User{}, nil, err
	}
	if s.party == nil {
		return store.User{}, nil, refuse(WrongPasskey)
	}
	state, err := s.spendQuestion(r, form["state"], forSignIn)
	if err != nil {
		return store.User{}, nil, err
	}
	user, methods, err := s.answered(r, state, form["answer"])
	if reasonOf(err) == WrongSecond {
		return store.User{}, nil, refuseFor(WrongPasskey, err)
	}
	if err != nil {
		return store.User{}, nil, err
	}
	giveBack()
	// The device asked for a finger, a face or a PIN: two kinds of proof in one.
	return user, append(methods, amrMultiple), nil
}

// answered is who answered with a passkey, and how it counts.
func (s *Server) answered(r *http.Request, state []byte, answer string) (user store.User, methods []string, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(answer)
	if err != nil {
		return store.User{}, nil, refuseFor(WrongSecond, err)
	}
	var keys []store.Passkey
	proof, err := s.party.Answered(state, raw, func(id string) (passkey.Person, error) {
		if user, err = s.store.UserByID(r.Context(), id); err != nil {
			return passkey.Person{}, err
		}
		keys, err = s.store.Passkeys(r.Context(), id)
		return personOf(user, factors{passkeys: keys}.usable()), err
	})
	switch {
	case errors.Is(err, passkey.ErrCloned):
		return store.User{}, nil, s.cloned(r, proof)
	case errors.Is(err, passkey.ErrAnswer), errors.Is(err, store.ErrNotFound):
		return store.User{}, nil, refuseFor(WrongSecond, err)
	case err != nil:
		return store.User{}, nil, err
	}
	return user, []string{howPasskey(proof.Key)}, s.used(r, user.ID, proof)
}

// howPasskey: RFC 8176 §2: a key in one device, or one that is on several.
func howPasskey(k passkey.Key) string {
	if k.Synced {
		return amrSoftware
	}
	return amrHardware
}

// used keeps the counter of an answer. Of two answers with the same counter at
// the same time, one is a copy's.
func (s *Server) used(r *http.Request, userID string, proof passkey.Proof) error {
	k := store.Passkey{ID: proof.Key.ID, UserID: userID, Credential: string(proof.Key.Credential), Counter: proof.Key.Counter}
	err := s.store.UsePasskey(r.Context(), k, s.config.Now())
	if errors.Is(err, store.ErrSpent) {
		return s.cloned(r, proof)
	}
	return err
}

// cloned puts a passkey out of use that somebody has a copy of (WebAuthn §7.2 (22)).
func (s *Server) cloned(r *http.Request, proof passkey.Proof) error {
	if err := s.store.MarkCloned(r.Context(), proof.UserID, proof.Key.ID, s.config.Now()); err != nil {
		return err
	}
	s.audit(r, "passkey.cloned", "subject", proof.UserID, "passkey", base64.RawURLEncoding.EncodeToString(proof.Key.ID))
	return refuse(PasskeyCloned)
}

// Package passkey registers and checks passkeys (WebAuthn level 3) for one
// relying party, whose name and origin come from the issuer and nothing else.
//
// Each ceremony is two calls. The first makes what the browser is asked, and a
// state that the caller keeps sealed, for one browser, one purpose and one use;
// the second takes that state and what the browser answered. Both are bytes.
// The challenge is in the state: an answer is good for the one question.
//
// A key that counts and did not count further is somebody's copy, or has one:
// then ErrCloned. Keys that are synchronized do not count.
package passkey

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// What callers act on.
var (
	ErrNoDomain = errors.New("passkeys need an issuer whose host is a name, not an address")
	ErrAnswer   = errors.New("the browser's answer proves nothing")
	ErrCloned   = errors.New("the passkey has a copy: its counter did not grow")
)

// maxAnswer bounds what is read of a browser's answer, in bytes.
const maxAnswer = 16 << 10

// Party is who asks for passkeys.
type Party struct{ web *webauthn.WebAuthn }

// Person is whose passkeys they are.
type Person struct {
	ID   string // the user handle: 1 to 64 bytes that say nothing about the person
	Name string // as they sign in
	Keys []Key
}

// Key is one registered passkey, as it is kept.
type Key struct {
	ID         []byte
	Credential []byte // JSON
	Counter    uint32 // 0: it does not count
	Synced     bool   // it may be on several devices of its person
}

// Ask is a question to a browser.
type Ask struct {
	Options []byte // JSON: the publicKey member of navigator.credentials.create or get
	State   []byte // for the second call, and nobody else's eyes
}

// Proof is what an answer proved.
type Proof struct {
	UserID   string
	Key      Key  // as it is to be kept now
	Verified bool // the device made sure of its person, by a finger, a face or a PIN
}

// New is the party of an issuer: its host is the relying party, its origin the
// only one. ErrNoDomain for an address.
func New(issuer, name string) (*Party, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, err
	}
	if protocol.ValidateRPID(u.Hostname()) != nil {
		return nil, ErrNoDomain
	}
	web, err := webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: name, RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: protocol.VerificationPreferred,
		},
		// Password managers report what nobody asked, and nothing here reads it.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys of %s: %w", u.Hostname(), err)
	}
	return &Party{web}, nil
}

// Enrol asks for a new passkey of somebody, on a device that has none of theirs.
func (p *Party) Enrol(who Person) (Ask, error) {
	var had []protocol.CredentialDescriptor
	for _, k := range who.Keys {
		had = append(had, protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: k.ID})
	}
	options, session, err := p.web.BeginRegistration(person{who, nil}, webauthn.WithExclusions(had))
	if err != nil {
		return Ask{}, err
	}
	return ask(options.Response, session)
}

// Enrolled is the new passkey: ErrAnswer when the answer is not to the question
// of state, or not this person's.
func (p *Party) Enrolled(who Person, state, answer []byte) (Key, error) {
	session, err := read(state, answer)
	if err != nil {
		return Key{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	c, err := p.web.CreateCredential(person{who, nil}, session, parsed)
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return keep(*c)
}

// Ask asks for one of somebody's passkeys.
func (p *Party) Ask(who Person) (Ask, error) {
	owner, err := known(who)
	if err != nil {
		return Ask{}, err
	}
	options, session, err := p.web.BeginLogin(owner)
	if err != nil {
		return Ask{}, err
	}
	return ask(options.Response, session)
}

// AskAnyone asks for a passkey of whoever it is, whose device must make sure of
// them: it is the whole sign-in.
func (p *Party) AskAnyone() (Ask, error) {
	options, session, err := p.web.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return Ask{}, err
	}
	return ask(options.Response, session)
}

// Answered checks an answer to Ask or AskAnyone. find is asked once, for the
// person the question was to, or who the passkey says they are; its error is
// returned as it is. ErrAnswer proves nothing; with ErrCloned the proof names
// person and key, and is worth nothing else.
func (p *Party) Answered(state, answer []byte, find func(userID string) (Person, error)) (Proof, error) {
	session, err := read(state, answer)
	if err != nil {
		return Proof{}, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	id := string(session.UserID)
	if id == "" {
		id = string(parsed.Response.UserHandle)
	}
	if id == "" {
		return Proof{}, fmt.Errorf("%w: it names nobody", ErrAnswer)
	}
	who, err := find(id)
	if err != nil {
		return Proof{}, err
	}
	return p.prove(who, session, parsed)
}

func (p *Party) prove(who Person, session webauthn.SessionData, parsed *protocol.ParsedCredentialAssertionData) (Proof, error) {
	owner, err := known(who)
	if err != nil {
		return Proof{}, err
	}
	c, err := p.validate(owner, session, parsed)
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	key, err := keep(*c)
	if err != nil {
		return Proof{}, err
	}
	proof := Proof{UserID: who.ID, Key: key, Verified: parsed.Response.AuthenticatorData.Flags.HasUserVerified()}
	// WebAuthn §7.2 (22): signCount.
	if c.Authenticator.CloneWarning {
		proof.Verified = false
		return proof, ErrCloned
	}
	return proof, nil
}

func (p *Party) validate(owner person, session webauthn.SessionData, parsed *protocol.ParsedCredentialAssertionData) (*webauthn.Credential, error) {
	if len(session.UserID) > 0 {
		return p.web.ValidateLogin(owner, session, parsed)
	}
	_, c, err := p.web.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return owner, nil }, session, parsed)
	return c, err
}

func ask(options any, session *webauthn.SessionData) (Ask, error) {
	o, err := json.Marshal(options)
	if err != nil {
		return Ask{}, err
	}
	s, err := json.Marshal(session)
	if err != nil {
		return Ask{}, err
	}
	return Ask{Options: o, State: s}, nil
}

func read(state, answer []byte) (session webauthn.SessionData, err error) {
	if len(answer) > maxAnswer {
		return session, fmt.Errorf("%w: it is too long", ErrAnswer)
	}
	return session, json.Unmarshal(state, &session)
}

// keep leaves out what the device said of its maker: nothing here asks.
func keep(c webauthn.Credential) (Key, error) {
	c.Attestation, c.Authenticator.CloneWarning = webauthn.CredentialAttestation{}, false
	doc, err := json.Marshal(c)
	if err != nil {
		return Key{}, err
	}
	return Key{ID: bytes.Clone(c.ID), Credential: doc, Counter: c.Authenticator.SignCount, Synced: c.Flags.BackupEligible}, nil
}

// person is a Person as the library wants it.
type person struct {
	Person
	credentials []webauthn.Credential
}

func known(who Person) (person, error) {
	var all []webauthn.Credential
	for _, k := range who.Keys {
		var c webauthn.Credential
		if err := json.Unmarshal(k.Credential, &c); err != nil {
			return person{}, fmt.Errorf("a kept passkey: %w", err)
		}
		c.Authenticator.SignCount = k.Counter
		all = append(all, c)
	}
	return person{who, all}, nil
}

func (p person) WebAuthnID() []byte                         { return []byte(p.ID) }
func (p person) WebAuthnName() string                       { return p.Name }
func (p person) WebAuthnDisplayName() string                { return p.Name }
func (p person) WebAuthnCredentials() []webauthn.Credential { return p.credentials }

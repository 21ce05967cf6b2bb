package authserver

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/clientdoc"
)

// credential is what a request shows to say which client it is from, and in
// which way. Only readCredential makes one.
type credential struct {
	id        string
	way       way
	secret    string
	assertion assertion
}

type way int

const (
	byName  way = iota // a client_id, and perhaps a certificate on the connection
	byBasic            // a secret in the Authorization header
	byForm             // a secret in the body
	byKey              // an assertion signed by the client
)

// authenticate: OAuth 2.1 §2.4. A client proves itself in the way it
// registered, and in no other; anything half-way is refused.
func (s *Server) authenticate(r *http.Request, p params) (client, error) {
	cred, err := readCredential(r, p)
	if err != nil {
		return client{}, err
	}
	callerOf(r).said = cred.id
	c, err := s.proving(r, cred.id)
	if err != nil {
		return client{}, err
	}
	err = s.proves(r, c, cred)
	if unknownKey(err) && s.documents.Renew(r.Context(), c.ID, c.KeysURI, s.fetching(r)) {
		if c, err = s.proving(r, cred.id); err == nil {
			err = s.proves(r, c, cred)
		}
	}
	if err != nil {
		return client{}, err
	}
	callerOf(r).proven = !c.public()
	return c, nil
}

// proving is a client that is about to prove itself.
func (s *Server) proving(r *http.Request, id string) (client, error) {
	c, err := s.client(r, id)
	if err != nil {
		return client{}, err
	}
	// What a client registered before may not be enough any more.
	if !slices.Contains(s.methods(), c.AuthMethod) {
		return client{}, refuse(MethodOff)
	}
	return c, nil
}

// unknownKey says whether a client may have changed its keys since they were looked at.
func unknownKey(err error) bool {
	return reasonOf(err) == AssertionKey || reasonOf(err) == WrongCertificate
}

func (s *Server) proves(r *http.Request, c client, cred credential) error {
	switch c.AuthMethod {
	case authNone:
		return cred.nothing()
	case authBasic, authPost:
		return c.provesSecret(cred, s.config.Now())
	case authKey:
		return s.provesKey(r, c, cred)
	case authSelfSigned:
		return s.provesSelfSigned(r, c, cred)
	case authAuthority:
		return s.provesAuthority(r, c, cred)
	}
	return refuse(MethodOff) // unreachable: methods knows the same
}

// nothing: a client that has nothing to prove itself with and shows something is another.
func (c credential) nothing() error {
	switch c.way {
	case byName:
		return nil
	case byKey:
		return refuse(WrongMethod)
	}
	return refuse(WrongClientSecret)
}

// provesSecret takes the secret in both forms, whichever was registered.
func (c client) provesSecret(cred credential, now time.Time) error {
	if cred.way == byKey {
		return refuse(WrongMethod)
	}
	if cred.secret == "" {
		return refuse(WrongClientSecret)
	}
	if isSecret(cred.secret, c.SecretHash) {
		return nil
	}
	if now.UnixMilli() < c.SecretBeforeUntil && isSecret(cred.secret, c.SecretBefore) {
		return nil
	}
	return refuse(WrongClientSecret)
}

func isSecret(given string, hash []byte) bool {
	h := hashOf(given)
	return len(hash) > 0 && subtle.ConstantTimeCompare(h[:], hash) == 1
}

// readCredential: OAuth 2.1 §2.4 (B4): one method per request.
func readCredential(r *http.Request, p params) (credential, error) {
	fields := r.Header.Values("Authorization")
	asserts := p["client_assertion"] != "" || p["client_assertion_type"] != ""
	switch {
	case len(fields) > 1, len(fields) == 1 && (asserts || p["client_secret"] != ""), asserts && p["client_secret"] != "":
		return credential{}, refuse(SeveralCredentials)
	case asserts:
		return readAssertionCredential(p)
	case len(fields) == 1:
		return readBasic(fields[0], p)
	case p["client_id"] == "":
		return credential{}, refuse(NoClient)
	case p["client_secret"] != "":
		return credential{id: p["client_id"], way: byForm, secret: p["client_secret"]}, nil
	}
	return credential{id: p["client_id"]}, nil
}

func readBasic(field string, p params) (credential, error) {
	cred, ok := parseBasic(field)
	if !ok {
		return credential{}, refuse(WrongClientSecret)
	}
	if p["client_id"] != "" && p["client_id"] != cred.id {
		return credential{}, refuse(SeveralCredentials)
	}
	return cred, nil
}

// parseBasic: RFC 7617, with id and secret form-urlencoded inside (OAuth 2.1 §2.4.1).
func parseBasic(field string) (credential, bool) {
	scheme, encoded, _ := strings.Cut(field, " ")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !strings.EqualFold(scheme, "Basic") || err != nil {
		return credential{}, false
	}
	user, pass, ok := strings.Cut(string(raw), ":")
	id, err1 := url.QueryUnescape(user)
	secret, err2 := url.QueryUnescape(pass)
	if !ok || err1 != nil || err2 != nil || id == "" {
		return credential{}, false
	}
	return credential{id: id, way: byBasic, secret: secret}, true
}

const (
	authNone       = clientdoc.None
	authBasic      = clientdoc.Basic
	authPost       = clientdoc.Post
	authKey        = clientdoc.Key
	authSelfSigned = clientdoc.SelfSigned
	authAuthority  = clientdoc.Authority
)

// methods are the ways of authentication there are here: what the profile
// takes and the connection can show.
func (s *Server) methods() []string {
	return slices.DeleteFunc(slices.Clone(s.profile.methods), func(m string) bool {
		return m == authSelfSigned && !s.config.Clients.Certificates || m == authAuthority && s.config.Clients.Authorities == nil
	})
}

// proving are methods without those that prove nothing.
func proving(methods []string) []string {
	return slices.DeleteFunc(slices.Clone(methods), func(m string) bool { return m == authNone })
}

package authserver

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/store"
)

const (
	assertionType   = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" // RFC 7523 §2.2
	maxAssertion    = 8 << 10                                                  // bytes
	maxAssertionID  = 256                                                      // bytes of jti
	assertionLife   = 10 * time.Minute                                         // how far ahead exp may lie
	assertionLeeway = 30 * time.Second                                         // of clocks, for exp, nbf and iat (FAPI 2.0 §5.3.2.1)
)

// assertion is what a client says about itself, taken apart and not checked.
type assertion struct {
	jws    jose.Unverified
	claims assertionClaims
}

// assertionClaims are RFC 7523 §3. The audience is a string, never a list:
// one that names several servers could be passed on between them.
type assertionClaims struct {
	Issuer    jose.Text        `json:"iss"`
	Subject   jose.Text        `json:"sub"`
	Audience  jose.Text        `json:"aud"`
	ID        jose.Text        `json:"jti"`
	Expiry    jose.NumericDate `json:"exp"`
	NotBefore jose.NumericDate `json:"nbf"`
	IssuedAt  jose.NumericDate `json:"iat"`
}

func readAssertionCredential(p params) (credential, error) {
	// RFC 7521 §4.2
	if p["client_assertion_type"] != assertionType || p["client_assertion"] == "" {
		return credential{}, refuse(BadAssertion)
	}
	a, err := parseAssertion(p["client_assertion"])
	if err != nil {
		return credential{}, err
	}
	id := string(a.claims.Subject)
	// RFC 7521 §4.2: client_id may be there, and is the same client then.
	if p["client_id"] != "" && p["client_id"] != id {
		return credential{}, refuse(SeveralCredentials)
	}
	return credential{id: id, way: byKey, assertion: a}, nil
}

func parseAssertion(raw string) (assertion, error) {
	jws, err := jose.Parse(raw, maxAssertion)
	if err != nil {
		return assertion{}, refuseFor(BadAssertion, err)
	}
	// Access tokens, proofs and answers of introspection name their types; an
	// assertion is none of them.
	if t := strings.ToLower(jws.Type); t != "" && t != "jwt" && t != "client-authentication+jwt" {
		return assertion{}, refuse(BadAssertion)
	}
	a := assertion{jws: jws}
	if err := jws.Claims(&a.claims); err != nil {
		return assertion{}, refuseFor(BadAssertion, err)
	}
	if a.claims.Subject == "" {
		return assertion{}, refuse(BadAssertion)
	}
	return a, nil
}

// provesKey: RFC 7523 §3, with private_key_jwt. The assertion is used up last,
// so that one refused for another reason can be sent again.
func (s *Server) provesKey(r *http.Request, c client, cred credential) error {
	if cred.way != byKey {
		return refuse(WrongMethod)
	}
	a := cred.assertion
	if err := a.permits(c, s.profile.algorithms); err != nil {
		return err
	}
	keys, err := s.keysOf(r, c, a.jws.KeyID)
	if err != nil {
		return err
	}
	if err := a.jws.VerifyInOwn(keys); err != nil {
		return refuseFor(AssertionKey, err)
	}
	until, err := a.claims.check(s.config.Now(), c.ID, s.config.Issuer)
	if err != nil {
		return err
	}
	return s.spendAssertion(r, c, a, until)
}

// permits: the algorithm is one of the profile's (FAPI 2.0 §5.4.1) and, where the client
// registered one, that.
func (a assertion) permits(c client, algorithms []jose.Algorithm) error {
	if !slices.Contains(algorithms, jose.Algorithm(a.jws.Algorithm)) {
		return refuse(AssertionKey)
	}
	if c.AssertionAlgorithm != "" && c.AssertionAlgorithm != a.jws.Algorithm {
		return refuse(AssertionKey)
	}
	return nil
}

// check covers RFC 7523 §3 (1) to (7), and says until when the assertion is good.
func (c assertionClaims) check(now time.Time, id, issuer string) (until time.Time, err error) {
	// (1), (2)
	if string(c.Issuer) != id || string(c.Subject) != id {
		return time.Time{}, refuse(BadAssertion)
	}
	// (3), as FAPI 2.0 §5.3.2.1 has it: this issuer, and nothing beside it.
	if string(c.Audience) != issuer {
		return time.Time{}, refuse(AssertionAudience)
	}
	// (4)
	if c.Expiry.IsZero() || !now.Before(c.Expiry.Add(assertionLeeway)) {
		return time.Time{}, refuse(AssertionTime)
	}
	if c.Expiry.After(now.Add(assertionLife + assertionLeeway)) {
		return time.Time{}, refuse(AssertionTime)
	}
	// (5), (6)
	if c.NotBefore.After(now.Add(assertionLeeway)) || c.IssuedAt.After(now.Add(assertionLeeway)) {
		return time.Time{}, refuse(AssertionTime)
	}
	// (7)
	if c.ID == "" || len(c.ID) > maxAssertionID {
		return time.Time{}, refuse(BadAssertion)
	}
	return c.Expiry.Add(assertionLeeway), nil
}

// spendAssertion lets a jti of this client through once, at whichever process
// on the database.
func (s *Server) spendAssertion(r *http.Request, c client, a assertion, until time.Time) error {
	err := s.store.Spend(r.Context(), hashOf("assertion\x00"+c.ID+"\x00"+string(a.claims.ID)), until)
	if errors.Is(err, store.ErrSpent) {
		s.audit(r, "assertion.reuse", "client_id", c.ID)
		return refuse(AssertionReplayed)
	}
	return err
}

// keysOf are the keys a client proves itself with; kid is the one it used, if it says.
func (s *Server) keysOf(r *http.Request, c client, kid string) (jose.KeySet, error) {
	if c.KeysURI == "" {
		keys, err := clientdoc.ParseKeys(c.Keys)
		if err != nil {
			return jose.KeySet{}, refuseFor(AssertionKey, err)
		}
		return keys, nil
	}
	keys, err := s.documents.Keys(r.Context(), c.KeysURI, kid, s.fetching(r))
	switch {
	case err == nil:
		return keys, nil
	case reasonOf(err) == TooMany:
		return jose.KeySet{}, err
	}
	// One answer, whatever the network said: a client may register any address, and
	// would learn what there is from here.
	return jose.KeySet{}, refuseFor(KeysUnreachable, err)
}

package authserver

import (
	"encoding/base64"
	"encoding/hex"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/store"
)

const requestLife = 10 * time.Minute

// pending is where a person is going: a checked authorization request on its
// way through sign-in and consent, or a page of ours. It travels sealed, in the
// forms and in one URL of ours; the server keeps nothing until it is decided,
// and then that it was.
type pending struct {
	ID        string   `json:"id"`
	Client    string   `json:"client"`
	Redirect  string   `json:"redirect"`
	Resource  string   `json:"resource"`
	Scope     []string `json:"scope"`
	Beyond    []string `json:"beyond,omitzero"` // what was asked for as well, and the roles of who is signed in do not give
	State     string   `json:"state"`
	Challenge string   `json:"challenge"`
	Key       string   `json:"key"`             // dpop_jkt, or ""
	Device    string   `json:"device,omitzero"` // of a device's request: the hash of its device code
	UserCode  string   `json:"user_code,omitzero"`
	Details   string   `json:"details,omitzero"` // authorization_details, in canonical form
	Nonce     string   `json:"nonce,omitzero"`
	Pushed    bool     `json:"pushed,omitzero"`  // by its client, who proved itself
	Silent    bool     `json:"silent,omitzero"`  // prompt=none: nothing may be shown
	Ask       bool     `json:"ask,omitzero"`     // prompt=consent: whatever was allowed before
	SignedIn  int64    `json:"signed_in"`        // the earliest sign-in that is good enough, in milliseconds
	Level     level    `json:"level,omitzero"`   // the weakest sign-in that is good enough
	Version   string   `json:"version,omitzero"` // of the client's document, as the person sees it
	Next      string   `json:"next,omitzero"`    // the page, with its query; then there is no client
	Expires   int64    `json:"expires"`
}

func (p pending) until() time.Time { return time.Unix(p.Expires, 0) }

// sealRequest makes the form of p that asks this browser to sign in.
func (s *Server) sealRequest(p pending, browser string) (string, error) {
	return sealPending(s.seals.requests, p, contextOf(hashOf(browser)))
}

func (s *Server) openRequest(sealed, browser string) (pending, error) {
	return s.openPending(s.seals.requests, sealed, browser, contextOf(hashOf(browser)))
}

// sealApproval makes the form of p that asks this browser, in this session,
// for a decision. It is another seal: nothing seen in a URL decides.
func (s *Server) sealApproval(p pending, browser string, v store.Session) (string, error) {
	return sealPending(s.seals.approvals, p, contextOf(hashOf(browser), v.Hash))
}

func (s *Server) openApproval(sealed, browser string, v store.Session) (pending, error) {
	return s.openPending(s.seals.approvals, sealed, browser, contextOf(hashOf(browser), v.Hash))
}

func contextOf(hashes ...store.Hash) string {
	var c string
	for _, h := range hashes {
		c += hex.EncodeToString(h[:])
	}
	return c
}

// sealed is what travels through a browser and comes back as it was, or not at all.
type sealed interface {
	pending | entry | question | setup
}

func sealPending[T sealed](with seal, p T, context string) (string, error) {
	doc, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(with.close(doc, context)), nil
}

func (s *Server) openPending(with seal, sealed, browser, context string) (pending, error) {
	p, err := openSealed[pending](with, sealed, browser, context)
	if err != nil {
		return pending{}, err
	}
	if !s.config.Now().Before(p.until()) {
		return pending{}, refuse(BadRequestState)
	}
	return p, nil
}

func openSealed[T sealed](with seal, text, browser, context string) (v T, err error) {
	if browser == "" {
		return v, refuse(NoCookie)
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return v, refuseFor(BadRequestState, err)
	}
	doc, err := with.open(raw, context)
	if err != nil {
		return v, refuseFor(BadRequestState, err)
	}
	if err := json.Unmarshal(doc, &v); err != nil {
		var none T
		return none, err
	}
	return v, nil
}

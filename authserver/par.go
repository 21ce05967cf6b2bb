package authserver

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	pushedPrefix = "urn:ietf:params:oauth:request_uri:" // RFC 9126 §2.2
	pushedLife   = 90 * time.Second                     // FAPI 2.0 §5.3.2.2: less than 600 s
	maxPushed    = 12 << 10                             // bytes of a request_uri: it goes through a browser's address
)

// pushed is an authorization request that a client pushed, checked. Like every
// pending one it travels sealed, as the request_uri, and nothing is kept of it
// until it is decided: once, because its id is spent then.
type pushed struct {
	Pending pending `json:"pending"`
	Until   int64   `json:"until"` // of the request_uri
}

// pushedAnswer is RFC 9126 §2.2.
type pushedAnswer struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int64  `json:"expires_in"`
}

// push: RFC 9126 §2.1: the client authenticates as at the token endpoint, and
// the request is checked as at the authorization endpoint.
func (s *Server) push(w http.ResponseWriter, r *http.Request) error {
	giveBack, err := s.limits.guess.try(s.network(r))
	if err != nil {
		return err
	}
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	c, err := s.authenticate(r, form)
	if err != nil {
		return err
	}
	giveBack()
	p, err := s.readPushed(r, c, form)
	if err != nil {
		return err
	}
	uri, err := s.sealPushed(p)
	if err != nil {
		return err
	}
	s.nextNonce(w, r)
	return writeJSON(w, http.StatusCreated, pushedAnswer{uri, int64(pushedLife / time.Second)})
}

func (s *Server) readPushed(r *http.Request, c client, form params) (pending, error) {
	// RFC 9126 §2.1 (2)
	if form["request_uri"] != "" {
		return pending{}, refuse(NestedRequest)
	}
	query := url.Values{}
	for name, value := range form {
		query.Set(name, value)
	}
	query.Set("client_id", c.ID)
	to, err := s.redirectionOf(c, query)
	if reasonOf(err) == UnregisteredTarget {
		return pending{}, refuse(PushedElsewhere)
	}
	if err != nil {
		return pending{}, err
	}
	p, err := s.readAuthorization(query, to)
	if err != nil {
		return pending{}, err
	}
	key, err := s.pushedKey(r)
	if err != nil {
		return pending{}, err
	}
	// RFC 9449 §10.1
	if p.Key != "" && key != "" && p.Key != key {
		return pending{}, refuse(OtherThumbprint)
	}
	p.Key = cmp.Or(p.Key, key)
	return p, nil
}

// pushedKey: RFC 9449 §10.1: a proof may stand here, and names the key as
// dpop_jkt does.
func (s *Server) pushedKey(r *http.Request) (string, error) {
	if len(r.Header.Values("DPoP")) == 0 {
		return "", nil
	}
	return s.verifyProof(r, s.pushesAt)
}

// sealPushed ends the request at one time however often its page is loaded, so
// that what is kept of its decision outlives it.
func (s *Server) sealPushed(p pending) (string, error) {
	until := s.config.Now().Add(pushedLife)
	p.Expires = until.Add(requestLife).Unix()
	doc, err := json.Marshal(pushed{p, until.Unix()})
	if err != nil {
		return "", err
	}
	uri := pushedPrefix + base64.RawURLEncoding.EncodeToString(s.seals.pushed.close(doc, contextOf(hashOf(p.Client))))
	if len(uri) > maxPushed {
		return "", refuse(PushTooLarge)
	}
	return uri, nil
}

// openPushed opens what was sealed for this client, and for no other (RFC 9126 §7.2).
func (s *Server) openPushed(uri, client string) (pending, error) {
	encoded, ok := strings.CutPrefix(uri, pushedPrefix)
	if !ok {
		return pending{}, refuse(BadRequestURI)
	}
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return pending{}, refuseFor(BadRequestURI, err)
	}
	doc, err := s.seals.pushed.open(raw, contextOf(hashOf(client)))
	if err != nil {
		return pending{}, refuseFor(BadRequestURI, err)
	}
	var p pushed
	if err := json.Unmarshal(doc, &p); err != nil {
		return pending{}, err
	}
	if !s.config.Now().Before(time.Unix(p.Until, 0)) {
		return pending{}, refuse(BadRequestURI)
	}
	p.Pending.Pushed = true
	return p.Pending, nil
}

// authorizePushed: RFC 9126 §4: client_id and request_uri count, and nothing
// beside them. Every problem stays on a page here.
func (s *Server) authorizePushed(w http.ResponseWriter, r *http.Request, query url.Values) error {
	for _, name := range []string{"client_id", "request_uri"} {
		if len(query[name]) > 1 {
			return repeated(name)
		}
		if query.Get(name) == "" {
			return missing(name)
		}
	}
	p, err := s.openPushed(query.Get("request_uri"), query.Get("client_id"))
	if err != nil {
		return err
	}
	return s.advance(w, r, p, s.browser(w, r))
}

// A code says whether its request was pushed: what it begins with is hashed with
// the rest, so nobody can give it another beginning.
const (
	openCode   = "pac_"
	pushedCode = "pap_"
)

func (p pending) code() string {
	if p.Pushed {
		return newSecret(pushedCode)
	}
	return newSecret(openCode)
}

// mustPush: RFC 9126 §5 and §6: the server or the client may have said that
// requests are pushed.
func (s *Server) mustPush(c client) bool { return s.profile.pushedOnly || c.PushedOnly }

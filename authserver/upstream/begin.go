package upstream

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Ask is what one sign-in demands of the provider.
type Ask struct {
	State  string    // unguessable, once: the provider gives it back
	ACR    []string  // classes that are wished for, in the provider's words
	Insist bool      // one of ACR must be met
	Since  time.Time // the earliest proof that is good enough; zero: whenever
	Untold bool      // an answer that does not say when it was is good enough, too
}

// memory is what one sign-in must know when the person comes back.
type memory struct {
	State    string   `json:"state"`
	Nonce    string   `json:"nonce"`
	Verifier string   `json:"verifier"`
	ACR      []string `json:"acr,omitzero"` // one of them must be met
	Since    int64    `json:"since,omitzero"`
	Untold   bool     `json:"untold,omitzero"`
}

// anyAge is asked for where age does not matter: a provider that was asked
// tells when the person proved who they are (OpenID Connect Core §3.1.2.1).
const anyAge = 365 * 24 * time.Hour

// Begin gives the URL to send the browser to, and what Finish needs to know
// of it. The latter is secret: it goes to nobody, the browser included.
func (p *Provider) Begin(ctx context.Context, ask Ask) (to string, secret []byte, err error) {
	m, err := p.place(ctx)
	if err != nil {
		return "", nil, err
	}
	kept := memory{State: ask.State, Nonce: random(), Verifier: random(), Untold: ask.Untold}
	if ask.Insist {
		kept.ACR = ask.ACR
	}
	if !ask.Since.IsZero() {
		kept.Since = ask.Since.Unix()
	}
	u, err := url.Parse(m.Authorization)
	if err != nil {
		return "", nil, err // unreachable: checkMetadata parsed it
	}
	query := u.Query()
	for name, values := range p.request(ask, kept) {
		query[name] = values
	}
	u.RawQuery = query.Encode()
	secret, err = json.Marshal(kept)
	return u.String(), secret, err
}

// request: OpenID Connect Core §3.1.2.1, RFC 7636 §4.3.
func (p *Provider) request(ask Ask, kept memory) url.Values {
	challenge := sha256.Sum256([]byte(kept.Verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {p.conf.ClientID}, "redirect_uri": {p.conf.Callback},
		"scope": {strings.Join(p.conf.Scopes, " ")}, "state": {kept.State}, "nonce": {kept.Nonce},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	if len(ask.ACR) > 0 {
		q.Set("acr_values", strings.Join(ask.ACR, " "))
	}
	age := anyAge
	if !ask.Since.IsZero() {
		age = max(0, p.conf.Now().Sub(ask.Since))
	}
	// 0 says what prompt=login does, to providers that do not take that as well.
	q.Set("max_age", strconv.FormatInt(int64(age/time.Second), 10))
	return q
}

// random is 256 bits in 43 characters: a nonce, or a verifier (RFC 7636 §4.1).
func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return base64.RawURLEncoding.EncodeToString(b)
}

package upstream

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
)

// Finish takes what the browser brought to the callback of this provider, and
// the secret of Begin. Every refusal is an *Error.
func (p *Provider) Finish(ctx context.Context, secret []byte, query url.Values) (Identity, error) {
	var kept memory
	if err := json.Unmarshal(secret, &kept); err != nil {
		return Identity{}, err
	}
	m, err := p.place(ctx)
	if err != nil {
		return Identity{}, err
	}
	code, err := p.readAnswer(m, kept, query)
	if err != nil {
		return Identity{}, err
	}
	tokens, err := p.exchange(ctx, m, code, kept.Verifier)
	if err != nil {
		return Identity{}, err
	}
	claims, err := p.verify(ctx, m, kept, tokens)
	if err != nil {
		return Identity{}, err
	}
	if claims, err = p.completed(ctx, m, claims, tokens); err != nil {
		return Identity{}, err
	}
	return p.identity(claims), nil
}

// readAnswer takes the code out of an authorization response.
func (p *Provider) readAnswer(m metadata, kept memory, query url.Values) (code string, err error) {
	for _, name := range []string{"state", "iss", "error", "code"} {
		if len(query[name]) > 1 {
			return "", refuseFor(BadAnswer, fmt.Errorf("%s is there more than once", name))
		}
	}
	if kept.State == "" || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(kept.State)) != 1 {
		return "", refuse(WrongState)
	}
	// RFC 9207 §2.4: of errors, too.
	if query.Has("iss") && query.Get("iss") != p.conf.Issuer {
		return "", refuseFor(WrongIssuer, fmt.Errorf("the answer is from %.200q", query.Get("iss")))
	}
	if m.NamesItself && !query.Has("iss") {
		return "", refuseFor(WrongIssuer, errors.New("the answer does not say whose it is"))
	}
	if query.Get("error") == "access_denied" {
		return "", refuse(Denied)
	}
	if query.Has("error") {
		return "", refuseFor(Declined, fmt.Errorf("%.64q: %.200q", query.Get("error"), query.Get("error_description")))
	}
	if query.Get("code") == "" {
		return "", refuseFor(BadAnswer, errors.New("neither code nor error"))
	}
	return query.Get("code"), nil
}

// issued is a token response (OpenID Connect Core §3.1.3.3).
type issued struct {
	ID     jose.Text `json:"id_token"`
	Access jose.Text `json:"access_token"`
	Type   jose.Text `json:"token_type"`

	Code        jose.Text `json:"error"`
	Description jose.Text `json:"error_description"`
}

func (p *Provider) exchange(ctx context.Context, m metadata, code, verifier string) (issued, error) {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code},
		"redirect_uri": {p.conf.Callback}, "code_verifier": {verifier},
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	if err := p.prove(m, form, header); err != nil {
		return issued{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Token, strings.NewReader(form.Encode()))
	if err != nil {
		return issued{}, err
	}
	req.Header = header
	status, body, err := p.send(req)
	if err != nil {
		return issued{}, refuseFor(Unreachable, err)
	}
	var tokens issued
	if err := json.Unmarshal(body, &tokens); err != nil {
		return issued{}, refuseFor(BadExchange, fmt.Errorf("status %d: %w", status, err))
	}
	if status != http.StatusOK {
		return issued{}, refuseFor(BadExchange, fmt.Errorf("status %d, %.64q: %.200q", status, tokens.Code, tokens.Description))
	}
	if tokens.ID == "" {
		return issued{}, refuseFor(BadExchange, errors.New("there is no ID token"))
	}
	return tokens, nil
}

// completed adds what the provider tells of the person at its userinfo
// endpoint; what the ID token says stands.
func (p *Provider) completed(ctx context.Context, m metadata, claims Claims, tokens issued) (Claims, error) {
	if m.UserInfo == "" || tokens.Access == "" || !strings.EqualFold(string(tokens.Type), "Bearer") {
		return claims, nil
	}
	body, err := p.get(ctx, m.UserInfo, "Bearer "+string(tokens.Access))
	if err != nil {
		return nil, refuseFor(Unreachable, err)
	}
	var more Claims
	if err := json.Unmarshal(body, &more); err != nil {
		return nil, refuseFor(BadProfile, err)
	}
	// OpenID Connect Core §5.3.2
	if more.text("sub") == "" || more.text("sub") != claims.text("sub") {
		return nil, refuseFor(BadProfile, errors.New("userinfo is about somebody else"))
	}
	for name, value := range more {
		if _, said := claims[name]; !said && !aboutToken(name) {
			claims[name] = value
		}
	}
	return claims, nil
}

// aboutToken says whether a claim is about how the person proved who they are
// and for whom: only the ID token can say that.
func aboutToken(name string) bool {
	switch name {
	case "iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "acr", "amr", "auth_time", "at_hash":
		return true
	}
	return false
}

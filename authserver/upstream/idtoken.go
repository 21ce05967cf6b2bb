package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	strict "github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
)

const (
	maxToken   = 64 << 10 // bytes of an ID token
	maxSubject = 255      // OpenID Connect Core §2
)

// verify gives the claims of an ID token that was made by this provider, for
// this client, for this request, and just now.
func (p *Provider) verify(ctx context.Context, m metadata, kept memory, tokens issued) (Claims, error) {
	if len(tokens.ID) > maxToken {
		return nil, refuseFor(BadToken, fmt.Errorf("over %d bytes", maxToken))
	}
	token, err := p.authentic(ctx, m, string(tokens.ID))
	if err != nil {
		return nil, err
	}
	// OpenID Connect Core §3.1.3.8
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(string(tokens.Access)); err != nil {
			return nil, refuseFor(BadToken, err)
		}
	}
	var payload json.RawMessage
	if err := token.Claims(&payload); err != nil {
		return nil, refuseFor(BadToken, err)
	}
	var claims Claims
	if err := strict.Unmarshal(payload, &claims); err != nil {
		return nil, refuseFor(BadToken, err)
	}
	if err := p.checkToken(claims, kept); err != nil {
		return nil, err
	}
	return claims, nil
}

// authentic checks signature and expiry with the library. Issuer and audience
// are checked in checkToken: the library lets Google leave the scheme out, and
// does not look at azp.
func (p *Provider) authentic(ctx context.Context, m metadata, compact string) (*oidc.IDToken, error) {
	var algorithms []string
	for _, a := range jose.Algorithms() {
		algorithms = append(algorithms, string(a))
	}
	keys := &signature{p: p, uri: m.Keys}
	token, err := oidc.NewVerifier(p.conf.Issuer, keys, &oidc.Config{
		SupportedSigningAlgs: algorithms, SkipClientIDCheck: true, SkipIssuerCheck: true,
		Now: func() time.Time { return p.conf.Now().Add(-skew) },
	}).Verify(ctx, compact)
	if err == nil {
		return token, nil
	}
	if keys.err != nil {
		return nil, keys.err
	}
	if _, expired := asType[*oidc.TokenExpiredError](err); expired {
		return nil, refuseFor(Expired, err)
	}
	return nil, refuseFor(BadToken, err)
}

// checkToken: OpenID Connect Core §3.1.3.7, by its numbers.
func (p *Provider) checkToken(c Claims, kept memory) error {
	// (2)
	if c.text("iss") != p.conf.Issuer {
		return refuseFor(WrongIssuer, fmt.Errorf("the ID token is from %.200q", c.text("iss")))
	}
	// (3)
	audience := c.words("aud")
	if !slices.Contains(audience, p.conf.ClientID) {
		return refuseFor(WrongAudience, fmt.Errorf("the ID token is for %.200q", audience))
	}
	// (4), (5): for others too only when it says that it was made for us.
	if (len(audience) > 1 || c.has("azp")) && c.text("azp") != p.conf.ClientID {
		return refuseFor(WrongAudience, fmt.Errorf("the ID token was made for %.200q", c.text("azp")))
	}
	// (11)
	if kept.Nonce == "" || c.text("nonce") != kept.Nonce {
		return refuse(WrongNonce)
	}
	// (10), and §2: iat is required
	issued := c.date("iat")
	if issued.IsZero() {
		return refuseFor(BadToken, errors.New("there is no iat"))
	}
	if issued.After(p.conf.Now().Add(skew)) {
		return refuseFor(TooEarly, errors.New("the ID token was issued in the future"))
	}
	// §2
	if s := c.text("sub"); s == "" || len(s) > maxSubject {
		return refuseFor(BadToken, errors.New("there is no subject, or a longer one than there may be"))
	}
	return p.checkProof(c, kept)
}

// checkProof holds how and when the person proved it against what was asked.
func (p *Provider) checkProof(c Claims, kept memory) error {
	// (12)
	if kept.ACR != nil && !slices.Contains(kept.ACR, c.text("acr")) {
		return refuseFor(WeakerACR, fmt.Errorf("acr is %.100q", c.text("acr")))
	}
	// (13)
	at := c.date("auth_time")
	if at.After(p.conf.Now().Add(skew)) {
		return refuseFor(TooEarly, errors.New("auth_time is in the future"))
	}
	if kept.Since == 0 || at.IsZero() && kept.Untold {
		return nil
	}
	if at.IsZero() {
		return refuse(NoAuthTime)
	}
	if at.Before(time.Unix(kept.Since, 0).Add(-skew)) {
		return refuseFor(TooOld, fmt.Errorf("auth_time is %v", at.UTC()))
	}
	return nil
}

func asType[E error](err error) (E, bool) { return errors.AsType[E](err) }

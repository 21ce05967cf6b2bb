package credential

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
)

const (
	tokenLimit  = 16 << 10       // bytes of one access token
	unsaidLife  = time.Minute    // of a token without expires_in
	longestLife = 24 * time.Hour // a token is fetched anew after, whatever it says
)

// issued is an access token of the proxy's own.
type issued struct {
	token   string
	bound   bool // token_type DPoP: shown with a proof
	fetched time.Time
	expiry  time.Time
}

// usable until shortly before the end: the clocks differ, the way takes time.
func (i *issued) usable(now time.Time) bool {
	return now.Before(i.expiry.Add(-min(i.life()/10, 10*time.Second)))
}

// due says that it is time to fetch the next one behind the scenes.
func (i *issued) due(now time.Time) bool {
	return !now.Before(i.expiry.Add(-min(i.life()/4, 2*time.Minute)))
}

func (i *issued) life() time.Duration { return i.expiry.Sub(i.fetched) }

// answer is a token response (RFC 6749 §5.1, RFC 8693 §2.2.1).
type answer struct {
	AccessToken jose.Text `json:"access_token"`
	TokenType   jose.Text `json:"token_type"`
	IssuedType  jose.Text `json:"issued_token_type"`
	ExpiresIn   *int64    `json:"expires_in"`
}

// parseAnswer reads a token response. proved: the request carried a proof.
// typed: it was an exchange, so the answer must say what was issued.
func parseAnswer(body []byte, now time.Time, proved, typed bool) (*issued, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, fmt.Errorf("token response: %w", err)
	}
	if !tokenCharacters(string(a.AccessToken)) {
		return nil, errors.New("token response: access_token is missing, too long or holds characters no token has")
	}
	bound := strings.EqualFold(string(a.TokenType), "DPoP")
	// RFC 6749 §7.1: a token of a type that is not understood is not used
	if !bound && !strings.EqualFold(string(a.TokenType), "Bearer") {
		return nil, fmt.Errorf("token response: token_type %.40q is neither Bearer nor DPoP", a.TokenType)
	}
	if bound && !proved {
		return nil, errors.New("token response: a DPoP token, but no proof was sent")
	}
	if typed && !accessTokenType(string(a.IssuedType)) {
		return nil, fmt.Errorf("token response: issued_token_type %.80q is no access token", a.IssuedType)
	}
	life := unsaidLife
	if a.ExpiresIn != nil && *a.ExpiresIn <= 0 {
		return nil, errors.New("token response: expires_in is not positive")
	}
	if a.ExpiresIn != nil {
		life = time.Duration(min(*a.ExpiresIn, int64(longestLife/time.Second))) * time.Second
	}
	return &issued{token: string(a.AccessToken), bound: bound, fetched: now, expiry: now.Add(life)}, nil
}

// RFC 8693 §3: an access token, also one that is known to be a JWT.
func accessTokenType(t string) bool {
	return t == typeAccessToken || t == "urn:ietf:params:oauth:token-type:jwt"
}

const typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"

// tokenCharacters: the b64token of RFC 6750 §2.1, which RFC 9449 §7.1 shares,
// and no longer than servers take.
func tokenCharacters(t string) bool {
	if t == "" || len(t) > tokenLimit {
		return false
	}
	body := strings.TrimRight(t, "=")
	return body != "" && strings.Trim(body, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") == ""
}

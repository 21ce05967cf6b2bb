package credential

import (
	"crypto/subtle"
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

// errUnusable: the issuer answers, but not with a token that can be used.
var errUnusable = errors.New("token response")

// answer is a token response (RFC 6749 §5.1, RFC 8693 §2.2.1).
type answer struct {
	AccessToken jose.Text `json:"access_token"`
	TokenType   jose.Text `json:"token_type"`
	IssuedType  jose.Text `json:"issued_token_type"`
	ExpiresIn   *int64    `json:"expires_in"`
}

// parseAnswer reads a token response. proved: the request carried a proof.
// subject is the token that was to be exchanged, or "".
func parseAnswer(body []byte, now time.Time, proved bool, subject string) (*issued, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnusable, err)
	}
	if !tokenCharacters(string(a.AccessToken)) {
		return nil, fmt.Errorf("%w: access_token is missing, too long or holds characters no token has", errUnusable)
	}
	bound := strings.EqualFold(string(a.TokenType), "DPoP")
	// RFC 6749 §7.1: a token of a type that is not understood is not used
	if !bound && !strings.EqualFold(string(a.TokenType), "Bearer") {
		return nil, fmt.Errorf("%w: token_type %.40q is neither Bearer nor DPoP", errUnusable, a.TokenType)
	}
	if bound && !proved {
		return nil, fmt.Errorf("%w: a DPoP token, but no proof was sent", errUnusable)
	}
	// RFC 8693 §2.2.1: an exchange says what it issued
	if subject != "" && !accessTokenType(string(a.IssuedType)) {
		return nil, fmt.Errorf("%w: issued_token_type %.80q is no access token", errUnusable, a.IssuedType)
	}
	// MCP authorization: the token received from the client never goes on
	if subtle.ConstantTimeCompare([]byte(a.AccessToken), []byte(subject)) == 1 {
		return nil, fmt.Errorf("%w: the caller's own token back, which never goes to an upstream", errUnusable)
	}
	life := unsaidLife
	if a.ExpiresIn != nil && *a.ExpiresIn <= 0 {
		return nil, fmt.Errorf("%w: expires_in is not positive", errUnusable)
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

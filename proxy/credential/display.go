package credential

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/jose"
)

const nonceLimit = 512 // bytes of a nonce that is remembered

// display shows the tokens of one issuer to one upstream.
type display struct {
	key    jose.PrivateKey // that tokens are bound to
	target dpop.Target
	nonce  nonce // of the upstream
}

func newDisplay(e *endpoint, upstream *url.URL) (*display, error) {
	if upstream == nil {
		return nil, errors.New("credential: an upstream URL is required")
	}
	target, err := dpop.ParseTarget(upstream.String())
	if err != nil {
		return nil, err
	}
	return &display{key: e.key, target: target}, nil
}

// header is what the upstream sees of a token.
func (d *display) header(i *issued, method string, now time.Time) (http.Header, error) {
	if !i.bound {
		return http.Header{"Authorization": {"Bearer " + i.token}}, nil
	}
	proof, err := dpop.Make(d.key, now, method, d.target, i.token, d.nonce.last())
	if err != nil {
		return nil, err
	}
	return http.Header{"Authorization": {"DPoP " + i.token}, "Dpop": {proof}}, nil
}

// wantsNonce: the upstream refused the proof for want of its nonce, and gave
// one (RFC 9449 §9).
func (d *display) wantsNonce(shown, answer http.Header) bool {
	challenges := strings.Join(answer.Values("WWW-Authenticate"), ",")
	if shown.Get("DPoP") == "" || !strings.Contains(challenges, "use_dpop_nonce") {
		return false
	}
	return d.nonce.take(answer)
}

// shownToken is the token of a header that display made.
func shownToken(shown http.Header) string {
	_, token, _ := strings.Cut(shown.Get("Authorization"), " ")
	return token
}

// nonce is the one last heard from a server.
type nonce struct{ heard atomic.Pointer[string] }

func (n *nonce) last() string {
	if heard := n.heard.Load(); heard != nil {
		return *heard
	}
	return ""
}

// take reads the nonce of an answer (RFC 9449 §8.2) and says whether there
// was one to take.
func (n *nonce) take(header http.Header) bool {
	sent := header.Values("DPoP-Nonce")
	if len(sent) != 1 || sent[0] == "" || len(sent[0]) > nonceLimit {
		return false
	}
	n.heard.Store(&sent[0])
	return true
}

package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postern-mcp/postern/proxy/discovery"
)

const (
	tellTimeout = 500 * time.Millisecond
	tellAgain   = 30 * time.Second // about the same grant and scope
)

// told is what an issuer last heard about a grant.
type told struct {
	scope string
	at    time.Time
}

// tell lets the issuer know of a step-up before the caller hears of it. That
// it cannot be told changes nothing for the caller.
func (p *Proxy) tell(ctx context.Context, err error) {
	var why *refusal
	if !errors.As(err, &why) || why.reason != reasonScope {
		return
	}
	g := why.call.caller.grant
	scope, now := joinScope(why.required), p.now()
	last := g.told.Load()
	if g.issuer.conf.StepUps == nil || last != nil && last.scope == scope && now.Sub(last.at) < tellAgain {
		return
	}
	g.told.Store(&told{scope: scope, at: now})
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	c := g.claims
	if err := g.issuer.conf.StepUps.StepUp(ctx, c.ClientID, c.Subject, why.visit.server.resource.url, why.required); err != nil {
		p.log.Warn("the issuer does not hear of step-ups", "issuer", c.Issuer, "cause", err)
	}
}

// StepUpNotice tells the bundled authorization server over HTTP.
type StepUpNotice struct {
	url    string
	secret string
	client *http.Client
}

// NewStepUpNotice: url is the issuer's /step-up, secret what both know.
func NewStepUpNotice(url, secret string) (*StepUpNotice, error) {
	if url == "" || secret == "" {
		return nil, errors.New("proxy: a step-up notice needs a URL and a secret")
	}
	return &StepUpNotice{url: url, secret: secret, client: discovery.NewHTTPClient()}, nil
}

// StepUp posts one notice.
func (n *StepUpNotice) StepUp(ctx context.Context, clientID, subject, resource string, scope []string) error {
	form := url.Values{"client_id": {clientID}, "sub": {subject}, "resource": {resource}, "scope": {strings.Join(scope, " ")}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+n.secret)
	resp, err := n.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("%s answers %s", n.url, resp.Status)
	}
	return nil
}

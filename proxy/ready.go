package proxy

import (
	"context"
	"errors"
	"fmt"
)

// Ready says why calls could not be carried out right now, or nil: every
// issuer's keys are known, what its feed would tell of revocations is heard, it
// takes the credentials it is asked with, and audit lines can be written.
func (p *Proxy) Ready(ctx context.Context) error {
	var failures []error
	if err := p.audit.ready(); err != nil {
		failures = append(failures, fmt.Errorf("audit: %w", err))
	}
	for _, i := range p.issuers {
		if _, err := i.keys(ctx, p.now()); err != nil {
			failures = append(failures, fmt.Errorf("keys of %s: %w", i.conf.URL, err))
		}
		if desk := i.desk; desk != nil && desk.ready() != nil {
			failures = append(failures, fmt.Errorf("introspection at %s: %w", i.conf.URL, desk.ready()))
		}
		if feed := i.conf.Feed; feed != nil && feed.Ready() != nil {
			failures = append(failures, fmt.Errorf("revocations of %s: %w", i.conf.URL, feed.Ready()))
		}
	}
	return errors.Join(failures...)
}

// Resources are the resource identifiers served, by server name.
func (p *Proxy) Resources() map[string]string {
	urls := map[string]string{}
	for _, s := range p.servers {
		urls[s.name] = s.resource.url
	}
	return urls
}

package upstream

import (
	"context"
	"errors"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
)

const (
	keysFresh = time.Hour        // a key that the provider took away is good no longer than this
	keysAgain = 10 * time.Second // before they are asked for again because one is not among them
)

// keys are those the provider signs with.
type keys struct {
	set jose.KeySet
	uri string
	at  time.Time
}

// signature checks one ID token; it is what the library asks for keys. The
// library forgets what went wrong, so it is kept here.
type signature struct {
	p   *Provider
	uri string
	err error
}

// VerifySignature gives the payload of a token that a key of the provider signed.
func (s *signature) VerifySignature(ctx context.Context, compact string) ([]byte, error) {
	var payload []byte
	payload, s.err = s.p.signed(ctx, s.uri, compact)
	return payload, s.err
}

func (p *Provider) signed(ctx context.Context, uri, compact string) ([]byte, error) {
	u, err := jose.Parse(compact, maxToken)
	if err != nil {
		return nil, refuseFor(BadToken, err)
	}
	set, err := p.keySet(ctx, uri, keysFresh)
	if err != nil {
		return nil, err
	}
	err = u.VerifyIn(set)
	if errors.Is(err, jose.ErrUnknownKey) {
		if set, err = p.keySet(ctx, uri, keysAgain); err != nil {
			return nil, err
		}
		err = u.VerifyIn(set)
	}
	if err != nil {
		return nil, refuseFor(WrongSignature, err)
	}
	return u.Payload, nil
}

// keySet is the provider's, no older than that.
func (p *Provider) keySet(ctx context.Context, uri string, age time.Duration) (jose.KeySet, error) {
	if known, ok := p.knownKeys(uri, age); ok {
		return known, nil
	}
	if err := p.locked(ctx, func(ctx context.Context) error { return p.fetchKeys(ctx, uri, age) }); err != nil {
		return jose.KeySet{}, err
	}
	known, _ := p.knownKeys(uri, age)
	return known, nil
}

func (p *Provider) knownKeys(uri string, age time.Duration) (jose.KeySet, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys.set, p.freshKeys(uri, age)
}

// freshKeys is asked with the lock held.
func (p *Provider) freshKeys(uri string, age time.Duration) bool {
	return p.keys.uri == uri && p.conf.Now().Sub(p.keys.at) < age
}

// fetchKeys is run by locked.
func (p *Provider) fetchKeys(ctx context.Context, uri string, age time.Duration) error {
	if p.freshKeys(uri, age) {
		return nil // somebody else just did
	}
	body, err := p.get(ctx, uri, "")
	if err != nil {
		return refuseFor(Unreachable, err)
	}
	set, err := jose.ParseKeySet(body)
	if err != nil {
		return refuseFor(BadMetadata, err)
	}
	p.keys = keys{set, uri, p.conf.Now()}
	return nil
}

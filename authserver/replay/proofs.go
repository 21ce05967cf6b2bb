package replay

import (
	"context"
	"errors"
	"time"

	"github.com/postern-mcp/postern/authserver/dpop"
)

// Proofs lets each DPoP proof through once. Nonces name the memory they were
// made for, so a proof that a lost memory knew is refused by its nonce.
type Proofs struct {
	nonces *dpop.Nonces
	store  Store
	demand bool          // a nonce in every proof
	window time.Duration // how far a proof's iat may lie ahead
}

// NewProofs: demand says whether every proof must carry a nonce (RFC 9449
// §9). Without it, a nonce that is sent must be good, and one is demanded of
// every proof that could be older than the memory; window is how far ahead of
// now an iat is accepted.
func NewProofs(nonces *dpop.Nonces, store Store, demand bool, window time.Duration) (*Proofs, error) {
	if nonces == nil || store == nil || window <= 0 {
		return nil, errors.New("replay: nonces, a store and a window are required")
	}
	return &Proofs{nonces: nonces, store: store, demand: demand, window: window}, nil
}

// Nonce is what a client should put into its next proof; "" while the store
// cannot be asked.
func (p *Proofs) Nonce(ctx context.Context, now time.Time) string {
	born, err := p.store.Born(ctx)
	if err != nil {
		return ""
	}
	return p.nonces.Issue(now, born)
}

// Spend uses a verified proof up. It refuses with *dpop.Error: NonceRequired,
// NonceInvalid or Replayed. Any other error says that the store cannot be
// asked; then the request must be refused too (503). It comes after every
// other check, so that a request refused for another reason leaves its proof unused.
func (p *Proofs) Spend(ctx context.Context, now time.Time, proof dpop.Proof) error {
	born, err := p.store.Born(ctx)
	if err != nil {
		return err
	}
	if p.demand || proof.Nonce() != "" || !proof.IssuedAt().After(born.Add(p.window)) {
		if err := p.nonces.Check(now, born, proof.Nonce()); err != nil {
			return err
		}
	}
	first, err := p.store.Use(ctx, proof.ReplayKey(), born, now, proof.Expiry())
	switch {
	case errors.Is(err, ErrForgot):
		return &dpop.Error{Reason: dpop.NonceInvalid, Cause: err}
	case err != nil:
		return err
	case !first:
		return &dpop.Error{Reason: dpop.Replayed, Cause: errors.New("the proof was used before")}
	}
	return nil
}

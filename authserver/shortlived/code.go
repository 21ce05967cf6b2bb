package shortlived

import (
	"context"
	"errors"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

// code is an authorization code that waits to be redeemed.
type code struct {
	Grant      string `json:"grant"`
	Redirect   string `json:"redirect"`
	Challenge  string `json:"challenge"`
	Thumbprint string `json:"thumbprint,omitzero"`
	Nonce      string `json:"nonce,omitzero"`
	Expires    int64  `json:"expires"` // milliseconds
}

func (s *Store) codeName(h store.Hash) string { return s.name("code", string(h[:])) }

// Approve keeps the code, and then has the database write what was approved. A
// code whose approval fails is worth nothing: its grant does not exist.
func (s *Store) Approve(ctx context.Context, a store.Approval) error {
	kept := code{Grant: a.Grant.ID, Redirect: a.Code.RedirectURI, Challenge: a.Code.Challenge, Thumbprint: a.Code.Thumbprint,
		Nonce: a.Code.Nonce, Expires: a.Code.ExpiresAt.UnixMilli()}
	if err := s.putNew(ctx, s.codeName(a.Code.Hash), kept, a.Code.ExpiresAt); err != nil {
		return err
	}
	return s.DB.ApproveWithoutCode(ctx, a)
}

// Code finds an authorization code, expired or not: in the database when it was
// used, whether or not Redis still has it.
func (s *Store) Code(ctx context.Context, h store.Hash) (store.Code, error) {
	used, err := s.DB.Code(ctx, h)
	if !errors.Is(err, store.ErrNotFound) {
		return used, err
	}
	var kept code
	if err := s.get(ctx, s.codeName(h), &kept); err != nil {
		return store.Code{}, err
	}
	return store.Code{Hash: h, GrantID: kept.Grant, RedirectURI: kept.Redirect, Challenge: kept.Challenge, Thumbprint: kept.Thumbprint,
		Nonce: kept.Nonce, ExpiresAt: time.UnixMilli(kept.Expires).UTC()}, nil
}

// Redeem uses a code once, as the database does: it writes that the code was
// used where it keeps the first tokens.
func (s *Store) Redeem(ctx context.Context, c store.Code, first *store.RefreshToken, t store.AccessToken, now, keep time.Time) (place uint64, err error) {
	return s.DB.RedeemNewCode(ctx, c, first, t, now, keep)
}

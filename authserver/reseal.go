package authserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/postern-mcp/postern/authserver/store"
)

const resealBatch = 200

type sealedStore interface {
	Sealed(ctx context.Context, of store.Kind, after string, limit int) ([]store.Sealed, error)
	Reseal(ctx context.Context, of store.Kind, was store.Sealed, value []byte) error
}

// sealing says with what a kind of thing is sealed, and for whom.
type sealing struct {
	kind    store.Kind
	with    seal
	context func(name string) string
}

func (s *Server) sealings() []sealing {
	return []sealing{
		{store.SealedKeys, s.seals.keys, func(id string) string { return id }},
		{store.SealedSuccessors, s.seals.successors, contextOfName},
		{store.SealedGenerators, s.seals.generators, func(userID string) string { return userID }},
	}
}

func contextOfName(name string) string {
	var h store.Hash
	copy(h[:], name)
	return contextOf(h)
}

// Reseal seals everything in the store with the current secret, so that the
// previous one is not needed any more, and says how many things that were. It
// can be repeated, and goes on beside running servers that know both secrets.
// Things that neither opens stay as they are, and are an error.
func (s *Server) Reseal(ctx context.Context) (resealed int, err error) {
	return s.ResealTelling(ctx, func(int) {})
}

// ResealTelling is Reseal that says after each batch how many there are so far.
func (s *Server) ResealTelling(ctx context.Context, tell func(resealed int)) (resealed int, err error) {
	for _, of := range s.sealings() {
		n, failed := s.resealKind(ctx, of, func(n int) { tell(resealed + n) })
		resealed += n
		err = errors.Join(err, failed)
	}
	return resealed, errors.Join(err, s.reportAsOperator(ctx, "secrets.resealed", "number", resealed))
}

func (s *Server) resealKind(ctx context.Context, of sealing, tell func(int)) (resealed int, err error) {
	after, lost := "", 0
	for {
		batch, err := s.store.Sealed(ctx, of.kind, after, resealBatch)
		if err != nil {
			return resealed, err
		}
		for _, was := range batch {
			plain, err := of.with.open(was.Value, of.context(was.Name))
			if err != nil {
				lost++
				continue
			}
			if err := s.store.Reseal(ctx, of.kind, was, of.with.close(plain, of.context(was.Name))); err != nil {
				return resealed, err
			}
			resealed++
		}
		tell(resealed)
		if len(batch) < resealBatch {
			break
		}
		after = batch[len(batch)-1].Name
	}
	if lost > 0 {
		return resealed, fmt.Errorf("%d %s open with neither secret", lost, of.kind)
	}
	return resealed, nil
}

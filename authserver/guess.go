package authserver

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

// networkStore says where people signed in from.
type networkStore interface {
	KnownContexts(ctx context.Context, user string) ([]store.KnownContext, error)
}

// toll is one try of a limiter.
type toll struct {
	at  *limiter
	key string
}

// pay takes one of each, or none.
func pay(tolls ...toll) (giveBack func(), err error) {
	var paid []func()
	giveBack = func() {
		for _, back := range paid {
			back()
		}
	}
	for _, t := range tolls {
		back, err := t.at.try(t.key)
		if err != nil {
			giveBack()
			return func() {}, err
		}
		paid = append(paid, back)
	}
	return giveBack, nil
}

// mayGuess takes a try from address and account, or from this browser alone
// where the account's password was right here before: strangers who fail at the
// name all day do not keep its owner out. Names that nobody has are counted as
// those that somebody has.
func (s *Server) mayGuess(r *http.Request, name string, own familiar) (giveBack func(), err error) {
	if own.password != "" {
		return s.limits.known.try(own.password)
	}
	here, account := s.network(r), store.Folded(name)
	near, err := pay(toll{s.limits.login, here}, toll{s.limits.account, account + "\x00" + here})
	if err != nil {
		return nil, err
	}
	far, err := s.mayGuessAt(r, account)
	if err != nil {
		near()
		return nil, err
	}
	return func() { near(); far() }, nil
}

// mayGuessAt takes what strangers far and near have together at a name. When
// they have used that up, a network that the owner signed in from before has
// tries of its own.
func (s *Server) mayGuessAt(r *http.Request, account string) (giveBack func(), err error) {
	giveBack, spent := pay(toll{s.limits.around, account + "\x00" + s.networkAround(r)}, toll{s.limits.everywhere, account})
	if spent == nil {
		return giveBack, nil
	}
	if reasonOf(spent) != TooMany {
		return nil, spent
	}
	home, err := s.homeOf(r, account)
	if err != nil {
		return nil, err
	}
	if home == "" {
		return nil, spent
	}
	return s.limits.home.try(account + "\x00" + home)
}

// networkAround is what the caller's neighbours are counted as together.
func (s *Server) networkAround(r *http.Request) string {
	here := s.network(r)
	if around := networksAround(here); len(around) > 0 {
		return around[0]
	}
	return here
}

// maySignIn takes one of the sign-ins that succeed, which cost as much work as
// others: of a name from one address, or of a browser that is known.
func (s *Server) maySignIn(r *http.Request, name string, own familiar) (giveBack func(), err error) {
	if own.id != "" {
		return s.limits.right.try(own.id)
	}
	return s.limits.right.try(store.Folded(name) + "\x00" + s.network(r))
}

// mayTry takes a try from the account, or where the person is known from what is
// their own there: from this browser, where a second factor of theirs was right
// before, or from this network, where they signed in before. Whoever knows the
// password and fails elsewhere all day keeps its owner out of neither.
func (s *Server) mayTry(r *http.Request, e entry) (giveBack func(), err error) {
	if own := s.known(r, e.UserName).factor; own != "" {
		return s.limits.familiar.try(own)
	}
	home, err := s.home(r, e.UserID)
	if err != nil {
		return nil, err
	}
	if home != "" {
		return s.limits.secondHome.try(e.UserID + "\x00" + home)
	}
	return s.limits.second.try(e.UserID)
}

// mostHomes bounds how often somebody may try who is everywhere the owner was.
const mostHomes = 4

// home is the network that a request comes from, where it is one of the last few
// that this person signed in from; else "".
func (s *Server) home(r *http.Request, userID string) (network string, err error) {
	kept, err := s.store.KnownContexts(r.Context(), userID)
	if err != nil || !s.caller(r).IsValid() {
		return "", err
	}
	here := s.place(r).Network
	if slices.Contains(homes(kept, s.config.Now().Add(-s.config.SignIn.Remember)), here) {
		return here, nil
	}
	return "", nil
}

// homeOf is home of whoever has a name; it asks as much where nobody has it.
func (s *Server) homeOf(r *http.Request, name string) (network string, err error) {
	user, err := s.store.User(r.Context(), name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	return s.home(r, user.ID)
}

// homes are the networks of pairs, the last used first, that were used since.
func homes(pairs []store.KnownContext, since time.Time) (networks []string) {
	for _, p := range pairs {
		if len(networks) < mostHomes && !p.Last.Before(since) && !slices.Contains(networks, p.Network) {
			networks = append(networks, p.Network)
		}
	}
	return networks
}

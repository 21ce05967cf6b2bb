package authserver

import (
	"net/http"
	"slices"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/queue"
	"github.com/postern-mcp/postern/authserver/store"
)

// strangersTurn is that of somebody unknown, who waits with those of their
// network. account, "" for none, has few places, wherever they ask from.
func (s *Server) strangersTurn(r *http.Request, account string) queue.Caller {
	here := s.network(r)
	shares := networksAround(here)
	slices.Reverse(shares)
	return queue.Caller{Shares: append(shares, here, account), Account: account}
}

// ownersTurn is that of somebody whose account this is, by which way of theirs.
func ownersTurn(name, way string) queue.Caller {
	return queue.Caller{Known: true, Shares: []string{"account", store.Folded(name), way}}
}

// actorsTurn is that of an administrator, or of the operator.
func actorsTurn(by admin.Actor) queue.Caller {
	return queue.Caller{Known: true, Shares: []string{"administration", by.Kind, by.ID}}
}

// signInTurn is that of a password that is typed at a browser.
func (s *Server) signInTurn(r *http.Request, name string, own familiar) queue.Caller {
	if own.id != "" {
		return ownersTurn(name, own.id)
	}
	return s.strangersTurn(r, store.Folded(name))
}

// signUpTurn is that of a newcomer: with an invitation, that of the invitation.
func (s *Server) signUpTurn(r *http.Request, t store.Ticket) queue.Caller {
	if t.Purpose == store.Invitation {
		return queue.Caller{Known: true, Shares: []string{"invitation", string(t.Hash[:])}}
	}
	return s.strangersTurn(r, "")
}

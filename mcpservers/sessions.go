package mcpservers

import (
	"crypto/rand"
	"errors"
	"sync"
)

var errUnknownSession = errors.New("mcpservers: unknown session")

// sessions are the identifiers handed out by initialize and not yet ended,
// by DELETE or by idleness.
type sessions struct {
	mu   sync.Mutex
	live map[string]struct{}
}

func newSessions() *sessions {
	return &sessions{live: map[string]struct{}{}}
}

func (s *sessions) Generate() string {
	id := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[id] = struct{}{}
	return id
}

func (s *sessions) Validate(id string) (terminated bool, err error) {
	if id == "" { // a call without a session keeps nothing and needs none
		return false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.live[id]; !ok {
		return false, errUnknownSession
	}
	return false, nil
}

func (s *sessions) Terminate(id string) (notAllowed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, id)
	return false, nil
}

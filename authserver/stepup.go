package authserver

import (
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	stepUpLife  = 2 * time.Minute // a client that was refused comes at once, or not for this
	maxStepUps  = 10_000
	minNoteAuth = 32 // bytes of Config.StepUpSecret
)

// stepUps are refusals for missing scope that resource servers told of. While
// one is pending, a refresh that cannot bring the scope is answered with
// interaction_required: clients that answer a 403 by refreshing would get the
// same scope again and give up; so they ask the person.
type stepUps struct {
	mu      sync.Mutex
	pending map[stepUpKey]stepUp
}

type stepUpKey struct{ client, user, resource string }

type stepUp struct {
	scope []string
	until time.Time
}

// note remembers one. When too many are pending, none is added: then clients
// are as they were without.
func (s *stepUps) note(k stepUpKey, scope []string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending == nil {
		s.pending = map[stepUpKey]stepUp{}
	}
	if len(s.pending) >= maxStepUps {
		for key, p := range s.pending {
			if !now.Before(p.until) {
				delete(s.pending, key)
			}
		}
	}
	if len(s.pending) < maxStepUps {
		s.pending[k] = stepUp{scope: scope, until: now.Add(stepUpLife)}
	}
}

// lacks says whether a step-up is pending that a grant of this scope does not fulfil.
func (s *stepUps) lacks(k stepUpKey, granted []string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pending[k]
	if !ok || !now.Before(p.until) {
		return false
	}
	return slices.ContainsFunc(p.scope, func(name string) bool { return !slices.Contains(granted, name) })
}

// stepUp takes the word of a resource server: POST client_id, sub, resource
// and scope, with the shared secret as a bearer token. 204, whoever is named.
func (s *Server) stepUp(w http.ResponseWriter, r *http.Request) error {
	giveBack, err := s.limits.guess.try(s.network(r))
	if err != nil {
		return err
	}
	if !s.knowsStepUpSecret(r) {
		return refuse(BadStepUpSecret)
	}
	giveBack()
	p, err := readForm(w, r)
	if err != nil {
		return err
	}
	k := stepUpKey{client: p["client_id"], user: p["sub"], resource: p["resource"]}
	scope, err := scopeTokens(p["scope"])
	if err != nil {
		return err
	}
	if k.client == "" || k.user == "" || k.resource == "" || len(scope) == 0 {
		return refuse(MissingParameter)
	}
	s.stepUps.note(k, scope, s.config.Now())
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) knowsStepUpSecret(r *http.Request) bool {
	fields := r.Header.Values("Authorization")
	if len(fields) != 1 {
		return false
	}
	scheme, given, _ := strings.Cut(fields[0], " ")
	want, got := hashOf(s.config.StepUpSecret), hashOf(given)
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

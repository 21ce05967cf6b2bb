package authserver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/notes"
	"github.com/postern-mcp/postern/authserver/store"
)

const (
	stepUpLife  = 2 * time.Minute // a client that was refused comes at once, or not for this
	maxStepUps  = 10_000
	maxStepName = 512 // bytes of client_id or sub
	minNoteAuth = 32  // bytes of Config.StepUpSecret
)

// stepUps are refusals that resource servers told of: for missing scope, or
// because the person signed in too long ago or too weakly. While one is pending, a refresh
// that cannot mend it is answered with interaction_required: clients that answer
// a refusal by refreshing would get the same again and give up; so they ask the
// person, who then signs in anew where that was lacking.
//
// An instance knows what it was told itself, and reads in Redis what the others
// were told. Of two the later counts.
type stepUps struct {
	with    shared
	mu      sync.Mutex
	pending map[stepUpKey]stepUp
}

type stepUpKey struct{ client, user, resource string }

type stepUp struct {
	Scope []string  `json:"scope"`
	Since time.Time `json:"since"` // the earliest sign-in that is good enough; zero: whenever
	Level level     `json:"level"` // the weakest that is good enough
	Until time.Time `json:"until"`
}

// note remembers one.
func (s *stepUps) note(k stepUpKey, p stepUp, now time.Time) {
	p.Until = now.Add(stepUpLife)
	s.noteHere(k, p, now)
	if s.with.stepUps != nil {
		s.with.outage.note(s.tell(k, p))
	}
}

// noteHere: when too many are pending, none is added: then clients are as they
// were without.
func (s *stepUps) noteHere(k stepUpKey, p stepUp, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending == nil {
		s.pending = map[stepUpKey]stepUp{}
	}
	if len(s.pending) >= maxStepUps {
		for key, p := range s.pending {
			if !now.Before(p.Until) {
				delete(s.pending, key)
			}
		}
	}
	if len(s.pending) < maxStepUps {
		s.pending[k] = p
	}
}

// tell is for the other instances.
func (s *stepUps) tell(k stepUpKey, p stepUp) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return s.with.stepUps.Put(context.Background(), k.name(s.with.salt), text, stepUpLife)
}

// name is what Redis knows of a key.
func (k stepUpKey) name(salt string) notes.Key {
	h := sha256.New()
	for _, part := range []string{salt, k.client, k.user, k.resource} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // never fails: a hash takes everything
		h.Write([]byte(part))
	}
	return notes.Key(h.Sum(nil))
}

// unmet says whether a step-up is pending that a grant does not fulfil.
func (s *stepUps) unmet(k stepUpKey, g store.Grant, now time.Time) bool {
	p, ok := s.find(k, now)
	if !ok {
		return false
	}
	lacks := slices.ContainsFunc(p.Scope, func(name string) bool { return !slices.Contains(g.Scope, name) })
	return lacks || g.AuthTime.Before(p.Since) || !levelOf(g.Methods).meets(p.Level)
}

// demanded is what a step-up that is pending wants of a sign-in; the zero
// stepUp where none is.
func (s *stepUps) demanded(k stepUpKey, now time.Time) stepUp {
	if p, ok := s.find(k, now); ok {
		return p
	}
	return stepUp{}
}

func (s *stepUps) find(k stepUpKey, now time.Time) (stepUp, bool) {
	p, told := s.findHere(k), s.findThere(k)
	if told.Until.After(p.Until) {
		p = told
	}
	return p, now.Before(p.Until)
}

func (s *stepUps) findHere(k stepUpKey) stepUp {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending[k]
}

// findThere is what others were told; the zero stepUp, which is over, where
// there is none or nobody can tell.
func (s *stepUps) findThere(k stepUpKey) stepUp {
	if s.with.stepUps == nil {
		return stepUp{}
	}
	text, err := s.with.stepUps.Get(context.Background(), k.name(s.with.salt))
	s.with.outage.note(err)
	var p stepUp
	if err != nil || text == nil || json.Unmarshal(text, &p, json.RejectUnknownMembers(true)) != nil {
		return stepUp{}
	}
	return p
}

// stepUp takes the word of a resource server: POST client_id, sub, resource, and
// what was lacking, scope, max_age or acr_values (RFC 9470 §3), with the shared
// secret as a bearer token. 204, whoever is named.
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
	now := s.config.Now()
	lacking, err := readStepUp(p, now)
	if err != nil {
		return err
	}
	k, err := s.concerned(p, lacking.Scope)
	if err != nil {
		return err
	}
	s.stepUps.note(k, lacking, now)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// concerned is whom a step-up is about: a resource that is served here, and of
// scope only what it has, so that what is kept is small. Whether there is such a
// client or person is not looked at.
func (s *Server) concerned(p params, scope []string) (stepUpKey, error) {
	for _, name := range []string{"client_id", "sub", "resource"} {
		if p[name] == "" {
			return stepUpKey{}, missing(name)
		}
	}
	if len(p["client_id"]) > maxStepName || len(p["sub"]) > maxStepName {
		return stepUpKey{}, refuse(BadForm)
	}
	res, err := s.catalogue.find(p["resource"])
	if err != nil {
		return stepUpKey{}, err
	}
	if beyond := without(scope, res.names()); len(beyond) > 0 {
		return stepUpKey{}, refuseScope(beyond[0])
	}
	return stepUpKey{client: p["client_id"], user: p["sub"], resource: res.URL}, nil
}

func readStepUp(p params, now time.Time) (stepUp, error) {
	scope, err := scopeTokens(p["scope"])
	if err != nil {
		return stepUp{}, err
	}
	since, err := readMaxAge(p["max_age"], now)
	if err != nil {
		return stepUp{}, err
	}
	wanted, err := readACR(p["acr_values"])
	if err != nil {
		return stepUp{}, err
	}
	if len(scope) == 0 && p["max_age"] == "" && p["acr_values"] == "" {
		return stepUp{}, missing("scope, max_age or acr_values")
	}
	return stepUp{Scope: scope, Since: since, Level: wanted}, nil
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

package authserver

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/postern-mcp/postern/authserver/risk"
	"github.com/postern-mcp/postern/authserver/store"
)

// failure is an attempt in which nothing was proven, with the name somebody typed.
type failure struct {
	name string
	store.SignIn
}

// failures wait to be recorded, beside the request: how long an answer takes
// does not tell whether there is such a person.
type failures chan failure

const (
	waitingFailures = 1000
	lastFailures    = 5 * time.Second // to record what waits when the server ends
)

// noteFailure has an attempt recorded at which nothing was proven. When too
// many wait, it is only in the log.
func (s *Server) noteFailure(r *http.Request, name string, to pending, cause error) {
	v := s.attempted(r, name, to.Client)
	switch reasonOf(cause) {
	case WrongPassword:
		v.Outcome = signInFailed
	case NetworkDenied:
		v.Outcome, v.Reasons = string(risk.Refuse), []string{string(risk.DeniedNetwork)}
	default:
		return
	}
	select {
	case s.failures <- failure{name, v}:
	default:
		s.config.Log.Warn("login.failure_not_recorded")
	}
}

// recordFailuresUntil records them one after the other, and those that wait at
// the end.
func (s *Server) recordFailuresUntil(ctx context.Context) {
	for {
		select {
		case f := <-s.failures:
			s.recordFailure(ctx, f)
		case <-ctx.Done():
			s.recordTheLast()
			return
		}
	}
}

func (s *Server) recordTheLast() {
	ctx, cancel := context.WithTimeout(context.Background(), lastFailures)
	defer cancel()
	for {
		select {
		case f := <-s.failures:
			s.recordFailure(ctx, f)
		default:
			return
		}
	}
}

func (s *Server) recordFailure(ctx context.Context, f failure) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	user, err := s.store.User(ctx, f.name)
	if errors.Is(err, store.ErrNotFound) {
		return
	}
	if err == nil {
		f.UserID = user.ID
		_, err = s.store.RecordSignIn(ctx, f.SignIn)
	}
	if err != nil {
		s.config.Log.Error("login.failure_not_recorded", "cause", err.Error())
	}
}

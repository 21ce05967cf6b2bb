package authserver

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/postern-mcp/postern/authserver/risk"
	"github.com/postern-mcp/postern/authserver/store"
)

// failure is an attempt that nobody is told more of than that it failed.
type failure struct {
	name string // that somebody typed, where it is not known whose it is
	store.SignIn
}

// failures wait to be recorded, beside the request: how long an answer takes
// tells neither whether there is such a person nor whether a password is right.
type failures chan failure

const (
	waitingFailures = 1000
	recordingTime   = 5 * time.Second // for one
	lastFailures    = 5 * time.Second // for those that wait when the server ends
)

// noteFailure has an attempt recorded at which nothing was proven. When too
// many wait, it is only in the log.
func (s *Server) noteFailure(r *http.Request, name string, to pending, cause error) {
	v := s.attempted(r, name, to.Client)
	switch reasonOf(cause) {
	case WrongPassword:
		v.Outcome, v.Reasons = signInFailed, []string{"wrong_password"}
	case NetworkDenied:
		v.Outcome, v.Reasons = string(risk.Refuse), []string{string(risk.DeniedNetwork)}
	default:
		return
	}
	if !s.wait(failure{name, v}) {
		s.config.Log.Warn("login.failure_not_recorded")
	}
}

// secondFailures are the reasons for which a second factor proves nothing, as
// they are recorded.
var secondFailures = map[Reason]string{
	WrongSecond: "wrong_code", SecondUsed: "used_code", WrongPasskey: "wrong_passkey", PasskeyCloned: "copied_passkey",
}

// noteSecondFailure records that somebody who had proven the first did not
// prove the second. recovery: what they typed has the form of a recovery code.
func (s *Server) noteSecondFailure(r *http.Request, e entry, cause error, recovery bool) error {
	reason, ok := secondFailures[reasonOf(cause)]
	if !ok {
		return nil
	}
	if recovery && reason == "wrong_code" {
		reason = "wrong_recovery"
	}
	v := s.attempted(r, e.UserName, e.To.Client)
	v.UserID, v.Outcome, v.Reasons, v.Methods = e.UserID, signInFailed, []string{reason}, e.recorded()
	return s.recordBeside(r.Context(), v)
}

// recordBeside has an attempt recorded at which something was proven: that is
// never left out.
func (s *Server) recordBeside(ctx context.Context, v store.SignIn) error {
	if s.wait(failure{SignIn: v}) {
		return nil
	}
	_, err := s.store.RecordSignIn(ctx, v)
	return err
}

func (s *Server) wait(f failure) (room bool) {
	select {
	case s.failures <- f:
		return true
	default:
		return false
	}
}

// recordFailuresUntil records them one after the other, and those that wait at
// the end.
func (s *Server) recordFailuresUntil(ctx context.Context) {
	for {
		select {
		case f := <-s.failures:
			s.recordFailure(context.WithoutCancel(ctx), f) // the end does not lose the one that is under way
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
	ctx, cancel := context.WithTimeout(ctx, recordingTime)
	defer cancel()
	err := s.whose(ctx, &f)
	if errors.Is(err, store.ErrNotFound) {
		return
	}
	if err == nil {
		_, err = s.store.RecordSignIn(ctx, f.SignIn)
	}
	if err != nil {
		s.config.Log.Error("login.failure_not_recorded", "cause", err.Error())
	}
}

func (s *Server) whose(ctx context.Context, f *failure) error {
	if f.UserID != "" {
		return nil
	}
	user, err := s.store.User(ctx, f.name)
	f.UserID = user.ID
	return err
}

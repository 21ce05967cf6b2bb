package upstream

import "errors"

// Reason is why somebody was not let in by a provider: a closed set, safe for
// logs and metrics.
type Reason string

// Every reason there is.
const (
	Unreachable    Reason = "provider_unreachable"  // no answer, or none that may be taken
	BadMetadata    Reason = "provider_metadata"     // not the provider's own, or not usable
	BadAnswer      Reason = "provider_answer"       // the browser brought no authorization response
	WrongState     Reason = "provider_state"        // it answers another request
	WrongIssuer    Reason = "provider_issuer"       // it is from another provider
	Denied         Reason = "provider_denied"       // the person said no there
	Declined       Reason = "provider_declined"     // the provider has another reason
	BadExchange    Reason = "provider_exchange"     // the code was not taken, or bought nothing
	BadToken       Reason = "provider_token"        // the ID token cannot be read, or is not one
	WrongSignature Reason = "provider_signature"    // not by a key of the provider
	WrongAudience  Reason = "provider_audience"     // for another client
	WrongNonce     Reason = "provider_nonce"        // for another request
	Expired        Reason = "provider_expired"      //
	TooEarly       Reason = "provider_clock"        // from the future
	NoAuthTime     Reason = "provider_no_auth_time" // when the person proved it was asked and not said
	TooOld         Reason = "provider_auth_time"    // longer ago than asked
	WeakerACR      Reason = "provider_acr"          // not by any way that was asked
	BadProfile     Reason = "provider_userinfo"     // of another person, or not readable
)

// Error is a refusal. The cause is for the log: it may hold what the provider said.
type Error struct {
	Reason Reason
	Cause  error
}

func (e *Error) Error() string {
	if e.Cause == nil {
		return string(e.Reason)
	}
	return string(e.Reason) + ": " + e.Cause.Error()
}

func (e *Error) Unwrap() error { return e.Cause }

// ReasonOf is the reason in err, "" when there is none.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

func refuse(r Reason) error { return &Error{Reason: r} }

func refuseFor(r Reason, cause error) error { return &Error{r, cause} }

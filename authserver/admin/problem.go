package admin

import (
	"errors"
	"fmt"
	"net/http"
)

// Reason is why a request failed: a closed set.
type Reason string

// Every reason there is; problems says how each looks from outside.
const (
	UnknownPath   Reason = "unknown_path"
	WrongMethod   Reason = "wrong_method"
	BadParameter  Reason = "bad_parameter"
	BadBody       Reason = "bad_body"
	BadMediaType  Reason = "bad_media_type"
	TooLarge      Reason = "too_large"
	Invalid       Reason = "invalid"
	NotFound      Reason = "not_found"
	Exists        Reason = "exists"
	Conflict      Reason = "conflict"
	Changed       Reason = "changed"
	NoToken       Reason = "no_token"
	DeadToken     Reason = "dead_token"
	PlainToken    Reason = "plain_token"
	BadProof      Reason = "bad_proof"
	NonceNeeded   Reason = "nonce_needed"
	LacksScope    Reason = "lacks_scope"
	BeyondYou     Reason = "beyond_you"
	OwnAccount    Reason = "own_account"
	TooMany       Reason = "too_many_requests"
	Unavailable   Reason = "unavailable"
	RedisAway     Reason = "redis_away"
	InternalError Reason = "internal"
)

// kind is how a reason looks from outside.
type kind struct {
	reason Reason
	status int
	title  string
	fix    string // the detail, where the error has none of its own
}

// problems is every kind, in the order of the page that explains them.
var problems = []kind{
	{UnknownPath, 404, "Nothing lies here", "See openapi.json for every path there is."},
	{WrongMethod, 405, "This path does not take this method", "See the Allow header."},
	{BadParameter, 400, "A parameter cannot be read", "See openapi.json for the parameters of this operation."},
	{BadBody, 400, "The body cannot be read", "Send one JSON object with the members of openapi.json, each once."},
	{BadMediaType, 415, "The body is of another type", "Send Content-Type: application/json."},
	{TooLarge, 413, "The body is too large", "Send at most 64 KiB."},
	{Invalid, 422, "A value does not do", "See the member it names."},
	{NotFound, 404, "There is no such thing", "List what there is: it may have been deleted."},
	{Exists, 409, "The name is taken", "Choose another name, or change the one there is."},
	{Conflict, 409, "That does not go with how things are", "Look at it again."},
	{Changed, 412, "Somebody else changed it", "Read it again, and send its ETag as If-Match."},
	{NoToken, 401, "An access token is needed", "Send one access token for this API in the Authorization header."},
	{DeadToken, 401, "The access token is not good here", "It is unknown, expired, revoked, for another resource, or not shown as it is bound: get another for this API."},
	{PlainToken, 401, "The access token is not bound to a key", "Tokens of a public client are taken only when they are bound: get one with a DPoP proof, or use a client that has a secret or keys."},
	{BadProof, 401, "The DPoP proof is not good", "Make a new proof for exactly this method and URL, with the key the token is bound to."},
	{NonceNeeded, 401, "The DPoP proof needs a nonce", "Repeat the request with a proof that carries the nonce of the DPoP-Nonce header."},
	{LacksScope, 403, "The access token lacks a scope", "See the scope of WWW-Authenticate: ask for a token that has it."},
	{BeyondYou, 403, "That is more than you have", "Nobody gives scopes of this API that they lack, nor changes who has more: ask somebody who has them."},
	{OwnAccount, 403, "That is your own account", "Change your own account at /account/security, which asks for what you sign in with; another administrator changes your roles and your verified address."},
	{TooMany, 429, "Too many requests", "Wait as long as Retry-After says."},
	{Unavailable, 503, "That cannot be done right now", "Try again in a moment."},
	{RedisAway, 503, "Redis does not answer", "Redis does not answer, which has who is signed in: try again in a moment."},
	{InternalError, 500, "Something went wrong here", "Try again; the server's log has the cause."},
}

func kindOf(r Reason) kind {
	for _, k := range problems {
		if k.reason == r {
			return k
		}
	}
	return kindOf(InternalError)
}

// Error is a refusal. Its detail goes to the caller, its cause to the log only.
type Error struct {
	Reason Reason
	Detail string // a sentence that names the fix; "": the one of the reason
	Member string // JSON Pointer (RFC 6901) to the value, or the parameter's name, or ""
	Cause  error
}

func (e *Error) Error() string {
	if e.Detail != "" {
		return e.Detail
	}
	return kindOf(e.Reason).fix
}

func (e *Error) Unwrap() error { return e.Cause }

// Refuse makes the error of a reason, with a sentence of its own.
func Refuse(r Reason, format string, args ...any) error {
	return &Error{Reason: r, Detail: fmt.Sprintf(format, args...)}
}

// RefuseMember is Refuse for one value of the request.
func RefuseMember(member, format string, args ...any) error {
	return &Error{Reason: Invalid, Member: "/" + member, Detail: fmt.Sprintf(format, args...)}
}

// Problem is the body of an error (RFC 9457 §3.1).
type Problem struct {
	Type   string `json:"type" format:"uri" doc:"The kind of problem: an address that explains it"`
	Title  string `json:"title" doc:"The kind of problem in words"`
	Status int    `json:"status" doc:"The HTTP status"`
	Detail string `json:"detail" doc:"What went wrong this time, and what to do"`
	Reason Reason `json:"reason" doc:"The kind of problem as a word that stays the same"`
	Member string `json:"member,omitzero" doc:"The value it is about: a JSON Pointer into the body, or a parameter's name"`
}

// Error is the detail: a client's error is the problem it was answered.
func (p *Problem) Error() string { return p.Detail }

// problemOf is what a caller is told of an error.
func problemOf(err error, base string) Problem {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Reason: InternalError}
	}
	k := kindOf(e.Reason)
	return Problem{Type: base + docsPath + "#" + string(k.reason), Title: k.title, Status: k.status,
		Detail: e.Error(), Reason: k.reason, Member: e.Member}
}

// ReasonOf is the reason of an answer, "" of any other error.
func ReasonOf(err error) Reason {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Reason
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

func writeProblem(w http.ResponseWriter, p Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	writeBody(w, p.Status, p)
}

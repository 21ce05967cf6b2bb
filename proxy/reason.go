package proxy

import (
	"errors"
	"net/http"
	"time"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/proxy/mcp"
)

// stage of the journey, for audit.
type stage string

const (
	stageFraming    stage = "framing" // before there was a request
	stageAdmit      stage = "origin"
	stageCredential stage = "credential"
	stageVerify     stage = "verify"
	stageSeat       stage = "seat"
	stageDecode     stage = "decode"
	stagePace       stage = "pace"
	stageDecide     stage = "decide"
	stageEquip      stage = "upstream_credential"
	stageForward    stage = "forward"
	stageFilter     stage = "filter"
)

// reason of a refusal: a closed set, each with a row in refusals.
type reason string

const (
	reasonInternal        reason = "internal"
	reasonHost            reason = "host_unknown"
	reasonOrigin          reason = "origin_foreign"
	reasonPath            reason = "path_unknown"
	reasonPathForm        reason = "path_ambiguous"
	reasonQueryToken      reason = "token_in_query"
	reasonBusy            reason = "too_many_in_flight"
	reasonSubjectBusy     reason = "subject_in_flight"
	reasonSubjectStreams  reason = "subject_streams"
	reasonSubjectRate     reason = "rate_subject"
	reasonClientRate      reason = "rate_client"
	reasonToolRate        reason = "rate_tool"
	reasonServerRate      reason = "rate_server"
	reasonRateDown        reason = "rate_memory_unavailable"
	reasonAuditDown       reason = "audit_unavailable"
	reasonNoCredential    reason = "credential_missing"
	reasonTwoCredentials  reason = "credential_several"
	reasonCredentialForm  reason = "credential_malformed"
	reasonBoundAsBearer   reason = "bound_token_as_bearer"
	reasonProofRequired   reason = "proof_required"
	reasonProofOff        reason = "proof_not_accepted"
	reasonUnbound         reason = "token_not_bound"
	reasonKeyMismatch     reason = "proof_key_mismatch"
	reasonNoCertificate   reason = "certificate_required"
	reasonCertMismatch    reason = "certificate_mismatch"
	reasonReplayDown      reason = "replay_memory_unavailable"
	reasonIssuerDown      reason = "issuer_unavailable"
	reasonNoAnswer        reason = "introspection_unavailable"
	reasonRevocationsDown reason = "revocations_unavailable"
	reasonRevoked         reason = "token_revoked"
	reasonMethod          reason = "http_method"
	reasonBody            reason = "body" // refined by mcp.Error
	reasonBodyLarge       reason = "body_too_large"
	reasonBodySlow        reason = "body_not_received"
	reasonBodyBroken      reason = "body_framing"
	reasonTrailer         reason = "trailer"
	reasonLength          reason = "content_length"
	reasonSession         reason = "session_unknown"
	reasonEvent           reason = "event_unknown"
	reasonUnknownName     reason = "name_unknown"
	reasonTasks           reason = "tasks_not_passed"
	reasonScope           reason = "insufficient_scope"
	reasonCredentialFails reason = "upstream_credential_unavailable"
	reasonExchangeRefused reason = "exchange_refused"
	reasonUpstreamDown    reason = "upstream_unreachable"
	reasonUpstreamSlow    reason = "upstream_timeout"
	reasonUpstreamBusy    reason = "upstream_busy"
	reasonUpstreamStarts  reason = "upstream_starting"
	reasonUpstreamRefuses reason = "upstream_refused_credential"
	reasonUpstreamAnswer  reason = "upstream_answer_unreadable"
	reasonStreamBroken    reason = "stream_broken"
	reasonCallerSlow      reason = "caller_too_slow"
	reasonCallerLeft      reason = "caller_left" // before an allowed call was answered to its end
)

// outcome is what a reason looks like on the wire.
type outcome struct {
	status int
	oauth  string // error code of the challenge (RFC 6750 §3.1, RFC 9449 §7.1), "" for none
	public string // what the caller is told
	code   int    // JSON-RPC error code; 0 stands for the HTTP status
	retry  bool   // send Retry-After
}

const (
	invalidRequest    = "invalid_request"
	invalidToken      = "invalid_token"
	invalidProof      = "invalid_dpop_proof"
	useNonce          = "use_dpop_nonce"
	insufficientScope = "insufficient_scope"
)

var refusals = map[reason]outcome{
	reasonInternal: {status: 500},

	reasonHost:       {status: 403, public: "This Host is not served here."},
	reasonOrigin:     {status: 403, public: "Calls from this Origin are not accepted here."},
	reasonPath:       {status: 404, public: "There is no MCP server at this path."},
	reasonPathForm:   {status: 400, public: "The path must be plain: no encoded slashes, dot segments, empty segments, backslashes or semicolons."},
	reasonQueryToken: {status: 400, oauth: invalidRequest, public: "Send the access token in the Authorization header, never in the URL."},
	reasonBusy:       {status: 503, public: "Too many requests are in progress.", retry: true},
	reasonAuditDown:  {status: 503, public: "The call cannot be recorded right now, so it is not carried out.", retry: true},

	reasonNoCredential:   {status: 401, public: "An access token is needed."},
	reasonTwoCredentials: {status: 400, oauth: invalidRequest, public: "Send exactly one Authorization header."},
	reasonCredentialForm: {status: 400, oauth: invalidRequest, public: "Send Authorization: DPoP or Bearer, one space, and the token."},

	reason(token.Malformed):    {status: 401, oauth: invalidToken, public: "The access token is not a well-formed JWT."},
	reason(token.WrongType):    {status: 401, oauth: invalidToken, public: "The token is not an access token."},
	reason(token.UnknownKey):   {status: 401, oauth: invalidToken, public: "The access token is signed with a key its issuer does not publish."},
	reason(token.BadSignature): {status: 401, oauth: invalidToken, public: "The signature of the access token is wrong."},
	reason(token.WrongIssuer):  {status: 401, oauth: invalidToken, public: "The access token is from an issuer that is not trusted here."},
	reason(token.WrongTarget):  {status: 401, oauth: invalidToken, public: "The access token is for another resource."},
	reason(token.Expired):      {status: 401, oauth: invalidToken, public: "The access token has expired."},
	reason(token.NotYetValid):  {status: 401, oauth: invalidToken, public: "The access token is not valid yet."},
	reason(token.MissingClaim): {status: 401, oauth: invalidToken, public: "The access token lacks a required claim."},
	reason(token.Inactive):     {status: 401, oauth: invalidToken, public: "Its issuer says that the access token is not active: get a new one."},
	reason(token.BadBinding):   {status: 401, oauth: invalidToken, public: "The access token is bound in a way that cannot be checked here."},
	reason(token.BadStatus):    {status: 401, oauth: invalidToken, public: "The access token can be revoked in a way that cannot be checked here: its status must name a place (idx) in a status_list at its issuer's own address (uri)."},

	reasonBoundAsBearer: {status: 401, oauth: invalidToken, public: "The access token is bound to a key: send it with the DPoP scheme and a proof."},
	reasonProofRequired: {status: 401, oauth: invalidToken, public: "Only tokens bound to a key are accepted here: get one with DPoP."},
	reasonProofOff:      {status: 401, oauth: invalidToken, public: "The DPoP scheme is not accepted here."},
	reasonUnbound:       {status: 401, oauth: invalidToken, public: "The access token is not bound to a key, so a proof proves nothing."},
	reasonKeyMismatch:   {status: 401, oauth: invalidToken, public: "The proof is signed with another key than the token is bound to."},
	reasonNoCertificate: {status: 401, oauth: invalidToken, public: "The access token is bound to a client certificate: present it on the connection."},
	reasonCertMismatch:  {status: 401, oauth: invalidToken, public: "The connection's client certificate is not the one the access token is bound to."},

	reason(dpop.Missing):       {status: 401, oauth: invalidProof, public: "The DPoP header is missing."},
	reason(dpop.Several):       {status: 401, oauth: invalidProof, public: "Send exactly one DPoP header with one proof."},
	reason(dpop.Malformed):     {status: 401, oauth: invalidProof, public: "The proof is not a well-formed JWT."},
	reason(dpop.WrongType):     {status: 401, oauth: invalidProof, public: "The proof's typ must be dpop+jwt."},
	reason(dpop.BadAlgorithm):  {status: 401, oauth: invalidProof, public: "The proof's algorithm is not accepted: see algs."},
	reason(dpop.BadKey):        {status: 401, oauth: invalidProof, public: "The proof's jwk must be one public key that fits its algorithm."},
	reason(dpop.BadSignature):  {status: 401, oauth: invalidProof, public: "The signature of the proof is wrong."},
	reason(dpop.WrongMethod):   {status: 401, oauth: invalidProof, public: "The proof's htm is not the method of this request."},
	reason(dpop.WrongTarget):   {status: 401, oauth: invalidProof, public: "The proof's htu is not the public URL of this resource."},
	reason(dpop.WrongToken):    {status: 401, oauth: invalidProof, public: "The proof's ath is not the hash of this access token."},
	reason(dpop.TooOld):        {status: 401, oauth: invalidProof, public: "The proof is too old: check the clock and make one for each request."},
	reason(dpop.InFuture):      {status: 401, oauth: invalidProof, public: "The proof is from the future: check the clock."},
	reason(dpop.MissingClaim):  {status: 401, oauth: invalidProof, public: "The proof lacks a required claim."},
	reason(dpop.NonceRequired): {status: 401, oauth: useNonce, public: "Make a proof with the nonce in the DPoP-Nonce header."},
	reason(dpop.NonceInvalid):  {status: 401, oauth: useNonce, public: "Make a proof with the new nonce in the DPoP-Nonce header."},
	reason(dpop.Replayed):      {status: 401, oauth: invalidProof, public: "The proof was used before: make one for each request."},

	reasonSubjectBusy:    {status: 429, public: "Too many of your requests are in progress: wait for answers, or close streams.", retry: true},
	reasonSubjectStreams: {status: 429, public: "Too many of your streams are open: close one first.", retry: true},
	reasonSubjectRate:    {status: 429, public: "You call more often than one caller may: wait as Retry-After says.", retry: true},
	reasonClientRate:     {status: 429, public: "This client calls more often than one client may: wait as Retry-After says.", retry: true},
	reasonToolRate:       {status: 429, public: "You call this tool more often than one caller may: wait as Retry-After says.", retry: true},
	reasonServerRate:     {status: 429, public: "This server is called more often than it takes: wait as Retry-After says.", retry: true},
	reasonRateDown:       {status: 503, public: "Calls cannot be counted right now.", retry: true},

	reasonReplayDown: {status: 503, public: "Proofs cannot be checked against replay right now.", retry: true},
	reasonIssuerDown: {status: 503, public: "The issuer's keys cannot be fetched right now.", retry: true},

	reasonRevoked:         {status: 401, oauth: invalidToken, public: "The access token was revoked: get a new one."},
	reasonRevocationsDown: {status: 503, public: "Whether the access token was revoked cannot be found out right now.", retry: true},
	reasonNoAnswer:        {status: 503, public: "The issuer cannot be asked about the access token right now.", retry: true},

	reasonMethod:     {status: 405, public: "Use POST, GET or DELETE."},
	reasonBody:       {status: 400, code: -32600},
	reasonBodyLarge:  {status: 413, public: "The message is larger than this server accepts.", code: -32600},
	reasonBodySlow:   {status: 408, public: "The message did not arrive in time.", code: -32600},
	reasonBodyBroken: {status: 400, public: "The body ends early or is framed wrongly.", code: -32600},
	reasonTrailer:    {status: 400, public: "Trailers and bodies outside POST are not accepted.", code: -32600},
	reasonLength:     {status: 400, public: "Send one Content-Length of digits, or none.", code: -32600},
	reasonSession:    {status: 404, public: "There is no such session for this caller: start a new one with initialize."},
	reasonEvent:      {status: 400, public: "This Last-Event-ID was not given to this caller here: open the stream without it."},

	reasonUnknownName: {status: 200, code: -32602},
	reasonTasks:       {status: 404, public: "Method not found: this server's policy does not pass tasks on.", code: -32601},
	reasonScope:       {status: 403, oauth: insufficientScope, public: "This call needs more scope: authorize again for all of those named."},

	reasonCredentialFails: {status: 503, public: "The credential for the MCP server is not available right now.", retry: true},
	reasonExchangeRefused: {status: 403, public: "The issuer gives this proxy no token for the MCP server in your name: ask for access to it, or sign in again."},
	reasonUpstreamDown:    {status: 502, public: "The MCP server cannot be reached."},
	reasonUpstreamSlow:    {status: 504, public: "The MCP server did not answer in time."},
	reasonUpstreamBusy:    {status: 503, public: "The MCP server has as many requests in progress as it takes: try again soon.", retry: true},
	reasonUpstreamStarts:  {status: 503, public: "The MCP server is being started: try again soon.", retry: true},
	reasonUpstreamRefuses: {status: 502, public: "The MCP server does not accept this proxy: its operator must check the credential."},
	reasonUpstreamAnswer:  {status: 502, public: "The MCP server's answer cannot be read, so it is not passed on."},
	reasonStreamBroken:    {status: 502, public: "The stream broke off."},
	reasonCallerSlow:      {status: 502, public: "The caller did not take its answer."},
	reasonCallerLeft:      {status: 502, public: "The caller went away."},
}

// refusal is an error with its place and reason. Cause is for the log.
type refusal struct {
	stage  stage
	reason reason
	cause  error

	visit    visit         // where the caller is, once known
	scheme   scheme        // what the caller presented, once known
	required []string      // every scope this call needs
	scope    []string      // every scope the next token should hold
	wire     *mcp.Error    // refines the row of reasonBody
	call     call          // whose id the answer carries
	public   string        // replaces the row's sentence
	allowed  string        // Allow header
	wait     time.Duration // until trying again makes sense; 0 when nobody knows
}

func refused(at stage, why reason, cause error) *refusal {
	return &refusal{stage: at, reason: why, cause: cause}
}

func (r *refusal) Error() string { return string(r.stage) + ": " + string(r.reason) }
func (r *refusal) Unwrap() error { return r.cause }

// outcome looks the reason up. What no table knows is a 500 that says nothing.
func (r *refusal) outcome() outcome {
	row, ok := refusals[r.reason]
	if !ok {
		return refusals[reasonInternal]
	}
	if r.wire != nil {
		row.status, row.code, row.public = r.wire.Status, r.wire.Code, r.wire.Public
	}
	if r.public != "" {
		row.public = r.public
	}
	return row
}

// label is the reason as audit and metrics name it.
func (r *refusal) label() string {
	if r.wire != nil {
		return r.wire.Reason
	}
	return string(r.reason)
}

// asRefusal makes sure that every error has a row.
func asRefusal(err error, at stage) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	return refused(at, reasonInternal, err)
}

// challenged says whether a status carries WWW-Authenticate.
func (o outcome) challenged() bool {
	return o.status == http.StatusUnauthorized || o.oauth != ""
}

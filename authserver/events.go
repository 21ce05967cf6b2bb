package authserver

import "github.com/postern-mcp/postern/authserver/risk"

// event is something that is put on record. All there are stand in the table below.
type event string

// decision is what an event means for whoever asked.
type decision string

const (
	decisionAllow  decision = "allow"
	decisionStepUp decision = "step_up" // more has to be shown first
	decisionDeny   decision = "deny"
	decisionChange decision = "change" // something is another than before
	decisionNote   decision = "note"   // nothing is decided yet
	decisionJudged decision = ""       // as the judgement says
)

// happening is what an event stands for.
type happening struct {
	decision decision
	text     string
}

// happenings are all there are; docs/operations.md has them from here.
var happenings = map[event]happening{
	"request.refused": {decisionDeny, "a request was refused, or failed; `reason` says why"},
	"admin.refused":   {decisionDeny, "a request to the administration API was refused, or failed"},

	"token.issued":    {decisionAllow, "an access token was issued"},
	"token.revoked":   {decisionChange, "an access token was revoked, or with a refresh token its whole grant: by its client, its person or an administrator"},
	"grant.revoked":   {decisionChange, "a grant ended, with its tokens"},
	"code.reuse":      {decisionDeny, "a code came a second time; what came of the first is revoked"},
	"refresh.reuse":   {decisionDeny, "a refresh token came again after its successor was used; the grant is revoked"},
	"assertion.reuse": {decisionDeny, "a client assertion came a second time"},

	"consent.granted":     {decisionAllow, "a person allowed a client"},
	"consent.denied":      {decisionDeny, "a person turned a client down"},
	"consent.removed":     {decisionChange, "a person took back what a client was allowed"},
	"device.waits":        {decisionNote, "a device shows a code and waits"},
	"device.allowed":      {decisionAllow, "a person allowed what a device waits for"},
	"device.denied":       {decisionDeny, "a person turned a device down"},
	"device.code_refused": {decisionDeny, "a code was typed that no device shows"},

	"login.judged":         {decisionJudged, "a sign-in was judged by earlier ones; `decision` says how"},
	"login.ok":             {decisionAllow, "a person signed in"},
	"login.failed":         {decisionDeny, "a sign-in failed; without `subject` when nobody has that name"},
	"login.second_failed":  {decisionDeny, "a second factor was wrong"},
	"login.factor_missing": {decisionStepUp, "a second factor is demanded of somebody who has none: they are sent to set one up"},
	"login.sent_away":      {decisionNote, "a person was sent to another provider to sign in"},
	"logout":               {decisionChange, "a person signed out"},
	"session.ended":        {decisionChange, "a session was ended, or all of a person's others"},
	"sessions.ended":       {decisionChange, "sessions without a second factor ended when one was set up"},
	"browser.remembered":   {decisionChange, "a browser is not asked for the second factor for a while"},
	"browser.forgotten":    {decisionChange, "a browser, or all of a person, is asked for the second factor again"},

	"account.created":         {decisionChange, "a person created their account"},
	"account.profile_changed": {decisionChange, "a person changed what is known of them"},
	"account.stranger":        {decisionChange, "a person said that a sign-in was not theirs: their other sessions ended, and no browser is remembered"},
	"password.changed":        {decisionChange, "a person changed their password"},
	"password.reset":          {decisionChange, "a person chose a new password by a link"},
	"factor.added":            {decisionChange, "a second factor or passkey was set up"},
	"factor.removed":          {decisionChange, "a person removed a second factor or passkey of theirs"},
	"recovery_codes.made":     {decisionChange, "recovery codes were made"},
	"recovery_code.used":      {decisionChange, "a recovery code was used"},
	"passkey.cloned":          {decisionDeny, "somebody has a copy of a passkey; it opens nothing any more"},
	"identity.linked":         {decisionChange, "an account of another provider was linked"},
	"identity.unlinked":       {decisionChange, "an account of another provider was unlinked"},

	"client.registered": {decisionChange, "a client registered itself"},
	"client.replaced":   {decisionChange, "a client changed its registration"},
	"client.deleted":    {decisionChange, "a client was deleted, by itself or an administrator"},

	"user.created":        {decisionChange, "an account was made: by an administrator, or for somebody whom another provider vouches for"},
	"user.changed":        {decisionChange, "an administrator changed an account; `changed_…` names what"},
	"user.roles":          {decisionChange, "a person's roles were changed; these are all they have"},
	"user.password":       {decisionChange, "an administrator set a password"},
	"user.factor_removed": {decisionChange, "an administrator removed a second factor"},
	"user.deleted":        {decisionChange, "an account was deleted"},
	"client.created":      {decisionChange, "an administrator or operator registered a client"},
	"client.changed":      {decisionChange, "an administrator changed a client"},
	"client.roles":        {decisionChange, "a client's roles were changed; these are all it has"},
	"client.secret":       {decisionChange, "a client got a new secret"},
	"ticket.made":         {decisionChange, "an invitation, or a link for a new password, was made"},
	"ticket.cancelled":    {decisionChange, "an invitation was taken back"},
	"secrets.resealed":    {decisionChange, "everything was sealed anew with the current secret"},

	"key.rotated":    {decisionChange, "an administrator brought the next signing key"},
	"key.taken_back": {decisionChange, "an administrator revoked a signing key"},
	"key.published":  {decisionChange, "a signing key is published; like `key.signs`, `key.revoked` and `key.gone`, a line of each instance"},
	"key.signs":      {decisionChange, "a signing key signs from now on"},
	"key.revoked":    {decisionChange, "a signing key is good for nothing any more"},
	"key.gone":       {decisionChange, "a signing key was retired: what it signed has expired"},
}

// judgements are the decisions of login.judged.
var judgements = map[risk.Outcome]decision{risk.Allow: decisionAllow, risk.StepUp: decisionStepUp, risk.Refuse: decisionDeny}

func decisionOf(e event, fields []any) decision {
	if d := happenings[e].decision; d != decisionJudged {
		return d
	}
	return judgements[risk.Outcome(textIn(fields, "outcome"))]
}

// members are those a line may have, beside time, event and decision.
var members = map[string]string{
	"issuer":          "of this authorization server",
	"request_id":      "of the request that did it; the caller gets it as `X-Request-Id`",
	"address":         "where the request came from",
	"path":            "of the request, without its query and without segments of 40 characters and more, which may be secrets",
	"method":          "of the request",
	"reason":          "why it was refused: a word of a closed set",
	"unrecorded":      "how many refusals since the last line had none of their own: of unknown paths, wrong methods and hosts, and too many requests, 50 a second have",
	"client_id":       "of the client that asked, or that was changed",
	"client_proven":   "whether the client proved that it is that one",
	"subject":         "the id of the person, or of the machine",
	"user":            "the user name of the person",
	"name":            "of the client, as it says",
	"grant_type":      "what the client asked with",
	"grant":           "what a person allowed, by its id",
	"whole_grant":     "whether all of it was revoked",
	"grants_ended":    "whether what people had allowed the client ended",
	"token_id":        "`jti` of the access token; audit lines of proxies have the same",
	"resource":        "the audience of the token",
	"resources":       "what a client is for",
	"scope":           "what was asked for, allowed, or is in the token",
	"scopes":          "what a client may have",
	"left_out":        "scopes that the roles or the client no longer give",
	"not_in_roles":    "scopes that were asked for, and that the person's roles do not give",
	"bound":           "whether the token is bound to a key or certificate",
	"auth_method":     "how the client authenticates",
	"type":            "`application_type` of the client: web or native",
	"redirect_uris":   "of the client",
	"redirect_host":   "where the person was sent back to",
	"amr":             "what was proved (RFC 8176)",
	"outcome":         "how the sign-in was judged: allow, step_up, refuse",
	"score":           "how unusual the sign-in was",
	"reasons":         "what was unusual about the sign-in",
	"network":         "the network the sign-in came from, as records of sign-ins have it",
	"agent":           "the browser, as records of sign-ins have it",
	"wanted":          "the level that was demanded: mfa, phr",
	"provider":        "the provider's name in the configuration",
	"provider_issuer": "the provider's issuer",
	"session":         "which session, by a name that opens nothing",
	"sessions":        "how many sessions ended",
	"number":          "how many there were",
	"because":         "what ended the sessions",
	"until":           "how long the browser is remembered",
	"all":             "whether it was all browsers of the person",
	"factor":          "code, passkey, or recovery",
	"passkey":         "which passkey, by its credential id",
	"replaced":        "whether it took the place of another",
	"purpose":         "of a link: invitation or password reset",
	"invitation":      "which invitation, by its id",
	"invited_by":      "who made the invitation",
	"by":              "who made the link",
	"roles":           "all roles that are held, or will be",
	"overlap_seconds": "for how many seconds the secret before is good",
	"kid":             "of a signing key",
	"by_kid":          "of the key that took its place",
	"algorithm":       "of a signing key",
	"signs_from":      "from when on it signs",
	"actor":           "which administrator did it, by id; `operator` is whoever has the machine",
	"actor_kind":      "`person`, `client` or `operator`",
	"actor_client":    "the client they did it with",

	"changed_full_name":      "whether an administrator changed the name",
	"changed_email":          "whether an administrator changed the address",
	"changed_email_verified": "whether an administrator changed whether the address is verified",
	"disabled":               "whether the account is disabled from now on",
}

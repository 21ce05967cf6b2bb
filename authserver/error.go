package authserver

// Reason is why a request was refused: a closed set, safe for logs and metrics.
type Reason string

// Every reason there is. The table below says how each looks from outside.
const (
	BadForm             Reason = "bad_form"
	BadContentType      Reason = "bad_content_type"
	BodyTooLarge        Reason = "body_too_large"
	BodyTooSlow         Reason = "body_too_slow"
	RepeatedParameter   Reason = "repeated_parameter"
	MissingParameter    Reason = "missing_parameter"
	WrongHost           Reason = "wrong_host"
	UnknownPath         Reason = "unknown_path"
	WrongVerb           Reason = "wrong_method"
	NoClient            Reason = "no_client"
	UnknownClient       Reason = "unknown_client"
	WrongClientSecret   Reason = "wrong_client_secret"
	SeveralCredentials  Reason = "several_client_credentials"
	WrongMethod         Reason = "wrong_auth_method"
	MethodOff           Reason = "auth_method_off"
	BadAssertion        Reason = "bad_client_assertion"
	AssertionKey        Reason = "client_assertion_key"
	AssertionAudience   Reason = "client_assertion_audience"
	AssertionTime       Reason = "client_assertion_time"
	AssertionReplayed   Reason = "client_assertion_replayed"
	KeysUnreachable     Reason = "client_keys_unreachable"
	NoCertificate       Reason = "no_client_certificate"
	WrongCertificate    Reason = "wrong_client_certificate"
	PublicNotAllowed    Reason = "public_client_not_allowed"
	GrantNotAllowed     Reason = "grant_type_not_allowed"
	UnknownGrantType    Reason = "unknown_grant_type"
	UnknownResponseType Reason = "unknown_response_type"
	UnregisteredTarget  Reason = "unregistered_redirect"
	BadChallenge        Reason = "bad_code_challenge"
	BadThumbprint       Reason = "bad_dpop_jkt"
	BadCode             Reason = "bad_code"
	BadDeviceCode       Reason = "bad_device_code"
	BadUserCode         Reason = "bad_user_code"
	DevicePending       Reason = "device_pending"
	DeviceTooSoon       Reason = "device_too_soon"
	DeviceExpired       Reason = "device_expired"
	CodeReused          Reason = "code_reused"
	BadVerifier         Reason = "bad_code_verifier"
	WrongKey            Reason = "wrong_proof_key"
	BadRefreshToken     Reason = "bad_refresh_token"
	RefreshReused       Reason = "refresh_reused"
	StepUpPending       Reason = "step_up_pending"
	BadStepUpSecret     Reason = "bad_step_up_secret"
	ForeignToken        Reason = "foreign_token"
	BadScope            Reason = "bad_scope"
	BadTarget           Reason = "bad_target"
	TargetNotAllowed    Reason = "target_not_allowed"
	AdminForStrangers   Reason = "admin_for_strangers"
	NothingLeft         Reason = "nothing_left"
	RequestObject       Reason = "request_object"
	NoAccessToken       Reason = "no_access_token"
	PlainAccessToken    Reason = "plain_access_token"
	DeadAccessToken     Reason = "dead_access_token"
	TokenWithoutOpenID  Reason = "token_without_openid"
	LacksAdminScope     Reason = "lacks_admin_scope"
	BadResourceProof    Reason = "bad_resource_proof"
	ResourceNonce       Reason = "resource_nonce_needed"
	ForeignHint         Reason = "foreign_id_token_hint"
	UnregisteredLogout  Reason = "unregistered_logout_redirect"
	BadDetails          Reason = "bad_authorization_details"
	BadPrompt           Reason = "bad_prompt"
	BadMaxAge           Reason = "bad_max_age"
	UnmetACR            Reason = "unmet_acr"
	UnmetLevel          Reason = "unmet_level"
	AccountOff          Reason = "account_off"
	PersonOff           Reason = "person_off"
	NotTheirs           Reason = "not_in_roles"
	LoginRequired       Reason = "login_required"
	ConsentRequired     Reason = "consent_required"
	Denied              Reason = "denied"
	BadProof            Reason = "bad_proof"
	ProofAlgorithm      Reason = "proof_algorithm"
	ProofReplayed       Reason = "proof_replayed"
	ProofRequired       Reason = "proof_required"
	NonceNeeded         Reason = "nonce_needed"
	ReplayUnavailable   Reason = "replay_unavailable"
	RegistrationOff     Reason = "registration_off"
	RegistrationFull    Reason = "registration_full"
	BadInitialToken     Reason = "bad_initial_access_token"
	BadManagementToken  Reason = "bad_registration_access_token"
	BadMetadata         Reason = "bad_client_metadata"
	BadRedirect         Reason = "bad_redirect_uri"
	BadDocument         Reason = "bad_client_document"
	UntrustedDocument   Reason = "untrusted_client_document"
	DocumentUnreachable Reason = "client_document_unreachable"
	TooMany             Reason = "too_many_requests"
	TooManyTokens       Reason = "too_many_tokens"
	Busy                Reason = "busy"
	DatabaseAway        Reason = "database_away"
	RedisAway           Reason = "redis_away"
	AuditAway           Reason = "audit_unavailable"
	NestedRequest       Reason = "nested_request_uri"
	OtherThumbprint     Reason = "dpop_jkt_of_another_key"
	PushTooLarge        Reason = "pushed_request_too_large"
	PushRequired        Reason = "pushed_request_required"
	BadRequestURI       Reason = "bad_request_uri"
	PushedElsewhere     Reason = "pushed_unregistered_redirect"
	OtherRedirect       Reason = "other_redirect_uri"
	OtherResource       Reason = "other_resource"
	StaleForm           Reason = "stale_form"
	NoSession           Reason = "no_session"
	NotAdministrator    Reason = "not_an_administrator"
	NoSuchThing         Reason = "no_such_thing"
	BeyondYou           Reason = "beyond_administrator"
	ChangedMeanwhile    Reason = "changed_meanwhile"
	DeskRefused         Reason = "administration_refused"
	OwnAccount          Reason = "own_account"
	BadRequestState     Reason = "bad_request_state"
	RequestSpent        Reason = "request_spent"
	CrossSite           Reason = "cross_site"
	WrongPassword       Reason = "wrong_password"
	UnusualSignIn       Reason = "unusual_sign_in"
	WrongSecond         Reason = "wrong_second_factor"
	SecondUsed          Reason = "second_factor_used"
	WrongPasskey        Reason = "wrong_passkey"
	PasskeyCloned       Reason = "passkey_cloned"
	PasskeyExists       Reason = "passkey_exists"
	TooManyPasskeys     Reason = "too_many_passkeys"
	BadTicket           Reason = "bad_ticket"
	SignUpOff           Reason = "sign_up_off"
	NameTaken           Reason = "name_taken"
	BadName             Reason = "bad_name"
	WeakPassword        Reason = "weak_password"
	SamePassword        Reason = "same_password"
	PasswordsDiffer     Reason = "passwords_differ"
	NetworkDenied       Reason = "network_denied"
	SignInRefused       Reason = "sign_in_refused"
	NoCookie            Reason = "no_cookie"
	NoHistory           Reason = "no_history"
	ProviderUnreachable Reason = "provider_unreachable"
	ProviderDenied      Reason = "provider_denied"
	ProviderRefused     Reason = "provider_refused"
	ProviderNotFresh    Reason = "provider_not_fresh"
	NotAdmitted         Reason = "address_not_admitted"
	NotLinked           Reason = "identity_unknown"
	IdentityTaken       Reason = "identity_taken"
	OtherAccount        Reason = "other_account"
	LastWayIn           Reason = "last_way_in"
)

type answer struct {
	status int
	code   string // OAuth error code
	text   string // one sentence for the caller, naming the fix
}

// answers maps every reason to the wire. A reason that is not here is a 500
// with nothing in it.
var answers = map[Reason]answer{
	BadForm:             {400, "invalid_request", "The request cannot be read: check its encoding."},
	BadContentType:      {400, "invalid_request", "This endpoint takes application/x-www-form-urlencoded, or application/json for registration."},
	BodyTooLarge:        {413, "invalid_request", "The request is larger than 64 KiB."},
	BodyTooSlow:         {408, "invalid_request", "The request did not arrive in time."},
	RepeatedParameter:   {400, "invalid_request", "A parameter is there more than once: send it at most once."},
	MissingParameter:    {400, "invalid_request", "A required parameter is missing or empty."},
	WrongHost:           {421, "invalid_request", "This Host is not served here: use the address of the issuer."},
	UnknownPath:         {404, "invalid_request", "There is nothing here: the endpoints are listed in the metadata."},
	WrongVerb:           {405, "invalid_request", "This endpoint does not take this method: see the Allow header."},
	NoClient:            {401, "invalid_client", "The request does not say which client it is from."},
	UnknownClient:       {401, "invalid_client", "This client is not registered here: it must register again."},
	WrongClientSecret:   {401, "invalid_client", "Client authentication failed."},
	SeveralCredentials:  {400, "invalid_request", "Use one way of client authentication per request."},
	WrongMethod:         {401, "invalid_client", "This client authenticates in the way it registered as token_endpoint_auth_method, and in no other."},
	MethodOff:           {401, "invalid_client", "Clients do not authenticate in this way here: see token_endpoint_auth_methods_supported."},
	BadAssertion:        {401, "invalid_client", "The client assertion is not one: a signed JWT with the client_id as iss and sub, and a jti, sent with the client_assertion_type of RFC 7523."},
	AssertionKey:        {401, "invalid_client", "The client assertion is not signed by a registered key of this client, or not with an algorithm of token_endpoint_auth_signing_alg_values_supported."},
	AssertionAudience:   {401, "invalid_client", "The client assertion is for somebody else: aud must be the issuer, as a string and exactly as in the metadata."},
	AssertionTime:       {401, "invalid_client", "The client assertion has expired, is not valid yet, or too long: exp lies at most ten minutes ahead."},
	AssertionReplayed:   {401, "invalid_client", "The client assertion was used before: make a new one, with another jti, for every request."},
	KeysUnreachable:     {503, "temporarily_unavailable", "No keys of the client come from its jwks_uri right now: its host, which is a public one unless this server allows localhost, must answer with status 200, as application/json, with a JWK Set of public keys; try again once it does."},
	NoCertificate:       {401, "invalid_client", "This client must show its certificate on the connection."},
	WrongCertificate:    {401, "invalid_client", "The certificate of the connection is not this client's."},
	PublicNotAllowed:    {401, "invalid_client", "This endpoint needs a client that authenticates."},
	GrantNotAllowed:     {400, "unauthorized_client", "This client is not registered for this grant type."},
	UnknownGrantType:    {400, "unsupported_grant_type", "This grant type does not exist here: see grant_types_supported."},
	UnknownResponseType: {400, "unsupported_response_type", "Only response_type=code exists here."},
	UnregisteredTarget:  {400, "invalid_request", "The application asked to send you to an address (redirect_uri) that it never registered, so we stopped."},
	BadChallenge:        {400, "invalid_request", "PKCE is required: send code_challenge with code_challenge_method=S256."},
	BadThumbprint:       {400, "invalid_request", "dpop_jkt must be a base64url SHA-256 key thumbprint."},
	BadCode:             {400, "invalid_grant", "The code is unknown, expired, used, or another client's: authorize again."},
	BadDeviceCode:       {400, "invalid_grant", "The device_code is unknown, used, or another client's: begin again at device_authorization_endpoint."},
	BadUserCode:         {400, "invalid_request", "No device shows this code right now. Look at your device again, and begin anew there if its code is older than ten minutes."},
	DevicePending:       {400, "authorization_pending", "The person has not answered yet: ask again after interval seconds."},
	DeviceTooSoon:       {400, "slow_down", "Asked too soon: from now on wait five seconds longer between two questions."},
	DeviceExpired:       {400, "expired_token", "Nobody answered in time: begin again at device_authorization_endpoint."},
	CodeReused:          {400, "invalid_grant", "The code is unknown, expired, used, or another client's: authorize again."},
	BadVerifier:         {400, "invalid_grant", "The code_verifier does not match the code_challenge."},
	WrongKey:            {400, "invalid_grant", "The proof is not from the key this grant is bound to."},
	BadRefreshToken:     {400, "invalid_grant", "The refresh token is unknown, expired, revoked, or another client's: authorize again."},
	RefreshReused:       {400, "invalid_grant", "The refresh token is unknown, expired, revoked, or another client's: authorize again."},
	StepUpPending:       {400, "interaction_required", "What the client last tried needs more than was granted, or a later sign-in: send the person through authorization again."},
	BadStepUpSecret:     {401, "invalid_token", "Only a resource server that knows the shared secret may tell of a step-up."},
	ForeignToken:        {400, "invalid_grant", "The token was not issued to this client."},
	BadScope:            {400, "invalid_scope", "A requested scope does not exist here, or is more than this client may have."},
	BadTarget:           {400, "invalid_target", "Name exactly one resource of protected_resources in the resource parameter."},
	TargetNotAllowed:    {400, "invalid_target", "This client has no scope of this resource: name another resource, or ask the operator for a client that may use this one."},
	AdminForStrangers:   {400, "invalid_scope", "Clients that registered themselves, or whose scopes nobody here named, get no scope of the administration: use postern admin login, or ask an administrator to make a client with these scopes."},
	NothingLeft:         {400, "invalid_grant", "Nothing of what was granted exists here any more: authorize again."},
	RequestObject:       {400, "request_not_supported", "Request objects (request) are not read here: send the parameters themselves, or push them."},
	PlainAccessToken:    {401, "invalid_token", "The access token is of a public client, and not bound to a key: get one with a DPoP proof."},
	NoAccessToken:       {401, "invalid_token", "This endpoint needs one access token, in the Authorization header."},
	DeadAccessToken:     {401, "invalid_token", "The access token is unknown, expired, revoked, or not shown as it is bound: with a proof (DPoP), its certificate, or neither (Bearer)."},
	TokenWithoutOpenID:  {403, "insufficient_scope", "The access token lacks the scope openid."},
	LacksAdminScope:     {403, "insufficient_scope", "The access token lacks the scope that this takes: see the scope of WWW-Authenticate."},
	BadResourceProof:    {401, "invalid_dpop_proof", "The DPoP proof is not valid for this request, or not of the key the token is bound to."},
	ResourceNonce:       {401, "use_dpop_nonce", "Repeat the request with a proof that carries the nonce of the DPoP-Nonce header."},
	ForeignHint:         {400, "invalid_request", "The ID token was not issued to this application."},
	UnregisteredLogout:  {400, "invalid_request", "The application asked to send you to an address (post_logout_redirect_uri) that it never registered, so we stopped."},
	BadDetails:          {400, "invalid_authorization_details", "authorization_details must be a JSON array of objects of authorization_details_types_supported, with the members of their types; in a token request, no more than was granted."},
	BadPrompt:           {400, "invalid_request", "prompt takes none alone, or login, consent and select_account."},
	BadMaxAge:           {400, "invalid_request", "max_age takes a whole number of seconds."},
	UnmetACR:            {400, "unmet_authentication_requirements", "Nobody can sign in here in any way of acr_values: see acr_values_supported."},
	UnmetLevel:          {400, "unmet_authentication_requirements", "This needs a stronger sign-in than this person can do: they set up a second factor or a passkey first."},
	AccountOff:          {403, "access_denied", "This account is disabled: nobody can sign in to it, and its applications get nothing. Ask an administrator of this server to enable it."},
	PersonOff:           {400, "invalid_grant", "The account of the person who granted this is disabled or gone."},
	NotTheirs:           {403, "access_denied", "What was asked for is not in the roles of this person: an administrator can give them one that has it."},
	LoginRequired:       {400, "login_required", "The person has to sign in: ask again without prompt=none."},
	ConsentRequired:     {400, "consent_required", "The person has to be asked: ask again without prompt=none."},
	Denied:              {400, "access_denied", "The person said no."},
	BadProof:            {400, "invalid_dpop_proof", "The DPoP proof is not valid for this request."},
	ProofAlgorithm:      {400, "invalid_dpop_proof", "Proofs are not signed with this algorithm here: see dpop_signing_alg_values_supported."},
	ProofReplayed:       {400, "invalid_dpop_proof", "The DPoP proof was used before: make a new one for every request."},
	ProofRequired:       {400, "invalid_dpop_proof", "This client must send a DPoP proof."},
	NonceNeeded:         {400, "use_dpop_nonce", "Repeat the request with a proof that carries the nonce of the DPoP-Nonce header."},
	ReplayUnavailable:   {503, "temporarily_unavailable", "The proof cannot be checked right now: try again."},
	RegistrationOff:     {403, "access_denied", "Client registration is closed."},
	RegistrationFull:    {503, "temporarily_unavailable", "Many applications registered just now and nobody used them yet: try again in a few minutes."},
	BadInitialToken:     {401, "invalid_token", "Registration needs the initial access token as a bearer token."},
	BadManagementToken:  {401, "invalid_token", "A registration is read and changed with its registration_access_token as a bearer token; without it, register again."},
	BadMetadata:         {400, "invalid_client_metadata", "The client metadata is not acceptable."},
	BadRedirect:         {400, "invalid_redirect_uri", "A redirect URI is not acceptable: https, a loopback address for native applications, or a reverse-domain scheme."},
	BadDocument:         {400, "invalid_client", "The client's metadata document is not acceptable."},
	UntrustedDocument:   {400, "invalid_client", "Clients of this host are not let in here: ask the operator, or register."},
	DocumentUnreachable: {503, "temporarily_unavailable", "No metadata document of the client comes from the address that is its client_id right now: its host, which is a public one unless this server allows localhost, must answer with status 200, as application/json, with one that has this address as client_id; try again once it does."},
	TooMany:             {429, "temporarily_unavailable", "Too many requests: wait and try again."},
	TooManyTokens:       {429, "temporarily_unavailable", "This grant has as many access tokens as it may have: use one until it expires, and refresh then."},
	Busy:                {503, "temporarily_unavailable", "Too much to do right now: try again in a moment."},
	DatabaseAway:        {503, "temporarily_unavailable", "What this server keeps cannot be reached right now: try again in a minute."}, // RFC 6749 §4.1.2.1; for tokens, which have no code for it, the status says as much
	RedisAway:           {503, "temporarily_unavailable", "What this server keeps in Redis cannot be reached right now: try again in a minute."},
	AuditAway:           {503, "temporarily_unavailable", "What happens here cannot be put on record right now, so nothing does: try again soon."},
	NestedRequest:       {400, "invalid_request", "A pushed request carries the parameters themselves, and no request_uri."},
	OtherThumbprint:     {400, "invalid_dpop_proof", "dpop_jkt is not the thumbprint of the key of the proof: send one of them, or the same key."},
	PushTooLarge:        {413, "invalid_request", "The pushed request is larger than 8 KiB: send less, such as a shorter state."},
	PushRequired:        {400, "invalid_request", "Authorization requests must be pushed first: see pushed_authorization_request_endpoint."},
	PushedElsewhere:     {400, "invalid_request", "The redirect_uri is not one that this client registered: it is compared letter by letter, but for the port of a loopback address."},
	OtherRedirect:       {400, "invalid_grant", "The redirect_uri is not the one of the authorization request: send that one, or none."},
	OtherResource:       {400, "invalid_target", "What was granted is for another resource: name the one of the authorization request, or none."},
	BadRequestURI:       {400, "invalid_request_uri", "This request is too old, or was pushed by another application: start again from your application."},
	StaleForm:           {400, "invalid_request", "This page is from an earlier sign-in: open it again, and repeat what you did."},
	NoSession:           {403, "access_denied", "Nobody is signed in here any more: open the page again."},
	NotAdministrator:    {403, "access_denied", "Your account is not for administration: somebody who administers this server can give you a role."},
	NoSuchThing:         {404, "invalid_request", "There is no such thing: it may have been deleted."},
	BeyondYou:           {403, "access_denied", "That is more than you have: nobody gives rights of the administration that they lack, nor changes who has more."},
	ChangedMeanwhile:    {409, "invalid_request", "Somebody else changed it since you opened the page: open it again, and look at what is there now."},
	DeskRefused:         {422, "invalid_request", "That cannot be done."},
	OwnAccount:          {403, "access_denied", "This is your own account: change how you sign in under Account, Security. Its roles and verified address, disabling and deleting it are for another administrator."},
	BadRequestState:     {400, "invalid_request", "This page is too old or belongs to another browser: start again from your application."},
	RequestSpent:        {400, "invalid_request", "This request was answered before: start again from your application."},
	CrossSite:           {403, "access_denied", "The form was sent from another site."},
	WrongSecond:         {403, "access_denied", "That is not the code of this moment. Type the one your app shows now; if it is never right, the clock of your phone may be wrong."},
	SecondUsed:          {403, "access_denied", "This code was used before. Wait until your app shows the next one."},
	WrongPasskey:        {403, "access_denied", "This passkey is not known here. Sign in with your password, and add it under Security in your account."},
	PasskeyCloned:       {403, "access_denied", "This passkey has a copy, so it opens nothing any more. Sign in another way, remove it under Security in your account, and add a new one."},
	PasskeyExists:       {400, "invalid_request", "This passkey is registered already."},
	TooManyPasskeys:     {400, "invalid_request", "There are 20 passkeys, which is as many as an account can have: remove one first."},
	BadTicket:           {400, "invalid_request", "This link was used before, or is too old: ask whoever gave it to you for a new one."},
	SignUpOff:           {403, "access_denied", "Nobody can create an account here without an invitation: ask an administrator for one."},
	NameTaken:           {400, "invalid_request", "Somebody has this user name: choose another one."},
	BadName:             {400, "invalid_request", "A user name has 3 to 64 characters: letters a-z in lower case, digits, dots, hyphens and underscores, and begins with a letter."},
	WeakPassword:        {400, "invalid_request", "This password would be guessed soon: choose another one."},
	SamePassword:        {400, "invalid_request", "This is the password the account has now: choose another one."},
	PasswordsDiffer:     {400, "invalid_request", "The two passwords are not the same: type them again."},
	WrongPassword:       {403, "access_denied", wrongOrUnusual},
	UnusualSignIn:       {403, "access_denied", "Too much about this sign-in is unusual: sign in from where you did before, or try again in an hour."},
	NetworkDenied:       {403, "access_denied", "Nobody may sign in from the network you are on: use another one, or ask the operator."},
	SignInRefused:       {403, "access_denied", wrongOrUnusual},
	NoCookie:            {400, "invalid_request", "Your browser did not send our cookie: allow cookies for this site and start again from your application."},
	NoHistory:           {501, "invalid_request", "Only the current status list is kept: ask without time."},
	ProviderUnreachable: {503, "temporarily_unavailable", "It cannot be reached right now. Try again in a minute, or sign in another way."},
	ProviderDenied:      {403, "access_denied", "You did not sign in there. Try again, or sign in another way."},
	ProviderRefused:     {400, "invalid_request", "What came back from there cannot be used. Try again; if that does not help, tell whoever runs this server."},
	ProviderNotFresh:    {403, "access_denied", "You were let through without being asked who you are, or it does not say when you were. For this, sign in another way."},
	NotAdmitted:         {403, "access_denied", "Accounts with this address are not let in here. Use one of your organization, or sign in another way."},
	NotLinked:           {403, "access_denied", "Nobody here is known by that account. Sign in as you did before and link it on your account page, or ask an administrator for an account."},
	IdentityTaken:       {409, "access_denied", "That account belongs to somebody else here, or you have linked another one of the same provider: unlink that first."},
	OtherAccount:        {403, "access_denied", "You are signed in to another account than the one that was to be linked. Nothing was linked."},
	LastWayIn:           {409, "access_denied", "This is the last way in to your account: choose a password under Security first."},
}

// wrongOrUnusual does not tell a thief that the password is right.
const wrongOrUnusual = "The name or the password is wrong, or this sign-in is too unusual. Type both again: capital letters count in the password. If they are right, sign in where you did before, or ask an administrator of this server."

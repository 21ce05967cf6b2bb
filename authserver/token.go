package authserver

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/token"
)

// tokenRequest is an authenticated request for tokens whose proof, if there
// is one, holds. Only readTokenRequest makes one.
type tokenRequest struct {
	params params
	client client
	key    string // thumbprint of the proof's key, "" without a proof

	certificate string // thumbprint of the certificate tokens are bound to, or ""
}

// tokenAnswer is RFC 6749 §5.1.
type tokenAnswer struct {
	AccessToken  string         `json:"access_token"`
	TokenType    string         `json:"token_type"`
	ExpiresIn    int64          `json:"expires_in"`
	Scope        string         `json:"scope"`
	RefreshToken string         `json:"refresh_token,omitzero"`
	Details      jsontext.Value `json:"authorization_details,omitzero"` // RFC 9396 §7
	IDToken      string         `json:"id_token,omitzero"`              // OpenID Connect Core §3.1.3.3
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) error {
	giveBack, err := s.limits.guess.try(s.network(r))
	if err != nil {
		return err
	}
	req, err := s.readTokenRequest(w, r)
	if err != nil {
		return tokenRefused(err, giveBack)
	}
	if giveBack, err = s.chargeClient(req.client, giveBack); err != nil {
		return tokenRefused(err, giveBack)
	}
	a, err := s.grant(r, req)
	if err != nil {
		return tokenRefused(err, giveBack)
	}
	giveBack()
	s.nextNonce(w, r)
	w.Header().Set("Pragma", "no-cache")
	return writeJSON(w, http.StatusOK, a)
}

// chargeClient moves the cost of a try from the address to a client that has
// proved itself: its neighbours do not pay for it, and it pays wherever it is.
// The name of a public client is anybody's, who could use it up.
func (s *Server) chargeClient(c client, giveBack func()) (func(), error) {
	if c.public() {
		return giveBack, nil
	}
	giveBack()
	return s.limits.client.try(c.ID)
}

// nextNonce tells a caller who sent a proof the nonce of the next one.
func (s *Server) nextNonce(w http.ResponseWriter, r *http.Request) {
	if nonce := s.config.Proofs.Nonce(r.Context(), s.config.Now()); nonce != "" && r.Header.Get("DPoP") != "" {
		w.Header().Set("DPoP-Nonce", nonce)
	}
}

// tokenRefused: what could be a guess costs the address something, a lesson
// (a nonce, a missing parameter) does not.
func tokenRefused(err error, giveBack func()) error {
	switch answerTo(err).code {
	case "invalid_client", "invalid_grant", "invalid_dpop_proof", "slow_down":
	default:
		giveBack()
	}
	return err
}

func (s *Server) readTokenRequest(w http.ResponseWriter, r *http.Request) (tokenRequest, error) {
	p, err := readForm(w, r)
	if err != nil {
		return tokenRequest{}, err
	}
	c, err := s.authenticate(r, p)
	if err != nil {
		return tokenRequest{}, err
	}
	callerOf(r).grant = p["grant_type"]
	if p["grant_type"] == "" {
		return tokenRequest{}, missing("grant_type")
	}
	if !slices.Contains(s.describe().Grants, p["grant_type"]) {
		return tokenRequest{}, refuse(UnknownGrantType)
	}
	if !c.mayUse(p["grant_type"]) {
		return tokenRequest{}, refuse(GrantNotAllowed)
	}
	certificate, err := s.certificate(r, c)
	if err != nil {
		return tokenRequest{}, err
	}
	key, err := s.proof(r, c, s.target, certificate)
	if err != nil {
		return tokenRequest{}, err
	}
	return tokenRequest{params: p, client: c, key: key, certificate: certificate}, nil
}

func (s *Server) grant(r *http.Request, req tokenRequest) (tokenAnswer, error) {
	switch req.params["grant_type"] {
	case grantCode:
		return s.redeemCode(r, req)
	case grantRefresh:
		return s.refresh(r, req)
	case grantMachine:
		return s.machineToken(r, req)
	case grantDevice:
		return s.redeemDevice(r, req)
	}
	return tokenAnswer{}, refuse(UnknownGrantType) // unreachable: readTokenRequest knows the same
}

// proof checks the DPoP proof of a request to an endpoint and gives the
// thumbprint of its key: "" when there is none and none is demanded.
// certificate is what tokens will be bound to anyway, or "".
func (s *Server) proof(r *http.Request, c client, at dpop.Target, certificate string) (string, error) {
	if len(r.Header.Values("DPoP")) == 0 {
		// RFC 9449 §5.2; FAPI 2.0 §5.3.2.1
		if c.DPoPBound || s.profile.bound && certificate == "" {
			return "", s.proofRequired(c)
		}
		return "", nil
	}
	return s.verifyProof(r, at)
}

// proofRequired names the other way out, for a client that has a certificate.
func (s *Server) proofRequired(c client) error {
	if s.profile.bound && (c.AuthMethod == authSelfSigned || c.AuthMethod == authAuthority) {
		return refuseWith(ProofRequired, "Or register it with tls_client_certificate_bound_access_tokens: true, and its tokens are bound to its certificate.")
	}
	return refuse(ProofRequired)
}

// proofWords say which part of a proof is wrong.
var proofWords = map[dpop.Reason]string{
	dpop.Missing:      "The DPoP header is missing.",
	dpop.Several:      "Send exactly one DPoP header with one proof.",
	dpop.Malformed:    "It is not a well-formed JWT.",
	dpop.WrongType:    "Its typ must be dpop+jwt.",
	dpop.BadAlgorithm: "Its alg is none of dpop_signing_alg_values_supported.",
	dpop.BadKey:       "Its jwk must be one public key that fits its alg.",
	dpop.BadSignature: "Its signature is wrong.",
	dpop.WrongMethod:  "Its htm is not the method of this request.",
	dpop.WrongTarget:  "Its htu is not the URL of this endpoint, as the metadata has it.",
	dpop.WrongToken:   "Its ath is not the hash of this access token.",
	dpop.TooOld:       "Its iat is too long ago: check the clock, and make one for each request.",
	dpop.InFuture:     "Its iat is in the future: check the clock.",
	dpop.MissingClaim: "It lacks jti, htm, htu or iat.",
}

func badProof(err error) error {
	refused := &Error{Reason: BadProof, Cause: err}
	if p, ok := errors.AsType[*dpop.Error](err); ok {
		refused.Detail = proofWords[p.Reason]
	}
	return refused
}

// verifyProof gives the thumbprint of the key of the request's proof.
func (s *Server) verifyProof(r *http.Request, at dpop.Target) (string, error) {
	fields, now := r.Header.Values("DPoP"), s.config.Now()
	p, err := dpop.Verify(now, fields, dpop.AtEndpoint(r.Method, at, s.profile.proofs))
	if err != nil {
		return "", badProof(err)
	}
	if err := s.profile.permits(fields[0]); err != nil {
		return "", err
	}
	// RFC 9449 §11.1: last, so that a proof that is refused is not used up.
	return p.Thumbprint(), s.spend(r, p, now)
}

func (s *Server) spend(r *http.Request, p dpop.Proof, now time.Time) error {
	err := s.config.Proofs.Spend(r.Context(), now, p)
	if err == nil {
		return nil
	}
	var refused *dpop.Error
	if !errors.As(err, &refused) {
		return refuseFor(ReplayUnavailable, err)
	}
	if refused.Reason == dpop.Replayed {
		return refuseFor(ProofReplayed, err)
	}
	return refuseFor(NonceNeeded, err)
}

// machineToken: OAuth 2.1 §4.2.
func (s *Server) machineToken(r *http.Request, req tokenRequest) (tokenAnswer, error) {
	if req.client.public() {
		return tokenAnswer{}, refuse(PublicNotAllowed)
	}
	if req.params["authorization_details"] != "" {
		return tokenAnswer{}, refuseWith(BadDetails, "Machines get none: nobody is there to allow them.")
	}
	res, err := s.resourceFor(req.params["resource"], req.client)
	if err != nil {
		return tokenAnswer{}, err
	}
	asked, err := res.scope(req.params["scope"], req.client)
	if err != nil {
		return tokenAnswer{}, err
	}
	scope, err := s.ownScope(r.Context(), req.client, res, asked)
	if err != nil {
		return tokenAnswer{}, err
	}
	if _, err := s.limits.machine.try(req.client.ID); err != nil {
		return tokenAnswer{}, err
	}
	k, err := s.keptOwn(r.Context(), req, res, asked, scope)
	if err != nil {
		return tokenAnswer{}, err
	}
	return s.issue(r, req, asked, k, "")
}

// ownScope is what of a scope a machine may have now.
func (s *Server) ownScope(ctx context.Context, c client, res Resource, asked []string) ([]string, error) {
	scope, err := s.allowed(res.URL, c, asked)
	if err != nil {
		return nil, err
	}
	b, err := s.machineBound(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if scope = b.Within(scope); len(scope) == 0 && len(asked) > 0 {
		return nil, refuseScope(asked[0])
	}
	return scope, nil
}

// keptOwn is a token of a machine for itself, of this scope.
func (s *Server) keptOwn(ctx context.Context, req tokenRequest, res Resource, asked, scope []string) (kept, error) {
	c := s.draft(req, token.Claims{Subject: req.client.ID, Audience: []string{res.URL}, Scope: scope})
	place, err := s.store.Issue(ctx, record(c, ""))
	if errors.Is(err, store.ErrNotFound) {
		return kept{}, refuse(UnknownClient)
	}
	if err != nil {
		return kept{}, err
	}
	return kept{c, place, func() (kept, error) {
		scope, err := s.ownScope(ctx, req.client, res, asked)
		if err != nil {
			return kept{}, err
		}
		return s.keptOwn(ctx, req, res, asked, scope)
	}}, nil
}

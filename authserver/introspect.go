package authserver

import (
	"cmp"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// introspection is RFC 7662 §2.2; an inactive token has nothing but that.
type introspection struct {
	Active    bool           `json:"active"`
	Scope     string         `json:"scope,omitzero"`
	ClientID  string         `json:"client_id,omitzero"`
	TokenType string         `json:"token_type,omitzero"`
	Expiry    int64          `json:"exp,omitzero"`
	IssuedAt  int64          `json:"iat,omitzero"`
	Subject   string         `json:"sub,omitzero"`
	Audience  []string       `json:"aud,omitempty"`
	Issuer    string         `json:"iss,omitzero"`
	ID        string         `json:"jti,omitzero"`
	AuthTime  int64          `json:"auth_time,omitzero"`
	Details   jsontext.Value `json:"authorization_details,omitzero"` // RFC 9396 §9.2
	ACR       string         `json:"acr,omitzero"`
	AMR       []string       `json:"amr,omitempty"`
	Confirm   *confirmation  `json:"cnf,omitzero"`
}

type confirmation struct {
	Thumbprint  string `json:"jkt,omitzero"`
	Certificate string `json:"x5t#S256,omitzero"` // RFC 8705 §3.2
}

// introspect: RFC 7662. Only a client with a secret may ask, and hears only of
// its own tokens and, as a resource server, of access tokens for its resources.
func (s *Server) introspect(w http.ResponseWriter, r *http.Request) error {
	c, raw, err := s.askAbout(w, r)
	if err != nil {
		return err
	}
	if c.public() {
		return refuse(PublicNotAllowed)
	}
	t, err := s.present(r.Context(), raw)
	if errors.Is(err, errDead) || err == nil && (!t.visibleTo(c) || t.access != nil && !s.profile.takes(*t.access)) {
		return s.tell(w, r, c, introspection{})
	}
	if err != nil {
		return err
	}
	return s.tell(w, r, c, s.describeToken(t))
}

func (p presented) visibleTo(c client) bool {
	if p.clientID() == c.ID {
		return true
	}
	return p.access != nil && len(intersect(p.access.Audience, c.Resources)) > 0
}

func (s *Server) describeToken(p presented) introspection {
	if p.access == nil {
		return introspection{
			Active: true, Scope: strings.Join(p.grant.Scope, " "), ClientID: p.grant.ClientID, Subject: p.grant.UserID,
			Expiry: p.refresh.ExpiresAt.Unix(), Issuer: s.config.Issuer, Confirm: confirm(p.refresh.Thumbprint, ""),
		}
	}
	c := p.access
	i := introspection{
		Active: true, Scope: strings.Join(c.Scope, " "), ClientID: c.ClientID, TokenType: "Bearer", Subject: c.Subject,
		Expiry: c.Expiry.Unix(), IssuedAt: c.IssuedAt.Unix(), Audience: c.Audience, Issuer: c.Issuer, ID: c.ID,
		Confirm: confirm(c.Thumbprint, c.Certificate), ACR: c.ACR, AMR: c.AMR, Details: c.Details,
	}
	if !c.AuthTime.IsZero() {
		i.AuthTime = c.AuthTime.Unix()
	}
	if c.Thumbprint != "" {
		i.TokenType = "DPoP" // RFC 9449 §6.2
	}
	return i
}

func confirm(thumbprint, certificate string) *confirmation {
	if thumbprint == "" && certificate == "" {
		return nil
	}
	return &confirmation{thumbprint, certificate}
}

// introspectionType of an answer that is signed (RFC 9701 §5).
const introspectionType = "token-introspection+jwt"

// signedIntrospection is RFC 9701 §5: no sub and no exp of its own, so that
// nobody takes it for a token.
type signedIntrospection struct {
	Issuer   string        `json:"iss"`
	Audience string        `json:"aud"`
	IssuedAt int64         `json:"iat"`
	Answer   introspection `json:"token_introspection"`
}

// tell answers in the form that was asked for.
func (s *Server) tell(w http.ResponseWriter, r *http.Request, c client, i introspection) error {
	if !wantsSigned(r) {
		return writeJSON(w, http.StatusOK, i)
	}
	payload, err := json.Marshal(signedIntrospection{s.config.Issuer, c.ID, s.config.Now().Unix(), i})
	if err != nil {
		return err
	}
	signed, err := s.keys.Signer().Sign(introspectionType, payload)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/"+introspectionType)
	h.Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, signed) // the caller is gone: nobody to tell
	return nil
}

// wantsSigned: RFC 9701 §4: whoever names the type wants it, also beside others.
func wantsSigned(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		kind, parameters, err := mime.ParseMediaType(part)
		if err != nil || kind != "application/"+introspectionType {
			continue
		}
		weight, err := strconv.ParseFloat(cmp.Or(parameters["q"], "1"), 64)
		return err == nil && weight > 0
	}
	return false
}

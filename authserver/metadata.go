package authserver

import (
	"net/http"
	"strconv"
	"time"
)

// metadata is what RFC 8414 §2 lets a client know: only what there is.
type metadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	DeviceEndpoint        string   `json:"device_authorization_endpoint,omitzero"`
	PushEndpoint          string   `json:"pushed_authorization_request_endpoint"`
	PushedOnly            bool     `json:"require_pushed_authorization_requests,omitzero"`
	JWKS                  string   `json:"jwks_uri"`
	RegistrationEndpoint  string   `json:"registration_endpoint,omitzero"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	RevocationAuth        []string `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	IntrospectionAuth     []string `json:"introspection_endpoint_auth_methods_supported"`
	SignedIntrospection   []string `json:"introspection_signing_alg_values_supported"`
	StatusLists           string   `json:"status_list_aggregation_endpoint"`
	Scopes                []string `json:"scopes_supported,omitempty"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	Grants                []string `json:"grant_types_supported"`
	TokenAuth             []string `json:"token_endpoint_auth_methods_supported"`
	AssertionAlgorithms   []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	CertificateBound      bool     `json:"tls_client_certificate_bound_access_tokens,omitzero"`
	DetailTypes           []string `json:"authorization_details_types_supported,omitempty"`
	ACRs                  []string `json:"acr_values_supported"`
	Prompts               []string `json:"prompt_values_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	DPoPAlgorithms        []string `json:"dpop_signing_alg_values_supported"`
	SendsIssuer           bool     `json:"authorization_response_iss_parameter_supported"`
	ClientDocuments       bool     `json:"client_id_metadata_document_supported"`
	Resources             []string `json:"protected_resources"`
}

// openIDMetadata is OpenID Connect Discovery §3.
type openIDMetadata struct {
	metadata
	UserinfoEndpoint  string   `json:"userinfo_endpoint"`
	LogoutEndpoint    string   `json:"end_session_endpoint"`
	SubjectTypes      []string `json:"subject_types_supported"`
	IDTokenAlgorithms []string `json:"id_token_signing_alg_values_supported"`
	Claims            []string `json:"claims_supported"`
	ClaimsParameter   bool     `json:"claims_parameter_supported"`
	RequestObjects    bool     `json:"request_parameter_supported"`
	RequestURIs       bool     `json:"request_uri_parameter_supported"` // true when absent; pushed ones are another thing
}

func (s *Server) describe() metadata {
	m := metadata{
		Issuer:                s.config.Issuer,
		AuthorizationEndpoint: s.site.url("/authorize"),
		TokenEndpoint:         s.site.url("/token"),
		PushEndpoint:          s.site.url("/par"),
		PushedOnly:            s.profile.pushedOnly,
		JWKS:                  s.site.url("/jwks.json"),
		RevocationEndpoint:    s.site.url("/revoke"),
		RevocationAuth:        s.methods(),
		IntrospectionEndpoint: s.site.url("/introspect"),
		IntrospectionAuth:     proving(s.methods()),
		SignedIntrospection:   s.keys.Algorithms(),
		StatusLists:           s.site.url("/status"),
		Scopes:                s.catalogue.scopes(),
		ResponseTypes:         []string{"code"},
		ResponseModes:         []string{"query"},
		Grants:                []string{grantCode, grantRefresh, grantMachine},
		TokenAuth:             s.methods(),
		AssertionAlgorithms:   s.profile.assertionAlgorithms(),
		CertificateBound:      s.config.Clients.Certificates,
		ACRs:                  acrValues(),
		Prompts:               prompts,
		ChallengeMethods:      []string{"S256"},
		DPoPAlgorithms:        s.profile.proofAlgorithms(),
		SendsIssuer:           true,
		ClientDocuments:       true,
		Resources:             s.catalogue.urls(),
	}
	if s.profile.devices {
		m.DeviceEndpoint, m.Grants = s.site.url("/device_authorization"), append(m.Grants, grantDevice)
	}
	for _, t := range s.config.DetailTypes {
		m.DetailTypes = append(m.DetailTypes, t.Type)
	}
	if s.config.Registration != RegistrationClosed {
		m.RegistrationEndpoint = s.site.url("/register")
	}
	return m
}

func (s *Server) metadata(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=300")
	return writeJSON(w, http.StatusOK, s.describe())
}

func (s *Server) openID(w http.ResponseWriter, _ *http.Request) error {
	m := openIDMetadata{
		metadata:         s.describe(),
		UserinfoEndpoint: s.site.url("/userinfo"), LogoutEndpoint: s.site.url("/logout"),
		SubjectTypes: []string{"public"}, IDTokenAlgorithms: s.keys.Algorithms(),
		Claims: []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "preferred_username"},
	}
	m.Scopes = append(m.Scopes, scopeOpenID, scopeProfile)
	w.Header().Set("Cache-Control", "public, max-age=300")
	return writeJSON(w, http.StatusOK, m)
}

func (s *Server) jwks(w http.ResponseWriter, _ *http.Request) error {
	// A set that is kept for longer than keys are published ahead lacks the one that signs.
	fresh := min(5*time.Minute, s.config.Keys.PublishBefore/2)
	w.Header().Set("Cache-Control", "public, max-age="+strconv.Itoa(int(fresh/time.Second)))
	return writeJSON(w, http.StatusOK, s.keys.Published())
}

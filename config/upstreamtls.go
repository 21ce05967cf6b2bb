package config

import "strings"

// UpstreamTLS is whom an https upstream is believed to be, and who the proxy
// is there. Without it the system's certificates are believed and none is shown.
type UpstreamTLS struct {
	CAFile     string `yaml:"ca_file"`     // PEM certificates; default the system's
	CertFile   string `yaml:"cert_file"`   // PEM certificate of the proxy
	KeyFile    string `yaml:"key_file"`    // and its key
	ServerName string `yaml:"server_name"` // default the host of the upstream
}

// Identity is a statement about the caller, signed by the proxy.
type Identity struct {
	Audience string `yaml:"audience"` // whom it is for
	Header   string `yaml:"header"`   // default X-Postern-Identity
}

func (s *Server) completeTrust(folder string) {
	if s.TLS != nil {
		absolute(folder, &s.TLS.CAFile)
		absolute(folder, &s.TLS.CertFile)
		absolute(folder, &s.TLS.KeyFile)
	}
	if s.Identity != nil {
		fill(&s.Identity.Header, "X-Postern-Identity")
	}
}

func (s Server) validateTrust(c *check, at func(...any) []any) {
	t := s.TLS
	if t == nil {
		t = &UpstreamTLS{}
	}
	if s.TLS != nil && !strings.HasPrefix(s.Upstream, "https:") {
		c.fail("is for https upstreams", at("tls")...)
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		c.fail("cert_file and key_file go together", at("tls")...)
	}
	if s.Credential.Type == "mtls" && t.CertFile == "" {
		c.fail("mtls needs the certificate of the proxy: tls: {cert_file, key_file} beside it", at("credential", "type")...)
	}
	if s.Credential.Type == "none" && t.CertFile != "" {
		c.fail("the certificate is a credential: say mtls", at("credential", "type")...)
	}
	if s.Identity != nil && s.Stdio != nil {
		c.fail("a program on stdin hears no headers, so it cannot be told who calls", at("identity")...)
	}
	if s.Identity != nil {
		s.Identity.validate(c, at, s.Credential)
	}
}

func (i Identity) validate(c *check, at func(...any) []any, k Credential) {
	c.needs(i.Audience, "missing: the upstream's own name, which it demands as aud", at("identity", "audience")...)
	if strings.EqualFold(i.Header, k.Header) || k.AsksIssuer() && (strings.EqualFold(i.Header, "Authorization") || strings.EqualFold(i.Header, "DPoP")) {
		c.fail("holds the credential already", at("identity", "header")...)
	}
}

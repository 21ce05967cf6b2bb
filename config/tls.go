package config

import "strings"

// TLS is a certificate for a listener. Both files are read again when they
// change. TLS 1.2 is the least that is spoken.
type TLS struct {
	CertFile           string `yaml:"cert_file"`           // PEM: the certificate and those between it and its authority
	KeyFile            string `yaml:"key_file"`            // PEM
	ClientCertificates string `yaml:"client_certificates"` // off (default), or request: asked for, and held against no authority (RFC 8705 §3)
}

// RequestsCertificates says whether clients are asked for theirs.
func (t *TLS) RequestsCertificates() bool { return t != nil && t.ClientCertificates == "request" }

func (t *TLS) complete(folder string) {
	if t == nil {
		return
	}
	fill(&t.ClientCertificates, "off")
	absolute(folder, &t.CertFile)
	absolute(folder, &t.KeyFile)
}

// validate checks the block at; url is what clients use, at urlAt.
func (t *TLS) validate(c *check, at []any, url string, urlAt ...any) {
	if t == nil {
		return
	}
	key := func(name string) []any { return append(append([]any{}, at...), name) }
	c.needs(t.CertFile, "missing: the PEM file of the certificate", key("cert_file")...)
	c.needs(t.KeyFile, "missing: the PEM file of the certificate's key", key("key_file")...)
	c.oneOf(t.ClientCertificates, []string{"off", "request"}, key("client_certificates")...)
	if strings.HasPrefix(url, "http:") {
		c.fail("must be https: this port speaks TLS", urlAt...)
	}
}

package authserver

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/jose"
)

// shown are the certificates of the connection a request came on, the client's
// own first: nil where TLS ends before this process. No header stands in for one.
func shown(r *http.Request) []*x509.Certificate {
	if r.TLS == nil {
		return nil
	}
	return r.TLS.PeerCertificates
}

// provesSelfSigned: RFC 8705 §2.2. The handshake proved the key; that it is a
// registered one is all there is to check: neither expiry nor issuer means anything.
func (s *Server) provesSelfSigned(r *http.Request, c client, cred credential) error {
	chain, err := certified(r, cred)
	if err != nil {
		return err
	}
	key, err := jose.ImportPublic(chain[0].PublicKey)
	if err != nil {
		return refuseFor(WrongCertificate, err)
	}
	keys, err := s.keysOf(r, c, "")
	if err != nil {
		return err
	}
	if !keys.Holds(key) {
		return refuse(WrongCertificate)
	}
	return nil
}

// provesAuthority: RFC 8705 §2.1: a chain to a configured authority, for
// clients, now; and the one name that was registered. The key is of a kind and
// size that is good for assertions too, whatever the authority signs.
func (s *Server) provesAuthority(r *http.Request, c client, cred credential) error {
	chain, err := certified(r, cred)
	if err != nil {
		return err
	}
	if _, err := jose.ImportPublic(chain[0].PublicKey); err != nil {
		return refuseFor(WrongCertificate, err)
	}
	between := x509.NewCertPool()
	for _, link := range chain[1:] {
		between.AddCert(link)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{
		Roots: s.config.Clients.Authorities, Intermediates: between, CurrentTime: s.config.Now(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return refuseFor(WrongCertificate, err)
	}
	if !names(chain[0], c.Certificate) {
		return refuse(WrongCertificate)
	}
	return nil
}

func certified(r *http.Request, cred credential) ([]*x509.Certificate, error) {
	if cred.way != byName {
		return nil, refuse(WrongMethod)
	}
	chain := shown(r)
	if len(chain) == 0 {
		return nil, refuse(NoCertificate)
	}
	return chain, nil
}

// names: RFC 8705 §2.1.2. Exactly one member of want is set; names of hosts
// are compared without case, and a wildcard in a certificate is only itself.
func names(c *x509.Certificate, want clientdoc.CertificateName) bool {
	switch {
	case want.Subject != "":
		return clientdoc.SubjectIs(c.RawSubject, want.Subject)
	case want.DNS != "":
		return slices.ContainsFunc(c.DNSNames, func(n string) bool { return strings.EqualFold(n, want.DNS) })
	case want.URI != "":
		for _, u := range c.URIs {
			if u.String() == want.URI {
				return true
			}
		}
	case want.IP != "":
		return holdsAddress(c, want.IP)
	case want.Email != "":
		return slices.Contains(c.EmailAddresses, want.Email)
	}
	return false
}

func holdsAddress(c *x509.Certificate, want string) bool {
	wanted, err := netip.ParseAddr(want)
	if err != nil {
		return false
	}
	for _, ip := range c.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok && a.Unmap() == wanted.Unmap() {
			return true
		}
	}
	return false
}

// certificate is what a client's tokens are bound to beside a proof's key: ""
// unless it registered for that, and then there must be one (RFC 8705 §3.4).
func (s *Server) certificate(r *http.Request, c client) (string, error) {
	if !c.CertificateBound {
		return "", nil
	}
	chain := shown(r)
	if len(chain) == 0 {
		return "", refuse(NoCertificate)
	}
	digest := sha256.Sum256(chain[0].Raw)
	return base64.RawURLEncoding.EncodeToString(digest[:]), nil
}

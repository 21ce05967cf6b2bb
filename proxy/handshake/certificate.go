package handshake

import (
	"crypto/tls"
	"time"

	"github.com/postern-mcp/postern/proxy/watched"
)

// Certificate is a certificate chain and its key in two PEM files, read again
// when either changes. A new pair that cannot be used leaves the old one.
type Certificate struct {
	pair *watched.Value[*tls.Certificate]
}

// OpenCertificate reads the pair. told hears how taking later changes went,
// nil for well; one change is told of once.
func OpenCertificate(certFile, keyFile string, told func(error)) (*Certificate, error) {
	pair, err := watched.New(time.Now, told, func(contents [][]byte) (*tls.Certificate, error) {
		pair, err := tls.X509KeyPair(contents[0], contents[1])
		return &pair, err
	}, certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &Certificate{pair}, nil
}

// Current is the pair to use now.
func (c *Certificate) Current() *tls.Certificate { return c.pair.Get() }

package credential

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// TLSFiles say whom an https upstream is believed to be, and who the proxy is
// there.
type TLSFiles struct {
	CA         string // PEM certificates; "" takes the system's
	Cert, Key  string // PEM; both or neither
	ServerName string // "" takes the upstream's host
}

// NewTLS gives the settings of each new connection, with the files as they are
// at that moment. The certificate of the upstream is always verified.
func NewTLS(kit Kit, files TLSFiles) (func() *tls.Config, error) {
	if (files.Cert == "") != (files.Key == "") {
		return nil, errors.New("a certificate and its key go together")
	}
	roots := func() *x509.CertPool { return nil }
	if files.CA != "" {
		file, err := watch(kit, parseRoots, files.CA)
		if err != nil {
			return nil, err
		}
		roots = file.Get
	}
	var shown func(*tls.CertificateRequestInfo) (*tls.Certificate, error)
	if files.Cert != "" {
		pair, err := watch(kit, parsePair, files.Cert, files.Key)
		if err != nil {
			return nil, err
		}
		// Shown whatever authorities the upstream names, so that it says what is wrong.
		shown = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair.Get(), nil }
	}
	return func() *tls.Config {
		return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: files.ServerName, RootCAs: roots(), GetClientCertificate: shown}
	}, nil
}

func parseRoots(contents [][]byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(contents[0]) {
		return nil, errors.New("holds no PEM certificate")
	}
	return pool, nil
}

func parsePair(contents [][]byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(contents[0], contents[1])
	return &pair, err
}

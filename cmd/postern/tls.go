package main

import (
	"fmt"
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-mcp/postern/config"
	"github.com/postern-mcp/postern/proxy/handshake"
)

// secured takes TLS off ln.
func secured(ln net.Listener, conf *config.TLS, pair *handshake.Certificate, http1 func(net.Conn) net.Conn, log *slog.Logger) (net.Listener, error) {
	return handshake.Listener(ln, handshake.Config{
		Certificate:        pair,
		ClientCertificates: conf.RequestsCertificates(),
		HTTP1:              http1,
		Log:                log,
	})
}

// openCertificate reads the pair of conf, whose key is named for messages.
func openCertificate(conf *config.TLS, key string, told func(error)) (*handshake.Certificate, error) {
	pair, err := handshake.OpenCertificate(conf.CertFile, conf.KeyFile, told)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", key, err)}
	}
	return pair, nil
}

// reloads says how reading a changed certificate went.
func reloads(log *slog.Logger, name string) func(error) {
	return func(err error) {
		if err != nil {
			log.Error("the changed certificate cannot be used: the old one stays", "service", name, "cause", err)
			return
		}
		log.Info("the changed certificate is used from now on", "service", name)
	}
}

// measured is told with a counter beside it.
func measured(r prometheus.Registerer, told func(error)) func(error) {
	count := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_tls_reloads_total",
		Help: "Changed certificates of the public port, by result: used, or broken, and then the old one stays.",
	}, []string{"result"})
	r.MustRegister(count)
	count.WithLabelValues("used")
	count.WithLabelValues("broken")
	return func(err error) {
		result := "used"
		if err != nil {
			result = "broken"
		}
		count.WithLabelValues(result).Inc()
		told(err)
	}
}

// expiry is a gauge of when the certificate in use ends. Asking it looks at
// the files, so that a change is noticed without callers too.
func expiry(pair *handshake.Certificate) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "postern_tls_certificate_not_after_seconds",
		Help: "When the certificate of the public port expires, in Unix time.",
	}, func() float64 { return float64(pair.Current().Leaf.NotAfter.Unix()) })
}

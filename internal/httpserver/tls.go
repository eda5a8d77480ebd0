package httpserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// CertificateOptions names the PEM files of a listener.
type CertificateOptions struct {
	Listener  string // in logs and metrics
	Cert, Key string
	ClientCA  string        // who signs client certificates; empty: none is asked for
	Poll      time.Duration // how often the files are looked at; 10 s
	Log       *slog.Logger
	Metrics   prometheus.Registerer
}

// Certificates are what a listener proves itself with. They follow their files:
// connections that begin after a change see it, and a change that cannot be read
// leaves the old ones in force (F38).
type Certificates struct {
	options CertificateOptions
	current atomic.Pointer[tls.Config]
	seen    [3]stamp // used by NewCertificates, then by Watch only
	reloads *prometheus.CounterVec
	expires prometheus.Gauge
}

// A stamp tells one state of a file from the next.
type stamp struct {
	modified time.Time
	size     int64
}

// NewCertificates reads the files.
func NewCertificates(o CertificateOptions) (*Certificates, error) {
	o.Poll = or(o.Poll, 10*time.Second)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	c := &Certificates{options: o, reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_tls_reloads_total", Help: "Changes of certificate files that were taken over, or could not be read.",
	}, []string{"result"}), expires: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "postern_tls_certificate_expiry_timestamp_seconds", Help: "When the certificate in use ends.",
	})}
	c.reloads.WithLabelValues("ok")
	c.reloads.WithLabelValues("error")
	if o.Metrics != nil {
		prometheus.WrapRegistererWith(prometheus.Labels{"listener": o.Listener}, o.Metrics).MustRegister(c.reloads, c.expires)
	}
	return c, c.load(c.stamps())
}

// Config returns a TLS configuration that always uses the newest certificates.
func (c *Certificates) Config() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current.Load(), nil },
	}
}

// Watch looks at the files until ctx is done.
func (c *Certificates) Watch(ctx context.Context) {
	ticker := time.NewTicker(c.options.Poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.check()
		}
	}
}

// check takes over what has changed. What could not be read is tried again at
// the next look: a certificate and its key rarely change at one moment.
func (c *Certificates) check() {
	now := c.stamps()
	if now == c.seen {
		return
	}
	if err := c.load(now); err != nil {
		c.reloads.WithLabelValues("error").Inc()
		c.options.Log.Error("new certificates cannot be used, the old ones stay", "err", err, "listener", c.options.Listener)
		return
	}
	c.reloads.WithLabelValues("ok").Inc()
	c.options.Log.Info("new certificates are in use", "listener", c.options.Listener)
}

// stamps follows symbolic links, which is how Kubernetes changes files.
func (c *Certificates) stamps() (now [3]stamp) {
	for i, path := range []string{c.options.Cert, c.options.Key, c.options.ClientCA} {
		if info, err := os.Stat(path); err == nil {
			now[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return now
}

func (c *Certificates) load(now [3]stamp) error {
	pair, err := tls.LoadX509KeyPair(c.options.Cert, c.options.Key)
	if err != nil {
		return fmt.Errorf("read the certificate %s and its key: %w", c.options.Cert, err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if c.options.ClientCA != "" {
		if config.ClientCAs, err = readPool(c.options.ClientCA); err != nil {
			return err
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
		config.SessionTicketsDisabled = true // a ticket would outlive the CA that vouched for it
	}
	c.current.Store(config)
	c.expires.Set(float64(pair.Leaf.NotAfter.Unix()))
	c.seen = now
	return nil
}

func readPool(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the client CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("read the client CA: " + path + " has no certificate in PEM form")
	}
	return pool, nil
}

package feed

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/dependency"
)

// Options say where the directory is read.
type Options struct {
	// URLs of the management listeners that have it. The first is asked until
	// another one answers in its place.
	URLs       []string
	Token      string                // a service token of scope replicate
	CA         *x509.CertPool        // who signs the listeners' certificates; nil: whom the system trusts
	Now        func() time.Time      // default time.Now; with a monotonic clock
	Registerer prometheus.Registerer // nil: nothing is counted
}

// A Client reads a directory at another server. It is safe for use by many
// goroutines.
type Client struct {
	urls   []string
	token  string
	looks  *http.Client // at the change log: reads that hang keep none of them waiting
	reads  *http.Client
	server atomic.Uint32 // the one of urls that is asked first
	id     string        // of the directory; set once, by Open
	now    func() time.Time
	meter  *dependency.Meter
	skew   prometheus.Gauge // of the clock of whoever answered last
}

// What may fail.
const (
	opOpen    = "open"
	opChanges = "changes"
	opRead    = "read"
	opAppKey  = "app_key"
)

// Times after which a server is given up, so that one that fell silent holds
// nobody up for long.
const (
	dialTimeout = time.Second
	readTimeout = 2 * time.Second // of a request, beside what it is asked to wait
)

// Times after which another server is asked as well. A decision waits for a
// read, and nobody for a look at the change log as long as the next one is in
// time.
const (
	readPatience = 30 * time.Millisecond
	lookPatience = 100 * time.Millisecond // beside what it is asked to wait
)

// How many connections there are to one server at most, for a look that waits and
// one that does not, and for what is read meanwhile. A server bears as many
// sidecars as its POSTERN_MANAGEMENT_MAX_CONNECTIONS allow.
const (
	maxLooks = 2
	maxReads = 6
)

// maxAnswer bounds what one answer may be, in bytes.
const maxAnswer = 256 << 20

// NewClient makes a client. It asks nothing yet: see Open.
func NewClient(o Options) *Client {
	c := &Client{
		token: o.Token,
		looks: connected(o.CA, maxLooks),
		reads: connected(o.CA, maxReads),
		now:   o.Now,
		meter: dependency.New(o.Registerer, "directory", opOpen, opChanges, opRead, opAppKey),
		skew: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "postern_clock_skew_seconds",
			Help: "How far the clock of the directory is ahead of this server's: of its database, or of the server that is asked for it.",
		}),
	}
	if c.now == nil {
		c.now = time.Now
	}
	if o.Registerer != nil {
		o.Registerer.MustRegister(c.skew)
	}
	for _, u := range o.URLs {
		c.urls = append(c.urls, strings.TrimRight(u, "/"))
	}
	return c
}

// connected is a client with so many connections to one server at most.
func connected(ca *x509.CertPool, conns int) *http.Client {
	return &http.Client{CheckRedirect: noRedirect, Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		TLSClientConfig:     &tls.Config{RootCAs: ca, MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: conns,
		MaxConnsPerHost:     conns,
		IdleConnTimeout:     30 * time.Second,
	}}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Close lets go of connections that nothing uses.
func (c *Client) Close() {
	c.looks.CloseIdleConnections()
	c.reads.CloseIdleConnections()
}

// Open asks which directory there is, and reads only that one from then on. It
// has to succeed once before anything else is asked. Errors are of the kinds of
// ask.
func (c *Client) Open(ctx context.Context) (State, error) {
	s, _, err := ask[State](ctx, c, call{operation: opOpen, path: at(PathState), patience: dialTimeout})
	if err == nil {
		c.id = s.Directory
	}
	return s, err
}

// Changes implements grant.Source. A server that is asked because another one
// did not answer waits for a change only in what is left of the time.
func (c *Client) Changes(ctx context.Context, after authz.Point, wait time.Duration) (authz.Changes, error) {
	ctx, stop := context.WithTimeout(ctx, wait+readTimeout)
	defer stop()
	path := func(late time.Duration) string {
		left := max(0, wait-late) + time.Millisecond - 1
		query := url.Values{"after": {FormatPoint(after)}, "wait": {strconv.FormatInt(left.Milliseconds(), 10)}}
		return PathChanges + "?" + query.Encode()
	}
	said, late, err := ask[Changes](ctx, c, call{operation: opChanges, path: path, patience: wait + lookPatience})
	said.Changes.Held = late + time.Duration(said.HeldMS)*time.Millisecond
	return said.Changes, err
}

// AppKey is what the directory keeps of the key of an application. One that it
// does not know is an error of kind authz.ErrNotFound. That it does not know this
// server any more says nothing of the key, and is of kind authz.ErrUnavailable.
func (c *Client) AppKey(ctx context.Context, id string) (AppKey, error) {
	ctx, stop := context.WithTimeout(ctx, readTimeout)
	defer stop()
	k, _, err := ask[AppKey](ctx, c, call{operation: opAppKey, path: at(PathAppKeys + "/" + url.PathEscape(id)), patience: readPatience})
	if errors.Is(err, authz.ErrUnauthenticated) || errors.Is(err, authz.ErrForbidden) {
		return AppKey{}, fmt.Errorf("%v: %w", err, authz.ErrUnavailable)
	}
	if err == nil && k.ID != id {
		return AppKey{}, fmt.Errorf("the directory answered with app key %.80q for %.80q: %w", k.ID, id, authz.ErrUnavailable)
	}
	return k, err
}

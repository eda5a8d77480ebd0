// Package httpserver is what every listener of Postern shares: limits, framing,
// request ids, caller authentication, and one way from an error to an answer.
// Nothing of a request outlives its handler.
package httpserver

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"github.com/postern-authz/postern/internal/histogram"
)

// Options says what a Server is. Zero fields have the value that is named.
type Options struct {
	Name          string // of the listener in logs and metrics, such as decisions
	MaxBody       int    // bytes; 256 KiB
	MaxHeader     int    // bytes of a request line and its header; 16 KiB
	MaxConns      int    // at a time; 8,192
	MaxConnsPerIP int    // at a time; no such limit

	ReadTimeout  time.Duration // for a whole request, from its first byte; 5 s
	WriteTimeout time.Duration // for a whole answer; 5 s
	IdleTimeout  time.Duration // between two requests; 60 s
	Timeout      time.Duration // the deadline in UserContext; none
	DrainDelay   time.Duration // how long Serve goes on once its context is done; none
	DrainGrace   time.Duration // how long open connections may then ask once more; 1 s
	DrainTimeout time.Duration // how long requests have to end after the delay; 10 s

	LogRequests bool        // whether every request is logged at level info; it is at debug in any case
	ErrorForms  []ErrorForm // of paths where errors are no problems; the first that owns a path counts

	// Forbid begins the paths at which whatever is refused is a 403 (but a 401 stays
	// one): the proxies that ask there take another status for a fault. Empty: none.
	Forbid string

	TLS     *Certificates         // nil: plain HTTP
	Log     *slog.Logger          // slog.Default()
	Metrics prometheus.Registerer // a registry of its own
	// Histograms is how they are kept there.
	Histograms histogram.Native
}

// A Server is one listener. Routes are added to its App before it serves.
type Server struct {
	App *fiber.App

	options  Options
	failures *slog.Logger // for requests that failed
	metrics  *metrics
	routes   fasthttp.RequestHandler // App's own handler
	draining atomic.Bool
	chunked  sync.Map     // *fasthttp.RequestHeader to note, see noteChunked
	notes    atomic.Int64 // how many were made
}

// New returns a Server without routes.
func New(o Options) *Server {
	o = o.withDefaults()
	s := &Server{options: o, failures: Throttled(o.Log), metrics: newMetrics(o.Name, o.Metrics, o.Histograms)}
	s.App = fiber.New(fiber.Config{
		AppName:                      "postern " + o.Name,
		BodyLimit:                    o.MaxBody,
		CaseSensitive:                true,
		Concurrency:                  o.MaxConns + 1, // the listener refuses first
		DisablePreParseMultipartForm: true,
		DisableStartupMessage:        true,
		ErrorHandler:                 s.handleError,
		IdleTimeout:                  o.IdleTimeout,
		ReadBufferSize:               o.MaxHeader,
		ReadTimeout:                  o.ReadTimeout,
		StrictRouting:                true,
		WriteTimeout:                 o.WriteTimeout,
	})
	s.App.Use(s.around)
	s.routes = s.App.Server().Handler
	s.App.Server().Handler = s.handle
	s.App.Server().ErrorHandler = s.refuse
	s.App.Server().HeaderReceived = s.noteChunked
	s.App.Server().ConnState = noteTurn
	return s
}

func (o Options) withDefaults() Options {
	o.MaxBody = or(o.MaxBody, 256<<10)
	o.MaxHeader = or(o.MaxHeader, 16<<10)
	o.MaxConns = or(o.MaxConns, 8192)
	o.ReadTimeout = or(o.ReadTimeout, 5*time.Second)
	o.WriteTimeout = or(o.WriteTimeout, 5*time.Second)
	o.IdleTimeout = or(o.IdleTimeout, 60*time.Second)
	o.DrainGrace = or(o.DrainGrace, time.Second)
	o.DrainTimeout = or(o.DrainTimeout, 10*time.Second)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	return o
}

func or[T int | time.Duration](v, unset T) T {
	if v == 0 {
		return unset
	}
	return v
}

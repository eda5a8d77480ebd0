// Package ops answers those who operate a server: probes, Prometheus, and
// whoever wants to know what runs. Nothing it serves changes anything or tells
// what was decided about whom.
package ops

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options are what a Server serves.
type Options struct {
	Registry *prometheus.Registry // of /metrics; NewRegistry makes one
	Build    Build                // of /version
	Startup  []Check              // of /startupz: what has to be done once
	Ready    []Check              // of /readyz and /healthz: what decisions need
	Live     []Check              // of /livez: what only a restart repairs
	Pprof    bool                 // whether there is a /debug/pprof/
	Log      *slog.Logger
}

// A Server is the ops listener.
type Server struct {
	http     http.Server
	draining atomic.Bool
}

// New makes a server. Serve starts it.
func New(o Options) *Server {
	s := &Server{}
	s.http = http.Server{
		Handler:           s.routes(o),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute, // a CPU profile takes 30 s
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	return s
}

func (s *Server) routes(o Options) http.Handler {
	mux := http.NewServeMux()
	for path, handler := range s.handlers(o) {
		mux.Handle("GET "+path, handler)
	}
	return mux
}

// handlers are all that is served, by path.
func (s *Server) handlers(o Options) map[string]http.Handler {
	ready := append([]Check{{Name: "draining", Probe: s.checkDraining}}, o.Ready...)
	all := map[string]http.Handler{
		"/metrics":      metrics(o),
		"/startupz":     probe("startupz", o.Startup),
		"/readyz":       probe("readyz", ready),
		"/healthz":      probe("healthz", ready),
		"/livez":        probe("livez", o.Live),
		"/version":      build(o.Build),
		"/openapi.json": http.HandlerFunc(showDocument),
	}
	if o.Pprof {
		all["/debug/pprof/"] = http.HandlerFunc(pprof.Index) // and all below it
		all["/debug/pprof/cmdline"] = http.HandlerFunc(pprof.Cmdline)
		all["/debug/pprof/profile"] = http.HandlerFunc(pprof.Profile)
		all["/debug/pprof/symbol"] = http.HandlerFunc(pprof.Symbol)
		all["/debug/pprof/trace"] = http.HandlerFunc(pprof.Trace)
	}
	return all
}

// Serve answers on l until Shutdown, and closes it.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Drain makes /readyz say no from now on, so that no new work is sent here
// while what is under way ends (F25).
func (s *Server) Drain() { s.draining.Store(true) }

// shutdownTimeout is how long a scrape may still take. Whoever connected and
// says nothing is not waited for any longer than that.
const shutdownTimeout = time.Second

// Shutdown ends Serve once the requests under way are answered, or cut off after
// a second, or when ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, shutdownTimeout)
	defer stop()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return s.http.Close()
	}
	return err
}

func (s *Server) checkDraining() error {
	if s.draining.Load() {
		return errors.New("the server is stopping")
	}
	return nil
}

func metrics(o Options) http.Handler {
	return promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{
		Registry:            o.Registry,
		ErrorLog:            printer{o.Log},
		ErrorHandling:       promhttp.ContinueOnError, // half of the metrics help more than none
		EnableOpenMetrics:   true,
		CoalesceGather:      true,
		MaxRequestsInFlight: 16,
		Timeout:             10 * time.Second,
	})
}

// printer lets promhttp log as everybody else does.
type printer struct{ log *slog.Logger }

func (p printer) Println(v ...any) { p.log.Warn("metrics cannot be gathered", "err", v) }

func build(b Build) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		setHeaders(w, "application/json")
		_ = json.NewEncoder(w).Encode(b) // the reader is gone: nobody to tell
	})
}

func setHeaders(w http.ResponseWriter, contentType string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
}

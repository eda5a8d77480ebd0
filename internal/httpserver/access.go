package httpserver

import (
	"context"
	"log/slog"
	"time"
)

// logRequest writes what became of a request into the access log: at level info
// where that is wanted, else at debug. It names routes and no paths, which may
// hold the ids of users.
func (s *Server) logRequest(r *request, method string, status int, took time.Duration) {
	level := slog.LevelDebug
	if s.options.LogRequests {
		level = slog.LevelInfo
	}
	if !s.options.Log.Enabled(context.Background(), level) {
		return
	}
	line := append(make([]slog.Attr, 0, 9), slog.String("listener", s.options.Name), slog.String("request_id", printable(r.id)), r.trace.Attr())
	if parent := r.trace.ParentID(); parent != "" {
		line = append(line, slog.String("parent_span_id", parent))
	}
	if r.caller.ID != "" {
		line = append(line, slog.String("caller", r.caller.ID))
	}
	line = append(line, slog.String("method", method), slog.String("route", r.route),
		slog.Int("status", status), slog.Float64("seconds", took.Seconds()))
	s.options.Log.LogAttrs(context.Background(), level, "a request was answered", line...)
}

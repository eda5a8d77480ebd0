package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// tokenWarning is how long before its service token ends a server without a
// database says so. The alert waits for no less.
const tokenWarning = 7 * 24 * time.Hour

// tokenWarningEvery is how often it says so, and looks at its clock.
const tokenWarningEvery = 24 * time.Hour

// watchToken shows when the service token ends with which the directory is read. A
// token never ends later than it was made to, so once is enough; a server that
// does not tell, or a token without an end, has no series.
func (s *server) watchToken(ends time.Time) {
	if ends.IsZero() {
		return
	}
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "postern_directory_token_expiry_timestamp_seconds",
		Help: "When the service token ends with which this server reads its directory.",
	})
	gauge.Set(float64(ends.UnixMilli()) / 1000)
	s.registry.MustRegister(gauge)
	s.background("service token", func(ctx context.Context) { warnOfEnd(ctx, ends, s.Log) })
}

// warnOfEnd says every day from a week before that a token ends.
func warnOfEnd(ctx context.Context, ends time.Time, log *slog.Logger) {
	for {
		left := time.Until(ends)
		if left <= tokenWarning {
			log.Warn("the service token of POSTERN_DIRECTORY_TOKEN ends, and with it the decisions of this server: make the next one with `postern token create` and start the server with it",
				"ends", ends, "left", left.Round(time.Second).String())
		}
		wait := tokenWarningEvery
		if left > tokenWarning {
			wait = min(wait, left-tokenWarning)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

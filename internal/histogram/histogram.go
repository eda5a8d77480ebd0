// Package histogram says how histograms are kept: all of them alike, as the
// operator chose.
package histogram

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Native says whether histograms have native buckets beside those of their own.
// A Prometheus that takes native ones takes them alone, so the zero value is what
// every Prometheus and every query for le understands.
type Native bool

// Options are those of a histogram, kept so. Native buckets are 10% wider each
// than the one below, and at most 100: one that would need more has wider ones,
// until it begins anew, once in an hour at most.
func (n Native) Options(o prometheus.HistogramOpts) prometheus.HistogramOpts {
	if n {
		o.NativeHistogramBucketFactor = 1.1
		o.NativeHistogramMaxBucketNumber = 100
		o.NativeHistogramMinResetDuration = time.Hour
	}
	return o
}

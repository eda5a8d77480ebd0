package keyring

import "github.com/prometheus/client_golang/prometheus"

// Failures counts the callers that a listener did not let in, by one of the
// faults. Without a registerer nobody sees it.
func Failures(listener string, reg prometheus.Registerer, faults ...Fault) *prometheus.CounterVec {
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_auth_failures_total", Help: "Callers that were not let in, by reason.",
	}, []string{"reason"})
	for _, f := range faults {
		failures.WithLabelValues(string(f))
	}
	if reg != nil {
		prometheus.WrapRegistererWith(prometheus.Labels{"listener": listener}, reg).MustRegister(failures)
	}
	return failures
}

package main

import (
	"fmt"
	"strings"
)

// job picks the servers that are looked at.
const job = `job=~"$job"`

// series is a metric of those servers; more matchers may narrow it.
func series(metric string, more ...string) string {
	return metric + "{" + strings.Join(append([]string{job}, more...), ",") + "}"
}

// rate is how often something happens in a second, by labels.
func rate(by, metric string, more ...string) string {
	return sum(by, "rate", metric, more)
}

// grown is by how much something grew, by labels.
func grown(by, metric string, more ...string) string {
	return sum(by, "increase", metric, more)
}

func sum(by, function, metric string, more []string) string {
	if by != "" {
		by = " by (" + by + ") "
	}
	return fmt.Sprintf("sum%s(%s(%s[$__rate_interval]))", by, function, series(metric, more...))
}

// share is the part of a metric's rate that one matcher picks.
func share(by, metric, of string, more ...string) string {
	return rate(by, metric, append([]string{of}, more...)...) + " / " + rate(by, metric, more...)
}

// quantile is the value that so much of a histogram lies within. Prometheus keeps
// a histogram with its buckets or as a native one.
func quantile(q float64, by, metric string, more ...string) string {
	labels := "le"
	if by != "" {
		labels += ", " + by
	}
	return fmt.Sprintf("histogram_quantile(%v, %s) or histogram_quantile(%v, %s)",
		q, rate(labels, metric+"_bucket", more...), q, rate(by, metric, more...))
}

// observed is how often a histogram took something in a second, in either form.
func observed(by, metric string) string {
	return rate(by, metric+"_count") + " or histogram_count(" + rate(by, metric) + ")"
}

// buckets are how much each of a histogram's grew, or the native histogram.
func buckets(metric string) string {
	return grown("le", metric+"_bucket") + " or " + grown("", metric)
}

// quantiles are the half and the worst hundredth of a histogram.
func quantiles(metric string) []ask {
	return []ask{{quantile(0.5, "", metric), "half"}, {quantile(0.99, "", metric), "99%"}}
}

// one is the only query of a chart.
func one(query, legend string) []ask { return []ask{{query, legend}} }

package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// report writes the medians as a Markdown table. Ratios are of server CPU for
// one request, round by round.
func report(w io.Writer, servers []*server, rounds map[string][]sample) {
	bare := rounds[servers[0].name]
	fmt.Fprintln(w, "| server | requests/s | CPU of one request | p50 | p99 | CPU against the bare handler (min - max) |")
	fmt.Fprintln(w, "|---|---:|---:|---:|---:|---:|")
	for _, s := range servers {
		got := rounds[s.name]
		low, mid, high := ratios(got, bare)
		fmt.Fprintf(w, "| %s | %.0f | %.1f us | %d us | %d us | %.2f (%.2f - %.2f) |\n", s.name,
			median(got, func(s sample) float64 { return s.rate }),
			median(got, func(s sample) float64 { return float64(s.cpu) / 1000 }),
			int(median(got, func(s sample) float64 { return float64(s.p50 / time.Microsecond) })),
			int(median(got, func(s sample) float64 { return float64(s.p99 / time.Microsecond) })),
			mid, low, high)
	}
	for _, s := range servers[2:] {
		low, mid, high := ratios(rounds[s.name], rounds["Postern"])
		fmt.Fprintf(w, "\n%s: %.2f times the CPU of Postern for one decision (%.2f - %.2f)", s.name, mid, low, high)
		low, mid, high = spread(rounds["Postern"], rounds[s.name], func(s sample) float64 { return s.rate })
		fmt.Fprintf(w, "; Postern answers %.2f times as many in the same time (%.2f - %.2f).\n", mid, low, high)
	}
}

func ratios(a, b []sample) (low, mid, high float64) {
	return spread(a, b, func(s sample) float64 { return float64(s.cpu) })
}

func spread(a, b []sample, of func(sample) float64) (low, mid, high float64) {
	var all []float64
	for i := range a {
		all = append(all, of(a[i])/of(b[i]))
	}
	slices.Sort(all)
	return all[0], all[len(all)/2], all[len(all)-1]
}

func median(samples []sample, of func(sample) float64) float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, of(s))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func quantile(all []time.Duration, q float64) time.Duration {
	slices.Sort(all)
	return all[int(q*float64(len(all)-1))]
}

package test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// metricsReference is the page that lists what there is to read.
const metricsReference = "../deploy/docs/metrics.md"

// A described metric is what a page of metrics says of one.
type described struct {
	kind, help string
	labels     map[string]map[string]bool // values by label
}

// varies says of labels what their values are, where those depend on the policy,
// the settings or the build. All others have the values that are listed.
func varies() map[string]string {
	return map[string]string{
		"postern_decisions_total role":                              "a role of the policy in force, `none` or `other`",
		"postern_decision_actions_total action":                     "an action that the policy in force declares, or `other`",
		"postern_denials_total reason":                              "a rule of the policy in force, `none` or `other`",
		"postern_policy_info source":                                "`core`, or the path of an overlay",
		"postern_policy_info revision":                              "that of the layer",
		"postern_policy_activations_total source":                   "`core`, or the path of an overlay",
		"postern_http_requests_total code":                          "the status",
		"postern_http_requests_total method":                        "a method that HTTP knows, or `other`",
		"postern_http_requests_total route":                         "the template of a route, such as `/v1/organizations/:organization`, or `none`",
		"postern_http_request_duration_seconds route":               "the template of a route, or `none`",
		"postern_policy_activation_timestamp_seconds source":        "`core`, or the path of an overlay",
		"postern_policy_last_success_timestamp_seconds source":      "`core` if it is not the embedded one, or the path of an overlay",
		"postern_decision_log_events_total sink":                    "`stdout` or `file`",
		"postern_decision_log_buffered_events sink":                 "`stdout` or `file`",
		"postern_tls_reloads_total listener":                        "`decisions` or `management`",
		"postern_tls_certificate_expiry_timestamp_seconds listener": "`decisions` or `management`",
	}
}

// referenceIsTrue compares the page with what the fleet shows.
func (w *watched) referenceIsTrue(t *testing.T) {
	want := reference(metricsOf(w.office.page(t) + w.sidecar.page(t)))
	if *update {
		if err := os.WriteFile(metricsReference, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(metricsReference)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the program exports: go test ./test -run TestEverythingIsWatched -update writes it anew, which gives\n%s", metricsReference, want)
	}
}

// metricsOf reads pages of metrics.
func metricsOf(page string) map[string]*described {
	all := map[string]*described{}
	head := regexp.MustCompile(`^# (HELP|TYPE) (\w+) (.*)\n`)
	series := regexp.MustCompile(`^(\w+)(?:\{(.*)\})? `)
	for line := range strings.Lines(page) {
		if m := head.FindStringSubmatch(line); m != nil {
			all[m[2]] = all[m[2]].with(m[1], m[3])
		} else if m := series.FindStringSubmatch(line); m != nil {
			of, known := all[m[1]]
			if !known { // a series of a histogram
				of = all[regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(m[1], "")]
			}
			of.labelled(m[2])
		}
	}
	return all
}

func (d *described) with(what, text string) *described {
	if d == nil {
		d = &described{labels: map[string]map[string]bool{}}
	}
	if what == "HELP" {
		d.help = text
	} else {
		d.kind = text
	}
	return d
}

// labelled takes note of the labels of one series.
func (d *described) labelled(text string) {
	for _, l := range regexp.MustCompile(`(\w+)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if l[1] == "le" || l[1] == "quantile" {
			continue
		}
		if d.labels[l[1]] == nil {
			d.labels[l[1]] = map[string]bool{}
		}
		d.labels[l[1]][l[2]] = true
	}
}

// reference is the page on metrics.
func reference(all map[string]*described) string {
	var b strings.Builder
	b.WriteString(`# Metrics

What ` + "`/metrics`" + ` on the ops listener tells. A test writes this page from a running fleet and fails when it is not true any more.
No label is a caller's choice. All series that can be are there from the start, at 0, but for those of HTTP requests, which
come with the first request of a route. Beside these there are the usual
` + "`go_*`, `process_*`, `promhttp_*`, `go_sql_*` (by pool: `writer`, `reader`, `follower`) and `postern_build_info`" + `.

A server has the metrics of what it does: without Redis there are none of Redis, and a sidecar has no ` + "`postern_memberships`" + `.
`)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !strings.HasPrefix(name, "postern_") || name == "postern_build_info" {
			continue
		}
		m := all[name]
		fmt.Fprintf(&b, "\n## %s\n\n%s. %s\n", name, strings.ToUpper(m.kind[:1])+m.kind[1:], m.help)
		for i, l := range slices.Sorted(maps.Keys(m.labels)) {
			if i == 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "- `%s`: %s\n", l, valuesOf(name, l, m.labels[l]))
		}
	}
	return b.String()
}

func valuesOf(name, label string, values map[string]bool) string {
	if words, ok := varies()[name+" "+label]; ok {
		return words
	}
	return "`" + strings.Join(slices.Sorted(maps.Keys(values)), "`, `") + "`"
}

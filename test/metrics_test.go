package test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEverythingIsWatched scrapes a real fleet with a real Prometheus: what we
// ship to watch Postern with finds what it looks for, and says so when
// something fails.
func TestEverythingIsWatched(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	t.Run("Prometheus has no complaint about the page", w.pagesAreClean)
	t.Run("every way to ask is counted", w.waysAreCounted)
	t.Run("histograms are read in either form", w.eitherForm)
	t.Run("both forms tell the same", w.formsAgree)
	t.Run("every series that is asked for is there", w.seriesAreThere)
	t.Run("every metric has a reader", w.metricsAreRead)
	t.Run("the reference is true", w.referenceIsTrue)
	t.Run("an alert fires when Redis stops", w.redisStops)
	t.Run("no series comes with a larger directory", w.seriesStay)
}

func (w *watched) pagesAreClean(t *testing.T) {
	for _, s := range []*server{w.office.server, w.sidecar} {
		cmd := exec.Command("promtool", "check", "metrics")
		cmd.Stdin = strings.NewReader(s.page(t))
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("promtool check metrics: %v\n%s", err, out)
		}
	}
}

// page is what a scrape reads.
func (s *server) page(t *testing.T) string {
	t.Helper()
	x, err := s.ops.send(http.MethodGet, "/metrics", "")
	if err != nil {
		t.Fatal(err)
	}
	return x.body
}

func (w *watched) waysAreCounted(t *testing.T) {
	for _, api := range []string{"evaluation", "evaluations", "data", "batch", "forward_auth", "auth_request", "ext_authz", "management"} {
		w.awaitMetric(t, fmt.Sprintf("postern_decisions_total{api=%q}", api), atLeast(1))
	}
}

// eitherForm has the dashboard and the rules work on histograms with buckets of
// their own, and on native ones without.
func (w *watched) eitherForm(t *testing.T) {
	for name, p := range map[string]*prometheus{"with buckets": w.prometheus, "native": w.native} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("every panel shows something", p.panelsShow)
			t.Run("every rule finds what it looks for", p.rulesFind)
			t.Run("no alert fires", p.nothingFires)
		})
	}
}

// formsAgree compares what the rules make of each form, at an edge beyond which
// some decisions lie.
func (w *watched) formsAgree(t *testing.T) {
	for _, r := range w.prometheus.rules(t) {
		if !strings.HasPrefix(r.Name, "job:postern_decision_slow") {
			continue
		}
		query := strings.ReplaceAll(r.Query, "0.005", "0.00025")
		native := []sample{}
		near := func(found []sample) bool {
			var err error
			native, err = w.native.query(query)
			return err == nil && len(found) == 1 && len(native) == 1 && math.Abs(found[0].value-native[0].value) < 0.1
		}
		if found, err := w.prometheus.await(query, near); err != nil {
			t.Errorf("%s: got %v of buckets and %v of native ones, want about the same: %v", query, found, native, err)
		}
	}
}

// panelsShow wants a number from each query of each panel: 0 is one, and the
// share of nothing is none.
func (p *prometheus) panelsShow(t *testing.T) {
	for name, query := range panels(t) {
		if _, err := p.await(query, numbered); err != nil {
			t.Errorf("%s: got nothing to show from %s: %v", name, query, err)
		}
	}
}

func numbered(found []sample) bool {
	return slices.ContainsFunc(found, func(s sample) bool { return !math.IsNaN(s.value) })
}

// panels are the queries of the dashboard by panel, as Grafana sends them.
func panels(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../deploy/grafana/postern.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Annotations struct {
			List []struct{ Name, Expr string }
		}
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	queries, variables := map[string]string{}, strings.NewReplacer("$__rate_interval", window, "$job", "postern")
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			queries[p.Title+" "+target.RefID] = variables.Replace(target.Expr)
		}
	}
	for _, a := range board.Annotations.List {
		queries[a.Name] = withoutLimit(variables.Replace(a.Expr))
	}
	return queries
}

// rulesFind wants the sides of every rule to be comparable: a comparison that
// leaves nothing out has an answer.
func (p *prometheus) rulesFind(t *testing.T) {
	rules := p.rules(t)
	for _, r := range rules {
		if r.LastError != "" || r.Health == "err" {
			t.Errorf("%s: got %s %s", r.Name, r.Health, r.LastError)
		}
		if _, err := p.await(withoutLimit(r.Query), numbered); err != nil {
			t.Errorf("%s: got no answer to %s: %v", r.Name, withoutLimit(r.Query), err)
		}
	}
	if len(rules) < 20 {
		t.Errorf("got %d rules, want all of the file", len(rules))
	}
}

// A rule is one that Prometheus evaluates.
type rule struct{ Name, Query, Health, LastError string }

func (p *prometheus) rules(t *testing.T) (all []rule) {
	t.Helper()
	var data struct{ Groups []struct{ Rules []rule } }
	if err := p.get("rules", &data); err != nil {
		t.Fatal(err)
	}
	for _, group := range data.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// withoutLimit has comparisons answer 0 or 1 for each series in place of leaving
// out those that do not hold.
func withoutLimit(query string) string {
	quoted := regexp.MustCompile(`\{[^}]*\}`)
	kept := quoted.FindAllString(query, -1)
	query = quoted.ReplaceAllString(query, "\x00")
	query = regexp.MustCompile(`(==|!=|>=|<=|>|<)`).ReplaceAllString(query, "$1 bool")
	for _, k := range kept {
		query = strings.Replace(query, "\x00", k, 1)
	}
	return query
}

// seriesAreThere wants something for each of the selectors in a query by itself:
// "or" and sums would hide one that finds nothing. Series of a histogram are there
// in one of its forms alone.
func (w *watched) seriesAreThere(t *testing.T) {
	queries := panels(t)
	for _, r := range w.prometheus.rules(t) {
		queries[r.Name] = r.Query
	}
	for name, query := range queries {
		for _, selector := range selectors(query) {
			found, err := w.prometheus.query(selector)
			native, nativeErr := w.native.query(selector)
			if len(found)+len(native) == 0 {
				t.Errorf("%s: got no series for %s: %v, %v", name, selector, err, nativeErr)
			}
		}
	}
	const buckets = `{__name__=~"postern_.*_(bucket|sum|count)"}`
	if found, err := w.native.query(buckets); err != nil || len(found) > 0 {
		t.Errorf("got %d series such as %v of histograms that are native, %v, want none", len(found), found, err)
	}
}

func selectors(query string) []string {
	return regexp.MustCompile(`\b(?:(?:postern|go|process|promhttp)_[a-z_]+|job:[a-z0-9_:]+|up\b)(?:\{[^}]*\})?`).FindAllString(query, -1)
}

// metricsAreRead wants a panel or a rule for each metric of our own.
func (w *watched) metricsAreRead(t *testing.T) {
	rules, err := os.ReadFile("../deploy/prometheus/postern.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	asked := string(rules)
	for _, query := range panels(t) {
		asked += "\n" + query
	}
	named := regexp.MustCompile(`(?m)^# TYPE (postern_\w+)`)
	for _, m := range named.FindAllStringSubmatch(w.office.page(t)+w.sidecar.page(t), -1) {
		if !regexp.MustCompile(`\b` + m[1] + `(_bucket|_sum|_count)?\b`).MatchString(asked) {
			t.Errorf("%s: got no panel, alert or rule that reads it", m[1])
		}
	}
}

// slow are alerts that a busy machine may well cause.
var slow = []string{"PosternDecisionsSlow", "PosternDirectoryFollowedLate"}

func (p *prometheus) nothingFires(t *testing.T) {
	firing, err := p.query(`ALERTS{alertstate="firing"}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, alert := range firing {
		if !slices.Contains(slow, alert.Metric["alertname"]) {
			t.Errorf("got %v on a healthy fleet", alert.Metric)
		}
	}
}

// redisStops wants the alert of the server that is asked to come when Redis goes
// and to go when it comes back, and decisions to be made and counted all the while.
// The sidecar, which nobody asks, misses Redis as well, sooner or later.
func (w *watched) redisStops(t *testing.T) {
	firing := fmt.Sprintf(`count(ALERTS{alertname="PosternRedisDown",alertstate="firing",instance=%q})`, strings.TrimPrefix(w.office.ops.base, "http://"))
	const decided = `postern_decisions_total{decision="allow"}`
	before := w.metric(t, decided)
	w.redis.Kill()
	if found, err := w.prometheus.await(firing, comesTo(1)); err != nil {
		t.Fatalf("got %v, %v, want the alert of the server that is asked", found, err)
	}
	during := w.metric(t, decided)
	if during <= before {
		t.Errorf("got %v decisions that allow, want more than %v", during, before)
	}
	if rate, err := w.prometheus.query(`sum(rate(postern_decisions_total{decision="allow"}[` + window + `]))`); err != nil || !numbered(rate) || rate[0].value == 0 {
		t.Errorf("got a rate of %v, %v, want one that moves", rate, err)
	}
	if err := w.redis.Restart(); err != nil {
		t.Fatal(err)
	}
	if found, err := w.prometheus.await(fmt.Sprintf(`(%s) or vector(0)`, firing), comesTo(0)); err != nil {
		t.Errorf("got %v, %v, want the alert to end with Redis back", found, err)
	}
}

func comesTo(want float64) func([]sample) bool {
	return func(found []sample) bool { return len(found) == 1 && found[0].value == want }
}

package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetricsSayWhatIsInForce(t *testing.T) {
	registry := prometheus.NewRegistry()
	now := func() time.Time { return time.Unix(1000, 0) }
	archive := func(revision string) Source {
		return CoreAt(room("true").with(".manifest", `{"revision": "`+revision+`"}`).tarGz(t, "x.tar.gz"))
	}
	e := loaded(t, Options{Core: archive("v1"), Registerer: registry, Now: now})
	if err := e.Offer(t.Context(), archive("v2")); err != nil {
		t.Fatal(err)
	}
	const want = `
# HELP postern_policy_activation_timestamp_seconds When the layer in force was put in force.
# TYPE postern_policy_activation_timestamp_seconds gauge
postern_policy_activation_timestamp_seconds{source="core"} 1000
# HELP postern_policy_activations_total Policies that were put in force (ok) or refused, by the stage of the gate that refused them.
# TYPE postern_policy_activations_total counter
postern_policy_activations_total{result="compile",source="core"} 0
postern_policy_activations_total{result="data",source="core"} 0
postern_policy_activations_total{result="entrypoint",source="core"} 0
postern_policy_activations_total{result="limit",source="core"} 0
postern_policy_activations_total{result="ok",source="core"} 2
postern_policy_activations_total{result="proof",source="core"} 0
postern_policy_activations_total{result="read",source="core"} 0
postern_policy_activations_total{result="test",source="core"} 0
# HELP postern_policy_info The policy revision in force for each layer; the value is always 1.
# TYPE postern_policy_info gauge
postern_policy_info{revision="v2",source="core"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want),
		"postern_policy_activation_timestamp_seconds", "postern_policy_activations_total", "postern_policy_info"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("got %v, %v, want no problems", problems, err)
	}
}

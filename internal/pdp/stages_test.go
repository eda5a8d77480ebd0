package pdp

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestWhatIsBetweenTheStagesIsInNone(t *testing.T) {
	clock := time.Unix(0, 0)
	pass := func(d time.Duration) { clock = clock.Add(d) }
	registry := prometheus.NewRegistry()
	p := New(Options{Now: func() time.Time { return clock }, Registerer: registry})
	w := p.Stages().Begin()
	pass(2 * time.Second)
	w.Parsed()
	pass(time.Hour) // the decision
	w.Answered()
	pass(3 * time.Second)
	w.Encoded()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"parse": 2, "facts": 0, "eval": 0, "encode": 3}
	for _, f := range families {
		if f.GetName() != "postern_decision_stage_duration_seconds" {
			continue
		}
		for _, m := range f.Metric {
			stage := m.Label[0].GetValue()
			if got := m.Histogram.GetSampleSum(); got != want[stage] || m.Histogram.GetSampleCount() > 1 {
				t.Errorf("%s: got %d observations of %v s, want %v s", stage, m.Histogram.GetSampleCount(), got, want[stage])
			}
			delete(want, stage)
		}
	}
	if len(want) > 0 {
		t.Errorf("got no series of %v", want)
	}
}

func TestMeasuringMakesNoGarbage(t *testing.T) {
	for name, stages := range map[string]*Stages{"stages": New(Options{}).Stages(), "nobody measures": nil} {
		if n := testing.AllocsPerRun(100, func() { measured(stages) }); n != 0 {
			t.Errorf("%s: got %v allocations, want none", name, n)
		}
	}
}

func BenchmarkStages(b *testing.B) {
	stages := New(Options{}).Stages()
	b.ReportAllocs()
	for b.Loop() {
		measured(stages)
	}
}

func measured(s *Stages) {
	w := s.Begin()
	w.Parsed()
	w.Answered()
	w.Encoded()
}

package policy

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type meters struct {
	info        *prometheus.GaugeVec
	activations *prometheus.CounterVec
	activatedAt *prometheus.GaugeVec
	good        *prometheus.GaugeVec
}

func newMeters(r prometheus.Registerer, sources []Source, stuck func() float64) *meters {
	m := &meters{
		info: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "postern_policy_info", Help: "The policy revision in force for each layer; the value is always 1.",
		}, []string{"source", "revision"}),
		activations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postern_policy_activations_total", Help: "Policies that were put in force (ok) or refused, by the stage of the gate that refused them.",
		}, []string{"source", "result"}),
		activatedAt: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "postern_policy_activation_timestamp_seconds", Help: "When the layer in force was put in force.",
		}, []string{"source"}),
		good: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "postern_policy_last_success_timestamp_seconds",
			Help: "When the files of a layer were last looked at and were what is in force: not while they cannot be read, keep changing, or hold what was refused. An embedded core has none.",
		}, []string{"source"}),
	}
	for _, s := range sources {
		for _, result := range []string{"ok", string(StageRead), string(StageCompile), string(StageEntrypoint), string(StageData), string(StageTest), string(StageLimit), string(StageProof)} {
			m.activations.WithLabelValues(s.Name, result)
		}
		m.activatedAt.WithLabelValues(s.Name)
		if !s.embedded() {
			m.good.WithLabelValues(s.Name)
		}
	}
	r.MustRegister(m.info, m.activations, m.activatedAt, m.good, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "postern_policy_stuck_evaluations", Help: "Evaluations that outlived their deadline and still hold a goroutine.",
	}, stuck))
	return m
}

// activated records that a layer is in force instead of another revision of it.
func (m *meters) activated(was, is *layer, at time.Time) {
	if was != nil {
		m.info.DeleteLabelValues(was.name, was.revision)
	}
	m.info.WithLabelValues(is.name, is.revision).Set(1)
	m.activations.WithLabelValues(is.name, "ok").Inc()
	m.activatedAt.WithLabelValues(is.name).Set(seconds(at))
}

// seconds is a time as metrics have it.
func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

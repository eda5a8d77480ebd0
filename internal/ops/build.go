package ops

import (
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/collectors/version"
)

// A Build is what a binary was made of.
type Build struct {
	Version  string `json:"version"`  // of the module: a tag, or a pseudo-version
	Revision string `json:"revision"` // the commit, or empty
	Go       string `json:"go"`
	OPA      string `json:"opa"` // of the policy engine in it
}

// ReadBuild is the build of this binary.
func ReadBuild() Build {
	b := Build{Version: "(devel)", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			b.Revision = setting.Value
		}
	}
	for _, module := range info.Deps {
		if module.Path == "github.com/open-policy-agent/opa" {
			b.OPA = module.Version
		}
	}
	return b
}

// NewRegistry is a registry with the metrics of every Go process (go_*,
// process_*) and postern_build_info. Every package adds its own to it.
func NewRegistry(b Build) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		version.NewCollector("postern", version.WithExtraConstLabels(prometheus.Labels{"version": b.Version, "revision": b.Revision})),
	)
	return r
}

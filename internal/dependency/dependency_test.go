package dependency_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/postern-authz/postern/internal/dependency"
)

func TestDependenciesShareTheirMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	redis := dependency.New(registry, "redis", "get", "put")
	postgres := dependency.New(registry, "postgres", "read")
	redis.Up(true)
	redis.Failed("get")
	postgres.Failed("read")
	postgres.Up(true)
	postgres.Up(false)
	const want = `
		# HELP postern_dependency_errors_total Failed calls of a service that this process needs, by what was tried.
		# TYPE postern_dependency_errors_total counter
		postern_dependency_errors_total{dependency="postgres",operation="read"} 1
		postern_dependency_errors_total{dependency="redis",operation="get"} 1
		postern_dependency_errors_total{dependency="redis",operation="put"} 0
		# HELP postern_dependency_up Whether a service that this process needs answers: 1 or 0.
		# TYPE postern_dependency_up gauge
		postern_dependency_up{dependency="postgres"} 0
		postern_dependency_up{dependency="redis"} 1
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestADependencyIsCountedWithoutARegistry(t *testing.T) {
	m := dependency.New(nil, "redis")
	m.Up(true)
	m.Failed("get")
}

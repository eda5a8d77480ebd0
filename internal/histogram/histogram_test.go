package histogram

import (
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func opts() prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Name: "test_seconds", Help: "Of a test.", Buckets: []float64{.001, .01, .1}}
}

func TestAHistogramIsWhatItWasUnlessItIsNative(t *testing.T) {
	if got := Native(false).Options(opts()); !reflect.DeepEqual(got, opts()) {
		t.Errorf("got %+v, want %+v", got, opts())
	}
	got := Native(true).Options(opts())
	if got.NativeHistogramBucketFactor != 1.1 || got.NativeHistogramMaxBucketNumber != 100 || got.NativeHistogramMinResetDuration != time.Hour {
		t.Errorf("got %+v, want native buckets 10%% wider each, 100 at most for an hour", got)
	}
}

// Who reads the page as text reads the same of both.
func TestTheTextOfANativeHistogramHasItsBuckets(t *testing.T) {
	if plain, native := page(Native(false)), page(Native(true)); native != plain {
		t.Errorf("got %s, want %s", native, plain)
	}
}

func page(n Native) string {
	registry, h := prometheus.NewRegistry(), prometheus.NewHistogram(n.Options(opts()))
	registry.MustRegister(h)
	for i := range 1000 {
		h.Observe(float64(i) / 5000)
	}
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
	return answer.Body.String()
}

package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/fleet"
)

// A prometheus is a Prometheus of the test's own.
type prometheus struct {
	t    *testing.T
	at   endpoint
	said *record
}

// nativeHistograms has Prometheus take native histograms, where there are such, and
// nothing else of them.
const nativeHistograms = "--enable-feature=native-histograms"

// newPrometheus starts one on a configuration, which ends with the test.
func newPrometheus(t *testing.T, config string, flags ...string) *prometheus {
	t.Helper()
	dir, at := t.TempDir(), freeAddress(t)
	path := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &prometheus{t, dial(at), newRecord()}
	flags = append(flags, "--config.file="+path, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+at)
	cmd := exec.Command("prometheus", flags...)
	cmd.Stdout, cmd.Stderr = p.said, p.said
	running, err := fleet.Start(cmd, nil, syscall.SIGKILL)
	if err != nil {
		t.Fatalf("this test needs Prometheus (apt-get install prometheus): %v", err)
	}
	t.Cleanup(func() { p.at.client.CloseIdleConnections(); running.Kill() })
	return p
}

// A sample is one series of an answer. The value of a native histogram is how much
// was observed.
type sample struct {
	Metric map[string]string
	value  float64
}

// query asks for the value of an expression now.
func (p *prometheus) query(expression string) ([]sample, error) {
	var data struct {
		Result []struct {
			sample
			Value     [2]any
			Histogram [2]any
		}
	}
	if err := p.get("query?query="+url.QueryEscape(expression), &data); err != nil {
		return nil, fmt.Errorf("%s: %w", expression, err)
	}
	var found []sample
	for _, r := range data.Result {
		if native, ok := r.Histogram[1].(map[string]any); ok {
			r.Value[1] = native["count"]
		}
		value, err := strconv.ParseFloat(fmt.Sprint(r.Value[1]), 64)
		if err != nil {
			return nil, err
		}
		found = append(found, sample{r.Metric, value})
	}
	return found, nil
}

// get reads what the API answers to a path.
func (p *prometheus) get(path string, data any) error {
	x, err := p.at.send(http.MethodGet, "/api/v1/"+path, "")
	if err != nil {
		return err
	}
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.Unmarshal([]byte(x.body), &answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s", answer.Error)
	}
	return nil
}

// await asks until the answer is as it should be, and says whether that came.
func (p *prometheus) await(expression string, so func([]sample) bool) (last []sample, err error) {
	for enough := time.Now().Add(patience); time.Now().Before(enough); time.Sleep(100 * time.Millisecond) {
		if last, err = p.query(expression); err == nil && so(last) {
			return last, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("still not so: %v", last)
	}
	return last, err
}

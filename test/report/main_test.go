package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	for _, c := range []struct {
		name, in, says string
		ok             bool
	}{
		{"a test that passes keeps quiet",
			`{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
			{"Action":"pass","Package":"p","Test":"TestA"}
			{"Action":"pass","Package":"p","Elapsed":1.5}`, "ok    p", true},
		{"a test that fails tells all it said",
			`{"Action":"output","Package":"p","Test":"TestA","Output":"got 1, want 2\n"}
			{"Action":"fail","Package":"p","Test":"TestA"}`, "got 1, want 2", false},
		{"a skipped test is a failure",
			`{"Action":"pass","Package":"p","Test":"TestB"}
			{"Action":"skip","Package":"p","Test":"TestA"}`, "SKIP  p TestA", false},
		{"a package without tests is none",
			`{"Action":"skip","Package":"q"}
			{"Action":"pass","Package":"p","Test":"TestB"}`, "", true},
		{"a package that does not build is a failure",
			`{"Action":"build-output","Package":"","Output":"undefined: x\n"}
			{"Action":"build-fail"}`, "undefined: x", false},
		{"what is not an event is shown", "go: no such package\n", "no such package", false},
		{"nothing is a failure", "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			err := report(strings.NewReader(c.in), &out)
			if (err == nil) != c.ok {
				t.Errorf("got error %v, want none: %v", err, c.ok)
			}
			if !strings.Contains(out.String(), c.says) {
				t.Errorf("got %q, want it to say %q", out.String(), c.says)
			}
			if strings.Contains(out.String(), "noise") {
				t.Errorf("got %q, want no noise", out.String())
			}
		})
	}
}

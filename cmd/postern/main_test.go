package main

import (
	"bytes"
	"strings"
	"testing"
)

// T19: who gives a whole key in place of its id does not find it in the output.
func TestNoMistakeShowsAKey(t *testing.T) {
	key := "ok_2lb2tqqzp5nl44sc_" + strings.Repeat("a", 42) + "8"
	for _, args := range [][]string{{key}, {"token", key}, {"org", "show", "acme", key}, {"serve", "--" + key}, {"policy", "check", key}, {"backup", "/none/" + key}} {
		var out, errs bytes.Buffer
		code := run(args, nil, &out, &errs, []string{"HOME=" + t.TempDir()})
		if said := out.String() + errs.String(); code == 0 || said == "" || strings.Contains(said, key[20:]) {
			t.Errorf("postern %q: got code %d and %s, want it to fail without the key", args, code, said)
		}
	}
}

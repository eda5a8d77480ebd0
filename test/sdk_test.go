package test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestTheSDKOfOPAPassesEveryCall installs OPA's SDK for TypeScript, under both
// names that it goes by, and makes every call that it has.
func TestTheSDKOfOPAPassesEveryCall(t *testing.T) {
	t.Parallel()
	bundle, err := filepath.Abs("../bundles/example")
	if err != nil {
		t.Fatal(err)
	}
	i := install(t, "POSTERN_OVERLAYS="+bundle, "POSTERN_DATA_PATHS=catalog/roles")
	i.run(t, "import", acme(t))
	s := i.serve(t)
	dir := installSDK(t)
	for _, name := range []string{"@open-policy-agent/opa", "@styra/opa"} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			calls := exec.CommandContext(ctx, "node", "calls.mjs", s.decisions.base, name)
			calls.Dir = dir
			if out, err := calls.CombinedOutput(); err != nil {
				t.Errorf("%v: %v\n%s", calls, err, out)
			}
		})
	}
}

// installSDK installs what test/sdk locks, into a directory of the test's own.
func installSDK(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "calls.mjs"} {
		text, err := os.ReadFile(filepath.Join("sdk", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	ci := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	ci.Dir = dir
	if out, err := ci.CombinedOutput(); err != nil {
		t.Fatalf("npm could not install OPA's SDK; it needs Node.js, npm and a registry that answers: %v\n%s", err, out)
	}
	return dir
}

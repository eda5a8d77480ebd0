package test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/config"
)

// TestEverySettingIsTurned wants each setting in a test of the whole program: as
// NAME=value, or as a word that has one given. That a value is refused says
// nothing of what another one does.
func TestEverySettingIsTurned(t *testing.T) {
	t.Parallel()
	refusing := []string{"startfaults_test.go", "secrets_refused_test.go"}
	var tests strings.Builder
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || slices.Contains(refusing, path) || !strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, ".txtar") {
			return err
		}
		text, err := os.ReadFile(path)
		tests.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	turned := map[string]bool{}
	for _, found := range regexp.MustCompile(`\b(POSTERN_[A-Z0-9_]+)[="]`).FindAllStringSubmatch(tests.String(), -1) {
		turned[strings.TrimSuffix(found[1], "_FILE")] = true
	}
	for _, v := range append(config.Vars(), config.ClientVars()...) {
		if !turned[v.Name] {
			t.Errorf("no test of the whole program sets %s: turn it in one that fails without it, as those in settings_test.go do", v.Name)
		}
	}
}

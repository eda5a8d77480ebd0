package config

import (
	"bytes"
	"strings"
	"testing"
)

func TestWhatServersShareIsDerivedOnce(t *testing.T) {
	full := Config{Secret: Secret(strings.Repeat("s", 32))}
	first, err := full.SharedKey()
	if err != nil || full.Shared() || len(first) < 32 || bytes.Contains(first, []byte(full.Secret)) {
		t.Fatalf("got %q, %v, want another secret", first, err)
	}
	sidecar := Config{Secret: Secret(first)}
	if again, err := sidecar.SharedKey(); err != nil || !sidecar.Shared() || !bytes.Equal(again, first) {
		t.Errorf("given what was derived: got %q, %v, want the same", again, err)
	}
}

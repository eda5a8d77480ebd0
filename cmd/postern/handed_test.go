package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/config"
)

// What was not handed over is missed, and so is what nobody takes.
func TestSocketsAndListenersBelongTogether(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings string
		handed   string
		want     string // or empty: it is served
	}{
		"no socket at all":                  {"", "", ""},
		"nobody hands it over":              {"POSTERN_DECISIONS_LISTEN=fd://60000", "", "POSTERN_DECISIONS_LISTEN names a socket that was not handed over"},
		"nobody hands administration over":  {"POSTERN_MANAGEMENT_LISTEN=fd://60000", "", "POSTERN_MANAGEMENT_LISTEN names a socket that was not handed over"},
		"it is not served":                  {"POSTERN_MANAGEMENT_LISTEN=fd://60000 POSTERN_ONLY=decisions", "", ""},
		"nobody takes it":                   {"", "LISTEN_PID=%d LISTEN_FDS=1", "set POSTERN_DECISIONS_LISTEN or POSTERN_MANAGEMENT_LISTEN to fd://3"},
		"it was handed over to another one": {"", "LISTEN_PID=1%d LISTEN_FDS=1", ""},
	} {
		environ := append(strings.Fields(c.settings), "HOME=/home/postern")
		cfg, err := config.Load(environ)
		if err != nil {
			t.Fatal(err)
		}
		if c.handed != "" {
			environ = append(environ, strings.Fields(fmt.Sprintf(c.handed, os.Getpid()))...)
		}
		if err := claimed(environ, cfg); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

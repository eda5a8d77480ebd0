package config

import (
	"strings"
	"testing"
)

func TestCommandsFindTheirServerAndCredential(t *testing.T) {
	dir, empty := t.TempDir(), t.TempDir()
	writeFile(t, dir, OperatorKey, "ok_first\n", 0o600)
	file := writeFile(t, dir, "token", "st_file\n", 0o600)
	open := writeFile(t, dir, "open", "st_hunter2", 0o644)
	for _, tc := range []struct {
		name, environ string // separated by blanks
		server, token string
		err           string
	}{
		{"beside the server", "POSTERN_STATE=" + dir, DefaultServer, "ok_first", ""},
		{"elsewhere", "POSTERN_SERVER=https://pap.example POSTERN_TOKEN=st_given", "https://pap.example", "st_given", ""},
		{"with a token in a file", "POSTERN_STATE=" + dir + " POSTERN_TOKEN_FILE=" + file, DefaultServer, "st_file", ""},
		{"with two tokens", "POSTERN_TOKEN=a POSTERN_TOKEN_FILE=" + file, "", "", "POSTERN_TOKEN and POSTERN_TOKEN_FILE are both set: keep one"},
		{"with a token that all may read", "POSTERN_TOKEN_FILE=" + open, "", "", "POSTERN_TOKEN_FILE names a file that others may read: chmod 600 it"},
		{"with nothing", "POSTERN_STATE=" + empty, "", "", "there is no credential: set POSTERN_TOKEN or POSTERN_TOKEN_FILE, or run this where the server keeps its state"},
		{"at no URL", "POSTERN_SERVER=pap.example POSTERN_TOKEN=hunter2", "", "", "POSTERN_SERVER is not a URL such as " + DefaultServer},
	} {
		c, err := LoadClient(append([]string{home}, strings.Fields(tc.environ)...))
		if tc.err != "" {
			if err == nil || err.Error() != tc.err {
				t.Errorf("%s: got %v, want %s", tc.name, err, tc.err)
			}
			continue
		}
		if err != nil || c.Server != tc.server || string(c.Token) != tc.token {
			t.Errorf("%s: got %s with %q, %v, want %s with %q", tc.name, c.Server, string(c.Token), err, tc.server, tc.token)
		}
	}
}

func TestAServerIgnoresTheVariablesOfCommands(t *testing.T) {
	if _, err := Load([]string{home, "POSTERN_SERVER=http://127.0.0.1:1", "POSTERN_TOKEN=st_x"}); err != nil {
		t.Errorf("got %v, want no fault", err)
	}
}

package config

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// home is what every environment has.
const home = "HOME=/home/postern"

func TestNothingSetServesFromThisMachineToThisMachine(t *testing.T) {
	c, err := Load([]string{home})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.State, "/home/postern/.local/state/postern"; got != want {
		t.Errorf("got state %q, want %q", got, want)
	}
	if got, want := string(c.Database), "sqlite:/home/postern/.local/state/postern/postern.db"; got != want {
		t.Errorf("got database %q, want %q", got, want)
	}
	for _, a := range []Address{c.Decisions.Listen, c.Ops.Listen} {
		if !a.Local() {
			t.Errorf("got %s, want a loopback address (B1)", a)
		}
	}
	if got := c.Decisions.AuthMode(); got != AuthNone {
		t.Errorf("got auth %s, want none", got)
	}
	if c.MaxStaleness != 5*time.Second || c.PollInterval != 250*time.Millisecond {
		t.Errorf("got staleness %s and poll %s, want 5s and 250ms (ruling 6)", c.MaxStaleness, c.PollInterval)
	}
}

func TestEverySettingCanBeSet(t *testing.T) {
	dir := t.TempDir()
	secret := writeFile(t, dir, "secret", strings.Repeat("s", 32)+"\n", 0o600)
	c, err := Load([]string{
		"POSTERN_STATE=" + dir,
		"POSTERN_DATABASE=postgres://app:pw@db.example.com/postern?sslmode=verify-full",
		"POSTERN_SECRET_FILE=" + secret,
		"POSTERN_PUBLIC_URL=https://pdp.example.com/tenant/",
		"POSTERN_DECISIONS_LISTEN=unix:///run/postern/decisions.sock",
		"POSTERN_DECISIONS_MAX_BODY=1MiB",
		"POSTERN_OVERLAYS=" + dir,
		"POSTERN_POLICY_BUILTINS=io.jwt.decode,crypto.sha256",
		"POSTERN_DECISION_LOG=file:///var/log/postern/decisions.ndjson",
		"POSTERN_LOG_LEVEL=warn",
		"POSTERN_DRAIN_DELAY=0s",
		"POSTERN_MAX_STALENESS=", // as a compose file leaves one out
	})
	if err != nil {
		t.Fatal(err)
	}
	checks := []struct{ got, want any }{
		{string(c.Secret), strings.Repeat("s", 32)},
		{c.PublicURL, PublicURL("https://pdp.example.com/tenant")},
		{c.Decisions.Listen, Address("unix:///run/postern/decisions.sock")},
		{c.Decisions.MaxBody, Size(1 << 20)},
		{len(c.PolicyBuiltins), 2},
		{c.DecisionLog.Target, LogTarget("/var/log/postern/decisions.ndjson")},
		{c.LogLevel.String(), "WARN"},
		{c.DrainDelay, time.Duration(0)},
		{c.MaxStaleness, 5 * time.Second},
	}
	for _, check := range checks {
		if check.got != check.want {
			t.Errorf("got %v, want %v", check.got, check.want)
		}
	}
}

func TestStateIsWhereTheSystemKeepsIt(t *testing.T) {
	cases := []struct {
		name    string
		environ []string
		want    string
	}{
		{"systemd names a directory", []string{home, "STATE_DIRECTORY=/var/lib/postern"}, "/var/lib/postern"},
		{"systemd names several", []string{"STATE_DIRECTORY=/var/lib/postern:/var/lib/b"}, "/var/lib/postern"},
		{"the desktop names one", []string{home, "XDG_STATE_HOME=/data"}, "/data/postern"},
		{"a relative XDG_STATE_HOME is ignored, as its specification says", []string{home, "XDG_STATE_HOME=data"}, "/home/postern/.local/state/postern"},
		{"our own setting wins", []string{"POSTERN_STATE=/srv", "STATE_DIRECTORY=/var/lib/postern"}, "/srv"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c, err := Load(tc.environ)
			if err != nil {
				t.Fatal(err)
			}
			if c.State != tc.want {
				t.Errorf("got %q, want %q", c.State, tc.want)
			}
		})
	}
}

func TestAuthAutoAsksForWhatTheListenerNeeds(t *testing.T) {
	cases := []struct {
		name string
		d    Decisions
		want string
	}{
		{"a loopback address asks for nothing", Decisions{Auth: AuthAuto, Listen: "127.0.0.1:1"}, AuthNone},
		{"a unix socket asks for nothing", Decisions{Auth: AuthAuto, Listen: "unix:///s"}, AuthNone},
		{"a client CA asks for a certificate", Decisions{Auth: AuthAuto, Listen: "127.0.0.1:1", ClientCA: "ca"}, AuthMTLS},
		{"the network asks for a key", Decisions{Auth: AuthAuto, Listen: ":8181"}, AuthKey},
		{"a name may be any address", Decisions{Auth: AuthAuto, Listen: "pdp:8181"}, AuthKey},
		{"what is said is said", Decisions{Auth: AuthKey, Listen: "[::1]:1"}, AuthKey},
	}
	for _, tc := range cases {
		if got := tc.d.AuthMode(); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestServiceLinksOfKubernetesAreNoSettings(t *testing.T) {
	links := []string{
		"POSTERN_SERVICE_HOST=10.0.0.1", "POSTERN_SERVICE_PORT=8181", "POSTERN_SERVICE_PORT_DECISIONS=8181",
		"POSTERN_PORT=tcp://10.0.0.1:8181", "POSTERN_PORT_8181_TCP=tcp://10.0.0.1:8181", "POSTERN_PORT_8181_TCP_ADDR=10.0.0.1",
		"POSTERN_OPS_SERVICE_HOST=10.0.0.2", "POSTERN_OPS_PORT_8183_TCP_PROTO=tcp",
	}
	if _, err := Load(append(links, home, "KUBERNETES_SERVICE_HOST=10.0.0.3")); err != nil {
		t.Errorf("in a pod: got %v, want no error", err)
	}
	if _, err := Load(append(links, home)); err == nil || strings.Count(err.Error(), "\n") != len(links)-1 {
		t.Errorf("outside of one: got %v, want a fault of each", err)
	}
	if _, err := Load([]string{home, "KUBERNETES_SERVICE_HOST=10.0.0.3", "POSTERN_DECISION_LISTEN=:1"}); err == nil {
		t.Error("a misspelt setting in a pod: got no error")
	}
}

func TestPrintShowsSourcesAndNoSecret(t *testing.T) {
	dir := t.TempDir()
	secret := writeFile(t, dir, "key", strings.Repeat("hunter2", 6), 0o600)
	c, err := Load([]string{home, "POSTERN_SECRET_FILE=" + secret,
		"POSTERN_DATABASE=postgres://app:hunter2@127.0.0.1/postern?sslmode=disable&sslpassword=hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"POSTERN_SECRET=[redacted]", "# file " + secret,
		"POSTERN_DATABASE=postgres://app:[redacted]@127.0.0.1/postern?sslmode=disable&[redacted]", "# environment",
		"POSTERN_STATE=/home/postern/.local/state/postern", "# HOME",
		"POSTERN_DECISIONS_TIMEOUT=100ms", "# default",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got no %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "hunter2") {
		t.Errorf("got a secret in\n%s", b.String())
	}
	if got, want := strings.Count(b.String(), "\n"), len(Vars()); got != want {
		t.Errorf("got %d lines, want one for each of %d settings", got, want)
	}
}

func TestHelpTellsEverySettingsDefaultAndEffect(t *testing.T) {
	var b bytes.Buffer
	if err := WriteHelp(&b); err != nil {
		t.Fatal(err)
	}
	for _, v := range Vars() {
		if !strings.HasSuffix(v.Help, ".") || v.Default == "" && !strings.Contains(v.Help, "Empty: ") {
			t.Errorf("%s: got %q, want sentences that say what the default is", v.Name, v.Help)
		}
		if !strings.Contains(b.String(), "\n"+v.Name+"\n") {
			t.Errorf("got no %s in the help", v.Name)
		}
	}
	for line := range strings.Lines(b.String()) {
		if len(line) > 81 {
			t.Errorf("got a line of %d columns: %s", len(line)-1, line)
		}
	}
}

func TestTagsAreSound(t *testing.T) {
	for _, v := range variables(&Config{}) {
		low, high, ok := bounds(v.field)
		if v.Range != "" && (!ok || low >= high) {
			t.Errorf("%s: got range %q, want two values", v.Name, v.Range)
		}
		if v.field.Type == reflect.TypeFor[int]() && v.Range == "" {
			t.Errorf("%s: got no range for a number", v.Name)
		}
	}
}

func TestKeyIsMadeOnceForItsOwnerAlone(t *testing.T) {
	c := &Config{State: filepath.Join(t.TempDir(), "state")}
	first, err := c.Key()
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Key()
	if err != nil || !bytes.Equal(first, second) || len(first) < minSecret {
		t.Errorf("got %d bytes, then others (%v), want the same 32 or more", len(first), err)
	}
	for name, want := range map[string]os.FileMode{"": 0o700, "secret": 0o600} {
		info, err := os.Stat(filepath.Join(c.State, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: got %v (%v), want mode %v", name, info.Mode(), err, want)
		}
	}
	if entries, _ := os.ReadDir(c.State); len(entries) != 1 {
		t.Errorf("got %v, want the secret and nothing else", entries)
	}
}

func TestKeyRefusesAFileThatIsNoSecret(t *testing.T) {
	cases := []struct {
		name, content string
		mode          os.FileMode
	}{
		{"others may read it", strings.Repeat("k", 43), 0o644},
		{"its group may read it", strings.Repeat("k", 43), 0o640},
		{"it is empty", "", 0o600},
		{"it is short", "k", 0o600},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := &Config{State: t.TempDir()}
			writeFile(t, c.State, "secret", tc.content, tc.mode)
			if key, err := c.Key(); err == nil {
				t.Errorf("got a key of %d bytes, want an error", len(key))
			}
		})
	}
}

func TestKeyIsTheSettingWhenThereIsOne(t *testing.T) {
	c := &Config{Secret: "given", State: filepath.Join(t.TempDir(), "none")}
	if key, err := c.Key(); err != nil || string(key) != "given" {
		t.Errorf("got %q (%v), want the setting", key, err)
	}
	if _, err := os.Stat(c.State); err == nil {
		t.Error("got a state directory, want none made for nothing")
	}
}

// Whatever is put into whichever variable, no message repeats it (T19).
func TestNoFaultRepeatsAValue(t *testing.T) {
	vars := Vars()
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SampledFrom(vars).Draw(t, "variable")
		canary := "Zq" + rapid.StringMatching(`[a-zA-Z0-9]{6,20}`).Draw(t, "canary")
		form := rapid.SampledFrom([]string{"%", "postgres://u:%@h:x/d", "postgres://%zz@h/d", "https://u:%@h/?#", "unix://%", "sqlite:%/", "/%", "%:1", "1%", "a,,%", "file://%"}).Draw(t, "form")
		name := v.Name
		if v.Secret && rapid.Bool().Draw(t, "file") {
			name += fileSuffix
		}
		_, err := Load([]string{home, name + "=" + strings.ReplaceAll(form, "%", canary)})
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Fatalf("got %v", err)
		}
	})
}

// However a password is written into a URL, printing shows none of it (T19).
func TestNoPasswordOfADatabaseIsPrinted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringMatching(`[!-~]{0,6}`)
		password := part.Draw(t, "a") + "CANARY" + part.Draw(t, "b")
		form := rapid.SampledFrom([]string{"postgres://app:%@db/postern", "postgres://app:12/%@db/x", "postgres://app:1?%@db/x", "postgresql://app@db/x?password=%", "postgres://app@db/x?sslpassword=%&pool=1", "postgres://%:x@[db]/"}).Draw(t, "form")
		var d DSN
		raw := strings.ReplaceAll(form, "%", password)
		if err := d.UnmarshalText([]byte(raw)); err != nil {
			if strings.Contains(err.Error(), "CANARY") {
				t.Fatalf("got error %v", err)
			}
			return
		}
		if strings.HasPrefix(form, "postgres://%") {
			return // a user, which may be shown
		}
		if strings.Contains(d.String()+d.GoString(), "CANARY") {
			t.Fatalf("got %s of %s", d, raw)
		}
	})
}

func writeFile(t *testing.T, dir, name, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func lines(err error) []string {
	if err == nil {
		return nil
	}
	return slices.Sorted(strings.SplitSeq(err.Error(), "\n"))
}

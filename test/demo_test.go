package test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// TestDemoPrintsWhatWorks runs the three commands that the demo prints, as they
// are printed: an allow, a denial with its reason, and a batch.
func TestDemoPrintsWhatWorks(t *testing.T) {
	i := install(t)
	s, err := start(i.binary, i.dir, i.env, "--demo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.stop() })
	if !s.stdout.await(s.done, func(text string) bool { return len(printed(text)) == 3 }) {
		t.Fatalf("the demo printed %d commands, want 3:\n%s", len(printed(s.stdout.String())), s.stdout)
	}
	commands := printed(s.stdout.String())
	if got := said(t, commands[0]); got.Decision == nil || !*got.Decision {
		t.Errorf("%s: got %v, want allow", commands[0], got)
	}
	if got := said(t, commands[1]); got.Decision == nil || *got.Decision || len(got.rules()) == 0 {
		t.Errorf("%s: got %v for %q, want deny with a reason", commands[1], got, got.rules())
	}
	if got := said(t, commands[2]); len(got.Evaluations) < 2 {
		t.Errorf("%s: got %d answers, want one for each question", commands[2], len(got.Evaluations))
	}
}

// printed finds the commands among what the demo prints: from a line that begins
// with curl to the next empty line.
func printed(text string) (commands []string) {
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		if strings.HasPrefix(strings.TrimSpace(paragraph), "curl ") {
			commands = append(commands, paragraph)
		}
	}
	return commands
}

type batch struct {
	answer
	Evaluations []answer
}

// said is what a command prints.
func said(t *testing.T, command string) (b batch) {
	t.Helper()
	out, err := exec.Command("bash", "-c", command).Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, stderr(err))
	}
	if err := json.Unmarshal(out, &b); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return b
}

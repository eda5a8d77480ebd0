package prover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/postern-authz/postern/internal/policy"
)

// An ending is how a process came to its end.
type ending struct {
	Limits
	err    error // of starting it, or of its end
	state  *os.ProcessState
	stderr string
	top    string // the topmost layer
}

// verdict is what becomes of the policy: nil if the process said that it passed,
// and ended well.
func (e ending) verdict(ctx context.Context, answer io.Reader) error {
	last := line{Layer: e.top, Doing: "trying it"}
	for lines := json.NewDecoder(answer); ; {
		var next line
		switch err := lines.Decode(&next); {
		case err != nil:
			return e.untimely(ctx, last)
		case next.Passed && e.err == nil:
			return nil
		case next.Refused != nil && e.err == nil:
			r := next.Refused
			return &policy.Refusal{Layer: r.Layer, Stage: r.Stage, Err: errors.New(r.Err), Hint: r.Hint}
		case next.Doing != "":
			last = next
		}
	}
}

// untimely is the refusal for a process that gave no verdict, from what it was
// doing last.
func (e ending) untimely(ctx context.Context, last line) error {
	refuse := func(stage policy.Stage, cause error, hint string) error {
		return &policy.Refusal{Layer: last.Layer, Stage: stage, Err: fmt.Errorf("%s %w", last.Doing, cause), Hint: hint}
	}
	switch {
	case e.state == nil:
		return refuse(policy.StageProof, fmt.Errorf("needs a process of its own, which cannot be started: %w", e.err),
			"it is no fault of the policy: look at the limits of this service")
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return refuse(policy.StageLimit, fmt.Errorf("did not end in time: %w", ctx.Err()), "look for rules and tests that do not end")
	case ctx.Err() != nil:
		return refuse(policy.StageLimit, fmt.Errorf("was broken off: %w", ctx.Err()), "")
	case e.outOfTime():
		return refuse(policy.StageLimit, fmt.Errorf("took more than %v of processor time", e.CPU), "look for rules and tests that do not end")
	case e.outOfMemory():
		return refuse(policy.StageLimit, fmt.Errorf("took more than %d MiB of memory", e.Memory>>20),
			"look for rules and tests that build values out of all proportion")
	}
	return refuse(policy.StageProof, fmt.Errorf("brought down the process that tried it: %s", e.said()),
		"look for values nested without end; this server would have gone the same way")
}

// outOfTime says whether the kernel ended the process for its processor time.
func (e ending) outOfTime() bool {
	return strings.Contains(e.stderr, "SIGXCPU") || !e.state.Success() && e.state.UserTime()+e.state.SystemTime() > e.CPU
}

// outOfMemory says whether Go's runtime ended for want of memory: for its heap, a
// thread's stack, or what the race detector keeps. A fault of the runtime itself,
// which says SIGSEGV before anything else as no panic of a program does, is want
// of memory too: its collector uses what the kernel refused it without a look.
func (e ending) outOfMemory() bool {
	if strings.HasPrefix(e.stderr, "SIGSEGV") {
		return true
	}
	for _, words := range []string{"out of memory", "cannot allocate memory", "failed to create new OS thread", "failed to allocate", "pthread_create failed"} {
		if strings.Contains(e.stderr, words) {
			return true
		}
	}
	return false
}

// said is how the process ended, with the line of its stderr that tells most: the
// first if none is known to.
func (e ending) said() string {
	said := e.state.String() // "signal: killed", "exit status 2"
	first, _, _ := strings.Cut(strings.TrimSpace(e.stderr), "\n")
	for text := range strings.Lines(e.stderr) {
		text = strings.TrimSpace(text)
		if strings.HasPrefix(text, "fatal error: ") || strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "postern: ") {
			first = text
			break
		}
	}
	if first == "" {
		return said
	}
	return fmt.Sprintf("%s: %.300s", said, first)
}

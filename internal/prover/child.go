package prover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/postern-authz/postern/internal/policy"
)

// A question is what a process is given to try, as JSON.
type question struct {
	Layers   []policy.LayerFiles
	Builtins []string
}

// A line is one of a process's answer, as JSON: what begins, and at the end
// either that the policy passed or how it was refused.
type line struct {
	Layer   string   `json:",omitempty"`
	Doing   string   `json:",omitempty"`
	Refused *refusal `json:",omitempty"`
	Passed  bool     `json:",omitempty"`
}

// A refusal is a policy.Refusal in words.
type refusal struct {
	Layer, Err, Hint string
	Stage            policy.Stage
}

// Child tries the policies that come from in, within limits that hold from the
// beginning to the end of this process, and answers to out. Whatever becomes of
// the policy, it fails only if it could not try it.
func Child(ctx context.Context, l Limits, in io.Reader, out io.Writer) error {
	if err := l.impose(); err != nil {
		return fmt.Errorf("the limits cannot be set: %w", err)
	}
	debug.SetMemoryLimit(l.Memory / 8 * 7) // collect what can be before memory ends
	var q question
	if err := json.NewDecoder(in).Decode(&q); err != nil {
		return fmt.Errorf("there is nothing to try: %w; `postern policy check` is what people use", err)
	}
	answer := json.NewEncoder(out)
	err := policy.Prove(ctx, q.Layers, q.Builtins, func(layer, doing string) {
		_ = answer.Encode(line{Layer: layer, Doing: doing}) // a last word, no more
	})
	var refused *policy.Refusal
	switch {
	case err == nil:
		return answer.Encode(line{Passed: true})
	case errors.As(err, &refused):
		return answer.Encode(line{Refused: &refusal{refused.Layer, refused.Err.Error(), refused.Hint, refused.Stage}})
	}
	return err
}

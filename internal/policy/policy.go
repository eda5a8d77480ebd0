// Package policy decides by Rego. It reads policies, refuses those that do not
// hold what they must, and puts the others in force without a decision being
// lost: each decision is answered wholly by one immutable Generation, and a bad
// edit is noticed by nobody but its author.
package policy

import (
	"errors"
	"fmt"
	"strings"
)

// The entrypoints that Go asks for by name.
const (
	AccessDecision = "postern/access/decision" // may this subject do this with this resource
	ManageDecision = "postern/manage/decision" // may this user manage that one so
	MatrixTable    = "postern/matrix/table"    // what each role may do
)

// Kinds of failure of an evaluation. None of them is a denial (ruling A11), and
// none is of a kind in authz: the fault lies with the policy, not the caller.
var (
	// ErrUndefined says that the policy has no answer to what it was asked.
	ErrUndefined = errors.New("undefined")
	// ErrMalformed says that the policy's answer is no decision.
	ErrMalformed = errors.New("malformed decision")
	// ErrEvaluation says that a rule failed: a builtin's error, a conflict
	// between rules, a panic.
	ErrEvaluation = errors.New("evaluation failed")
)

// A Stage is the part of the gate that refused a policy.
type Stage string

// The stages, in the order a policy passes them.
const (
	StageRead       Stage = "read"       // files, limits, manifest, roots, syntax
	StageCompile    Stage = "compile"    // strict compile, types, builtins, overlaps
	StageEntrypoint Stage = "entrypoint" // what Go asks for is there
	StageData       Stage = "data"       // what rules read is brought by somebody
	StageTest       Stage = "test"       // the tests that the layer brought
	StageLimit      Stage = "limit"      // time or memory ran out at any of these
	StageProof      Stage = "proof"      // the process that tried it ended without a verdict
)

// A Refusal says why a policy is not put in force. What was in force stays.
type Refusal struct {
	Layer string // whose policy it is: core, or the name of an overlay
	Stage Stage
	Err   error  // with file and line where there is one
	Hint  string // what to do about it
}

// Error is the refusal as a sentence with a hint.
func (r *Refusal) Error() string {
	if r.Hint == "" {
		return fmt.Sprintf("policy %s refused (%s): %v", r.Layer, r.Stage, r.Err)
	}
	return fmt.Sprintf("policy %s refused (%s): %v; %s", r.Layer, r.Stage, r.Err, r.Hint)
}

// Unwrap gives the cause.
func (r *Refusal) Unwrap() error { return r.Err }

func refuse(layer string, stage Stage, err error, hint string) error {
	return &Refusal{Layer: layer, Stage: stage, Err: err, Hint: hint}
}

// dotted is an entrypoint's path as Rego writes it: data.postern.access.decision.
func dotted(entrypoint string) string { return "data." + strings.ReplaceAll(entrypoint, "/", ".") }

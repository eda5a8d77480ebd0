package pdp

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/decisionlog"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/trace"
)

// Manage answers whether an actor may manage something, by the policy in force.
// It is remembered and counted as every decision is.
//
// An error means that there is no answer: of kind authz.ErrUnavailable when no
// policy is in force or time ran out, else of a kind of package policy. It is
// never a denial.
func (p *PDP) Manage(ctx context.Context, q authz.Question) (authz.Verdict, error) {
	g := p.policies.Live()
	if g == nil {
		return authz.Verdict{}, fmt.Errorf("decide: no policy is in force: %w", authz.ErrUnavailable)
	}
	v, start := authz.Verdict{ID: p.newID()}, p.now()
	type answer struct {
		decision authz.Decision
		input    policy.Value
		err      error
	}
	said := make(chan answer, 1)
	err := p.policies.Run(ctx, func(ctx context.Context) {
		var a answer
		a.decision, a.input, a.err = g.Manage(ctx, q.Action, q.Context, q.Facts)
		said <- a
	})
	got := answer{err: fmt.Errorf("decide: %w", err)}
	if err == nil {
		got = <-said
	}
	v.Decision = got.decision
	elapsed := p.now().Sub(start)
	if p.log != nil {
		e := decisionlog.Event{
			ID: v.ID, RequestID: q.RequestID, Trace: trace.From(ctx), Caller: q.Caller, API: APIManagement, Path: policy.ManageDecision,
			Policy: g.Revision(), Data: q.Data, Time: start, Elapsed: elapsed, Decision: v.Decision, Err: got.err,
		}
		if got.input.AST() != nil {
			e.Input, e.Size = got.input, weightOf(q.Facts)
		}
		p.log.Record(e)
	}
	p.metrics.of(g).count(APIManagement, q.Action, Outcome{Decision: v.Decision, Err: got.err})
	p.metrics.took(APIManagement, elapsed, trace.From(ctx))
	return v, got.err
}

// Roles are the actions that each role may take by the policy in force, sorted.
func (p *PDP) Roles(ctx context.Context) (map[string][]string, error) {
	g := p.policies.Live()
	if g == nil {
		return nil, fmt.Errorf("read the roles: no policy is in force: %w", authz.ErrUnavailable)
	}
	answer, err := g.Query(ctx, policy.MatrixTable, nil)
	if err != nil {
		return nil, fmt.Errorf("read the roles: %w", err)
	}
	var takers map[string][]string // by action
	if err := json.Unmarshal(answer.AppendJSON(nil), &takers); err != nil {
		return nil, fmt.Errorf("read the roles: %w", err)
	}
	may := map[string][]string{}
	for _, role := range g.Roles() {
		may[role] = []string{}
	}
	for action, roles := range takers {
		for _, role := range roles {
			may[role] = append(may[role], action)
		}
	}
	for role := range may {
		slices.Sort(may[role])
	}
	return may, nil
}

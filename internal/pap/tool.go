package pap

import (
	"context"
	"errors"
	"slices"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// Tools lists the product tools, by id order, that the actor may know of in an
// organization, or all of them for no organization. Customers see no restricted
// ones (R29). grantable leaves out those that the actor may not grant, and a
// product those that are not recommended for it (R28).
func (p *PAP) Tools(ctx context.Context, call Call, organization string, grantable bool, recommendedFor string) ([]Tool, error) {
	return look(ctx, p, call, func(w *work) ([]Tool, error) {
		if err := w.authorizeOver("tool.view", organization, organization); err != nil {
			return nil, err
		}
		all, err := w.Tools()
		if err != nil {
			return nil, err
		}
		shown := []Tool{}
		for _, t := range all {
			ok, err := w.showsTool(organization, t, grantable, recommendedFor)
			if err != nil {
				return nil, err
			}
			if ok {
				shown = append(shown, t)
			}
		}
		return shown, nil
	})
}

func (w *work) showsTool(organization string, t Tool, grantable bool, recommendedFor string) (bool, error) {
	switch {
	case recommendedFor != "" && !slices.Contains(t.RecommendedFor, recommendedFor):
		return false, nil
	case t.Restricted && !w.actor.operator():
		return false, nil
	case grantable && organization != "":
		return w.could("member.tool.grant", organization, given{tool: t.ID, restricted: t.Restricted})
	}
	return true, nil
}

// lowest is the role of somebody whom everybody outranks who administers.
const lowest = "read_only"

// could says whether the actor could give somebody that in the organization,
// without saying where, if it were somebody of the lowest role.
func (w *work) could(action, organization string, g given) (bool, error) {
	reach, err := w.reachOver(organization)
	if err != nil {
		return false, err
	}
	v, err := w.judge(w.actor, ask{action: action, organization: organization, target: target{id: organization, kind: directory.UserPersonal, role: lowest, reach: reach}, changes: []given{g}})
	return v.Allow, err
}

// PutTool makes a product tool, or changes it. One that customers granted cannot
// become restricted before they revoked it.
func (p *PAP) PutTool(ctx context.Context, call Call, in Tool) (Tool, Change, error) {
	return change(ctx, p, call, func(w *work) (Tool, string, error) {
		if err := w.authorizeOver("tool.update", "", in.ID); err != nil {
			return Tool{}, "", err
		}
		in.RecommendedFor = sorted(in.RecommendedFor)
		if err := checkTool(in); err != nil {
			return Tool{}, "", err
		}
		var before any
		switch was, err := w.tool(in.ID); {
		case err == nil:
			before = was
		case !errors.Is(err, authz.ErrNotFound):
			return Tool{}, "", err
		}
		if err := w.tx.PutTool(directory.Tool{ID: in.ID, Name: in.Name, Restricted: in.Restricted}); err != nil {
			return Tool{}, "", err
		}
		if err := w.tx.SetRecommendations(in.ID, in.RecommendedFor); err != nil {
			return Tool{}, "", err
		}
		after, err := w.tool(in.ID)
		if err != nil {
			return Tool{}, "", err
		}
		return after, in.ID, w.noteChange("tool.changed", "", in.ID, before, after)
	}, (*work).tool)
}

// MaxRecommendations is for how many products one tool may be recommended.
const MaxRecommendations = 100

func checkTool(t Tool) error {
	if err := (directory.Tool{ID: t.ID, Name: t.Name}).Validate(); err != nil {
		return wrong("", err)
	}
	if len(t.RecommendedFor) > MaxRecommendations {
		return invalid("/recommended_for", "count", "%d products are more than %d", len(t.RecommendedFor), MaxRecommendations)
	}
	for i, product := range t.RecommendedFor {
		if err := authz.CheckKey(product); err != nil {
			return invalid(pointer("", "recommended_for", i), "value", "recommended_for: %v", err)
		}
	}
	return nil
}

func (w *work) tool(id string) (Tool, error) {
	all, err := w.Tools()
	if err != nil {
		return Tool{}, err
	}
	i := slices.IndexFunc(all, func(t Tool) bool { return t.ID == id })
	if i < 0 {
		return Tool{}, notFound("tool", id)
	}
	return all[i], nil
}

package pap

import (
	"context"
	"slices"
)

// grantsChanged is the event of every change to grants that is not about one
// tool.
const grantsChanged = "member.grants_changed"

// SetGrants makes a member's grants these, as far as the actor sees them: what
// it does not see stays. It needs If-Match. An account authorizes its company
// (R24), and a company that goes takes its accounts along, as Member.Impact says.
func (p *PAP) SetGrants(ctx context.Context, call Call, organization, id string, g Grants) (Member, Change, error) {
	return p.changeGrants(ctx, call, organization, id, func(w *work, f *found) (regrant, error) {
		if err := w.mustMatch(f.Revision); err != nil {
			return regrant{}, err
		}
		wanted, err := w.want(f, "", g)
		return regrant{after: f.hidden.with(wanted), add: wanted, event: grantsChanged}, err
	})
}

// PatchGrants removes grants and then adds others. Doing it again changes
// nothing.
func (p *PAP) PatchGrants(ctx context.Context, call Call, organization, id string, in GrantPatch) (Member, Change, error) {
	return p.changeGrants(ctx, call, organization, id, func(w *work, f *found) (regrant, error) {
		if err := in.Remove.bounded("/remove"); err != nil {
			return regrant{}, err
		}
		if err := w.placeGrants(&f.reach, "/remove", in.Remove); err != nil {
			return regrant{}, err
		}
		add, err := w.want(f, "/add", in.Add)
		after := f.Grants.without(in.Remove, f.reach.company).with(add)
		return regrant{after: after, add: add, remove: in.Remove, event: grantsChanged}, err
	})
}

// GrantTool gives a product tool, at first with no accounts but those that are
// named (R30). A member that has it keeps its accounts unless others are named.
func (p *PAP) GrantTool(ctx context.Context, call Call, organization, id, tool string, in ToolGrant) (Member, Change, error) {
	return p.changeGrants(ctx, call, organization, id, func(w *work, f *found) (regrant, error) {
		in.ID = tool
		held, _ := byID(f.Grants.Tools, func(t ToolGrant) bool { return t.ID == tool })
		if in.Accounts == nil {
			in.Accounts = held.Accounts
		}
		return w.retool(f, in, "member.tool_granted")
	})
}

// SetToolAccounts makes the list of accounts of a tool that the member holds
// these, as far as the actor sees them (R31).
func (p *PAP) SetToolAccounts(ctx context.Context, call Call, organization, id, tool string, accounts []string) (Member, Change, error) {
	return p.changeGrants(ctx, call, organization, id, func(w *work, f *found) (regrant, error) {
		held, there := byID(f.Grants.Tools, func(t ToolGrant) bool { return t.ID == tool })
		if !there {
			return regrant{}, notFound("tool", tool)
		}
		return w.retool(f, ToolGrant{ID: tool, Accounts: accounts, ExpiresAt: held.ExpiresAt}, grantsChanged)
	})
}

// RevokeTool takes a product tool away with its list of accounts. A member that
// does not hold it has none to lose.
func (p *PAP) RevokeTool(ctx context.Context, call Call, organization, id, tool string) (Member, Change, error) {
	return p.changeGrants(ctx, call, organization, id, func(w *work, f *found) (regrant, error) {
		gone := Grants{Tools: []ToolGrant{{ID: tool}}}
		if err := w.placeGrants(&f.reach, "", gone); err != nil {
			return regrant{}, notFound("tool", tool)
		}
		return regrant{after: f.Grants.without(gone, f.reach.company), remove: gone, event: "member.tool_revoked"}, nil
	})
}

// retool gives a tool in place of what the actor sees of it.
func (w *work) retool(f *found, t ToolGrant, event string) (regrant, error) {
	wanted, err := w.want(f, "", Grants{Tools: []ToolGrant{t}})
	if err != nil {
		return regrant{}, err
	}
	for i := range wanted.Tools {
		if hidden, there := byID(f.hidden.Tools, func(o ToolGrant) bool { return o.ID == t.ID }); there {
			wanted.Tools[i].Accounts = union(wanted.Tools[i].Accounts, hidden.Accounts)
		}
	}
	others := f.Grants
	others.Tools = slices.DeleteFunc(slices.Clone(others.Tools), func(o ToolGrant) bool { return o.ID == t.ID })
	return regrant{after: others.with(wanted), add: Grants{Tools: []ToolGrant{t}}, event: event}, nil
}

// want completes grants that a request states, and says where they lie.
func (w *work) want(f *found, prefix string, g Grants) (Grants, error) {
	g, _, err := w.complete(f.Organization, prefix, g)
	if err != nil {
		return Grants{}, err
	}
	return g, w.placeGrants(&f.reach, prefix, g)
}

// changeGrants does one change to the grants of a member.
func (p *PAP) changeGrants(ctx context.Context, call Call, organization, id string, wish func(*work, *found) (regrant, error)) (Member, Change, error) {
	return p.changeMember(ctx, call, organization, id, func(w *work, f found) (Member, error) {
		if f.self { // who may not, whatever it asks for, learns nothing of what there is
			if err := w.authorize(f.ask("member.account.grant")); err != nil {
				return Member{}, err
			}
		}
		g, err := wish(w, &f)
		if err != nil {
			return Member{}, err
		}
		return w.regrant(f, g)
	})
}

// changeMember does one change to a member that is not removed.
func (p *PAP) changeMember(ctx context.Context, call Call, organization, id string, do func(*work, found) (Member, error)) (Member, Change, error) {
	return change(ctx, p, call, func(w *work) (Member, string, error) {
		f, err := w.findLiving(organization, id)
		if err != nil {
			return Member{}, "", err
		}
		m, err := do(w, f)
		return m, id, err
	}, func(w *work, id string) (Member, error) { return w.viewMember(organization, id) })
}

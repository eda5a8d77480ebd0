package pap

import (
	"context"
	"encoding/json"

	"github.com/postern-authz/postern/internal/directory"
)

// AuthorizeCPNI says whether a member may see customer proprietary network
// information. Who gives it holds it, or is the operator (R23); who and when is
// in the audit trail.
func (p *PAP) AuthorizeCPNI(ctx context.Context, call Call, organization, id string, authorized bool) (Member, Change, error) {
	return p.changeMember(ctx, call, organization, id, func(w *work, f found) (Member, error) {
		a := f.ask("member.cpni.authorize", given{cpni: &authorized})
		a.gives = authorized
		if err := w.authorize(a); err != nil {
			return Member{}, err
		}
		m := f.Member
		m.CPNI = authorized
		if err := w.tx.PutMember(m); err != nil {
			return Member{}, err
		}
		before, after := map[string]bool{"cpni_authorized": f.CPNI}, map[string]bool{"cpni_authorized": authorized}
		if err := w.note("member.cpni_changed", organization, id, before, after); err != nil {
			return Member{}, err
		}
		return w.again(f)
	})
}

// SetPreferences changes a member's preferences by a JSON Merge Patch (RFC
// 7396). Every member may change its own, whatever its role (R38).
func (p *PAP) SetPreferences(ctx context.Context, call Call, organization, id string, patch json.RawMessage) (Member, Change, error) {
	return p.changeMember(ctx, call, organization, id, func(w *work, f found) (Member, error) {
		if err := w.authorize(f.ask(f.updating())); err != nil {
			return Member{}, err
		}
		m := f.Member
		var err error
		if m.Preferences, err = mergePatch(f.Preferences, patch, ""); err != nil {
			return Member{}, err
		}
		if err := first(checkPreferences(m.Preferences), w.tx.PutMember(m)); err != nil {
			return Member{}, err
		}
		if err := w.noteUpdated(f.Member, m); err != nil {
			return Member{}, err
		}
		return w.again(f)
	})
}

// updating is the action of who changes the member: itself, or somebody else.
func (f found) updating() string {
	if f.self {
		return "self.update"
	}
	return "member.update"
}

// ReportMFA says whether a member's user has a second factor. Only the identity
// source says so, and no administrator (R84).
func (p *PAP) ReportMFA(ctx context.Context, call Call, organization, id string, enrolled bool) (Member, Change, error) {
	return change(ctx, p, call, func(w *work) (Member, string, error) {
		f, err := w.findReported(organization, id)
		if err != nil {
			return Member{}, "", err
		}
		person, err := w.Person(f.User)
		if err != nil {
			return Member{}, "", err
		}
		before := map[string]any{"mfa": MFA{person.MFA}}
		person.MFA = enrolled
		if err := w.tx.PutPerson(person); err != nil {
			return Member{}, "", err
		}
		if err := w.noteChange("member.mfa_changed", organization, id, before, map[string]any{"mfa": MFA{enrolled}}); err != nil {
			return Member{}, "", err
		}
		m, err := w.again(f)
		return m, id, err
	}, func(w *work, id string) (Member, error) {
		f, err := w.findReported(organization, id)
		if err != nil {
			return Member{}, err
		}
		return w.shown(f)
	})
}

// findReported finds a member for the identity source, which sees nobody's
// grants.
func (w *work) findReported(organization, id string) (found, error) {
	o, settings, err := w.organization(organization)
	if err != nil {
		return found{}, err
	}
	f := found{settings: settings, organization: o}
	if f.reach, err = w.reachOf(organization, ""); err != nil {
		return found{}, err
	}
	f.Member, err = w.Member(organization, id)
	if err != nil {
		f.ID = id
		return f, first(w.authorize(f.reported()), missing(err, "member", id))
	}
	if err := w.authorize(f.reported()); err != nil {
		return found{}, err
	}
	if f.User == "" || f.State == directory.StateRemoved {
		return found{}, conflict("member-pending", "the member has no login yet, or was removed")
	}
	return f, w.checkMatch(f.Revision)
}

func (f found) reported() ask {
	return ask{action: "member.mfa.report", organization: f.organization.ID, target: target{id: f.who(), kind: f.Kind, role: f.Role, reach: f.reach.realm}}
}

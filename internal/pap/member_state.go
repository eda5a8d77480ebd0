package pap

import (
	"context"
	"time"

	"github.com/postern-authz/postern/internal/directory"
)

// Suspend keeps an active member out until it is reactivated. It keeps its
// grants and its seat.
func (p *PAP) Suspend(ctx context.Context, call Call, organization, id string) (Member, Change, error) {
	return p.changeMember(ctx, call, organization, id, func(w *work, f found) (Member, error) {
		if err := w.mayMove(f, "member.suspend", directory.StateActive); err != nil {
			return Member{}, err
		}
		if err := w.sparesPrimaryContact(f.Member); err != nil {
			return Member{}, err
		}
		return w.move(f, directory.StateSuspended, &w.now, "member.suspended")
	})
}

// Reactivate lets a suspended member in again, with all that it had: only who
// could give that gives it back, the authorization for CPNI and restricted tools
// too. Whoever could not takes those away first, or asks the operator.
func (p *PAP) Reactivate(ctx context.Context, call Call, organization, id string) (Member, Change, error) {
	return p.changeMember(ctx, call, organization, id, func(w *work, f found) (Member, error) {
		if err := w.mayMove(f, "member.reactivate", directory.StateSuspended); err != nil {
			return Member{}, err
		}
		if err := w.oneHolder(f.settings, f.Organization, f.Role); err != nil {
			return Member{}, err
		}
		return w.move(f, directory.StateActive, nil, "member.reactivated")
	})
}

// mayMove asks whether the actor may take the action, and then whether the
// member is in the state to be left.
func (w *work) mayMove(f found, action, from string) error {
	if err := w.authorize(f.ask(action, f.reserved()...)); err != nil {
		return err
	}
	switch {
	case f.State == directory.StateInvited:
		return conflict("member-pending", "nobody has accepted the invitation yet: revoke it instead")
	case f.State != from:
		return conflict("not-"+from, "the member is %s, not %s", f.State, from)
	}
	return nil
}

func (w *work) move(f found, to string, suspended *time.Time, event string) (Member, error) {
	m := f.Member
	m.State, m.SuspendedAt = to, suspended
	if err := w.tx.PutMember(m); err != nil {
		return Member{}, err
	}
	if err := w.note(event, f.Organization, f.ID, map[string]string{"state": f.State}, map[string]string{"state": to}); err != nil {
		return Member{}, err
	}
	return w.again(f)
}

// reserved is what of the member's not everybody gives who may manage it: the
// authorization for CPNI and restricted tools.
func (f found) reserved() (list []given) {
	for _, g := range f.reach.offered(f.Role, f.Grants, f.CPNI) {
		if g.cpni != nil || g.restricted {
			list = append(list, g)
		}
	}
	return list
}

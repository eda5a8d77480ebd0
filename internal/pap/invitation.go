package pap

import (
	"context"
	"errors"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// Invitations are all that an organization ever made and the actor sees, newest
// first (R52). The cursor goes on after them; nil: those were all.
func (p *PAP) Invitations(ctx context.Context, call Call, q InvitationQuery) ([]Invitation, *Cursor, error) {
	type page struct {
		list []Invitation
		next *Cursor
	}
	seen, err := look(ctx, p, call, func(w *work) (page, error) {
		if err := w.mayViewInvitations(q.Organization); err != nil {
			return page{}, err
		}
		q.Now, q.Size = w.now, pageSize(q.Size)
		list, next, err := w.seenInvitations(q)
		return page{list, next}, err
	})
	return seen.list, seen.next, err
}

// seenInvitations reads on until the page is full, so that what the actor does
// not see makes no page shorter.
func (w *work) seenInvitations(q InvitationQuery) (seen []Invitation, next *Cursor, err error) {
	base, err := w.foundIn(q.Organization)
	if err != nil {
		return nil, nil, err
	}
	for seen = []Invitation{}; ; {
		list, err := w.Reader.Invitations(q)
		if err != nil {
			return nil, nil, err
		}
		for i, inv := range list {
			shown, err := w.viewInvitation(base, inv)
			if errors.Is(err, authz.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			if seen = append(seen, shown); len(seen) == q.Size {
				return seen, cursorIf(inv, i+1 < len(list) || len(list) == q.Size), nil
			}
		}
		if len(list) < q.Size {
			return seen, nil, nil
		}
		q.After = cursorIf(list[len(list)-1], true)
	}
}

func cursorIf(inv Invitation, more bool) *Cursor {
	if !more {
		return nil
	}
	return &Cursor{At: inv.CreatedAt, ID: inv.ID}
}

// Invitation is one invitation of the organization.
func (p *PAP) Invitation(ctx context.Context, call Call, organization, id string) (Invitation, error) {
	return look(ctx, p, call, func(w *work) (Invitation, error) {
		if err := w.mayViewInvitations(organization); err != nil {
			return Invitation{}, err
		}
		inv, f, err := w.findInvitation(organization, id)
		if err != nil {
			return Invitation{}, err
		}
		return w.shownInvitation(inv, f)
	})
}

func (w *work) mayViewInvitations(organization string) error {
	at, err := w.reachOfOrganization(organization)
	if err != nil {
		return err
	}
	return w.authorize(ask{action: "invitation.view", organization: organization, target: target{id: organization, reach: at}})
}

// foundIn is what a member of the organization is found with: how much of it the
// actor sees. An actor that sees nobody is refused.
func (w *work) foundIn(organization string) (f found, err error) {
	if f.organization, f.settings, err = w.organization(organization); err != nil {
		return f, err
	}
	f.view, err = w.viewOf(organization)
	return f, err
}

// foundOf is the member of an invitation, if the actor sees it: what was offered
// is seen as long as the invitation is kept, whatever became of it.
func (w *work) foundOf(base found, inv Invitation) (f found, err error) {
	f = base
	if f.Member, err = w.Member(inv.Organization, inv.Member); err != nil {
		return f, err
	}
	f.self = w.actor.isSelf(f.User)
	state := f.State
	if state == StateSuperseded {
		f.State = directory.StateInvited
	}
	err = w.measure(&f)
	f.State = state
	return f, missing(err, "invitation", inv.ID)
}

func (w *work) viewInvitation(base found, inv Invitation) (Invitation, error) {
	f, err := w.foundOf(base, inv)
	if err != nil {
		return inv, err
	}
	return w.shownInvitation(inv, f)
}

// shownInvitation is an invitation as the actor gets it: with what the member in
// waiting has by now.
func (w *work) shownInvitation(inv Invitation, f found) (Invitation, error) {
	m, err := w.shown(f)
	inv.Role, inv.Grants, inv.State = m.Role, m.Grants, inv.stateAt(w.now)
	inv.Inviter = Actor{ID: inv.Inviter.ID, Kind: inv.Inviter.Kind}
	return inv, err
}

// stateAt is the state as of now: expired is pending and past its time (C4).
func (i Invitation) stateAt(now time.Time) string {
	if i.State == InvitationPending && !now.Before(i.ExpiresAt) {
		return InvitationExpired
	}
	return i.State
}

// invited is an invitation with its member as whoever made it gets them.
func (w *work) invited(organization, id string) (Invited, error) {
	inv, f, err := w.findInvitation(organization, id)
	if err != nil {
		return Invited{}, err
	}
	return w.shownInvited(inv, f)
}

func (w *work) shownInvited(inv Invitation, f found) (made Invited, err error) {
	if made.Member, err = w.shown(f); err != nil {
		return Invited{}, err
	}
	if inv.Deliver == DeliverReturnLink && inv.State == InvitationPending && !w.call.ValidateOnly {
		made.Link = w.link(f.settings, ForInvitation, inv.ID, inv.Generation)
	}
	made.Invitation, err = w.shownInvitation(inv, f)
	return made, err
}

// findInvitation reads an invitation of which the actor sees the member. A
// refusal to see anybody comes before whether there is such an invitation.
func (w *work) findInvitation(organization, id string) (Invitation, found, error) {
	base, err := w.foundIn(organization)
	if err != nil {
		return Invitation{}, found{}, err
	}
	inv, err := w.Reader.Invitation(organization, id)
	if err != nil {
		return inv, found{}, missing(err, "invitation", id)
	}
	f, err := w.foundOf(base, inv)
	return inv, f, err
}

// mustBeOpen refuses to go on with an invitation that has come to its end.
func (i Invitation) mustBeOpen() error {
	if i.State != InvitationPending {
		return conflict("invitation-not-pending", "this invitation is %s: make a new one", i.State)
	}
	return nil
}

// supersede ends the open invitations of an address in an organization, except
// one: their links die, and their members in waiting with them (R54).
func (w *work) supersede(organization, emailKey, except string) error {
	open, err := w.open(organization, emailKey)
	if err != nil {
		return err
	}
	for _, inv := range open {
		if inv.ID == except {
			continue
		}
		if err := w.end(inv, InvitationSuperseded); err != nil {
			return err
		}
		if err := w.note("invitation.superseded", organization, inv.ID, nil, map[string]any{"member": inv.Member}); err != nil {
			return err
		}
	}
	return nil
}

// end closes an invitation and its member in waiting, which frees the seat.
func (w *work) end(inv Invitation, state string) error {
	inv.State = state
	if err := w.tx.PutInvitation(inv); err != nil {
		return err
	}
	m, err := w.Member(inv.Organization, inv.Member)
	if err != nil {
		return err
	}
	m.State = StateSuperseded
	return w.tx.PutMember(m)
}

// open are the invitations of an address that wait, expired ones too.
func (w *work) open(organization, emailKey string) (all []Invitation, err error) {
	for _, state := range []string{InvitationPending, InvitationExpired} {
		q := InvitationQuery{Organization: organization, State: state, EmailKey: emailKey, Now: w.now, Page: Page{Size: 200}}
		for {
			list, err := w.Reader.Invitations(q)
			if err != nil {
				return nil, err
			}
			all = append(all, list...)
			if len(list) < q.Size {
				break
			}
			q.After = cursorIf(list[len(list)-1], true)
		}
	}
	return all, nil
}

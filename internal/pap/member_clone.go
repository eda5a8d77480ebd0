package pap

import (
	"context"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// CloneMember invites somebody to have what an active member has: role,
// affiliation, grants with their ends, tools with their lists, preferences
// (R44). What the actor could not give is left out and told of, or with Strict
// refused. Who the member is, and what it may know of the network, is not copied.
func (p *PAP) CloneMember(ctx context.Context, call Call, organization, id string, in Clone) (Cloned, Change, error) {
	return change(ctx, p, call, func(w *work) (Cloned, string, error) {
		f, err := w.findLiving(organization, id)
		if err != nil {
			return Cloned{}, "", err
		}
		made, err := w.clone(f, in)
		return made, made.Invitation.ID, err
	}, func(w *work, invitation string) (Cloned, error) {
		f, err := w.find(organization, id)
		if err != nil {
			return Cloned{}, err
		}
		_, omitted, err := w.givable(f)
		if err != nil {
			return Cloned{}, err
		}
		made, err := w.invited(organization, invitation)
		return Cloned{Member: made.Member, Invitation: made.Invitation, Link: made.Link, Omitted: omitted}, err
	})
}

func (w *work) clone(f found, in Clone) (Cloned, error) {
	if err := w.authorize(f.ask("member.clone", given{role: f.Role})); err != nil {
		return Cloned{}, err
	}
	if f.State != directory.StateActive {
		return Cloned{}, conflict("not-active", "the member is %s: only an active one is cloned", f.State)
	}
	grants, omitted, err := w.givable(f)
	if err != nil {
		return Cloned{}, err
	}
	if in.Strict && len(omitted) > 0 {
		return Cloned{}, omission(omitted)
	}
	made, err := w.invite(f.organization, f.settings, NewInvitation{
		Email: in.Email, Profile: in.Profile, Kind: in.Kind, Affiliation: f.Affiliation, Role: f.Role, CPNI: in.CPNI,
		Grants: grants, Preferences: f.Preferences, Acknowledgement: in.Acknowledgement, TTL: in.TTL, Deliver: in.Deliver,
	})
	if err != nil {
		return Cloned{}, err
	}
	err = w.note("member.cloned", f.Organization, made.Member.ID, nil, map[string]any{"source": f.ID, "omitted": omitted})
	return Cloned{Member: made.Member, Invitation: made.Invitation, Link: made.Link, Omitted: omitted}, err
}

// omission refuses a clone that would lack something.
func omission(omitted []Omitted) *Refusal {
	r := refuse(authz.ErrForbidden, omitted[0].Reason, "the clone would lack %d things: leave strict out to have it without them", len(omitted))
	for _, o := range omitted {
		r.Fields = append(r.Fields, Field{Pointer: "/strict", Code: o.Reason, Detail: o.Kind + " " + o.ID})
	}
	return r
}

// A part is one thing of a member's grants.
type part struct {
	Omitted
	grants Grants
	ended  bool
}

// givable is what of a member's grants the actor may give to somebody else, and
// what not. If all of it may be given that is one question.
func (w *work) givable(f found) (all Grants, omitted []Omitted, err error) {
	omitted = []Omitted{}
	parts := f.parts(w.now)
	for _, p := range parts {
		if p.ended {
			p.Reason = "ended"
			omitted = append(omitted, p.Omitted)
			continue
		}
		all = all.both(p.grants)
	}
	if reason, err := w.mayOffer(f, all); err != nil || reason == "" {
		return all, omitted, err
	}
	all = Grants{}
	for _, p := range parts {
		if p.ended {
			continue
		}
		p.Reason, err = w.mayOffer(f, p.grants)
		switch {
		case err != nil:
			return Grants{}, nil, err
		case p.Reason == "":
			all = all.both(p.grants)
		default:
			omitted = append(omitted, p.Omitted)
		}
	}
	return all, omitted, nil
}

// mayOffer is why the actor may not invite somebody with the member's role and
// those grants, or nothing.
func (w *work) mayOffer(f found, g Grants) (string, error) {
	v, err := w.judge(w.actor, ask{
		action: "member.invite", organization: f.Organization, gives: true, lasting: g.lasting(w.now),
		target:  target{id: f.Organization, kind: directory.UserPersonal, role: f.Role, reach: f.reach.realm},
		changes: f.reach.offered(f.Role, g, false),
	})
	if err != nil || v.Allow {
		return "", err
	}
	return refusalOf(v).Reason, nil
}

// parts are the grants of a member one by one. A company that is authorized for
// its accounts alone comes along with these.
func (f found) parts(now time.Time) (list []part) {
	ended := func(at *time.Time) bool { return at != nil && !now.Before(*at) }
	for _, c := range f.reach.essential(f.Grants).Companies {
		list = append(list, part{Omitted{Kind: "company", ID: c.ID}, Grants{Companies: []CompanyGrant{c}}, false})
	}
	for _, a := range f.Grants.Accounts {
		list = append(list, part{Omitted{Kind: "account", ID: a.ID}, Grants{Accounts: []AccountGrant{a}}, ended(a.ExpiresAt)})
	}
	for _, id := range f.Grants.AccountGroups {
		list = append(list, part{Omitted{Kind: "account_group", ID: id}, Grants{AccountGroups: []string{id}}, false})
	}
	for _, t := range f.Grants.Tools {
		list = append(list, part{Omitted{Kind: "tool", ID: t.ID}, Grants{Tools: []ToolGrant{t}}, ended(t.ExpiresAt)})
	}
	return list
}

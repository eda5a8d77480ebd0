package pap

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// Invite offers somebody a membership (R46): a member in waiting, its grants and
// an invitation, whose link goes out as Deliver says. It takes a seat (C15).
func (p *PAP) Invite(ctx context.Context, call Call, organization string, in NewInvitation) (Invited, Change, error) {
	return change(ctx, p, call, func(w *work) (Invited, string, error) {
		o, s, err := w.organization(organization)
		if err != nil {
			return Invited{}, "", err
		}
		made, err := w.invite(o, s, in)
		return made, made.Invitation.ID, err
	}, func(w *work, id string) (Invited, error) { return w.invited(organization, id) })
}

// InviteBatch makes up to MaxBatch invitations. Each is judged for itself, and
// those that may be made are made, whatever comes of the others (R42).
func (p *PAP) InviteBatch(ctx context.Context, call Call, organization string, in []NewInvitation) ([]InviteResult, Change, error) {
	if len(in) == 0 || len(in) > MaxBatch {
		return nil, Change{}, invalid("", "length", "a batch is of 1 to %d invitations, and this is of %d", MaxBatch, len(in))
	}
	return change(ctx, p, call, func(w *work) ([]InviteResult, string, error) {
		o, s, err := w.organization(organization)
		if err != nil {
			return nil, "", err
		}
		if _, err := w.powersIn(o.ID); err != nil {
			return nil, "", err // who may invite nobody here is told so once
		}
		results := make([]InviteResult, len(in))
		for i, one := range in {
			made, err := w.invite(o, s, one)
			if results[i], err = resultOf(i, made, err); err != nil {
				return nil, "", err
			}
		}
		return results, replayOf(results), nil
	}, func(w *work, kept string) ([]InviteResult, error) { return w.replayed(organization, kept) })
}

// resultOf keeps a refusal to its item. Anything else that goes wrong is wrong
// with all of them.
func resultOf(i int, made Invited, err error) (InviteResult, error) {
	var r *Refusal
	switch {
	case errors.As(err, &r):
		return InviteResult{
			Index: i, Outcome: OutcomeRefused, Reason: r.Reason, Detail: r.Detail, Errors: r.Fields, Decision: r.Decision, RetryAfter: r.RetryAfter,
		}, nil
	case err != nil:
		return InviteResult{}, err
	}
	return InviteResult{Index: i, Outcome: OutcomeCreated, Invited: &made}, nil
}

// A batchReplay is what is kept of one item of a batch to answer it again: the
// id of what was made, or the refusal.
type batchReplay struct {
	ID     string        `json:"id,omitempty"` // inv_…
	Result *InviteResult `json:"result,omitempty"`
}

func replayOf(results []InviteResult) string {
	kept := make([]batchReplay, len(results))
	for i, r := range results {
		if r.Invited == nil {
			kept[i].Result = &r
			continue
		}
		kept[i].ID = r.Invitation.ID
	}
	text, err := json.Marshal(kept)
	if err != nil {
		panic(err) // strings and numbers
	}
	return string(text)
}

func (w *work) replayed(organization, text string) ([]InviteResult, error) {
	var kept []batchReplay
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return nil, err
	}
	results := make([]InviteResult, len(kept))
	for i, k := range kept {
		if k.Result != nil {
			results[i] = *k.Result
			continue
		}
		made, err := w.invited(organization, k.ID)
		if err != nil {
			return nil, err
		}
		results[i] = InviteResult{Index: i, Outcome: OutcomeCreated, Invited: &made}
	}
	return results, nil
}

// invite makes one invitation for the actor: it checks, asks the policy, and
// only then writes, so that after a refusal nothing is written. Everything that
// invites comes through here, so every rule of it holds for all.
func (w *work) invite(o directory.Organization, s Settings, in NewInvitation) (Invited, error) {
	if _, err := w.powersIn(o.ID); err != nil {
		return Invited{}, err // a stranger learns nothing of what the organization requires
	}
	offer, err := w.offerOf(o, s, in)
	if err != nil {
		return Invited{}, err
	}
	if err := w.mayInvite(o, s, offer); err != nil {
		return Invited{}, err
	}
	name, err := w.temporaryUsername()
	if err != nil {
		return Invited{}, err
	}
	m := offer.member
	m.ID, m.TemporaryUsername, m.CreatedAt = w.NewID(authz.PrefixMembership), name, w.now
	inv := Invitation{
		ID: w.NewID(PrefixInvitation), Organization: o.ID, Member: m.ID, Email: m.Email, EmailKey: offer.emailKey,
		State: InvitationPending, Role: m.Role, Grants: m.Grants, Inviter: w.actor.Actor, CreatedAt: w.now,
		Generation: 1, TTL: offer.ttl, ExpiresAt: w.now.Add(offer.ttl), Deliver: offer.deliver,
	}
	m.Invitation = inv.ID
	if err := w.keepInvitation(o, s, &inv, m); err != nil {
		return Invited{}, err
	}
	if err := w.noteInvited(inv, m, in.Acknowledgement); err != nil {
		return Invited{}, err
	}
	return w.invited(o.ID, inv.ID)
}

// keepInvitation writes the member in waiting, what it is offered, and the
// invitation, and mails the link.
func (w *work) keepInvitation(o directory.Organization, s Settings, inv *Invitation, m Member) error {
	if err := w.tx.PutMember(m); err != nil {
		return err
	}
	if err := w.tx.SetGrants(m.ID, m.Grants, w.actor.grantedBy()); err != nil {
		return err
	}
	if err := w.sendInvitation(o, s, inv, m); err != nil {
		return err
	}
	return w.tx.PutInvitation(*inv)
}

func (w *work) noteInvited(inv Invitation, m Member, acknowledgement string) error {
	err := w.note("invitation.created", inv.Organization, inv.ID, nil, map[string]any{
		"member": m.ID, "temporary_username": m.TemporaryUsername, "kind": m.Kind, "affiliation": m.Affiliation,
		"role": m.Role, "cpni_authorized": m.CPNI, "grants": m.Grants, "deliver": inv.Deliver, "expires_at": inv.ExpiresAt,
	})
	if err != nil {
		return err
	}
	w.events[len(w.events)-1].Acknowledgement = acknowledgement
	return nil
}

// An offer is a NewInvitation that was found to be in order.
type offer struct {
	member   Member
	emailKey string
	reach    reach
	ttl      time.Duration
	deliver  string
}

// offerOf checks an invitation by itself and by the organization's settings.
func (w *work) offerOf(org directory.Organization, s Settings, in NewInvitation) (o offer, err error) {
	if o.emailKey, err = checkEmail("/email", in.Email); err != nil {
		return o, err
	}
	role, err := w.checkRole(in.Role)
	if err != nil {
		return o, err
	}
	kind, affiliation, err := checkWho(in.Kind, in.Affiliation, in.Role)
	if err := first(err, assignable(org, role), in.Profile.check(), in.Profile.needs(s.Profile.Invite), checkPreferences(in.Preferences), s.acknowledged(in.Acknowledgement)); err != nil {
		return o, err
	}
	grants, r, err := w.complete(org.ID, "/grants", in.Grants)
	if err != nil {
		return o, err
	}
	o.reach = r
	o.member = Member{
		Organization: org.ID, Kind: kind, Affiliation: affiliation, Email: in.Email, Profile: in.Profile, Role: in.Role,
		RoleAssignedBy: w.actor.grantedBy(), State: directory.StateInvited, CPNI: in.CPNI, Grants: grants, Preferences: preferences(in.Preferences),
	}
	if o.ttl, err = s.ttlOf(in.TTL); err != nil {
		return o, err
	}
	o.deliver, err = w.deliverBy(s, in.Deliver)
	return o, err
}

// mayInvite asks the policy, and then whether there is room for the offer.
func (w *work) mayInvite(o directory.Organization, s Settings, of offer) error {
	m := of.member
	err := w.authorize(ask{
		action: "member.invite", organization: o.ID, gives: true, lasting: m.Grants.lasting(w.now),
		target:  target{id: o.ID, kind: m.Kind, role: m.Role, reach: of.reach.realm},
		changes: of.reach.offered(m.Role, m.Grants, m.CPNI),
	})
	if err != nil {
		return err
	}
	if err := first(w.mayAffiliate(m.Affiliation), w.oneHolder(s, o.ID, m.Role)); err != nil {
		return err
	}
	if err := w.isFree(o.ID, s, of.emailKey); err != nil {
		return err
	}
	if err := w.hasSeat(o, m.Affiliation); err != nil {
		return err
	}
	return w.mayMail(o.ID, of.emailKey, of.deliver)
}

// isFree refuses an address that is a member's, or was one's (R81).
func (w *work) isFree(organization string, s Settings, emailKey string) error {
	person, err := w.PersonByEmail(emailKey)
	if err != nil {
		return absent(err)
	}
	m, err := w.MemberOf(organization, person.ID)
	if err != nil {
		return absent(err)
	}
	return s.mayJoin(m)
}

// mayJoin refuses who belongs to the organization already, with m.
func (s Settings) mayJoin(m Member) error {
	switch {
	case m.State != directory.StateRemoved:
		return conflict("already-member", "this address is a member's already: change that member instead")
	case s.Removal.Readd != ReaddCustomerReinvite:
		return conflict("member-removed", "this address is that of a removed member: ask the operator to restore it")
	}
	return nil
}

// hasSeat refuses one member more than the organization has seats for (C15).
func (w *work) hasSeat(o directory.Organization, affiliation string) error {
	if o.SeatLimit == 0 || affiliation == directory.AffiliationAccountTeam {
		return nil
	}
	used, err := w.SeatsUsed(o.ID)
	if err == nil && used >= o.SeatLimit {
		return conflict("seat-limit", "all %d seats are taken: remove a member, revoke an invitation, or ask the operator for more", o.SeatLimit)
	}
	return err
}

// crockford is base32 without what looks like something else.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// temporaryUsername is a name that nobody ever had: it tracks an invitation and
// never signs in (R33).
func (w *work) temporaryUsername() (string, error) {
	for {
		random := make([]byte, 8)
		rand.Read(random) //nolint:errcheck // it never fails; the program ends instead
		for i, b := range random {
			random[i] = crockford[b%32]
		}
		name := "tmp-" + string(random)
		if taken, err := w.UsernameTaken(name); err != nil || !taken {
			return name, err
		}
	}
}

// preferences are a JSON object, also when nothing was said.
func preferences(text json.RawMessage) json.RawMessage {
	if len(text) == 0 {
		return json.RawMessage("{}")
	}
	return text
}

// acknowledged refuses to add somebody without a word on what that means, where
// the organization wants one (R43).
func (s Settings) acknowledged(text string) error {
	switch {
	case len(text) > maxProfileText:
		return invalid("/acknowledgement", "length", "acknowledgement is longer than %d bytes", maxProfileText)
	case s.Acknowledgement.Required && text == "":
		return invalid("/acknowledgement", "required", "acknowledgement is missing: say which notice the inviter agreed to")
	}
	return nil
}

// ttlOf is how long an invitation lasts that asks for so long (R47).
func (s Settings) ttlOf(text string) (time.Duration, error) {
	if !within(text, MinTTL, MaxTTL) {
		return 0, invalid("/ttl", "value", "ttl is no duration from 1h to 720h, such as 168h")
	}
	return duration(text, s.TTL()), nil
}

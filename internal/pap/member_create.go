package pap

import (
	"context"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// CreateMember makes a user with a password and a membership that is active at
// once, and mails nobody (R40). It is for organizations that allow it and where
// passwords are kept here (R41). An address that is anybody's already is refused.
func (p *PAP) CreateMember(ctx context.Context, call Call, organization string, in NewMember) (Member, Change, error) {
	if err := p.keptHere(); err != nil {
		return Member{}, Change{}, err
	}
	// A hash costs much: it is made for whoever may create members, and while
	// nobody waits to write.
	_, err := look(ctx, p, call, func(w *work) (struct{}, error) { return struct{}{}, w.mayCreate(organization, in) })
	if err != nil {
		return Member{}, Change{}, err
	}
	hash, err := p.hash(ctx, "/password", in.Password)
	if err != nil {
		return Member{}, Change{}, err
	}
	return change(ctx, p, call, func(w *work) (Member, string, error) {
		m, err := w.create(organization, in, hash)
		return m, m.ID, err
	}, func(w *work, id string) (Member, error) { return w.viewMember(organization, id) })
}

// mayCreate asks whether the actor creates members with that role at all.
func (w *work) mayCreate(organization string, in NewMember) error {
	at, err := w.reachOver(organization)
	if err != nil {
		return err
	}
	kind := or(in.Kind, directory.UserPersonal)
	err = w.authorize(ask{
		action: "member.create", organization: organization, gives: true, lasting: w.now,
		target: target{id: organization, kind: kind, role: in.Role, reach: at}, changes: []given{{role: in.Role}},
	})
	if err != nil {
		return err
	}
	_, s, err := w.organization(organization)
	if err == nil && s.ManualCreate.Disabled {
		return conflict("method-unavailable", "in this organization nobody sets a password for others: invite instead")
	}
	return err
}

func (w *work) create(organization string, in NewMember, hash string) (Member, error) {
	if err := w.mayCreate(organization, in); err != nil {
		return Member{}, err
	}
	f, person, err := w.newcomer(organization, in)
	if err != nil {
		return Member{}, err
	}
	if err := w.mayAdd(f, in, person); err != nil {
		return Member{}, err
	}
	person.ID, f.ID = w.NewID(authz.PrefixUser), w.NewID(authz.PrefixMembership)
	f.User, f.CreatedAt, f.ActivatedAt = person.ID, w.now, &w.now
	credential := Credential{User: person.ID, Hash: hash, SetAt: w.now, SetBy: SetByAdministrator}
	if err := first(w.tx.PutPerson(person), w.tx.PutMember(f.Member), w.tx.SetGrants(f.ID, f.Grants, w.actor.grantedBy()), w.tx.PutCredential(credential)); err != nil {
		return Member{}, err
	}
	if err := w.noteCreated(f, in.Acknowledgement); err != nil {
		return Member{}, err
	}
	f.view.wide = true // whoever made it knows what of
	return w.again(f)
}

func (w *work) noteCreated(f found, acknowledgement string) error {
	err := w.note("member.created", f.Organization, f.ID, nil, map[string]any{
		"user": f.User, "kind": f.Kind, "affiliation": f.Affiliation, "role": f.Role, "cpni_authorized": f.CPNI, "grants": f.Grants,
	})
	if err != nil {
		return err
	}
	w.events[len(w.events)-1].Acknowledgement = acknowledgement
	return w.note("password.set_by_admin", f.Organization, f.ID, nil, nil)
}

// newcomer is the member to be, found to be in order by itself and by the
// organization's settings.
func (w *work) newcomer(organization string, in NewMember) (f found, p Person, err error) {
	if f.organization, f.settings, err = w.organization(organization); err != nil {
		return f, p, err
	}
	role, err := w.checkRole(in.Role)
	if err != nil {
		return f, p, err
	}
	kind, affiliation, err := checkWho(in.Kind, in.Affiliation, in.Role)
	_, noEmail := checkEmail("/email", in.Email)
	if err := first(err, checkUsername("/username", in.Username), noEmail, in.Profile.check(), in.Profile.needs(f.settings.required()),
		checkPreferences(in.Preferences), f.settings.acknowledged(in.Acknowledgement), assignable(f.organization, role)); err != nil {
		return f, p, err
	}
	grants, r, err := w.complete(organization, "/grants", in.Grants)
	f.reach = r
	f.Member = Member{
		Organization: organization, Kind: kind, Affiliation: affiliation, Role: in.Role, RoleAssignedBy: w.actor.grantedBy(),
		State: directory.StateActive, CPNI: in.CPNI, Grants: grants, Preferences: preferences(in.Preferences),
	}
	return f, Person{Kind: kind, Username: in.Username, Email: in.Email, Profile: in.Profile}, err
}

// required are the members of a profile that creating with a password needs.
func (s Settings) required() []string {
	if s.Profile.Create != nil {
		return s.Profile.Create
	}
	return []string{"given_name", "family_name", "phone", "country"}
}

// mayAdd asks the policy, and then whether address, name and a seat are free.
func (w *work) mayAdd(f found, in NewMember, p Person) error {
	err := w.authorize(ask{
		action: "member.create", organization: f.Organization, gives: true, lasting: f.Grants.lasting(w.now),
		target:  target{id: f.Organization, kind: f.Kind, role: f.Role, reach: f.reach.realm},
		changes: f.reach.offered(f.Role, f.Grants, f.CPNI),
	})
	if err := first(err, w.mayAffiliate(f.Affiliation), w.oneHolder(f.settings, f.Organization, f.Role)); err != nil {
		return err
	}
	if err := w.addressIsFree(f.Organization, in.Email); err != nil {
		return err
	}
	switch taken, err := w.UsernameTaken(p.Username); {
	case err != nil:
		return err
	case taken:
		return usernameTaken("/username")
	}
	return w.hasSeat(f.organization, f.Affiliation)
}

// addressIsFree refuses an address that a user has. A user of other
// organizations is invited and confirms it (R56).
func (w *work) addressIsFree(organization, email string) error {
	key, err := checkEmail("/email", email)
	if err != nil {
		return err
	}
	person, err := w.PersonByEmail(key)
	if err != nil {
		return absent(err)
	}
	m, err := w.MemberOf(organization, person.ID)
	switch {
	case err == nil && m.State == directory.StateRemoved:
		return conflict("member-removed", "this address is that of a removed member: ask the operator to restore it")
	case err == nil:
		return conflict("already-member", "this address is a member's already: change that member instead")
	case absent(err) != nil:
		return err
	}
	return conflict("address-unavailable", "nobody is created with this address: invite it instead")
}

package pap

import (
	"bytes"
	"context"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// UpdateMember changes who a member is: username, names, contact data, kind and
// affiliation (R78). A username is never free for others again. A new address is
// asked for, and is the member's once it is confirmed there; only who could give
// what the member has asks for that of somebody else. What belongs to the
// person and not to the membership is changed by the person or the operator as
// soon as it is a member elsewhere too.
func (p *PAP) UpdateMember(ctx context.Context, call Call, organization, id string, in MemberPatch) (Member, Change, error) {
	return p.changeMember(ctx, call, organization, id, func(w *work, f found) (Member, error) {
		action := f.updating()
		if in.Kind != nil || in.Affiliation != nil {
			action = "member.update" // which nobody does to itself
		}
		a := f.ask(action)
		if in.Email != nil && !f.self {
			a.changes = f.reserved() // who has the mailbox can set the password, and has all that
		}
		if err := w.authorize(a); err != nil {
			return Member{}, err
		}
		if err := w.update(f, in); err != nil {
			return Member{}, err
		}
		return w.again(f)
	})
}

func (w *work) update(f found, in MemberPatch) error {
	m, err := w.patched(f, in)
	if err != nil {
		return err
	}
	if m.Affiliation != f.Affiliation || f.User == "" {
		if err := w.tx.PutMember(m); err != nil {
			return err
		}
	}
	if f.User == "" {
		return w.noteUpdated(f.Member, m)
	}
	return w.updatePerson(f, m, in)
}

// patched is the member as the patch wants it, checked.
func (w *work) patched(f found, in MemberPatch) (Member, error) {
	m := f.Member
	for _, s := range []struct{ to, say *string }{
		{&m.Username, in.Username}, {&m.GivenName, in.GivenName}, {&m.FamilyName, in.FamilyName}, {&m.Phone, in.Phone},
		{&m.Country, in.Country}, {&m.Kind, in.Kind}, {&m.Affiliation, in.Affiliation},
	} {
		if s.say != nil {
			*s.to = *s.say
		}
	}
	if in.Address != nil {
		m.Address = in.Address
	}
	if f.User == "" && (in.Username != nil || in.Email != nil) {
		return m, conflict("member-pending", "nobody has accepted the invitation yet: the name is chosen then, and the address is what it was made to")
	}
	var err error
	m.Kind, m.Affiliation, err = checkWho(m.Kind, m.Affiliation, m.Role)
	if err := first(err, m.Profile.check(), w.reaffiliate(f, m.Affiliation)); err != nil {
		return m, err
	}
	if in.Username != nil {
		return m, checkUsername("/username", m.Username)
	}
	return m, nil
}

// reaffiliate asks who may join or leave the account team, and for the seat that
// leaving it takes.
func (w *work) reaffiliate(f found, to string) error {
	if to == f.Affiliation {
		return nil
	}
	if err := first(w.mayAffiliate(to), w.mayAffiliate(f.Affiliation)); err != nil {
		return err
	}
	if f.Affiliation == directory.AffiliationAccountTeam {
		return w.hasSeat(f.organization, to)
	}
	return nil
}

// noteUpdated tells the trail which members changed. What is personal is only
// named: rows stay, and a purge has to leave nothing of that (R80).
func (w *work) noteUpdated(before, after Member) error {
	was := map[string]any{"kind": before.Kind, "affiliation": before.Affiliation}
	is := map[string]any{"kind": after.Kind, "affiliation": after.Affiliation}
	if changed := before.changedInPerson(after); len(changed) > 0 {
		is["changed"] = changed
	}
	return w.noteChange("member.updated", before.Organization, before.ID, was, is)
}

func (m Member) changedInPerson(to Member) (names []string) {
	for _, f := range []struct {
		name string
		same bool
	}{
		{"given_name", m.GivenName == to.GivenName}, {"family_name", m.FamilyName == to.FamilyName},
		{"phone", m.Phone == to.Phone}, {"country", m.Country == to.Country}, {"address", sameAddress(m.Address, to.Address)},
		{"preferences", bytes.Equal(m.Preferences, to.Preferences)},
	} {
		if !f.same {
			names = append(names, f.name)
		}
	}
	return names
}

func sameAddress(a, b *Address) bool { return a == b || a != nil && b != nil && *a == *b }

func (w *work) updatePerson(f found, m Member, in MemberPatch) error {
	person, err := w.Person(f.User)
	if err != nil {
		return err
	}
	if err := w.mayChangePerson(f, person, in); err != nil {
		return err
	}
	before := person
	person.Kind, person.Username, person.Profile = m.Kind, m.Username, m.Profile
	if err := w.mayBeCalled(before, person.Username); err != nil {
		return err
	}
	if err := w.tx.PutPerson(person); err != nil {
		return err
	}
	if err := w.notePerson(f, before, m); err != nil || in.Email == nil {
		return err
	}
	return w.changeAddress(f, person, *in.Email)
}

// mayChangePerson: a person that is a member elsewhere is not this
// organization's to change, and one that leads anywhere is shared by nobody (R37).
func (w *work) mayChangePerson(f found, p Person, in MemberPatch) error {
	for _, ref := range p.living() {
		if ref.Organization == f.Organization {
			continue
		}
		if in.namesPerson() && (!f.self && !w.actor.operator() || !w.call.Principal.Bound(ref.Organization)) {
			return sharedUser()
		}
		other, err := w.Member(ref.Organization, ref.ID)
		if err != nil {
			return err
		}
		if in.Kind != nil {
			if err := sharedLead(*in.Kind, other.Role); err != nil {
				return err
			}
		}
	}
	return nil
}

// sharedUser refuses to change a person for an organization that is not its only
// one, or with a credential that is not for all of them: whoever speaks for a
// user in one organization does not rename it in another.
func sharedUser() *Refusal {
	return refuse(authz.ErrForbidden, "shared-user", "this user belongs to another organization too: only the user and the operator change who it is, with a credential for all of them")
}

// namesPerson says whether the patch changes more than the membership.
func (in MemberPatch) namesPerson() bool {
	in.Affiliation = nil
	return in != MemberPatch{}
}

// mayBeCalled refuses a username that is or was somebody's. Another spelling of
// the own one is no other name.
func (w *work) mayBeCalled(p Person, username string) error {
	if authz.LoginKey(username) == authz.LoginKey(p.Username) {
		return nil
	}
	taken, err := w.UsernameTaken(username)
	if err == nil && taken {
		return usernameTaken("/username")
	}
	return err
}

// notePerson tells every organization that the person is in.
func (w *work) notePerson(f found, before Person, m Member) error {
	if err := w.noteUpdated(f.Member, m); err != nil {
		return err
	}
	for _, ref := range before.living() {
		if err := w.noteElsewhere(f, ref, m); err != nil {
			return err
		}
		if before.Username == m.Username {
			continue
		}
		old, now := map[string]string{"username": before.Username}, map[string]string{"username": m.Username}
		if err := w.note("member.username_changed", ref.Organization, ref.ID, old, now); err != nil {
			return err
		}
	}
	return nil
}

// noteElsewhere tells another organization of the person what changed about it.
func (w *work) noteElsewhere(f found, ref MembershipRef, m Member) error {
	was, is := f.Member, m
	is.Affiliation = was.Affiliation
	if ref.ID == f.ID || was.Kind == is.Kind && was.changedInPerson(is) == nil {
		return nil
	}
	was.Organization, was.ID = ref.Organization, ref.ID
	return w.noteUpdated(was, is)
}

// changeAddress asks for another address. The one that it has needs no asking.
func (w *work) changeAddress(f found, p Person, email string) error {
	key, err := checkEmail("/email", email)
	if err != nil {
		return err
	}
	if own, err := directory.EmailKey(p.Email); err == nil && own == key {
		return nil
	}
	return w.askEmailChange(f.Organization, p, email)
}

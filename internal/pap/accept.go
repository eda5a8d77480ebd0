package pap

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// maxLinkFailures is how often an invitation may be tried in vain before its link
// is dead until it is sent again.
const maxLinkFailures = 10

// PreviewInvitation shows whoever has the link what it is an invitation to. It
// changes nothing, however often it is asked (C6). A link that opens nothing is
// of kind authz.ErrNotFound, and the same whatever is wrong with it.
func (p *PAP) PreviewInvitation(ctx context.Context, call Call, link string) (Preview, error) {
	id, generation, err := p.follow(ForInvitation, link)
	if err != nil {
		return Preview{}, err
	}
	return look(ctx, p, call, func(w *work) (Preview, error) {
		inv, err := w.linked(id)
		if err != nil {
			return Preview{}, err
		}
		if !inv.opens(w.now) || inv.Generation != generation {
			return Preview{}, linkInvalid()
		}
		o, err := w.Organization(inv.Organization)
		if err != nil {
			return Preview{}, err
		}
		inviter, err := w.nameOf(inv.Inviter)
		return Preview{Organization: o.Name, Inviter: inviter, Email: masked(inv.Email), ExpiresAt: inv.ExpiresAt}, err
	})
}

// AcceptInvitation makes the member in waiting an active one, once (C3). The link
// says which invitation; everything else was said by whoever made it. Somebody
// new gets an account by it; who has one already has to be the call's actor, and
// its account stays as it is (C8).
//
// A link that opens nothing is of kind authz.ErrNotFound, and the same whatever
// is wrong with it. An invitation whose inviter could not make it any more is
// not honoured and stays pending (C10).
func (p *PAP) AcceptInvitation(ctx context.Context, call Call, link string, in Acceptance) (Accepted, Change, error) {
	id, generation, err := p.follow(ForInvitation, link)
	if err != nil {
		return Accepted{}, Change{}, err
	}
	hash, err := p.hashOf(ctx, call, in)
	if err != nil {
		return Accepted{}, Change{}, err
	}
	return change(ctx, p, call, func(w *work) (Accepted, string, error) {
		inv, err := w.linked(id)
		if err != nil {
			return Accepted{}, "", err
		}
		switch {
		case !inv.opens(w.now):
			return Accepted{}, "", linkInvalid()
		case inv.Generation != generation:
			return Accepted{}, "", w.failLink(inv, linkInvalid())
		}
		made, err := w.accept(inv, in, hash)
		return made, inv.ID, err
	}, (*work).accepted)
}

// hashOf is the hash of the password that somebody new wants, if credentials are
// kept here. Hashing takes longer than a transaction should.
func (p *PAP) hashOf(ctx context.Context, call Call, in Acceptance) (string, error) {
	if p.Passwords == nil || call.Principal.Actor != "" || in.Password == "" {
		return "", nil
	}
	return p.hash(ctx, "/password", in.Password)
}

// linked reads the invitation of a link. That of an organization which the
// credential is not bound to is none.
func (w *work) linked(id string) (Invitation, error) {
	inv, err := w.Reader.Invitation("", id)
	switch {
	case err != nil && absent(err) == nil, err == nil && !w.call.Principal.Bound(inv.Organization):
		return inv, linkInvalid()
	}
	return inv, err
}

// opens says whether a link to the invitation can open anything now. It is valid
// strictly before it expires (C4).
func (i Invitation) opens(now time.Time) bool {
	return i.State == InvitationPending && now.Before(i.ExpiresAt) && i.FailedAttempts < maxLinkFailures
}

// failLink refuses and counts the failure.
func (w *work) failLink(inv Invitation, because error) error {
	inv.FailedAttempts++
	if err := w.tx.PutInvitation(inv); err != nil {
		return err
	}
	w.refuseButKeep(because)
	return w.note("invitation.accept_failed", inv.Organization, inv.ID, nil, map[string]any{"failed_attempts": inv.FailedAttempts})
}

// An acceptance is an invitation on its way to a membership.
type acceptance struct {
	invitation   Invitation
	member       Member // in waiting
	organization directory.Organization
	settings     Settings
	person       Person // new if it has no ID yet
	hash         string
	tombstone    *Member // the person's removed membership, if it may come back
}

func (w *work) accept(inv Invitation, in Acceptance, hash string) (Accepted, error) {
	a := acceptance{invitation: inv, hash: hash}
	var err error
	if a.organization, a.settings, err = w.organization(inv.Organization); err != nil {
		return Accepted{}, err
	}
	if a.member, err = w.Member(inv.Organization, inv.Member); err != nil {
		return Accepted{}, err
	}
	if err := w.whoAccepts(&a, in); err != nil || w.committed != nil {
		return Accepted{}, err
	}
	if err := w.oneHolder(a.settings, inv.Organization, a.member.Role); err != nil {
		return Accepted{}, err
	}
	honoured, err := w.honour(a)
	if err != nil || !honoured {
		return Accepted{}, err
	}
	if err := w.join(&a); err != nil {
		return Accepted{}, err
	}
	return w.accepted(inv.ID)
}

// whoAccepts finds the person, or makes one of what it says of itself. Whoever
// signed in as somebody else is refused, and that is counted.
func (w *work) whoAccepts(a *acceptance, in Acceptance) error {
	person, err := w.PersonByEmail(a.invitation.EmailKey)
	known := err == nil
	switch {
	case absent(err) != nil:
		return err
	case w.actor.user != nil && (!known || !w.actor.isSelf(person.ID)):
		return w.failLink(a.invitation, refuse(authz.ErrForbidden, "not-recipient", "this invitation is for somebody else: sign in as who it was sent to"))
	case known && w.actor.user == nil:
		return refuse(authz.ErrForbidden, "sign-in-required", "sign in with the account of this address to accept: nothing is changed for who has not")
	case known:
		a.person = person
		return w.mayClaim(a, in)
	}
	a.person, err = w.newPerson(*a, in)
	return err
}

// mayClaim is for somebody with an account: the account joins as it is.
func (w *work) mayClaim(a *acceptance, in Acceptance) error {
	switch {
	case in != Acceptance{}:
		return invalid("", "unexpected", "who has an account keeps its username, password and profile: leave them out")
	case a.person.Removed:
		return conflict("member-removed", "this account was removed: ask the operator to restore it")
	case a.person.EmailVerifiedAt == nil:
		return refuse(authz.ErrForbidden, "email-unverified", "the address of this account was never confirmed: confirm it by an e-mail change to the same address")
	}
	if err := sharedLead(a.person.Kind, a.member.Role); err != nil {
		return err
	}
	before, err := w.MemberOf(a.invitation.Organization, a.person.ID)
	if err != nil {
		return absent(err)
	}
	a.tombstone = &before
	return a.settings.mayJoin(before)
}

// newPerson checks what somebody new says of itself. Its address is the one that
// was invited. Having the link confirms it where the link went there and nowhere
// else: whoever was handed one could make an account of any address.
func (w *work) newPerson(a acceptance, in Acceptance) (Person, error) {
	p := Person{
		Kind: a.member.Kind, Username: in.Username, Email: a.invitation.Email,
		Profile: a.member.Profile.over(in.Profile),
	}
	if a.invitation.Deliver == DeliverEmail {
		p.EmailVerifiedAt = &w.now
	}
	err := first(w.mayMakePerson(in), checkUsername("/username", in.Username), in.Profile.check(), p.Profile.needs(a.settings.Profile.Accept))
	if err != nil {
		return p, err
	}
	taken, err := w.UsernameTaken(in.Username)
	if err == nil && taken {
		err = usernameTaken("/username")
	}
	return p, err
}

// mayMakePerson: where credentials are kept here everybody has a password; where
// they are not, a portal says that it has made the account.
func (w *work) mayMakePerson(in Acceptance) error {
	by := w.call.Principal
	switch {
	case w.Passwords != nil && in.Password == "":
		return invalid("/password", "required", "password is missing")
	case w.Passwords == nil && in.Password != "":
		return invalid("/password", "unexpected", "passwords are kept elsewhere: leave it out")
	case w.Passwords == nil && !by.Has(ScopeIdentity) && !by.Has(ScopeAct) && !by.Has(ScopeOperator):
		return refuse(authz.ErrForbidden, "sign-in-required", "accounts are kept elsewhere: accept in the portal, which makes one")
	}
	return nil
}

// usernameTaken refuses a name that is or was somebody's.
func usernameTaken(at string) *Refusal {
	r := conflict("username-taken", "this username is taken, or was once: choose another")
	r.Fields = []Field{{Pointer: at, Code: "taken", Detail: r.Detail}}
	return r
}

// honour asks whether the inviter could still make this very offer (C10). If
// not, the invitation stays as it is, and the Primary Contacts are told.
func (w *work) honour(a acceptance) (bool, error) {
	as, err := w.inviter(a.invitation.Inviter)
	if err != nil {
		return false, err
	}
	m := a.member
	r, err := w.reachOf(m.Organization, "/grants", m.Grants)
	if err != nil {
		return false, err
	}
	w.verdict, err = w.judge(as, ask{
		action: "member.invite", organization: m.Organization, gives: true, lasting: m.Grants.lasting(w.now),
		target:  target{id: m.ID, kind: m.Kind, role: m.Role, reach: r.realm},
		changes: r.offered(m.Role, m.Grants, m.CPNI),
	})
	if err != nil || w.verdict.Allow {
		return err == nil, err
	}
	return false, w.dishonour(a)
}

// inviter is who made an invitation, as of now. A credential that is revoked or
// has expired may nothing.
func (w *work) inviter(by Actor) (actor, error) {
	if by.isUser() {
		return w.userActor(by.ID)
	}
	t, err := w.Token(by.ID)
	switch {
	case err != nil:
		return actor{Actor: by}, absent(err)
	case !t.RevokedAt.IsZero(), !t.ExpiresAt.IsZero() && !w.now.Before(t.ExpiresAt):
		return actor{Actor: by}, nil
	}
	return credentialActor(Principal{Kind: t.Kind, ID: t.ID, Scopes: t.Scopes, Organizations: t.Organizations}), nil
}

// isUser says whether a user did it, and not a credential by itself.
func (a Actor) isUser() bool { return a.Kind == "user" || a.Kind == "operator" }

func (w *work) dishonour(a acceptance) error {
	inv := a.invitation
	inv.FailedAttempts++
	if err := w.tx.PutInvitation(inv); err != nil {
		return err
	}
	refused := conflict("invitation-not-honoured", "whoever made this invitation could not make it any more: ask for a new one")
	refused.Decision = w.verdict.ID
	w.refuseButKeep(refused)
	if err := w.note("invitation.not_honoured", inv.Organization, inv.ID, nil, map[string]any{"member": inv.Member}); err != nil {
		return err
	}
	contacts, err := w.Reader.Members(MemberQuery{
		Organization: inv.Organization, Role: directory.RolePrimaryContact, State: directory.StateActive, Page: Page{Size: 200},
	})
	if err != nil {
		return err
	}
	for _, c := range contacts {
		m := Mail{About: inv.ID, Organization: a.organization.Name, Member: a.name(), From: or(a.settings.Invitation.From, a.organization.Name)}
		if err := w.mailTo(Person{Email: c.Email, Profile: c.Profile}, inv.Organization, MailInvitationNotHonoured, m); err != nil {
			return err
		}
	}
	return nil
}

// name is how the invited is called: as it was invited until it says otherwise.
func (a acceptance) name() string { return or(a.member.Profile.name(), a.invitation.Email) }

// accepted shows what an invitation led to, to who accepted it.
func (w *work) accepted(id string) (Accepted, error) {
	inv, err := w.linked(id)
	if err != nil {
		return Accepted{}, err
	}
	f := found{}
	if f.organization, f.settings, err = w.organization(inv.Organization); err != nil {
		return Accepted{}, err
	}
	if f.Member, err = w.Member(inv.Organization, inv.Member); err != nil {
		return Accepted{}, err
	}
	if f.view, err = w.viewOfSelf(f.Role); err != nil {
		return Accepted{}, err
	}
	if f.reach, err = w.reachOf(f.Organization, "", f.Grants); err != nil {
		return Accepted{}, err
	}
	m, err := w.shown(f)
	return Accepted{User: f.User, Member: m}, err
}

// masked is an address of which only who knows it recognizes anything.
func masked(address string) string {
	local, domain, _ := strings.Cut(address, "@")
	_, size := utf8.DecodeRuneInString(local)
	return local[:size] + "***@" + domain
}

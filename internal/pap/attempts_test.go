package pap_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/pap"
)

// attempt lets a person or the operator do one thing, by any road there is.
func (w *world) attempt() attempt {
	w.names++
	did := attempt{actor: w.somebody()}
	did.giver = did.actor
	w.actor = did.actor
	l := w.where(did.actor)
	did.organization = l.organization
	roads := w.roads()
	did.what = rapid.SampledFrom(sortedKeys(roads)).Draw(w.T, "road")
	if w.bug != nil {
		if len(w.bug.near) > 0 && rapid.Bool().Draw(w.T, "near the bug") {
			did.what = rapid.SampledFrom(w.bug.near).Draw(w.T, "road near it")
		}
		w.bug.on = slices.Contains(w.bug.during, did.what) || len(w.bug.during) == 0
		defer func() { w.bug.on = false }()
	}
	roads[did.what](&did, l, w.call(did.actor))
	return did
}

// somebody is the operator, one of the people, or as often one of those who began
// as administrators, whom more is allowed and who can pass more on.
func (w *world) somebody() string {
	among := append(slices.Clone(w.people), "", "")
	if rapid.Bool().Draw(w.T, "an administrator") {
		among = w.administrators
	}
	return rapid.SampledFrom(among).Draw(w.T, "actor")
}

// where is the organization of whoever acts, and now and then the other one.
func (w *world) where(actor string) landscape {
	home, other := w.a, w.b
	if w.belongs(actor, w.b) {
		home, other = w.b, w.a
	}
	if rapid.IntRange(0, 3).Draw(w.T, "organization") == 0 {
		return other
	}
	return home
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(keysOf(m)) }

func (w *world) call(actor string) pap.Call {
	if actor == "" {
		return w.h.operator()
	}
	return pap.Call{RequestID: "request-1", Principal: pap.Principal{Kind: pap.JWT, ID: "https://idp.example " + actor, Actor: actor}}
}

// roads are the ways to change what somebody can do.
func (w *world) roads() map[string]func(*attempt, landscape, pap.Call) {
	ctx := w.Context()
	return map[string]func(*attempt, landscape, pap.Call){
		"invite": func(d *attempt, l landscape, c pap.Call) {
			made, _, err := w.h.Invite(ctx, c, l.organization, pap.NewInvitation{
				Email: w.address(l), Role: w.role(), Grants: w.grants(l), CPNI: w.seldom("cpni"), Deliver: pap.DeliverReturnLink,
				Affiliation: rapid.SampledFrom([]string{"customer", "customer", "end_customer", "account_team"}).Draw(w.T, "affiliation"),
			})
			if d.err = err; err == nil {
				w.invitations = append(w.invitations, invited{made.Invitation.ID, l.organization, made.Link, made.Invitation.Email, d.actor})
			}
		},
		"clone": func(d *attempt, l landscape, c pap.Call) {
			made, _, err := w.h.CloneMember(ctx, c, l.organization, w.member(l), pap.Clone{Email: w.address(l), CPNI: w.seldom("cpni"), Deliver: pap.DeliverReturnLink})
			if d.err = err; err == nil {
				w.invitations = append(w.invitations, invited{made.Invitation.ID, l.organization, made.Link, made.Invitation.Email, d.actor})
			}
		},
		"accept":            w.accept,
		"amend invitation":  w.amend,
		"resend invitation": w.resend,
		"unseat inviter":    w.unseat,
		"revoke invitation": func(d *attempt, l landscape, c pap.Call) {
			if i, ok := w.invitation(d); ok {
				_, _, d.err = w.h.RevokeInvitation(ctx, c, d.organization, i.id)
			}
		},
		"create": func(d *attempt, l landscape, c pap.Call) {
			m, _, err := w.h.CreateMember(ctx, c, l.organization, pap.NewMember{
				Username: fmt.Sprintf("%s-n%d", w.name, w.names), Password: "correct horse", Email: w.address(l), Role: w.role(),
				Grants: w.grants(l), CPNI: w.seldom("cpni"),
				Profile: pap.Profile{GivenName: "New", FamilyName: "One", Phone: "+1 555 0100", Country: "US"},
			})
			if d.err = err; err == nil {
				w.people = append(w.people, m.User)
			}
		},
		"assign role": func(d *attempt, l landscape, c pap.Call) {
			_, _, d.err = w.h.AssignRole(ctx, c, l.organization, w.member(l), w.role())
		},
		"hand over": func(d *attempt, l landscape, c pap.Call) {
			_, _, d.err = w.h.TransferPrimaryContact(ctx, c, l.organization, w.member(l))
		},
		"set grants": func(d *attempt, l landscape, c pap.Call) {
			d.err = w.setGrants(c, l.organization, w.member(l), w.grants(l))
		},
		"patch grants": func(d *attempt, l landscape, c pap.Call) {
			_, _, d.err = w.h.PatchGrants(ctx, c, l.organization, w.member(l), pap.GrantPatch{Add: w.grants(l), Remove: w.grants(l)})
		},
		"grant tool": func(d *attempt, l landscape, c pap.Call) {
			tool := w.tool(l)
			_, _, d.err = w.h.GrantTool(ctx, c, l.organization, w.member(l), tool.ID, tool)
		},
		"set tool accounts": func(d *attempt, l landscape, c pap.Call) {
			tool := w.tool(l)
			_, _, d.err = w.h.SetToolAccounts(ctx, c, l.organization, w.member(l), tool.ID, tool.Accounts)
		},
		"revoke tool": func(d *attempt, l landscape, c pap.Call) {
			_, _, d.err = w.h.RevokeTool(ctx, c, l.organization, w.member(l), w.tool(l).ID)
		},
		"authorize cpni": func(d *attempt, l landscape, c pap.Call) {
			_, _, d.err = w.h.AuthorizeCPNI(ctx, c, l.organization, w.member(l), rapid.Bool().Draw(w.T, "authorized"))
		},
		"suspend": func(d *attempt, l landscape, c pap.Call) {
			_, _, d.err = w.h.Suspend(ctx, c, l.organization, w.member(l))
		},
		"reactivate": func(d *attempt, l landscape, c pap.Call) {
			_, _, d.err = w.h.Reactivate(ctx, c, l.organization, w.member(l))
		},
		"remove": func(d *attempt, l landscape, c pap.Call) {
			_, _, d.err = w.h.RemoveMember(ctx, c, l.organization, w.member(l))
		},
		"restore": func(d *attempt, l landscape, c pap.Call) {
			_, _, d.err = w.h.Restore(ctx, c, l.organization, w.member(l), pap.Restoration{Role: w.role(), Grants: w.grants(l)})
		},
		"rename": func(d *attempt, l landscape, c pap.Call) {
			name := fmt.Sprintf("%s-r%d", w.name, w.names)
			_, _, d.err = w.h.UpdateMember(ctx, c, l.organization, w.member(l), pap.MemberPatch{Username: &name})
		},
		"change affiliation": func(d *attempt, l landscape, c pap.Call) {
			to := rapid.SampledFrom([]string{"customer", "end_customer", "account_team"}).Draw(w.T, "affiliation")
			_, _, d.err = w.h.UpdateMember(ctx, c, l.organization, w.member(l), pap.MemberPatch{Affiliation: &to})
		},
		"change account group": func(d *attempt, l landscape, c pap.Call) {
			_, _, d.err = w.h.SetAccountGroupAccounts(ctx, c, l.organization, l.organization+"-g", w.some(l, "in the account group"))
		},
	}
}

func (w *world) accept(d *attempt, _ landscape, _ pap.Call) {
	d.accepting = true
	i, ok := w.invitation(d)
	if !ok {
		return
	}
	d.giver = i.by
	call := pap.Call{RequestID: "request-1"}
	if d.actor != "" && w.seldom("signed in") {
		call = w.call(d.actor) // maybe the one who was invited
	} else {
		d.actor = ""
	}
	_, token, _ := strings.Cut(i.link, "#token=")
	made, _, err := w.h.AcceptInvitation(w.Context(), call, token, pap.Acceptance{
		Username: fmt.Sprintf("%s-n%d", w.name, w.names), Password: "correct horse", Profile: pap.Profile{GivenName: "New", FamilyName: "One"},
	})
	if d.err = err; err == nil && !slices.Contains(w.people, made.User) {
		w.people = append(w.people, made.User)
	}
}

func (w *world) amend(d *attempt, l landscape, c pap.Call) {
	i, ok := w.invitation(d)
	if !ok {
		return
	}
	role, cpni := w.role(), w.seldom("cpni")
	in := pap.InvitationPatch{Role: &role, CPNI: &cpni}
	if rapid.Bool().Draw(w.T, "other grants") {
		g := w.grants(l)
		in.Grants = &g
	}
	if _, _, d.err = w.h.UpdateInvitation(w.Context(), c, d.organization, i.id, in); d.err == nil {
		w.vouch(i.id, d.actor, "")
	}
}

func (w *world) resend(d *attempt, _ landscape, c pap.Call) {
	i, ok := w.invitation(d)
	if !ok {
		return
	}
	made, _, err := w.h.ResendInvitation(w.Context(), c, d.organization, i.id)
	if d.err = err; err == nil {
		w.vouch(i.id, d.actor, made.Link)
	}
}

// unseat takes away what somebody invited others with, while they have not
// accepted (C10).
func (w *world) unseat(d *attempt, _ landscape, c pap.Call) {
	i, ok := w.invitation(d)
	if !ok || i.by == "" {
		d.what = "nothing"
		return
	}
	m := w.membership(i.organization, i.by)
	if rapid.Bool().Draw(w.T, "by the operator") {
		d.actor, d.giver, c = "", "", w.h.operator()
	}
	switch ctx := w.Context(); rapid.SampledFrom([]string{"demote", "suspend", "empty"}).Draw(w.T, "how") {
	case "demote":
		_, _, d.err = w.h.AssignRole(ctx, c, i.organization, m, "regular")
	case "suspend":
		_, _, d.err = w.h.Suspend(ctx, c, i.organization, m)
	case "empty":
		d.err = w.setGrants(c, i.organization, m, pap.Grants{})
	}
}

func (w *world) setGrants(c pap.Call, organization, member string, g pap.Grants) error {
	if seen, err := w.h.Member(w.Context(), c, organization, member); err == nil {
		c = matching(c, seen.Revision)
	}
	_, _, err := w.h.SetGrants(w.Context(), c, organization, member, g)
	return err
}

// vouch notes whose authority an invitation rests on from now on.
func (w *world) vouch(id, by, link string) {
	for i := range w.invitations {
		if w.invitations[i].id == id {
			w.invitations[i].by = by
			if link != "" {
				w.invitations[i].link = link
			}
		}
	}
}

func (w *world) invitation(d *attempt) (invited, bool) {
	if len(w.invitations) == 0 {
		d.what = "nothing"
		return invited{}, false
	}
	i := rapid.SampledFrom(w.invitations).Draw(w.T, "invitation")
	d.organization = i.organization
	return i, true
}

func (w *world) seldom(what string) bool { return rapid.IntRange(0, 4).Draw(w.T, what) == 0 }

// address is a new one, or now and then one that was invited before.
func (w *world) address(l landscape) string {
	if len(w.invitations) > 0 && w.seldom("an address again") {
		return rapid.SampledFrom(w.invitations).Draw(w.T, "address of").email
	}
	return fmt.Sprintf("n%d@%s.example", w.names, l.organization)
}

func (w *world) role() string {
	return rapid.SampledFrom([]string{"regular", "regular", "read_only", "support", "administrator", "primary_contact"}).Draw(w.T, "role")
}

// member is one of the organization, and now and then whoever acts or one of the
// other organization.
func (w *world) member(l landscape) string {
	if own := w.membership(l.organization, w.actor); own != "" && w.seldom("themself") {
		return own
	}
	var ids []string
	other := w.seldom("of the other organization")
	w.must(w.h.Store.Look(w.Context(), func(r pap.Reader) error {
		for _, in := range []landscape{w.a, w.b} {
			if (in.organization == l.organization) == other {
				continue
			}
			members, err := r.Members(pap.MemberQuery{Organization: in.organization, ShowRemoved: true, Page: pap.Page{Size: 200}})
			if err != nil {
				return err
			}
			for _, m := range members {
				ids = append(ids, m.ID)
			}
		}
		return nil
	}))
	return ids[len(ids)-1-rapid.IntRange(0, len(ids)-1).Draw(w.T, "member")] // oldest first, so that runs are alike
}

// grants are some of the organization's things, and now and then another's. Every
// other time they are one account, which fewer rules have a reason to refuse.
func (w *world) grants(l landscape) (g pap.Grants) {
	if rapid.Bool().Draw(w.T, "one account") {
		account := rapid.SampledFrom(sortedKeys(l.accounts)).Draw(w.T, "account")
		return pap.Grants{Accounts: []pap.AccountGrant{w.forAWhile(account)}}
	}
	if w.seldom("grants of the other organization") {
		l = map[bool]landscape{true: w.a, false: w.b}[l.organization == w.b.organization]
	}
	for _, c := range []string{"c1", "c2"} {
		if w.seldom(c) {
			g.Companies = append(g.Companies, pap.CompanyGrant{ID: l.organization + "-" + c, AllAccounts: rapid.Bool().Draw(w.T, "all accounts")})
		}
	}
	for _, a := range w.some(l, "accounts") {
		g.Accounts = append(g.Accounts, w.forAWhile(a))
	}
	if w.seldom("account group") {
		g.AccountGroups = []string{l.organization + "-g"}
	}
	if w.seldom("tool") {
		g.Tools = []pap.ToolGrant{w.tool(l)}
	}
	return g
}

// forAWhile grants an account for two hours or for ever.
func (w *world) forAWhile(account string) pap.AccountGrant {
	grant := pap.AccountGrant{ID: account}
	if rapid.Bool().Draw(w.T, "for a while") {
		end := w.h.clock().Add(2 * time.Hour)
		grant.ExpiresAt = &end
	}
	return grant
}

func (w *world) some(l landscape, what string) (accounts []string) {
	for _, a := range sortedKeys(l.accounts) {
		if w.seldom(what + " " + a[len(a)-2:]) {
			accounts = append(accounts, a)
		}
	}
	return accounts
}

func (w *world) tool(l landscape) pap.ToolGrant {
	tool := rapid.SampledFrom([]string{"wan_analysis", "wan_analysis", "network_manager", "dynamic_network_manager"}).Draw(w.T, "tool")
	return pap.ToolGrant{ID: tool, Accounts: w.some(l, "of the tool")}
}

package pap_test

import (
	"slices"
	"testing"

	"github.com/postern-authz/postern/internal/pap"
)

// members lists the usernames that somebody sees, newest first.
func (h *house) members(call pap.Call, q pap.MemberQuery) (names []string) {
	h.t.Helper()
	for {
		page, next, err := h.Members(h.t.Context(), call, q)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, m := range page {
			names = append(names, m.Username)
		}
		if next == nil {
			return names
		}
		q.After = next
	}
}

func (h *house) get(call pap.Call, organization, name string) pap.Member {
	h.t.Helper()
	m, err := h.Member(h.t.Context(), call, organization, h.member(organization, name))
	if err != nil {
		h.t.Fatalf("member %s: %v", name, err)
	}
	return m
}

func TestWhoSeesWhom(t *testing.T) {
	h := open(t)
	yes := true
	if _, _, err := h.ReportMFA(t.Context(), with(pap.ScopeIdentity), "acme", h.member("acme", "rosa"), yes); err != nil {
		t.Fatal(err)
	}
	everybody := []string{"adam", "ella", "paula", "regina", "rosa", "sam", "tim"}
	for _, c := range []struct {
		name  string
		call  pap.Call
		query pap.MemberQuery
		want  []string
	}{
		{"a primary contact sees all of its organization (R88)", h.as("paula"), pap.MemberQuery{}, everybody},
		{"in pages too", h.as("paula"), pap.MemberQuery{Page: pap.Page{Size: 2}}, everybody},
		{"the operator sees all of any", h.operator(), pap.MemberQuery{}, everybody},
		{"the operator's staff too", h.as("olga"), pap.MemberQuery{}, everybody},
		{"an administrator sees whom its accounts meet, and itself (R6)", h.as("adam"), pap.MemberQuery{}, []string{"adam", "paula", "regina", "rosa", "sam"}},
		{"in pages too", h.as("adam"), pap.MemberQuery{Page: pap.Page{Size: 1}}, []string{"adam", "paula", "regina", "rosa", "sam"}},
		{"an account team sees whom its company meets (R7)", h.as("tim"), pap.MemberQuery{}, []string{"paula", "tim"}},
		{"by role", h.as("paula"), pap.MemberQuery{Role: "regular"}, []string{"ella", "regina"}},
		{"end customers (R35)", h.as("paula"), pap.MemberQuery{Affiliation: "end_customer"}, []string{"ella"}},
		{"by account", h.as("paula"), pap.MemberQuery{Account: "k-1"}, []string{"ella"}},
		{"by an account beyond the actor's, nobody", h.as("adam"), pap.MemberQuery{Account: "k-1"}, nil},
		{"by company", h.as("paula"), pap.MemberQuery{Company: "acme-east"}, []string{"tim"}},
		{"by tool", h.as("paula"), pap.MemberQuery{Tool: "wan_analysis"}, []string{"adam"}},
		{"by state (R88)", h.as("paula"), pap.MemberQuery{State: "invited"}, nil},
		{"by kind (R88)", h.as("paula"), pap.MemberQuery{Kind: "group"}, nil},
		{"by kind, of people (R88)", h.as("adam"), pap.MemberQuery{Kind: "personal", Role: "support"}, []string{"sam"}},
		{"by a second factor (R84, R88)", h.as("paula"), pap.MemberQuery{MFA: &yes}, []string{"rosa"}},
		{"by an account group (R88)", h.as("paula"), pap.MemberQuery{AccountGroup: "south-sites"}, nil},
		{"by two at once (R88)", h.as("paula"), pap.MemberQuery{Role: "regular", Affiliation: "customer"}, []string{"regina"}},
		{"by text", h.as("paula"), pap.MemberQuery{Text: "roth"}, []string{"regina"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.query.Organization = "acme"
			got := h.members(c.call, c.query)
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// Reading is judged too, and says nothing to who may not (R18).
func TestV30OnlyWhoAdministersListsMembers(t *testing.T) {
	h := open(t)
	waiting := h.invite("paula", "dana@acme.example").Invitation.ID
	for _, name := range []string{"regina", "rosa", "sam", "ella"} {
		_, _, err := h.Members(t.Context(), h.as(name), pap.MemberQuery{Organization: "acme"})
		refused(t, err, "not-permitted")
		_, err = h.Member(t.Context(), h.as(name), "acme", h.member("acme", "paula"))
		refused(t, err, "not-permitted")
		_, err = h.Member(t.Context(), h.as(name), "acme", "mem_01890000-0000-7000-8000-000000000000")
		refused(t, err, "not-permitted")
		_, _, err = h.Invitations(t.Context(), h.as(name), pap.InvitationQuery{Organization: "acme"})
		refused(t, err, "not-permitted")
		_, err = h.Invitation(t.Context(), h.as(name), "acme", waiting)
		refused(t, err, "not-permitted")
		_, _, err = h.Events(t.Context(), h.as(name), pap.EventQuery{Organization: "acme"})
		refused(t, err, "not-permitted")
		_, err = h.Access(t.Context(), h.as(name), pap.AccessQuery{Organization: "acme", Member: h.member("acme", "paula")})
		refused(t, err, "not-permitted")
	}
	_, _, err := h.Members(t.Context(), h.as("gustav"), pap.MemberQuery{Organization: "acme"})
	refused(t, err, "not-found")
	_, err = h.Member(t.Context(), h.as("gustav"), "globex", h.member("acme", "paula"))
	refused(t, err, "not-found")
	_, err = h.Member(t.Context(), h.as("adam"), "acme", h.member("acme", "ella"))
	refused(t, err, "not-found")
}

func TestGrantsBeyondTheActorAreLeftOut(t *testing.T) {
	h := open(t)
	h.put(`{"type":"grant","organization":"acme","user":"regina","account":"a-1002","granted_by":"user"}
{"type":"grant","organization":"acme","user":"regina","company":"acme-east","all_accounts":true,"granted_by":"user"}
{"type":"grant","organization":"acme","user":"regina","tool":"network_manager","granted_by":"user"}`)
	if all := h.get(h.as("paula"), "acme", "regina"); all.Redacted || len(all.Grants.Accounts) != 3 || len(all.Grants.Companies) != 2 || len(all.Grants.Tools) != 1 {
		t.Errorf("the primary contact: got %+v, want everything", all)
	}
	got := h.get(h.as("adam"), "acme", "regina")
	if !got.Redacted || len(got.Grants.Accounts) != 2 || len(got.Grants.Companies) != 1 || got.Grants.Companies[0].ID != "acme-south" || len(got.Grants.Tools) != 0 {
		t.Errorf("the administrator: got %+v, want its own accounts and no more", got)
	}
	if got.RoleName != "Regular" || !got.CanSignIn || got.Email != "regina@acme.example" || got.MFA.Enrolled {
		t.Errorf("got %+v, want name, address, role, status and second factor (R83, R84, R86)", got)
	}
}

func TestNobodyLearnsOfMoneyWhoseRoleIsBlindToIt(t *testing.T) {
	h := open(t)
	me, err := h.Me(t.Context(), h.as("sam"), "")
	if err != nil || len(me.Grants.Accounts) != 1 || me.Grants.Accounts[0].ID != "a-1001" {
		t.Errorf("support about itself: got %+v, %v, want no billing account (R15)", me.Grants, err)
	}
	me, err = h.Me(t.Context(), h.as("rosa"), "acme")
	if err != nil || len(me.Grants.Accounts) != 2 || me.Redacted {
		t.Errorf("read-only about itself: got %+v, %v, want both accounts (R14)", me.Grants, err)
	}
	_, err = h.Me(t.Context(), h.operator(), "acme")
	refused(t, err, "not-permitted")
}

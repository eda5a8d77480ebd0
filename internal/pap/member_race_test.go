package pap_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/pap"
)

// holders are the active Primary Contacts of acme.
func (h *house) holders() []string {
	h.t.Helper()
	names := h.members(h.operator(), pap.MemberQuery{Organization: "acme", Role: directory.RolePrimaryContact, State: directory.StateActive})
	slices.Sort(names)
	return names
}

func TestV21TwoPrimaryContactsCannotRemoveEachOther(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		h.put(seconds)
		paula, pia := h.member("acme", "paula"), h.member("acme", "pia")
		for what, away := range map[string]func(pap.Call, string) error{
			"remove":  func(c pap.Call, id string) error { _, _, err := h.RemoveMember(t.Context(), c, "acme", id); return err },
			"demote":  func(c pap.Call, id string) error { return second(h.AssignRole(t.Context(), c, "acme", id, "regular")) },
			"suspend": func(c pap.Call, id string) error { return second(h.Suspend(t.Context(), c, "acme", id)) },
			"make shared": func(c pap.Call, id string) error {
				kind := directory.UserGroup
				return second(h.UpdateMember(t.Context(), c, "acme", id, pap.MemberPatch{Kind: &kind}))
			},
		} {
			t.Run(what, func(t *testing.T) {
				calls := []pap.Call{h.as("paula"), h.as("pia")}
				errs := make([]error, 2)
				together(func() { errs[0] = away(calls[0], pia) }, func() { errs[1] = away(calls[1], paula) })
				for _, err := range errs {
					refused(t, err, "operator-only")
				}
				if got := h.holders(); !slices.Equal(got, []string{"paula", "pia"}) {
					t.Errorf("got %v, want both", got)
				}
			})
		}
	})
}

// second is the error of a change.
func second(_ pap.Member, _ pap.Change, err error) error { return err }

// The operator is held back by nothing: it takes both at once, and knows which
// was the last.
func TestV21TheOperatorTakesBothAtOnceAndIsToldOfTheLast(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		h.put(seconds)
		paula, pia := h.member("acme", "paula"), h.member("acme", "pia")
		removals, errs := make([]pap.Removal, 2), make([]error, 2)
		take := func(i int, id string) func() {
			return func() { removals[i], _, errs[i] = h.RemoveMember(t.Context(), h.operator(), "acme", id) }
		}
		together(take(0, paula), take(1, pia))
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if removals[0].Impact.LastPrimaryContact == removals[1].Impact.LastPrimaryContact {
			t.Errorf("got %+v and %+v, want one of them told that it was the last", removals[0].Impact, removals[1].Impact)
		}
		if got := h.holders(); len(got) != 0 {
			t.Errorf("got %v, want an organization without a Primary Contact (R4)", got)
		}
		h.put(`{"type":"membership","organization":"acme","user":"regina","role":"primary_contact","assigned_by":"operator"}`)
		if got := h.holders(); !slices.Equal(got, []string{"regina"}) {
			t.Errorf("got %v, want her", got)
		}
	})
}

// Where the Primary Contact hands over, two successors at once are one.
func TestV21TwoTransfersLeaveOneHolder(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		h.settle("acme", `{"primary_contact":{"mode":"transferable"}}`)
		holder := "paula"
		for round, heirs := range [][2]string{{"adam", "regina"}, {"rosa", "sam"}, {"regina", "adam"}} {
			call, errs := h.as(holder), make([]error, 2)
			hand := func(i int) func() {
				id := h.member("acme", heirs[i])
				return func() { errs[i] = second(h.TransferPrimaryContact(t.Context(), call, "acme", id)) }
			}
			together(hand(0), hand(1))
			if (errs[0] == nil) == (errs[1] == nil) {
				t.Fatalf("round %d: got %v and %v, want one of them", round, errs[0], errs[1])
			}
			want, late := heirs[0], errs[1]
			if errs[0] != nil {
				want, late = heirs[1], errs[0]
			}
			if !errors.Is(late, authz.ErrForbidden) { // it is no Primary Contact any more
				t.Errorf("got %v, want to be forbidden", late)
			}
			if got := h.holders(); !slices.Equal(got, []string{want}) {
				t.Fatalf("got %v, want %s alone", got, want)
			}
			holder = want
		}
	})
}

// A holder cannot hand over to somebody who is leaving at that moment, and stay
// without one.
func TestV21AHandOverMeetsARemoval(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		h.settle("acme", `{"primary_contact":{"mode":"transferable"}}`)
		adam, call := h.member("acme", "adam"), h.as("paula")
		var handed, removed error
		together(
			func() { handed = second(h.TransferPrimaryContact(t.Context(), call, "acme", adam)) },
			func() { _, _, removed = h.RemoveMember(t.Context(), call, "acme", adam) },
		)
		if (handed == nil) == (removed == nil) {
			t.Errorf("got %v and %v, want one of them", handed, removed)
		}
		if got := h.holders(); len(got) != 1 {
			t.Errorf("got %v, want one", got)
		}
	})
}

// V33 is about clients that lose members of a list when several change it at
// once. Here the lists are grants and the accounts of an account group.
func TestV33GrantsAreNotLostInARace(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		five := sites(h, "x1", "x2", "x3", "x4", "x5")
		rosa, call := h.member("acme", "rosa"), h.as("paula")
		grant := func(p pap.GrantPatch) func() {
			return func() {
				if err := second(h.PatchGrants(t.Context(), call, "acme", rosa, p)); err != nil {
					t.Error(err)
				}
			}
		}
		var give, swap []func()
		for _, id := range five {
			give = append(give, grant(pap.GrantPatch{Add: accounts(id)}))
		}
		together(give...)
		if got := len(h.get(call, "acme", "rosa").Grants.Accounts); got != 7 {
			t.Fatalf("got %d accounts, want hers and five", got)
		}
		swap = append(swap, grant(pap.GrantPatch{Remove: accounts("x3")}), grant(pap.GrantPatch{Add: accounts("a-2001")}), grant(pap.GrantPatch{Remove: accounts("x5")}))
		together(swap...)
		var got []string
		for _, a := range h.get(call, "acme", "rosa").Grants.Accounts {
			got = append(got, a.ID)
		}
		if want := []string{"a-1001", "a-2001", "b-1001", "x1", "x2", "x4"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// sites makes service accounts of acme-south.
func sites(h *house, ids ...string) []string {
	for _, id := range ids {
		h.put(fmt.Sprintf(`{"type":"account","id":%q,"company":"acme-south","kind":"service","name":"Site %s"}`, id, id))
	}
	return ids
}

// Whoever writes a whole list says which one it saw, and the second is told.
func TestV33OfTwoWhoReplaceOneListTheSecondIsTold(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		regina, call := h.member("acme", "regina"), h.as("paula")
		seen := h.get(call, "acme", "regina").Revision
		errs := make([]error, 2)
		set := func(i int, g pap.Grants) func() {
			return func() { errs[i] = second(h.SetGrants(t.Context(), matching(call, seen), "acme", regina, g)) }
		}
		together(set(0, accounts("a-1001")), set(1, accounts("a-2001")))
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("got %v and %v, want one of them", errs[0], errs[1])
		}
		for _, err := range errs {
			if err != nil {
				refused(t, err, "etag-mismatch")
			}
		}
	})
}

func TestV33AccountsOfAnAccountGroupAreNotLostInARace(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		five, call := sites(h, "x1", "x2", "x3", "x4", "x5"), h.as("paula")
		var all []func()
		for _, id := range five {
			all = append(all, func() {
				h.regroup(t, call, func(had []string) []string { return append(had, id) })
			})
		}
		all = append(all, func() {
			h.regroup(t, call, func(had []string) []string {
				return slices.DeleteFunc(had, func(id string) bool { return id == "a-1002" })
			})
		})
		together(all...)
		g, err := h.AccountGroup(t.Context(), call, "acme", "south-sites")
		if want := append([]string{"a-1001"}, five...); err != nil || !slices.Equal(g.Accounts, want) {
			t.Errorf("got %v, %v, want %v", g.Accounts, err, want)
		}
	})
}

// regroup changes the accounts of south-sites as a careful client does: it says
// which list it saw, and looks again when that was an older one.
func (h *house) regroup(t *testing.T, call pap.Call, wish func([]string) []string) {
	for {
		seen, err := h.AccountGroup(t.Context(), call, "acme", "south-sites")
		if err != nil {
			t.Error(err)
			return
		}
		_, _, err = h.SetAccountGroupAccounts(t.Context(), matching(call, seen.Revision), "acme", "south-sites", wish(slices.Clone(seen.Accounts)))
		if err == nil {
			return
		}
		if refused(t, err, "etag-mismatch"); t.Failed() {
			return
		}
	}
}

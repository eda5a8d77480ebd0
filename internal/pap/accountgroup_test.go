package pap_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

func TestCustomersManageServiceGroupsOnly(t *testing.T) { // R2, R27
	onBoth(t, func(t *testing.T, h *house) {
		made, _, err := h.CreateAccountGroup(t.Context(), h.as("paula"), "acme", pap.AccountGroup{
			ID: "all-east", Kind: "service_group", Name: "All in the east", Accounts: []string{"b-2001", "a-2001", "a-2001"},
		})
		if err != nil || !slices.Equal(made.Accounts, []string{"a-2001", "b-2001"}) || made.Revision == 0 {
			t.Fatalf("got %+v, %v", made, err)
		}
		named, _, err := h.CreateAccountGroup(t.Context(), h.as("paula"), "acme", pap.AccountGroup{Kind: "service_group", Name: "Without an id"})
		if err != nil || len(named.ID) < 20 {
			t.Errorf("got %+v, %v, want an id", named, err)
		}
		for _, kind := range []string{"customer_group_identifier", "emedia_configuration"} {
			in := pap.AccountGroup{ID: "x-" + kind, Kind: kind, Name: "X"}
			_, _, err := h.CreateAccountGroup(t.Context(), h.as("paula"), "acme", in)
			refused(t, err, "operator-only")
			for who, call := range map[string]pap.Call{"operator": h.operator(), "sync": with(pap.ScopeSync)} {
				in.ID = kind + "-" + who
				if _, _, err := h.CreateAccountGroup(t.Context(), call, "acme", in); err != nil {
					t.Errorf("%s, %s: got %v", who, kind, err)
				}
			}
		}
		_, _, err = h.SetAccountGroupAccounts(t.Context(), h.as("paula"), "acme", "cgi-88", []string{"a-1001"})
		refused(t, err, "operator-only")
		_, _, err = h.DeleteAccountGroup(t.Context(), h.as("paula"), "acme", "cgi-88")
		refused(t, err, "operator-only")
		_, _, err = h.CreateAccountGroup(t.Context(), h.as("regina"), "acme", pap.AccountGroup{ID: "r", Kind: "service_group"})
		refused(t, err, "not-permitted")
	})
}

// holder makes an administrator who holds the account group of sites in the
// south and nothing else.
func holder(h *house) pap.Call {
	h.t.Helper()
	h.put(`{"type":"user","username":"hans","email":"hans@acme.example"}
{"type":"membership","organization":"acme","user":"hans","role":"administrator","assigned_by":"user"}
{"type":"grant","organization":"acme","user":"hans","account_group":"south-sites","granted_by":"user"}`)
	return h.as("hans")
}

func TestNobodyPutsForeignAccountsIntoAGroup(t *testing.T) {
	h := open(t)
	hans := holder(h)
	group := func(accounts ...string) pap.AccountGroup {
		return pap.AccountGroup{ID: "mine", Kind: "service_group", Name: "Mine", Accounts: accounts}
	}
	for name, tt := range map[string]struct {
		call   pap.Call
		in     pap.AccountGroup
		reason string
	}{
		"an administrator, accounts it has and has not":    {h.as("adam"), group("a-1001", "a-1002"), "scope-exceeded"},
		"an administrator, an account it has not":          {h.as("adam"), group("a-2001"), "scope-exceeded"},
		"an administrator, no accounts at all":             {h.as("adam"), group(), "scope-exceeded"},
		"an administrator, an account of another customer": {h.as("adam"), group("g-3001"), "validation"},
		"a Primary Contact, one of another customer":       {h.as("paula"), group("g-3001"), "validation"},
		"a Primary Contact, one that is not there":         {h.as("paula"), group("a-9"), "validation"},
		"a Primary Contact, an id that is another's":       {h.as("paula"), pap.AccountGroup{ID: "cgi-88", Kind: "service_group"}, "id-taken"},
	} {
		_, _, err := h.CreateAccountGroup(t.Context(), tt.call, "acme", tt.in)
		if err == nil {
			t.Errorf("%s: was made", name)
		}
		refused(t, err, tt.reason)
	}
	for name, accounts := range map[string][]string{
		"more":      {"a-1001", "a-1002", "a-2001"},
		"fewer":     {"a-1001"},
		"the same":  {"a-1001", "a-1002"},
		"none":      {},
		"elsewhere": {"a-2001"},
	} {
		_, _, err := h.SetAccountGroupAccounts(t.Context(), hans, "acme", "south-sites", accounts)
		if err == nil {
			t.Errorf("who holds a group put %s into it", name)
		}
		refused(t, err, "scope-exceeded")
	}
	if h.decide(h.user("hans"), "service.view", "account", "a-2001", 0) {
		t.Errorf("who holds a group sees what it was not to hold")
	}
}

func TestAnAdministratorGroupsWhatItHas(t *testing.T) { // R6
	h := open(t)
	hans := holder(h)
	made, _, err := h.CreateAccountGroup(t.Context(), h.as("adam"), "acme", pap.AccountGroup{ID: "mine", Kind: "service_group", Accounts: []string{"a-1001"}})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = h.SetAccountGroupAccounts(t.Context(), h.as("adam"), "acme", "mine", []string{"a-1001", "b-1001"})
	refused(t, err, "scope-exceeded") // no one scope of its own holds both
	name := "Renamed"
	if g, _, err := h.UpdateAccountGroup(t.Context(), matching(h.as("adam"), made.Revision), "acme", "mine", pap.AccountGroupPatch{Name: &name}); err != nil || g.Name != name {
		t.Errorf("got %+v, %v", g, err)
	}
	_, _, err = h.UpdateAccountGroup(t.Context(), matching(h.as("adam"), made.Revision), "acme", "mine", pap.AccountGroupPatch{Name: &name})
	refused(t, err, "etag-mismatch")
	_, _, err = h.CreateAccountGroup(t.Context(), hans, "acme", pap.AccountGroup{ID: "part", Kind: "service_group", Accounts: []string{"a-1001", "a-1002"}})
	if err != nil {
		t.Errorf("a part of a group that is held: got %v", err)
	}
	if _, _, err := h.DeleteAccountGroup(t.Context(), h.as("adam"), "acme", "mine"); err != nil {
		t.Errorf("got %v", err)
	}
	want := []string{"account_group.changed", "account_group.changed", "account_group.changed", "account_group.deleted"}
	if got := h.events("acme"); !slices.Equal(got, want) {
		t.Errorf("got events %v, want %v", got, want)
	}
}

func TestAccountGroupsAreShownToWhoHoldsThemOrTheirAccounts(t *testing.T) {
	h := open(t)
	for who, tt := range map[string]struct {
		call pap.Call
		want []string
	}{
		"a Primary Contact":                    {h.as("paula"), []string{"cgi-88", "south-sites"}},
		"an administrator of one account only": {h.as("adam"), nil},
		"who holds a group":                    {holder(h), []string{"south-sites"}},
		"the account team of the company":      {h.as("tim"), []string{"cgi-88"}},
	} {
		list, _, err := h.AccountGroups(t.Context(), tt.call, "acme", pap.PageByID{Size: 50})
		var got []string
		for _, g := range list {
			got = append(got, g.ID)
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, %v, want %v", who, got, err, tt.want)
		}
	}
	if _, err := h.AccountGroup(t.Context(), h.as("adam"), "acme", "south-sites"); !errors.Is(err, authz.ErrNotFound) {
		t.Errorf("got %v, want not found", err)
	}
}

func TestAGroupThatIsHeldIsNotDeleted(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		holder(h)
		_, _, err := h.DeleteAccountGroup(t.Context(), h.as("paula"), "acme", "south-sites")
		refused(t, err, "in-use")
	})
}

func TestAChangedGroupIsInTheNextDecision(t *testing.T) {
	h := open(t)
	holder(h)
	_, done, err := h.SetAccountGroupAccounts(t.Context(), h.as("paula"), "acme", "south-sites", []string{"a-1002", "a-2001"})
	if err != nil {
		t.Fatal(err)
	}
	for account, want := range map[string]bool{"a-1001": false, "a-1002": true, "a-2001": true} {
		if got := h.decide(h.user("hans"), "service.view", "account", account, done.Revision); got != want {
			t.Errorf("%s: got %v, want %v", account, got, want)
		}
	}
}

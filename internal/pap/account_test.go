package pap_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

// idempotent is the call with an Idempotency-Key, as if the body were that text.
func idempotent(call pap.Call, route, key, body string) pap.Call {
	call.Route, call.Idempotency = route, &pap.Idempotency{Key: key}
	copy(call.Idempotency.Fingerprint[:], body)
	return call
}

func TestSyncKeepsCompaniesAndAccounts(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		sync := with(pap.ScopeSync)
		if _, _, err := h.PutCompany(t.Context(), sync, "acme", pap.Company{ID: "acme-west", Name: "ACME West"}); err != nil {
			t.Fatal(err)
		}
		made := pap.Account{ID: "a-5001", Company: "acme-west", Kind: "service", Name: "West"}
		if _, _, err := h.PutAccount(t.Context(), sync, "acme", made); err != nil {
			t.Fatal(err)
		}
		_, _, err := h.DeleteCompany(t.Context(), sync, "acme", "acme-west")
		refused(t, err, "in-use")
		made.Company = "acme-east"
		_, done, err := h.PutAccount(t.Context(), sync, "acme", made)
		if err != nil {
			t.Fatal(err)
		}
		if !h.decide(h.user("tim"), "service.view", "account", "a-5001", done.Revision) {
			t.Errorf("who has all of the company does not see the account that moved there")
		}
		if _, _, err := h.DeleteCompany(t.Context(), sync, "acme", "acme-west"); err != nil {
			t.Error(err)
		}
		if _, _, err := h.DeleteAccount(t.Context(), sync, "acme", "a-5001"); err != nil {
			t.Error(err)
		}
		want := []string{"company.changed", "account.changed", "account.moved", "company.deleted", "account.deleted"}
		if got := h.events("acme"); !slices.Equal(got, want) {
			t.Errorf("got events %v, want %v", got, want)
		}
	})
}

func TestWhatIsReferredToIsNotDeleted(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		for name, id := range map[string]string{
			"an account that is granted": "b-1001", "an account in an account group": "a-1002",
			"a contract that services lie in": "k-1", "an account that a tool was given": "a-1001",
		} {
			_, _, err := h.DeleteAccount(t.Context(), h.operator(), "acme", id)
			if err == nil {
				t.Errorf("%s was deleted", name)
			}
			refused(t, err, "in-use")
		}
		_, _, err := h.DeleteCompany(t.Context(), h.operator(), "acme", "acme-south")
		refused(t, err, "in-use")
		if got := h.events("acme"); len(got) != 0 {
			t.Errorf("got events %v, want none", got)
		}
	})
}

func TestAccountsFollowTheRulesOfTheDirectory(t *testing.T) {
	h := open(t)
	for name, tt := range map[string]struct {
		in     pap.Account
		reason string
	}{
		"an account of another organization":   {pap.Account{ID: "g-3001", Company: "acme-south", Kind: "service"}, "id-taken"},
		"a company of another organization":    {pap.Account{ID: "a-9", Company: "globex-one", Kind: "service"}, "validation"},
		"another kind":                         {pap.Account{ID: "a-1001", Company: "acme-south", Kind: "billing"}, "kind-fixed"},
		"a kind that is none":                  {pap.Account{ID: "a-9", Company: "acme-south", Kind: "wallet"}, "validation"},
		"a contract that is not there":         {pap.Account{ID: "a-9", Company: "acme-south", Kind: "service", Contract: "k-9"}, "validation"},
		"a contract that is a delivery":        {pap.Account{ID: "a-9", Company: "acme-south", Kind: "service", Contract: "d-1"}, "validation"},
		"a contract of another organization":   {pap.Account{ID: "a-9", Company: "acme-south", Kind: "service", Contract: "g-3001"}, "validation"},
		"a contract that lies in a delivery":   {pap.Account{ID: "k-9", Company: "acme-south", Kind: "contract", Delivery: "d-1"}, "validation"},
		"a move from under who was granted it": {pap.Account{ID: "a-1001", Company: "acme-east", Kind: "service"}, "in-use"},
	} {
		_, _, err := h.PutAccount(t.Context(), h.operator(), "acme", tt.in)
		if err == nil {
			t.Errorf("%s was taken", name)
		}
		refused(t, err, tt.reason)
	}
	_, _, err := h.PutCompany(t.Context(), h.operator(), "acme", pap.Company{ID: "globex-one", Name: "Mine"})
	refused(t, err, "id-taken")
}

func TestABatchKeepsWhatIsRightAndSaysWhatIsWrong(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		batch := []pap.Account{
			{ID: "s-9", Company: "acme-south", Kind: "service", Name: "Line", Contract: "k-9", Delivery: "d-1"}, // before its contract
			{ID: "k-9", Company: "acme-east", Kind: "contract", Name: "Contract"},
			{ID: "a-1001", Company: "acme-south", Kind: "service", Name: "Data centre south"}, // as it is
			{ID: "a-1002", Company: "acme-south", Kind: "service", Name: "Renamed"},
			{ID: "g-3001", Company: "acme-south", Kind: "service"},
			{ID: "s-10", Company: "acme-south", Kind: "service", Contract: "k-10"},
			{ID: "s-9", Company: "acme-south", Kind: "service"},
			{ID: "no key", Company: "acme-south", Kind: "service"},
			{ID: "b-1001", Company: "acme-east", Kind: "billing", Name: "Invoices south"}, // held in the south
		}
		call := idempotent(with(pap.ScopeSync), "PUT accounts/batch", "k1", "body")
		results, first, err := h.PutAccounts(t.Context(), call, "acme", batch)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			"created", "created", "unchanged", "changed", "refused id-taken", "refused validation",
			"refused validation", "refused validation", "refused in-use",
		}
		for i, r := range results {
			got := r.Outcome
			if r.Reason != "" {
				got += " " + r.Reason
			}
			if got != want[i] || r.Index != i || r.ID != batch[i].ID {
				t.Errorf("%d: got %+v, want %s", i, r, want[i])
			}
		}
		if got := h.events("acme"); !slices.Equal(got, []string{"account.changed"}) {
			t.Errorf("got events %v, want one for the batch", got)
		}
		const after = `{"accounts":["s-9","k-9","a-1002"],"counts":{"changed":1,"created":2,"refused":5,"unchanged":1}}`
		if e := h.trail("acme")[0]; string(e.After) != after {
			t.Errorf("got %s, want %s", e.After, after)
		}
		_, again, err := h.PutAccounts(t.Context(), call, "acme", batch)
		if err != nil || !again.Replayed || again.Revision < first.Revision || len(h.events("acme")) != 1 {
			t.Errorf("again: got %+v, %v, want a replay that does nothing", again, err)
		}
		_, _, err = h.PutAccounts(t.Context(), idempotent(call, "PUT accounts/batch", "k1", "other"), "acme", batch)
		refused(t, err, "idempotency-key-reused")
	})
}

func TestABatchIsBounded(t *testing.T) {
	h := open(t)
	many := make([]pap.Account, pap.MaxAccounts+1)
	for i := range many {
		many[i] = pap.Account{ID: fmt.Sprintf("n-%04d", i), Company: "acme-south", Kind: "service"}
	}
	for _, wrong := range [][]pap.Account{many, {}} {
		_, _, err := h.PutAccounts(t.Context(), with(pap.ScopeSync), "acme", wrong)
		refused(t, err, "validation")
	}
	results, _, err := h.PutAccounts(t.Context(), with(pap.ScopeSync), "acme", many[1:])
	if err != nil || len(results) != pap.MaxAccounts || results[999].Outcome != "created" {
		t.Errorf("got %d results, %v", len(results), err)
	}
}

func TestNobodyElseKeepsAccounts(t *testing.T) {
	h := open(t)
	elsewhere := with(pap.ScopeSync)
	elsewhere.Principal.Organizations = []string{"globex"}
	for who, tt := range map[string]struct {
		call pap.Call
		want error
	}{
		"a Primary Contact":           {h.as("paula"), authz.ErrForbidden},
		"an administrator":            {h.as("adam"), authz.ErrForbidden},
		"an identity token":           {with(pap.ScopeIdentity), authz.ErrForbidden},
		"a sync token of another":     {elsewhere, authz.ErrNotFound},
		"a Primary Contact elsewhere": {h.as("gustav"), authz.ErrNotFound},
	} {
		in := pap.Account{ID: "a-9", Company: "acme-south", Kind: "service"}
		_, _, put := h.PutAccount(t.Context(), tt.call, "acme", in)
		_, _, batch := h.PutAccounts(t.Context(), tt.call, "acme", []pap.Account{in})
		_, _, deleted := h.DeleteAccount(t.Context(), tt.call, "acme", "a-1002")
		_, _, company := h.PutCompany(t.Context(), tt.call, "acme", pap.Company{ID: "acme-east", Name: "Mine"})
		for what, err := range map[string]error{"put": put, "batch": batch, "delete": deleted, "company": company} {
			if !errors.Is(err, tt.want) {
				t.Errorf("%s, %s: got %v, want %v", who, what, err, tt.want)
			}
		}
	}
}

func TestAccountsAreShownWithinTheActorsScope(t *testing.T) {
	h := open(t)
	h.put(`{"type":"user","username":"cora","email":"cora@acme.example"}
{"type":"membership","organization":"acme","user":"cora","role":"administrator","assigned_by":"user"}
{"type":"grant","organization":"acme","user":"cora","company":"acme-south","granted_by":"user"}
{"type":"grant","organization":"acme","user":"cora","account":"k-1","granted_by":"user"}
{"type":"grant","organization":"acme","user":"cora","account_group":"south-sites","granted_by":"user"}`)
	for who, tt := range map[string]struct {
		call                pap.Call
		accounts, companies []string
	}{
		"a Primary Contact":                {h.as("paula"), []string{"a-1001", "a-1002", "a-2001", "b-1001", "b-2001", "d-1", "k-1", "s-1"}, []string{"acme-east", "acme-south"}},
		"a sync token":                     {with(pap.ScopeSync), []string{"a-1001", "a-1002", "a-2001", "b-1001", "b-2001", "d-1", "k-1", "s-1"}, []string{"acme-east", "acme-south"}},
		"an administrator of two accounts": {h.as("adam"), []string{"a-1001", "b-1001"}, []string{"acme-south"}},
		"an administrator of a contract and an account group": {h.as("cora"), []string{"a-1001", "a-1002", "k-1", "s-1"}, []string{"acme-south"}},
		"the account team of a company":                       {h.as("tim"), []string{"a-2001", "b-2001"}, []string{"acme-east"}},
	} {
		for _, size := range []int{1, 2, 50} {
			var accounts []string
			for q := (pap.AccountQuery{Organization: "acme", Limit: size}); ; {
				some, next, err := h.Accounts(t.Context(), tt.call, q)
				if err != nil {
					t.Fatalf("%s: %v", who, err)
				}
				for _, a := range some {
					accounts = append(accounts, a.ID)
				}
				if q.After = next; next == "" {
					break
				}
			}
			if !slices.Equal(accounts, tt.accounts) {
				t.Errorf("%s, %d at once: got accounts %v, want %v", who, size, accounts, tt.accounts)
			}
		}
		list, _, err := h.Companies(t.Context(), tt.call, "acme", pap.PageByID{Size: 50})
		var companies []string
		for _, c := range list {
			companies = append(companies, c.ID)
		}
		if err != nil || !slices.Equal(companies, tt.companies) {
			t.Errorf("%s: got companies %v, %v, want %v", who, companies, err, tt.companies)
		}
		for _, id := range []string{"acme-east", "acme-south", "globex-one", "nowhere"} {
			switch c, err := h.Company(t.Context(), tt.call, "acme", id); {
			case slices.Contains(tt.companies, id) && (err != nil || c.ID != id || c.Name == ""):
				t.Errorf("%s: got company %+v, %v, want %s", who, c, err, id)
			case !slices.Contains(tt.companies, id) && !errors.Is(err, authz.ErrNotFound):
				t.Errorf("%s: company %s: got %v, want not found", who, id, err)
			}
		}
	}
	if _, err := h.Account(t.Context(), h.as("adam"), "acme", "a-1002"); !errors.Is(err, authz.ErrNotFound) {
		t.Errorf("an account outside the scope: got %v, want not found", err)
	}
	if a, err := h.Account(t.Context(), h.as("cora"), "acme", "s-1"); err != nil || a.Contract != "k-1" {
		t.Errorf("an account in a contract that is held: got %+v, %v", a, err)
	}
	if _, _, err := h.Accounts(t.Context(), h.as("sam"), pap.AccountQuery{Organization: "acme", Limit: 50}); !errors.Is(err, authz.ErrForbidden) {
		t.Errorf("support: got %v, want to be forbidden", err)
	}
}

package pap_test

import (
	"slices"
	"testing"

	"github.com/postern-authz/postern/internal/pap"
)

// reached are the ids of the accounts that a member reaches, page by page.
func (h *house) reached(call pap.Call, q pap.AccessQuery) (ids []string) {
	h.t.Helper()
	for {
		a, err := h.Access(h.t.Context(), call, q)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, account := range a.Accounts {
			ids = append(ids, account.ID)
		}
		if q.After = a.Next; a.Next == "" {
			return ids
		}
	}
}

func TestWhatAMemberReaches(t *testing.T) {
	h := open(t)
	h.put(`{"type":"user","username":"greta","email":"greta@acme.example"}
{"type":"membership","organization":"acme","user":"greta","role":"regular","assigned_by":"user"}
{"type":"grant","organization":"acme","user":"greta","account_group":"south-sites","granted_by":"user"}
{"type":"grant","organization":"acme","user":"greta","company":"acme-east","all_accounts":true,"granted_by":"user"}
{"type":"user","username":"kurt","email":"kurt@acme.example"}
{"type":"membership","organization":"acme","user":"kurt","role":"regular","assigned_by":"user"}
{"type":"grant","organization":"acme","user":"kurt","company":"acme-south","granted_by":"user"}
{"type":"grant","organization":"acme","user":"kurt","account":"k-1","granted_by":"user"}
{"type":"grant","organization":"acme","user":"kurt","account":"a-1002","expires":"2026-03-02T08:00:00Z","granted_by":"user"}
{"type":"user","username":"enid","email":"enid@pear.example"}
{"type":"membership","organization":"acme","user":"enid","role":"regular","affiliation":"end_customer","assigned_by":"user"}
{"type":"grant","organization":"acme","user":"enid","company":"acme-south","granted_by":"user"}
{"type":"grant","organization":"acme","user":"enid","account":"k-1","granted_by":"user"}`)
	all := []string{"a-1001", "a-1002", "a-2001", "b-1001", "b-2001", "d-1", "k-1", "s-1"}
	for _, c := range []struct {
		name string
		of   string
		size int
		want []string
	}{
		{"explicit accounts (R57)", "rosa", 0, []string{"a-1001", "b-1001"}},
		{"support sees no billing account (R15)", "sam", 0, []string{"a-1001"}},
		{"companies and account groups", "greta", 0, []string{"a-1001", "a-1002", "a-2001", "b-2001"}},
		{"a primary contact everything (R1)", "paula", 0, all},
		{"in pages", "paula", 3, all},
		{"what lies in a contract account, and nothing that has ended", "kurt", 0, []string{"k-1", "s-1"}},
		{"an end customer where contract and delivery meet (R36)", "ella", 0, []string{"d-1", "k-1", "s-1"}},
		{"and not where only one does", "enid", 0, []string{"k-1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := h.reached(h.as(c.of), pap.AccessQuery{Organization: "acme", Limit: c.size})
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			for _, id := range all {
				if may := h.decide(h.user(c.of), "account.view", "account", id, 0); may != slices.Contains(c.want, id) && c.of != "sam" {
					t.Errorf("%s: the decision is %v, the list says otherwise", id, may)
				}
			}
		})
	}
	got := h.reached(h.as("adam"), pap.AccessQuery{Organization: "acme", Member: h.member("acme", "greta")})
	if !slices.Equal(got, []string{"a-1001"}) {
		t.Errorf("an administrator sees of greta %v, want what is its own", got)
	}
	_, err := h.Access(t.Context(), h.as("sam"), pap.AccessQuery{Organization: "acme", Member: h.member("acme", "rosa")})
	refused(t, err, "not-permitted")
}

func TestARoleAndToolsAreShown(t *testing.T) {
	h := open(t)
	a, err := h.Access(t.Context(), h.as("adam"), pap.AccessQuery{})
	if err != nil || a.Tools.Count != 1 || a.Tools.Items[0].Name != "WAN Analysis" || !slices.Equal(a.Tools.Items[0].Accounts, []string{"a-1001"}) {
		t.Errorf("got %+v, %v, want the tool with its accounts (R58, R59)", a.Tools, err)
	}
	if a.Role.Name != "Administrator" || !slices.Contains(a.Role.Permissions, "member.invite") {
		t.Errorf("got %+v, want the role with all it permits (R60)", a.Role)
	}
	a, err = h.Access(t.Context(), h.as("regina"), pap.AccessQuery{})
	if err != nil || a.Tools.Count != 0 || slices.Contains(a.Role.Permissions, "member.invite") {
		t.Errorf("got %+v, %v, want no tool by a role (R13, R63)", a, err)
	}
	a, err = h.Access(t.Context(), h.as("paula"), pap.AccessQuery{})
	if err != nil || a.Tools.Count != 2 || !a.Tools.Items[0].AllAccounts {
		t.Errorf("got %+v, %v, want every tool that is not restricted (R1)", a.Tools, err)
	}
}

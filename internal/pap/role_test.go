package pap_test

import (
	"context"
	"slices"
	"testing"

	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/pdp"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/policies"
)

// govern lets administration be judged with the overlay in a folder. Decisions
// are as before.
func (h *house) govern(folder string) {
	h.t.Helper()
	e, err := policy.New(policy.Options{Core: policy.Embedded(policies.FS), Overlays: []policy.Source{policy.OverlayAt(folder)}})
	if err == nil {
		err = e.Load(context.Background())
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.Judge = pdp.New(pdp.Options{Policies: e})
}

// overlaid puts the overlay of a portal in force in the house, and its roles
// into the directory.
func overlaid(h *house, portal string) {
	h.t.Helper()
	h.govern("../../bundles/" + portal)
	may, err := h.Judge.Roles(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	for id := range may {
		if !slices.Contains([]string{"primary_contact", "administrator", "regular", "read_only", "support", "sales", "operator", "sync", "identity", "replicate"}, id) {
			if _, _, err := h.PutRole(h.t.Context(), h.operator(), pap.RoleInput{ID: id, Name: "The " + id}); err != nil {
				h.t.Fatal(err)
			}
		}
	}
}

func roleOf(t *testing.T, roles []pap.Role, id string) pap.Role {
	t.Helper()
	i := slices.IndexFunc(roles, func(r pap.Role) bool { return r.ID == id })
	if i < 0 {
		t.Fatalf("there is no role %s", id)
	}
	return roles[i]
}

func TestTheCarriersTenRolesAreSeenSideBySide(t *testing.T) { // R9, R11
	h := open(t)
	overlaid(h, "carrier")
	roles, err := h.Roles(t.Context(), h.as("paula"), "acme")
	if err != nil || len(roles) != 10 {
		t.Fatalf("got %d roles, %v, want ten", len(roles), err)
	}
	for _, r := range roles {
		if len(r.Permissions) == 0 || !slices.IsSorted(r.Permissions) {
			t.Errorf("%s: got permissions %v, want some, sorted", r.ID, r.Permissions)
		}
	}
	if r := roleOf(t, roles, "billing"); r.BuiltIn || r.Name != "The billing" || !r.Assignable {
		t.Errorf("got %+v, want a custom role that a Primary Contact assigns", r)
	}
}

func TestARoleHasPermissionsPerSection(t *testing.T) { // R10
	h := open(t)
	roles, err := h.Roles(t.Context(), h.as("paula"), "acme")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		role, action string
		may          bool
	}{
		{"regular", "service.create", true},
		{"regular", "member.invite", false},
		{"read_only", "invoice.download", true},
		{"read_only", "service.create", false},
		{"support", "diagnostic.run", true},
		{"support", "invoice.view", false},
		{"sales", "quote.create", true},
		{"administrator", "member.invite", true},
		{"primary_contact", "audit.view", true},
		{"primary_contact", "organization.update", false},
	} {
		if got := slices.Contains(roleOf(t, roles, tt.role).Permissions, tt.action); got != tt.may {
			t.Errorf("%s, %s: got %v, want %v", tt.role, tt.action, got, tt.may)
		}
	}
}

func TestRolesSayWhatTheActorMayAssign(t *testing.T) {
	h := open(t)
	for who, tt := range map[string]struct {
		call         pap.Call
		organization string
		want         []string
	}{
		"a Primary Contact":              {h.as("paula"), "acme", []string{"administrator", "read_only", "regular", "support"}},
		"an administrator of an account": {h.as("adam"), "acme", []string{"read_only", "regular", "support"}},
		"the operator":                   {h.operator(), "acme", []string{"administrator", "primary_contact", "read_only", "regular", "support"}},
		"the operator, in a partner":     {h.operator(), "bright", []string{"administrator", "primary_contact", "read_only", "regular", "sales", "support"}},
		"the operator, without one":      {h.operator(), "", nil},
	} {
		roles, err := h.Roles(t.Context(), tt.call, tt.organization)
		if err != nil {
			t.Errorf("%s: %v", who, err)
		}
		var got []string
		for _, r := range roles {
			if r.Assignable {
				got = append(got, r.ID)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", who, got, tt.want)
		}
	}
}

func TestRolesAreCalledAsTheOrganizationCallsThem(t *testing.T) { // R12
	h := open(t)
	h.settle("acme", `{"roles":{"administrator":{"name":"Admin"}}}`)
	roles, err := h.Roles(t.Context(), h.as("adam"), "acme")
	if err != nil || roleOf(t, roles, "administrator").Name != "Admin" || roleOf(t, roles, "regular").Name != "Regular" {
		t.Errorf("got %+v, %v", roles, err)
	}
	if slices.ContainsFunc(roles, func(r pap.Role) bool { return r.ID == "operator" }) {
		t.Errorf("a customer sees the role of the operator's staff")
	}
}

func TestARoleIsOnlyPutIfThePolicyKnowsIt(t *testing.T) {
	h := open(t)
	for name, tt := range map[string]struct {
		in     pap.RoleInput
		reason string
	}{
		"one the policy does not know":   {pap.RoleInput{ID: "wizard", Name: "Wizard"}, "validation"},
		"the role of a sync credential":  {pap.RoleInput{ID: "sync", Name: "Sync"}, "validation"},
		"a Primary Contact for all":      {pap.RoleInput{ID: "primary_contact", Name: "Boss"}, "validation"},
		"sales outside the partners":     {pap.RoleInput{ID: "sales", Name: "Sales"}, "validation"},
		"an id that is no key":           {pap.RoleInput{ID: "a role", Name: "A"}, "validation"},
		"a name that breaks a line":      {pap.RoleInput{ID: "regular", Name: "a\nb"}, "validation"},
		"one that is made operator-only": {pap.RoleInput{ID: "regular", Name: "Regular", OperatorOnly: true}, "validation"},
	} {
		_, _, err := h.PutRole(t.Context(), h.operator(), tt.in)
		if err == nil {
			t.Errorf("%s: was taken", name)
		}
		refused(t, err, tt.reason)
	}
	if r, _, err := h.PutRole(t.Context(), h.operator(), pap.RoleInput{ID: "regular", Name: "Standard"}); err != nil || r.Name != "Standard" {
		t.Errorf("renaming a built-in role: got %+v, %v", r, err)
	}
	_, _, err := h.PutRole(t.Context(), h.as("paula"), pap.RoleInput{ID: "regular", Name: "Mine"})
	refused(t, err, "not-permitted")
	if got := h.events(""); !slices.Equal(got, []string{"role.changed"}) {
		t.Errorf("got events %v, want one", got)
	}
}

func TestARoleIsDeletedWhenNobodyHasIt(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		overlaid(h, "carrier")
		h.put(`{"type":"user","username":"bill","email":"bill@acme.example"}
{"type":"membership","organization":"acme","user":"bill","role":"billing","assigned_by":"user"}`)
		_, _, err := h.DeleteRole(t.Context(), h.operator(), "billing")
		refused(t, err, "in-use")
		_, _, err = h.DeleteRole(t.Context(), h.operator(), "regular")
		refused(t, err, "built-in")
		_, _, err = h.DeleteRole(t.Context(), h.operator(), "wizard")
		refused(t, err, "not-found")
		if _, _, err := h.DeleteRole(t.Context(), h.operator(), "repairs"); err != nil {
			t.Errorf("got %v", err)
		}
		if e := h.trail(""); e[len(e)-1].Type != "role.deleted" || e[len(e)-1].Target != "repairs" {
			t.Errorf("got %+v", e[len(e)-1])
		}
		var roles []string
		h.look(func(r pap.Reader) error {
			all, err := r.Roles()
			for _, role := range all {
				roles = append(roles, role.ID)
			}
			return err
		})
		if slices.Contains(roles, "repairs") {
			t.Errorf("the role is still there: %v", roles)
		}
	})
}

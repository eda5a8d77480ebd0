package pap_test

import (
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/pap"
)

// A portal of one organization does not say who somebody is in another, though
// it acts for that very user (T2).
func TestABoundCredentialChangesNobodyWhoIsSomewhereElseToo(t *testing.T) {
	h := open(t)
	portal := with(pap.ScopeAct)
	portal.Principal.Organizations, portal.Principal.Actor = []string{"acme"}, h.user("regina")
	mine, name := "mine@acme.example", "Queen"
	ask := func() error {
		_, err := h.RequestEmailChange(t.Context(), portal, mine)
		return err
	}
	rename := func(call pap.Call) error {
		_, _, err := h.UpdateMember(t.Context(), call, "acme", h.member("acme", "regina"), pap.MemberPatch{GivenName: &name})
		return err
	}
	if err := ask(); err != nil {
		t.Fatalf("of its own organization alone: got %v", err)
	}
	h.put(`{"type":"membership","organization":"globex","user":"regina","role":"regular","assigned_by":"user"}`)
	refused(t, ask(), "shared-user")
	refused(t, rename(portal), "shared-user")
	if err := rename(h.as("regina")); err != nil {
		t.Errorf("by the user, with a credential for all: got %v", err)
	}
}

// A credential of one organization is no more for speaking for somebody who may
// do everything: what belongs to no organization is not its (T2).
func TestABoundCredentialDoesNothingOutsideItsOrganizations(t *testing.T) {
	h := open(t)
	bound := with(pap.ScopeOperator)
	bound.Principal.Organizations, bound.Principal.Actor = []string{"acme"}, h.user("olga")
	later := h.clock().Add(time.Hour)
	for name, try := range map[string]func() error{
		"make a token that is bound to nothing": func() error {
			_, _, err := h.CreateToken(t.Context(), bound, pap.NewToken{Name: "Thief", Scopes: []pap.Scope{pap.ScopeAct}, ExpiresAt: &later})
			return err
		},
		"list the tokens": func() error { _, err := h.Tokens(t.Context(), bound); return err },
		"make an organization": func() error {
			_, _, err := h.CreateOrganization(t.Context(), bound, pap.NewOrganization{ID: "mine", Kind: "customer", Name: "Mine"})
			return err
		},
		"read the directory's own trail": func() error {
			_, _, err := h.Events(t.Context(), bound, pap.EventQuery{})
			return err
		},
		"rename a tool": func() error {
			_, _, err := h.PutTool(t.Context(), bound, pap.Tool{ID: "wan_analysis", Name: "Mine"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { refused(t, try(), "not-permitted") })
	}
	if _, err := h.Organization(t.Context(), bound, "acme"); err != nil {
		t.Errorf("its own organization: got %v", err)
	}
}

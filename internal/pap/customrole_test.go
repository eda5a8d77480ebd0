package pap_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

// desk is an overlay with three roles: desk, which runs users; clerk, which has
// less than desk; and chief, which has all of desk and money beside it.
var desk = map[string]string{
	".manifest": `{"roots":["custom"]}`,
	"custom/catalog/data.yaml": `
roles:
  desk: {title: Desk, realms: [customer]}
  clerk: {title: Clerk, realms: [customer]}
  chief: {title: Chief, realms: [customer]}
`,
	"custom/roles/roles.rego": `package custom.roles

import rego.v2

clerk contains action if some action in {"account.view", "service.view"}

desk contains action if some action in clerk

desk contains action if {
	some action in {
		"member.view", "member.create", "member.invite", "member.clone", "member.update", "member.restore",
		"member.role.assign", "member.transfer", "member.account.grant", "member.tool.grant",
		"invitation.view", "invitation.update", "invitation.resend",
	}
}

chief contains action if some action in desk

chief contains action if some action in {"invoice.view", "payment.make"}
`,
}

// staffed is a house with those roles. dora has the desk, and like adam and wim,
// an administrator, the account a-1001; clara is a clerk and carl a chief there.
func staffed(t *testing.T) *house {
	t.Helper()
	h := open(t)
	folder := filepath.Join(t.TempDir(), "desk")
	for name, text := range desk {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	h.govern(folder)
	h.put(`{"type":"role","id":"desk","name":"Desk"}
{"type":"role","id":"clerk","name":"Clerk"}
{"type":"role","id":"chief","name":"Chief"}`)
	for name, role := range map[string]string{"dora": "desk", "wim": "administrator", "clara": "clerk", "carl": "chief"} {
		h.employ(name, role, "active")
	}
	return h
}

// employ makes a member of acme with the account a-1001.
func (h *house) employ(name, role, state string) {
	h.t.Helper()
	person := `{"type":"user","username":"` + name + `","email":"` + name + `@acme.example"}
{"type":"membership","organization":"acme","user":"` + name + `","role":"` + role + `","state":"` + state + `","assigned_by":"operator"}`
	if state == "active" {
		person += `
{"type":"grant","organization":"acme","user":"` + name + `","company":"acme-south","granted_by":"user"}
{"type":"grant","organization":"acme","user":"` + name + `","account":"a-1001","granted_by":"user"}`
	}
	h.put(person)
}

// roleDoors are all the ways to give a role to somebody.
func (h *house) roleDoors(t *testing.T, call pap.Call, role string) map[string]func() error {
	ctx, waiting := t.Context(), h.invite("paula", "waiting@acme.example").Invitation.ID
	in, manual := invitee("new@acme.example"), nina()
	in.Role, manual.Role = role, role
	return map[string]func() error{
		"invite": func() error { _, _, err := h.Invite(ctx, call, "acme", in); return err },
		"invite in a batch": func() error {
			results, _, err := h.InviteBatch(ctx, call, "acme", []pap.NewInvitation{in})
			if err != nil || results[0].Outcome == pap.OutcomeCreated {
				return err
			}
			return &pap.Refusal{Kind: authz.ErrForbidden, Reason: results[0].Reason}
		},
		"create": func() error { _, _, err := h.CreateMember(ctx, call, "acme", manual); return err },
		"edit what waits": func() error {
			_, _, err := h.UpdateInvitation(ctx, call, "acme", waiting, pap.InvitationPatch{Role: &role})
			return err
		},
		"assign": func() error {
			_, _, err := h.AssignRole(ctx, call, "acme", h.member("acme", "clara"), role)
			return err
		},
		"assign to the waiting": func() error {
			m, err := h.Invitation(ctx, h.as("paula"), "acme", waiting)
			if err == nil {
				_, _, err = h.AssignRole(ctx, call, "acme", m.Member, role)
			}
			return err
		},
		"restore": func() error {
			_, _, err := h.Restore(ctx, call, "acme", h.member("acme", "gone"), pap.Restoration{Role: role})
			if errors.Is(err, authz.ErrNotFound) { // who has lost all grants is out of sight
				return &pap.Refusal{Kind: authz.ErrForbidden, Reason: "not-found"}
			}
			return err
		},
	}
}

func TestV17NobodyGivesARoleAboveTheirOwnByAnyDoor(t *testing.T) {
	h := staffed(t)
	h.employ("gone", "clerk", "removed")
	for door, try := range h.roleDoors(t, h.as("paula"), "primary_contact") {
		t.Run("paula gives primary_contact by "+door, func(t *testing.T) { h.forbids(t, try) })
	}
	for _, by := range []string{"adam", "dora"} {
		for _, role := range []string{"administrator", "primary_contact"} {
			for door, try := range h.roleDoors(t, h.as(by), role) {
				t.Run(by+" gives "+role+" by "+door, func(t *testing.T) { h.forbids(t, try) })
			}
		}
		for name, of := range map[string]string{"an administrator": "wim", "a primary contact": "paula"} {
			t.Run(by+" clones "+name, func(t *testing.T) {
				h.forbids(t, func() error {
					_, _, err := h.CloneMember(t.Context(), h.as(by), "acme", h.member("acme", of), pap.Clone{Email: "twin@acme.example"})
					return err
				})
			})
			t.Run(by+" hands over to "+name, func(t *testing.T) {
				h.forbids(t, func() error {
					_, _, err := h.TransferPrimaryContact(t.Context(), h.as(by), "acme", h.member("acme", of))
					return err
				})
			})
		}
	}
}

// forbids checks that something is forbidden, and changes nothing.
func (h *house) forbids(t *testing.T, try func() error) {
	t.Helper()
	h.unchanged(t, func() {
		if err := try(); !errors.Is(err, authz.ErrForbidden) {
			t.Errorf("got %v, want to be forbidden", err)
		}
	})
}

func TestV18NobodyGivesARoleRicherThanTheirOwnByAnyDoor(t *testing.T) {
	h := staffed(t)
	h.employ("gone", "clerk", "removed")
	for _, role := range []string{"chief", "desk", "regular"} { // richer, equal, other
		for door, try := range h.roleDoors(t, h.as("dora"), role) {
			t.Run("a desk gives "+role+" by "+door, func(t *testing.T) { h.forbids(t, try) })
		}
	}
	for door, try := range h.roleDoors(t, h.as("dora"), "clerk") {
		if door == "restore" { // is the operator's alone
			continue
		}
		if err := try(); err != nil && door != "edit what waits" && door != "assign to the waiting" { // who waits is regular, beyond a desk
			t.Errorf("a desk gives clerk by %s: %v", door, err)
		}
	}
}

func TestV18NobodyTouchesWhoIsRicher(t *testing.T) {
	h := staffed(t)
	email := "mine@acme.example"
	for _, of := range []string{"carl", "wim", "dora"} {
		id := h.member("acme", of)
		for what, try := range map[string]func() error{
			"demotes": func() error { _, _, err := h.AssignRole(t.Context(), h.as("dora"), "acme", id, "clerk"); return err },
			"clones": func() error {
				_, _, err := h.CloneMember(t.Context(), h.as("dora"), "acme", id, pap.Clone{Email: "twin@acme.example"})
				return err
			},
			"takes the address of": func() error {
				_, _, err := h.UpdateMember(t.Context(), h.as("dora"), "acme", id, pap.MemberPatch{Email: &email})
				return err
			},
		} {
			if of == "dora" && what == "takes the address of" {
				continue // everybody changes their own
			}
			t.Run("a desk "+what+" "+of, func(t *testing.T) { h.forbids(t, try) })
		}
	}
}

// R20: the narrow roles of a portal are the overlay's; who has one does that and
// nothing else.
func TestR20ARoleOfAPortalsOwnDoesWhatItIsFor(t *testing.T) {
	h := staffed(t)
	roles, err := h.Roles(t.Context(), h.as("paula"), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if got := roleOf(t, roles, "clerk"); got.BuiltIn || len(got.Permissions) != 2 {
		t.Errorf("got %+v, want a role of two actions", got)
	}
	_, _, err = h.Members(t.Context(), h.as("clara"), pap.MemberQuery{Organization: "acme"})
	refused(t, err, "not-permitted")
	if got := h.members(h.as("dora"), pap.MemberQuery{Organization: "acme"}); len(got) == 0 {
		t.Error("got nobody, want whom the desk runs")
	}
}

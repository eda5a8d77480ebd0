package pap_test

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

func TestTheOperatorKeepsOrganizations(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		made, done, err := h.CreateOrganization(t.Context(), h.operator(), pap.NewOrganization{ID: "initech", Kind: "customer", Name: "Initech", SeatLimit: 5})
		if err != nil || made.Revision != done.Revision || made.SeatsUsed != 0 || string(made.Settings) != "{}" {
			t.Fatalf("created %+v at %d, %v", made, done.Revision, err)
		}
		name, seats := "Initech Ltd", 7
		patch := pap.OrganizationPatch{Name: &name, SeatLimit: &seats, Settings: json.RawMessage(`{"invitation":{"ttl":"1h"},"roles":{"administrator":{"name":"Admin"}}}`)}
		changed, _, err := h.UpdateOrganization(t.Context(), matching(h.operator(), made.Revision), "initech", patch)
		if err != nil || changed.Name != name || changed.SeatLimit != 7 || changed.Revision <= made.Revision {
			t.Fatalf("changed to %+v, %v", changed, err)
		}
		_, _, err = h.UpdateOrganization(t.Context(), matching(h.operator(), made.Revision), "initech", patch)
		refused(t, err, "etag-mismatch")
		again, _, err := h.UpdateOrganization(t.Context(), h.operator(), "initech", pap.OrganizationPatch{Settings: json.RawMessage(`{"invitation":null}`)})
		if want := `{"roles":{"administrator":{"name":"Admin"}}}`; err != nil || string(again.Settings) != want {
			t.Errorf("got settings %s, %v, want %s", again.Settings, err, want)
		}
		_, _, err = h.CreateOrganization(t.Context(), h.operator(), pap.NewOrganization{ID: "initech", Kind: "customer"})
		refused(t, err, "id-taken")
		if got, want := h.events("initech"), []string{"organization.created", "organization.updated", "organization.updated"}; !slices.Equal(got, want) {
			t.Errorf("got events %v, want %v", got, want)
		}
		if e := h.trail("initech")[1]; strings.Contains(string(e.After), `"kind"`) || !strings.Contains(string(e.Before), `"Initech"`) || e.Decision == "" {
			t.Errorf("got before %s, after %s, decision %q, want what changed only, and the decision", e.Before, e.After, e.Decision)
		}
	})
}

func TestOrganizationsAreListedInParts(t *testing.T) {
	h := open(t)
	var ids []string
	page := pap.PageByID{Size: 3}
	for {
		some, next, err := h.Organizations(t.Context(), h.operator(), page)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range some {
			ids = append(ids, o.ID)
		}
		if next == "" {
			break
		}
		page.After = next
	}
	if want := []string{"acme", "bright", "globex", "harbour"}; !slices.Equal(ids, want) {
		t.Errorf("got %v, want %v", ids, want)
	}
	bound := h.operator()
	bound.Principal.Organizations = []string{"globex"}
	only, _, err := h.Organizations(t.Context(), bound, pap.PageByID{Size: 50})
	if err != nil || len(only) != 1 || only[0].ID != "globex" {
		t.Errorf("a credential bound to globex got %v, %v", only, err)
	}
}

func TestALowerSeatLimitTakesNobodysSeatAndGivesNone(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		few := 2
		before, _, err := h.UpdateOrganization(t.Context(), h.operator(), "acme", pap.OrganizationPatch{SeatLimit: &few})
		if err != nil || before.SeatLimit != 2 || before.SeatsUsed <= 2 {
			t.Fatalf("got %+v, %v, want a limit of 2 and more seats used", before, err)
		}
		_, _, err = h.RemoveMember(t.Context(), h.as("paula"), "acme", h.member("acme", "rosa"))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = h.Invite(t.Context(), h.as("paula"), "acme", pap.NewInvitation{Email: "new@acme.example", Role: "regular"})
		refused(t, err, "seat-limit") // the seat that rosa gave back is gone
	})
}

func TestSettingsAreChecked(t *testing.T) {
	h := open(t)
	for name, tt := range map[string]struct{ settings, pointer string }{
		"a member nobody knows":                 {`{"colour":"red"}`, "/settings"},
		"a nested member nobody knows":          {`{"invitation":{"tll":"1h"}}`, "/settings"},
		"a portal that is not configured":       {`{"invitation":{"portal_url":"https://evil.example"}}`, "/settings/invitation/portal_url"},
		"a role that is not there":              {`{"roles":{"wizard":{"name":"Wizard"}}}`, "/settings/roles/wizard"},
		"a name with a line break":              {`{"roles":{"regular":{"name":"a\nb"}}}`, "/settings/roles/regular/name"},
		"two roles of one name":                 {`{"roles":{"regular":{"name":"Support"}}}`, "/settings/roles"},
		"a profile member nobody has":           {`{"profile":{"invite":["given_name","shoe_size"]}}`, "/settings/profile/invite/1"},
		"an invitation that lasts too long":     {`{"invitation":{"ttl":"721h"}}`, "/settings/invitation/ttl"},
		"a mode that is none":                   {`{"primary_contact":{"mode":"king"}}`, "/settings/primary_contact/mode"},
		"a rule for removed members that is no": {`{"removal":{"readd":"never"}}`, "/settings/removal/readd"},
		"no object":                             {`[]`, "/settings"},
	} {
		_, _, err := h.UpdateOrganization(t.Context(), h.operator(), "acme", pap.OrganizationPatch{Settings: json.RawMessage(tt.settings)})
		var r *pap.Refusal
		if !errors.As(err, &r) || !errors.Is(err, authz.ErrInvalid) || len(r.Fields) != 1 || r.Fields[0].Pointer != tt.pointer {
			t.Errorf("%s: got %v, want a refusal of %s", name, err, tt.pointer)
		}
	}
	ok := json.RawMessage(`{"invitation":{"portal_url":"https://portal.example"},"profile":{"accept":["phone","address"]}}`)
	if _, _, err := h.UpdateOrganization(t.Context(), h.operator(), "acme", pap.OrganizationPatch{Settings: ok}); err != nil {
		t.Errorf("good settings: got %v", err)
	}
}

// The settings that the bundles of the guides' portals come with are settings.
func TestTheSettingsOfThePortalsAreTaken(t *testing.T) {
	for _, portal := range []string{"carrier", "expereo", "packetfabric", "master"} {
		h := open(t)
		overlaid(h, portal)
		text, err := os.ReadFile("../../bundles/" + portal + "/organization.json")
		if err != nil {
			t.Fatal(err)
		}
		var patch pap.OrganizationPatch
		if err := json.Unmarshal(text, &patch); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.UpdateOrganization(t.Context(), h.operator(), "acme", patch); err != nil {
			t.Errorf("%s: got %v", portal, err)
		}
	}
}

func TestWhoMayKeepOrganizations(t *testing.T) {
	h := open(t)
	name := "Mine"
	for who, call := range map[string]pap.Call{
		"a Primary Contact": h.as("paula"), "an administrator": h.as("adam"), "a sync token": with(pap.ScopeSync), "nobody": {},
	} {
		_, _, created := h.CreateOrganization(t.Context(), call, pap.NewOrganization{ID: "mine", Kind: "customer"})
		_, _, updated := h.UpdateOrganization(t.Context(), call, "acme", pap.OrganizationPatch{Name: &name})
		if !errors.Is(created, authz.ErrForbidden) || !errors.Is(updated, authz.ErrForbidden) {
			t.Errorf("%s: got %v and %v, want to be forbidden", who, created, updated)
		}
	}
	if o, err := h.Organization(t.Context(), h.as("paula"), "acme"); err != nil || o.Name != "ACME" {
		t.Errorf("a Primary Contact sees its organization: got %+v, %v", o, err)
	}
	if _, err := h.Organization(t.Context(), h.as("adam"), "acme"); !errors.Is(err, authz.ErrForbidden) {
		t.Errorf("an administrator of an account: got %v, want to be forbidden", err)
	}
	if len(h.events("acme"))+len(h.events("")) != 0 {
		t.Errorf("refusals left events")
	}
}

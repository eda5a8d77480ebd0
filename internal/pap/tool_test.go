package pap_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

func TestRestrictedToolsAreTheOperatorsToSeeAndGrant(t *testing.T) { // R29
	h := open(t)
	h.put(`{"type":"grant","organization":"acme","user":"adam","tool":"dynamic_network_manager","granted_by":"operator"}`)
	all := []string{"dynamic_network_manager", "network_manager", "wan_analysis"}
	for who, tt := range map[string]struct {
		call            pap.Call
		seen, grantable []string
	}{
		"the operator":                 {h.operator(), all, all},
		"the operator's staff":         {h.as("olga"), all, all},
		"a Primary Contact":            {h.as("paula"), all[1:], all[1:]},
		"an administrator of one tool": {h.as("adam"), all[1:], all[2:]},
		"the account team":             {h.as("tim"), all[1:], nil},
	} {
		for grantable, want := range map[bool][]string{false: tt.seen, true: tt.grantable} {
			tools, err := h.Tools(t.Context(), tt.call, "acme", grantable, "")
			var got []string
			for _, tool := range tools {
				got = append(got, tool.ID)
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s, grantable %v: got %v, %v, want %v", who, grantable, got, err, want)
			}
		}
	}
	if _, err := h.Tools(t.Context(), h.as("paula"), "", false, ""); !errors.Is(err, authz.ErrForbidden) {
		t.Errorf("a Primary Contact, all tools: got %v, want to be forbidden", err)
	}
	if _, err := h.Tools(t.Context(), h.as("regina"), "acme", false, ""); !errors.Is(err, authz.ErrForbidden) {
		t.Errorf("regular: got %v, want to be forbidden", err)
	}
}

func TestToolsAreRecommendedForProducts(t *testing.T) { // R28
	onBoth(t, func(t *testing.T, h *house) {
		in := pap.Tool{ID: "wan_analysis", Name: "WAN Analysis", RecommendedFor: []string{"private_ip", "internet", "internet"}}
		put, _, err := h.PutTool(t.Context(), h.operator(), in)
		if want := []string{"internet", "private_ip"}; err != nil || !slices.Equal(put.RecommendedFor, want) {
			t.Fatalf("got %+v, %v, want %v", put, err, want)
		}
		for product, want := range map[string]int{"": 2, "internet": 1, "voice": 0} {
			tools, err := h.Tools(t.Context(), h.as("paula"), "acme", false, product)
			if err != nil || len(tools) != want {
				t.Errorf("%q: got %v, %v, want %d", product, tools, err, want)
			}
		}
		e := h.trail("")
		if len(e) != 1 || e[0].Type != "tool.changed" || string(e[0].After) != `{"recommended_for":["internet","private_ip"]}` {
			t.Errorf("got %+v", e)
		}
	})
}

func TestTheOperatorKeepsTools(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		if _, _, err := h.PutTool(t.Context(), h.operator(), pap.Tool{ID: "ddos", Name: "DDoS", Restricted: true}); err != nil {
			t.Fatal(err)
		}
		for name, tt := range map[string]struct {
			call pap.Call
			in   pap.Tool
			kind error
		}{
			"a Primary Contact":                    {h.as("paula"), pap.Tool{ID: "ddos", Name: "DDoS"}, authz.ErrForbidden},
			"a sync token":                         {with(pap.ScopeSync), pap.Tool{ID: "ddos", Name: "DDoS"}, authz.ErrForbidden},
			"an id that is no key":                 {h.operator(), pap.Tool{ID: "a tool"}, authz.ErrInvalid},
			"a product that is no key":             {h.operator(), pap.Tool{ID: "x", RecommendedFor: []string{"a b"}}, authz.ErrInvalid},
			"restricting what a customer granted":  {h.operator(), pap.Tool{ID: "wan_analysis", Restricted: true}, authz.ErrConflict},
			"more products than anybody can check": {h.operator(), pap.Tool{ID: "x", RecommendedFor: many(pap.MaxRecommendations + 1)}, authz.ErrInvalid},
		} {
			if _, _, err := h.PutTool(t.Context(), tt.call, tt.in); !errors.Is(err, tt.kind) {
				t.Errorf("%s: got %v, want %v", name, err, tt.kind)
			}
		}
		if got := h.events(""); !slices.Equal(got, []string{"tool.changed"}) {
			t.Errorf("got events %v, want one", got)
		}
	})
}

func many(n int) (list []string) {
	for i := range n {
		list = append(list, "p"+string(rune('a'+i/26))+string(rune('a'+i%26)))
	}
	return list
}

package pap_test

import (
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/pap"
)

// TestStaffMakesNothingThatSpeaksAsTheOperator keeps the operator's staff, who
// manage every customer, from making themselves more than that.
func TestStaffMakesNothingThatSpeaksAsTheOperator(t *testing.T) {
	h := open(t)
	soon := h.clock().Add(24 * time.Hour)
	sync := pap.NewToken{Name: "nightly import", Scopes: []pap.Scope{pap.ScopeSync}, ExpiresAt: &soon}
	for name, in := range map[string]pap.NewToken{
		"an operator key":           {Name: "mine", Kind: pap.OperatorKey},
		"a token of scope operator": {Name: "mine", Scopes: []pap.Scope{pap.ScopeAct, pap.ScopeOperator}, ExpiresAt: &soon},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := h.CreateToken(t.Context(), h.as("olga"), in)
			refused(t, err, "not-permitted")
			made, _, err := h.CreateToken(t.Context(), h.operator(), in)
			if err != nil {
				t.Fatalf("by a key: got %v, want it made", err)
			}
			_, _, err = h.RevokeToken(t.Context(), h.as("olga"), made.ID)
			refused(t, err, "not-permitted")
		})
	}
	made, _, err := h.CreateToken(t.Context(), h.as("olga"), sync)
	if err != nil {
		t.Fatalf("a token that keeps customers up to date: got %v, want it made", err)
	}
	if _, _, err := h.RevokeToken(t.Context(), h.as("olga"), made.ID); err != nil {
		t.Errorf("revoke it: got %v, want it revoked", err)
	}
	_, _, err = h.CreateToken(t.Context(), h.as("paula"), sync)
	refused(t, err, "not-permitted")
}

package pap_test

import "testing"

func TestTheHouseStands(t *testing.T) {
	h := open(t)
	h.member("acme", "paula")
	if !h.decide(h.user("paula"), "invoice.view", "account", "b-1001", 0) {
		t.Errorf("the primary contact may not view an invoice")
	}
	if h.decide(h.user("sam"), "invoice.view", "account", "b-1001", 0) {
		t.Errorf("support may view an invoice (R15)")
	}
}

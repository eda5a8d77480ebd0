package pap_test

import (
	"slices"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/pap"
)

func (h *house) confirm(name string, generation int) error {
	_, err := h.ConfirmEmailChange(h.t.Context(), stranger(), h.linkOf(pap.ForEmailChange, name, generation))
	return err
}

func (h *house) wish(name, email string) {
	h.t.Helper()
	if _, err := h.RequestEmailChange(h.t.Context(), h.as(name), email); err != nil {
		h.t.Fatal(err)
	}
}

func TestANewAddressIsConfirmedThereAndToldToTheOldOne(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		h.wish("regina", "regina@new.example")
		if mails := h.mails("acme"); len(mails) != 1 || mails[0].Recipient != "regina@new.example" || mails[0].Type != pap.MailEmailChange {
			t.Errorf("got %+v, want a link to the new address", mails)
		}
		if err := h.RequestPasswordReset(t.Context(), stranger(), "", "regina"); err != nil {
			t.Fatal(err)
		}
		if err := h.confirm("regina", 1); err != nil {
			t.Fatal(err)
		}
		if got := h.email("regina"); got != "regina@new.example" {
			t.Errorf("got %s", got)
		}
		var told bool
		for _, m := range h.mails("acme") {
			told = told || m.Type == pap.MailEmailChangedNotice && m.Recipient == "regina@acme.example"
		}
		if !told || !slices.Contains(h.events("acme"), "member.email_changed") {
			t.Errorf("got mails %+v and events %v", h.mails("acme"), h.events("acme"))
		}
		_, err := h.ConfirmPasswordReset(t.Context(), stranger(), h.linkOf(pap.ForPasswordReset, "regina", 1), "regina's new one")
		refused(t, err, "link-invalid") // it went to the old address
	})
}

func TestAnAddressOfSomebodyElseIsNotToldApart(t *testing.T) {
	h := open(t)
	h.wish("regina", "rosa@acme.example")
	h.wish("sam", "nobody@acme.example")
	refused(t, h.confirm("regina", 1), "email-taken") // who has the link has the mailbox
	if got := h.email("regina"); got != "regina@acme.example" {
		t.Errorf("got %s", got)
	}
	_, err := h.RequestEmailChange(t.Context(), with(pap.ScopeAct), "x@acme.example")
	refused(t, err, "not-permitted")
	h.wait(24 * time.Hour)
	refused(t, h.confirm("sam", 1), "link-invalid")
}

func TestANewAddressIsHeld(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		h.settle("acme", `{"email_change":{"hold":"720h"}}`)
		h.wish("regina", "regina@new.example")
		if err := h.confirm("regina", 1); err != nil {
			t.Fatal(err)
		}
		give := func(want int, address string) {
			t.Helper()
			n, err := h.GiveHeldAddresses(t.Context())
			if n != want || err != nil || h.email("regina") != address {
				t.Errorf("got %d, %v, %s, want %d, %s", n, err, h.email("regina"), want, address)
			}
		}
		h.wait(720*time.Hour - time.Millisecond)
		give(0, "regina@acme.example")
		h.wait(time.Millisecond)
		give(1, "regina@new.example")
		give(0, "regina@new.example")

		h.wish("rosa", "rosa@new.example")
		if err := h.confirm("rosa", 1); err != nil {
			t.Fatal(err)
		}
		h.wish("rosa", "rosa@acme.example") // she wants to stay
		h.wait(720 * time.Hour)
		give(0, "regina@new.example")
		if got := h.email("rosa"); got != "rosa@acme.example" {
			t.Errorf("got %s of who stopped it", got)
		}
	})
}

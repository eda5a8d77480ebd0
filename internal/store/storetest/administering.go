package storetest

import (
	"errors"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

// administering draws some changes of administration, to users who are known.
// Most of them are allowed.
func administering(t *rapid.T, users map[string]bool) func(pap.Tx) error {
	pick := func(label string, ids ...string) string { return rapid.SampledFrom(ids).Draw(t, label) }
	known := slices.Sorted(maps.Keys(users))
	var steps []func(pap.Tx) error
	for range rapid.IntRange(1, 3).Draw(t, "steps") {
		organization, user := pick("organization", "acme", "acme", "resale"), pick("user", known...)
		switch pick("step", "member", "member", "grants", "grants", "grants", "person", "invitation", "purge", "delete") {
		case "member":
			steps = append(steps, editMember(t, pick, organization, user))
		case "grants":
			g, by := someGrants(t, pick), pick("by", "user", "operator")
			steps = append(steps, func(tx pap.Tx) error {
				m, err := tx.MemberOf(organization, user)
				return first(err, func() error { return tx.SetGrants(m.ID, g, by) })
			})
		case "person":
			steps = append(steps, editPerson(t, pick, user))
		case "invitation":
			m := invited(pick("member", "mem_7", "mem_8"))
			steps = append(steps, func(tx pap.Tx) error { return tx.PutMember(m) })
		case "purge":
			steps = append(steps, func(tx pap.Tx) error {
				m, err := tx.MemberOf(organization, user)
				return first(err, func() error { return tx.Purge(m.ID) })
			})
		case "delete":
			steps = append(steps, deletion(pick))
		}
	}
	return func(tx pap.Tx) (err error) {
		for _, step := range steps {
			if err := step(tx); err != nil && !errors.Is(err, authz.ErrNotFound) {
				return err
			}
		}
		return nil
	}
}

// first does something unless there was an error before it.
func first(err error, do func() error) error {
	if err != nil {
		return err
	}
	return do()
}

type pick = func(label string, ids ...string) string

func editMember(t *rapid.T, pick pick, organization, user string) func(pap.Tx) error {
	state := pick("state", "active", "active", "suspended", "removed", "superseded")
	role, affiliation := pick("role", "regular", "support", "administrator"), pick("affiliation", "customer", "end_customer", "account_team")
	cpni, other := rapid.Bool().Draw(t, "cpni"), pick("other user", user, user, user, "usr_1")
	return func(tx pap.Tx) error {
		m, err := tx.MemberOf(organization, user)
		m.State, m.Role, m.Affiliation, m.CPNI, m.User = state, role, affiliation, cpni, other
		return first(err, func() error { return tx.PutMember(m) })
	}
}

func editPerson(t *rapid.T, pick pick, user string) func(pap.Tx) error {
	name, kind := pick("name", "dana", "Dana", "noc", "eve", "otto"), pick("kind", "personal", "group")
	mfa, removed := rapid.Bool().Draw(t, "mfa"), rapid.Bool().Draw(t, "removed")
	return func(tx pap.Tx) error {
		p, err := tx.Person(user)
		if err != nil && !errors.Is(err, authz.ErrNotFound) {
			return err
		}
		p.ID, p.Username, p.Kind, p.MFA, p.Removed = user, name, kind, mfa, removed
		return tx.PutPerson(p)
	}
}

func someGrants(t *rapid.T, pick pick) (g pap.Grants) {
	for _, company := range []string{"east", "south"} {
		if rapid.Bool().Draw(t, company) {
			g.Companies = append(g.Companies, pap.CompanyGrant{ID: company, AllAccounts: rapid.Bool().Draw(t, "all")})
		}
	}
	for _, account := range []string{"k1", "s1"} {
		if rapid.Bool().Draw(t, account) {
			end := deadline()
			g.Accounts = append(g.Accounts, pap.AccountGrant{ID: account, ExpiresAt: rapid.SampledFrom([]*time.Time{nil, &end}).Draw(t, "end")})
		}
	}
	if rapid.Bool().Draw(t, "account group") {
		g.AccountGroups = []string{pick("account group", "lines", "empty")}
	}
	if rapid.Bool().Draw(t, "tool") {
		g.Tools = []pap.ToolGrant{{ID: pick("tool", "wan", "wan", "ddos"), Accounts: rapid.SampledFrom([][]string{nil, {"s1"}, {"s1", "s2"}}).Draw(t, "list")}}
	}
	return g
}

func deletion(pick pick) func(pap.Tx) error {
	switch kind := pick("kind", "account", "company", "account group", "account group"); kind {
	case "account":
		id := pick("account", accounts()...)
		return func(tx pap.Tx) error { return tx.DeleteAccount(id) }
	case "company":
		id := pick("company", companies()...)
		return func(tx pap.Tx) error { return tx.DeleteCompany(id) }
	default:
		id := pick("account group", accountGroups()...)
		return func(tx pap.Tx) error { return tx.DeleteAccountGroup(id) }
	}
}

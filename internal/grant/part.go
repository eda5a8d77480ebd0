package grant

import "github.com/postern-authz/postern/internal/authz"

// A part is what a narrow user was granted on one account. It names memberships
// and tools of the user's document, which says how they count.
type part struct {
	account string
	granted []authz.Granted
}

// part prepares what was granted on the account of an entry's key, if anything
// was, and returns what that takes.
func (t *terms) part(e *entry, granted []authz.Granted) int64 {
	if len(granted) == 0 {
		return 0
	}
	_, account := e.key.UserAccount()
	e.part = &part{account, granted}
	return int64(len(granted)) * grantedBytes
}

// powers are what a part grants to its user. Part and holder are of one
// revision, so the one has what the other names.
func (p *part) powers(h *holder) []power {
	powers := make([]power, 0, len(p.granted))
	for _, g := range p.granted {
		if power, ok := h.power(g); ok {
			powers = append(powers, power)
		}
	}
	return powers
}

// power is what was granted, as if it were in the document.
func (h *holder) power(g authz.Granted) (power, bool) {
	for i := range h.memberships {
		m := &h.memberships[i]
		switch {
		case m.id != g.Membership:
		case g.Tool == "":
			return power{membership: int32(i), name: m.role, expires: end(g.Expires)}, m.granted
		default:
			return m.toolPower(i, g.Tool)
		}
	}
	return power{}, false
}

// toolPower is a tool that the i-th membership holds.
func (m *membership) toolPower(i int, id string) (power, bool) {
	for _, t := range m.tools {
		if t.is(id) {
			return power{membership: int32(i), tool: true, name: t.id, expires: t.expires}, true
		}
	}
	return power{}, false
}

// narrow finds what was granted on the accounts that a request's place is made
// of, unless the user's document lists it.
func (f *finder) narrow(out *found) {
	if out.user == nil || !out.user.narrow {
		return
	}
	for i, account := range out.accounts() {
		if account != "" {
			out.parts[i] = f.findKey(authz.UserAccountKey(out.user.user, account))
		}
	}
}

// accounts are those that a grant can reach the place by, each once: the one
// asked about, its contract and its delivery account.
func (f *found) accounts() [3]string {
	var ids [3]string
	switch {
	case f.thing != nil:
		ids = [3]string{f.thing.place.Account, f.thing.place.Contract, f.thing.place.Delivery}
	case f.contract != nil:
		ids = [3]string{"", f.contract.place.Account, f.delivery.place.Account}
	}
	if ids[1] == ids[0] {
		ids[1] = ""
	}
	if ids[2] == ids[0] {
		ids[2] = ""
	}
	return ids
}

// granted is what the user was granted in a scope, whether or not it counts.
func (f *found) granted(s *scope) []power {
	if !s.account || !f.user.narrow {
		return f.user.granted(s)
	}
	for _, e := range f.parts {
		if e != nil && e.part.account == s.name {
			return e.part.powers(f.user)
		}
	}
	return nil
}

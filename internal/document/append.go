package document

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// Append appends a document to b. The error says that it is too large to be
// read again.
func Append(b []byte, d authz.Document) ([]byte, error) {
	w := writer{number: map[string]uint64{"": 0}, accounts: map[string]uint64{}}
	parts := byte(0)
	if d.Login != "" {
		parts |= partLogin
		w.text(d.Login)
	}
	if d.User != nil {
		parts |= partUser
		w.user(d.User)
	}
	if d.Place != nil {
		parts |= partPlace
		w.place(d.Place)
	}
	if len(d.Granted) > 0 {
		parts |= partGranted
		w.granted(d.Granted)
	}
	if w.length > maxText {
		return b, errTooLarge
	}
	b = append(b, version, parts)
	return append(w.appendTexts(b), w.body...), nil
}

// A writer gathers the parts, and the texts that they name by number.
type writer struct {
	body     []byte
	texts    []string
	length   int // of all texts
	number   map[string]uint64
	accounts map[string]uint64 // number of an account's scope, by account
}

func (w *writer) appendTexts(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(w.texts)))
	b = binary.AppendUvarint(b, uint64(w.length))
	before := ""
	for _, s := range w.texts {
		n := shared(before, s)
		b = binary.AppendUvarint(b, uint64(n))
		b = binary.AppendUvarint(b, uint64(len(s)-n))
		b = append(b, s[n:]...)
		before = s
	}
	return b
}

// shared is how many bytes two texts have in common at their beginnings.
func shared(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// of is the number of a text, which is a new one for a new text.
func (w *writer) of(s string) uint64 {
	n, known := w.number[s]
	if known {
		return n
	}
	w.texts = append(w.texts, s)
	w.length += len(s)
	n = uint64(len(w.texts))
	w.number[s] = n
	if id, ok := strings.CutPrefix(s, account); ok {
		w.accounts[id] = n
	}
	return n
}

func (w *writer) uint(n uint64)  { w.body = binary.AppendUvarint(w.body, n) }
func (w *writer) count(n int)    { w.uint(uint64(n)) }
func (w *writer) text(s string)  { w.uint(w.of(s)) }
func (w *writer) flags(f uint64) { w.uint(f) }

// list writes texts.
func (w *writer) list(all []string) {
	w.count(len(all))
	for _, s := range all {
		w.text(s)
	}
}

// marked writes a number and one bit beside it.
func (w *writer) marked(n uint64, mark bool) { w.uint(n<<1 | bit(mark, 1)) }

func bit(set bool, mask uint64) uint64 {
	if set {
		return mask
	}
	return 0
}

func (w *writer) time(t time.Time) {
	w.body = binary.AppendVarint(w.body, t.Unix())
	w.uint(uint64(t.Nanosecond()))
}

func (w *writer) user(u *authz.User) {
	w.text(u.ID)
	w.text(u.Kind)
	w.flags(bit(u.Removed, userRemoved) | bit(u.MFA, userMFA) | bit(u.Narrow, userNarrow))
	w.count(len(u.Memberships))
	for i := range u.Memberships {
		w.membership(&u.Memberships[i])
	}
}

func (w *writer) membership(m *authz.Membership) {
	for _, s := range []string{m.ID, m.Organization, m.OrganizationKind, m.Affiliation, m.State, m.Role} {
		w.text(s)
	}
	w.flags(bit(m.CPNI, membershipCPNI))
	w.count(len(m.Grants))
	for _, g := range m.Grants {
		w.until(w.of(string(g.Scope)), g.Expires)
	}
	w.count(len(m.Tools))
	for _, t := range m.Tools {
		w.until(w.of(t.ID), t.Expires)
		w.ofTool(t.Accounts)
		w.count(t.Unlisted)
	}
}

func (w *writer) granted(all []authz.Granted) {
	w.count(len(all))
	for _, g := range all {
		w.text(g.Membership)
		w.until(w.of(g.Tool), g.Expires)
	}
}

// until writes a number, and the time until which it counts, if it ends.
func (w *writer) until(n uint64, expires time.Time) {
	w.marked(n, !expires.IsZero())
	if !expires.IsZero() {
		w.time(expires)
	}
}

// ofTool writes the accounts of a tool. Most are granted too, and are then that
// scope without its beginning.
func (w *writer) ofTool(accounts []string) {
	w.count(len(accounts))
	for _, id := range accounts {
		if n, granted := w.accounts[id]; granted {
			w.marked(n, true)
		} else {
			w.marked(w.of(id), false)
		}
	}
}

func (w *writer) place(p *authz.Place) {
	for _, s := range []string{p.Account, p.AccountKind, p.Contract, p.Delivery, p.Company, p.Organization, p.OrganizationKind, p.Tool} {
		w.text(s)
	}
	w.list(p.AccountGroups)
	w.flags(bit(p.Restricted, placeRestricted))
}

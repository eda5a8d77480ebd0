package directory

import (
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
)

// A ledger knows which records the directory holds and which an import has
// added: by key, with as much of their content as other records are judged by.
// Its size follows from the number of keys and not from the size of the files.
type ledger struct {
	organizations map[string]*organizationEntry
	companies     map[string]*companyEntry
	accounts      map[string]*accountEntry
	accountGroups map[string]*accountGroupEntry
	tools         map[string]*toolEntry
	roles         map[string]*roleEntry
	names         map[string]*nameEntry // by login key: users and temporary usernames
	userIDs       map[string]*nameEntry
	emails        map[string]*nameEntry // by EmailKey
	memberships   map[memberKey]*memberEntry
	membershipIDs map[string]*memberEntry
	grants        map[grantKey]grantEntry
	used          map[grantKey]sighting // companies and tools that grants of this import rest on

	refused map[string]sighting // keys of records that this import refused, as "type key"
	files   []string            // names of the sources, for messages
	last    ordinal
	seed    maphash.Seed
	buffer  []byte
}

func newLedger() *ledger {
	return &ledger{
		organizations: map[string]*organizationEntry{},
		companies:     map[string]*companyEntry{},
		accounts:      map[string]*accountEntry{},
		accountGroups: map[string]*accountGroupEntry{},
		tools:         map[string]*toolEntry{},
		roles:         map[string]*roleEntry{},
		names:         map[string]*nameEntry{},
		userIDs:       map[string]*nameEntry{},
		emails:        map[string]*nameEntry{},
		memberships:   map[memberKey]*memberEntry{},
		membershipIDs: map[string]*memberEntry{},
		grants:        map[grantKey]grantEntry{},
		used:          map[grantKey]sighting{},
		refused:       map[string]sighting{},
		seed:          maphash.MakeSeed(),
	}
}

// An ordinal stands for an entry of the ledger where its key would be too long.
// The zero ordinal stands for none.
type ordinal uint32

// number is the entry's ordinal, or the next one for a new entry.
func (l *ledger) number(known ordinal) ordinal {
	if known != 0 {
		return known
	}
	l.last++
	return l.last
}

// entry is the entry of a key; it is made if need be.
func entry[K comparable, E any](entries map[K]*E, key K) *E {
	e := entries[key]
	if e == nil {
		e = new(E)
		entries[key] = e
	}
	return e
}

// named is entry for keys that are text. Keys are copied: what a record was read
// from shares its memory with the whole line.
func named[E any](entries map[string]*E, key string) *E {
	if e := entries[key]; e != nil {
		return e
	}
	return entry(entries, strings.Clone(key))
}

// A sighting says where this import saw a record and what it said. The zero
// sighting is that of a record the directory already held.
type sighting struct {
	file, line uint32 // file is an index of ledger.files
	sum        uint64 // of the record's content
}

// seenOtherwise reports whether this import has seen the record say something else.
func (s sighting) seenOtherwise(l *ledger, r record) bool {
	return s.line != 0 && s.sum != l.sum(r)
}

func (l *ledger) sum(r record) uint64 {
	l.buffer = r.append(l.buffer[:0])
	return maphash.Bytes(l.seed, l.buffer)
}

// place is where a sighting was, as file:line.
func (l *ledger) place(s sighting) string {
	return l.files[s.file] + ":" + strconv.FormatUint(uint64(s.line), 10)
}

// stands reports whether a company is authorized or a tool held.
func (l *ledger) stands(key grantKey) bool {
	known, ok := l.grants[key]
	return ok && !known.revoked
}

func (l *ledger) use(key grantKey, at sighting) {
	if _, ok := l.used[key]; !ok && at.line != 0 {
		l.used[key] = at
	}
}

// conflict makes an error of kind authz.ErrConflict.
func conflict(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, authz.ErrConflict)...)
}

// twice says that a record was seen before, saying something else.
func (l *ledger) twice(before sighting, format string, args ...any) error {
	args = append(args, l.place(before))
	return conflict(format+" is said otherwise at %s; keep one of the two lines", args...)
}

// missing says that the directory does not hold what a record refers to.
func (l *ledger) missing(kind, key string) error {
	return l.notFound(fmt.Sprintf("%s %q", kind, key), kind, key)
}

func (l *ledger) missingMembership(user, organization string) error {
	key := organization + " " + authz.LoginKey(user).ID
	return l.notFound(fmt.Sprintf("membership of %q in organization %q", user, organization), "membership", key)
}

func (l *ledger) notFound(what, kind, key string) error {
	if at, ok := l.refused[kind+" "+key]; ok {
		return fmt.Errorf("%s is refused at %s; mend that line first: %w", what, l.place(at), authz.ErrNotFound)
	}
	return fmt.Errorf("%s is not in the directory; put it above this line or import it first: %w", what, authz.ErrNotFound)
}

// load enters what the directory holds.
func (l *ledger) load(r Reader) error {
	return inOrder(
		func() error { return r.Organizations(func(o Organization) error { return l.hold(o) }) },
		func() error { return r.Companies(func(c Company) error { return l.hold(c) }) },
		func() error { return r.Accounts(func(a Account) error { return l.hold(a) }) },
		func() error { return r.AccountGroups(func(g AccountGroup) error { return l.hold(g) }) },
		func() error { return r.Tools(func(t Tool) error { return l.hold(t) }) },
		func() error { return r.Roles(func(r Role) error { return l.hold(r) }) },
		func() error { return r.Users(func(u User) error { return l.hold(u) }) },
		func() error { return r.Memberships(func(m Membership) error { return l.hold(m) }) },
		func() error { return r.Grants(l.holdGrant) },
	)
}

func (l *ledger) hold(r record) error {
	r.enter(l, sighting{})
	return nil
}

// holdGrant leaves out what no other record is judged by: the accounts and
// account groups, which are most of the grants.
func (l *ledger) holdGrant(g GrantRecord) error {
	if g.Company != "" || g.Tool != "" && g.Account == "" {
		g.enter(l, sighting{})
	}
	return nil
}

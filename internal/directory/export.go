package directory

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
)

// Export writes the directory as NDJSON that Import reads back into the same
// directory: one state of it, ids included, each record after those it refers
// to. Two exports of equal directories are equal byte for byte: members stand
// in a fixed order, empty ones are left out, times are UTC. Built-in roles are
// written only if they were changed.
func Export(ctx context.Context, store Store, w io.Writer) error {
	out := bufio.NewWriterSize(w, 64<<10)
	e := &exporter{write: func(r record) error { return writeLine(ctx, out, r) }}
	if err := store.View(ctx, e.all); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

func writeLine(ctx context.Context, out *bufio.Writer, r record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := out.Write(r.append(out.AvailableBuffer()))
	return err
}

// An exporter hands over every record of the directory in the order of
// dependency.
type exporter struct {
	write func(record) error
	// grants are those of the membership being read: they are sorted before
	// they are written.
	grants []GrantRecord
}

func (e *exporter) all(r Reader) error {
	return inOrder(
		func() error { return r.Organizations(func(o Organization) error { return e.write(o) }) },
		func() error { return r.Companies(func(c Company) error { return e.write(c) }) },
		func() error { return r.Accounts(e.accounts(true)) },
		func() error { return r.Accounts(e.accounts(false)) },
		func() error { return r.AccountGroups(func(g AccountGroup) error { return e.write(g) }) },
		func() error { return r.Tools(func(t Tool) error { return e.write(t) }) },
		func() error { return r.Roles(e.role) },
		func() error { return r.Users(func(u User) error { return e.write(u) }) },
		func() error { return r.Memberships(func(m Membership) error { return e.write(m) }) },
		func() error { return r.Grants(e.grant) },
		e.flush,
	)
}

func inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// accounts writes the accounts that others lie in, or those others.
func (e *exporter) accounts(ends bool) func(Account) error {
	return func(a Account) error {
		if ends != (a.Kind == AccountContract || a.Kind == AccountDelivery) {
			return nil
		}
		return e.write(a)
	}
}

func (e *exporter) role(r Role) error {
	if slices.Contains(BuiltinRoles(), r) {
		return nil
	}
	return e.write(r)
}

// grant keeps a grant until all of its membership are there.
func (e *exporter) grant(g GrantRecord) error {
	if len(e.grants) > 0 && (e.grants[0].Organization != g.Organization || e.grants[0].User != g.User) {
		if err := e.flush(); err != nil {
			return err
		}
	}
	e.grants = append(e.grants, g)
	return nil
}

func (e *exporter) flush() error {
	slices.SortFunc(e.grants, byDependency)
	for _, g := range e.grants {
		if err := e.write(g); err != nil {
			return err
		}
	}
	e.grants = e.grants[:0]
	return nil
}

// byDependency puts companies and tools before the accounts that need them.
func byDependency(a, b GrantRecord) int {
	return cmp.Or(
		cmp.Compare(a.rank(), b.rank()),
		cmp.Compare(a.Company, b.Company),
		cmp.Compare(a.AccountGroup, b.AccountGroup),
		cmp.Compare(a.Tool, b.Tool),
		cmp.Compare(a.Account, b.Account),
	)
}

func (g GrantRecord) rank() int {
	switch {
	case g.Company != "":
		return 0
	case g.AccountGroup != "":
		return 1
	case g.Tool == "":
		return 2
	case g.Account == "":
		return 3
	}
	return 4
}

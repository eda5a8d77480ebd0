package pap

import (
	"context"
	"slices"
)

// defaultPage and maxPage bound a page (AIP-158).
const (
	defaultPage = 50
	maxPage     = 200
)

// Members lists an organization's members, newest first and those invited among
// them (R34), as far as the actor sees them: grants beyond its own scope are
// left out, and members of whom it sees nothing too (R6). The Cursor goes on
// after them; nil: that was all.
func (p *PAP) Members(ctx context.Context, call Call, q MemberQuery) ([]Member, *Cursor, error) {
	type page struct {
		members []Member
		next    *Cursor
	}
	seen, err := look(ctx, p, call, func(w *work) (page, error) {
		members, next, err := w.listMembers(q)
		return page{members, next}, err
	})
	return seen.members, seen.next, err
}

func (w *work) listMembers(q MemberQuery) ([]Member, *Cursor, error) {
	o, settings, err := w.organization(q.Organization)
	if err != nil {
		return nil, nil, err
	}
	s, err := w.viewOf(q.Organization)
	if err != nil {
		return nil, nil, err
	}
	q.Size = pageSize(q.Size)
	size, shown := q.Size, []Member{}
	for {
		rows, err := w.Reader.Members(q)
		if err != nil {
			return nil, nil, err
		}
		r, err := w.reachOfAll(s, q.Organization, rows)
		if err != nil {
			return nil, nil, err
		}
		for i, m := range rows {
			f := found{Member: m, settings: settings, organization: o, reach: r, view: s, self: w.actor.isSelf(m.User)}
			if err := w.listMember(q, f, &shown); err != nil {
				return nil, nil, err
			}
			last := &Cursor{At: m.CreatedAt, ID: m.ID}
			if more := i < len(rows)-1 || len(rows) == q.Size; len(shown) == size && more {
				return shown, last, nil
			}
			q.After = last
		}
		if len(rows) < q.Size {
			return shown, nil, nil
		}
	}
}

func pageSize(size int) int {
	if size <= 0 {
		return defaultPage
	}
	return min(size, maxPage)
}

// reachOfAll is where the grants of all members lie, if that matters for what is
// shown of them.
func (w *work) reachOfAll(s view, organization string, members []Member) (reach, error) {
	var all Grants
	for _, m := range members {
		if !s.wide || s.blind {
			all = all.both(m.Grants)
		}
	}
	return w.reachOf(organization, "", all)
}

// listMember adds a member that the actor sees. A query for something granted
// finds it only where the actor sees the grant.
func (w *work) listMember(q MemberQuery, f found, to *[]Member) error {
	if f.self {
		var err error
		if f.view, err = w.viewOfSelf(f.Role); err != nil {
			return err
		}
		if f.reach, err = w.reachOf(f.Organization, "", f.Grants); err != nil {
			return err
		}
	}
	if !f.view.meets(f.Member, f.reach) {
		return nil
	}
	m, err := w.shown(f)
	if err == nil && q.finds(m.Grants) {
		*to = append(*to, m)
	}
	return err
}

func (q MemberQuery) finds(g Grants) bool {
	return (q.Company == "" || slices.ContainsFunc(g.Companies, func(c CompanyGrant) bool { return c.ID == q.Company })) &&
		(q.Account == "" || slices.ContainsFunc(g.Accounts, func(a AccountGrant) bool { return a.ID == q.Account })) &&
		(q.AccountGroup == "" || slices.Contains(g.AccountGroups, q.AccountGroup)) &&
		(q.Tool == "" || slices.ContainsFunc(g.Tools, func(t ToolGrant) bool { return t.ID == q.Tool }))
}

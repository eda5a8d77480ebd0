package pap

import (
	"context"
	"errors"
	"slices"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// A Company is a part of an organization that owns accounts.
type Company struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func companyOf(c directory.Company) Company { return Company{ID: c.ID, Name: c.Name} }

// Companies lists by id order the companies that the actor may see an account
// in; the second result is what to go on after, or "".
func (p *PAP) Companies(ctx context.Context, call Call, organization string, page PageByID) ([]Company, string, error) {
	var next string
	list, err := look(ctx, p, call, func(w *work) ([]Company, error) {
		sees, err := w.companiesSeen(organization)
		if err != nil {
			return nil, err
		}
		found, err := w.Companies(organization, page.After, page.Size)
		if err != nil {
			return nil, err
		}
		next = after(found, page.Size, func(c directory.Company) string { return c.ID })
		found = slices.DeleteFunc(found, func(c directory.Company) bool { return !sees(c.ID) })
		return each(found, func(c directory.Company) (Company, error) { return companyOf(c), nil })
	})
	return list, next, err
}

// Company returns one that the actor may see an account in.
func (p *PAP) Company(ctx context.Context, call Call, organization, id string) (Company, error) {
	return look(ctx, p, call, func(w *work) (Company, error) {
		sees, err := w.companiesSeen(organization)
		if err != nil {
			return Company{}, err
		}
		if !sees(id) {
			return Company{}, notFound("company", id)
		}
		return w.company(organization, id)
	})
}

// companiesSeen says of which companies the actor may know.
func (w *work) companiesSeen(organization string) (func(id string) bool, error) {
	powers, err := w.powersFor("company.view", organization)
	if err != nil {
		return nil, err
	}
	whole, err := w.reachOfOrganization(organization)
	if err != nil {
		return nil, err
	}
	if covers(powers, whole) {
		return func(string) bool { return true }, nil
	}
	within, err := w.companiesReached(powers)
	return func(id string) bool { return slices.Contains(within, id) }, err
}

// companiesReached are the companies in which something lies that the powers are
// about.
func (w *work) companiesReached(powers []power) (ids []string, err error) {
	var accounts []AccountGrant
	for _, p := range powers {
		switch id := idOf(p.scope); kindOf(p.scope) {
		case authz.KindCompany:
			ids = append(ids, id)
		case authz.KindAccount:
			accounts = append(accounts, AccountGrant{ID: id})
			others, err := w.EnclosedCompanies(id)
			if err != nil {
				return nil, err
			}
			ids = append(ids, others...)
		case authz.KindAccountGroup:
			g, err := w.AccountGroup(id)
			if err != nil {
				return nil, err
			}
			accounts = append(accounts, grantsOf(g.Accounts)...)
		}
	}
	own, err := w.companiesOf(Grants{Accounts: accounts})
	return append(ids, own...), err
}

func grantsOf(accounts []string) []AccountGrant {
	grants := make([]AccountGrant, len(accounts))
	for i, id := range accounts {
		grants[i].ID = id
	}
	return grants
}

// PutCompany makes a company of the organization, or renames it.
func (p *PAP) PutCompany(ctx context.Context, call Call, organization string, in Company) (Company, Change, error) {
	return change(ctx, p, call, func(w *work) (Company, string, error) {
		if err := w.authorizeOver("company.update", organization, in.ID); err != nil {
			return Company{}, "", err
		}
		c := directory.Company{ID: in.ID, Organization: organization, Name: in.Name}
		if err := c.Validate(); err != nil {
			return Company{}, "", wrong("", err)
		}
		var before any
		switch was, err := w.Company(in.ID); {
		case errors.Is(err, authz.ErrNotFound):
		case err != nil:
			return Company{}, "", err
		case was.Organization != organization:
			return Company{}, "", elsewhere("company", in.ID)
		default:
			before = companyOf(was)
		}
		if err := w.tx.PutCompany(c); err != nil {
			return Company{}, "", err
		}
		return in, in.ID, w.noteChange("company.changed", organization, in.ID, before, in)
	}, func(w *work, id string) (Company, error) { return w.company(organization, id) })
}

// elsewhere refuses what would move a thing between organizations. It does not
// say where the thing is.
func elsewhere(noun, id string) error {
	return conflict("id-taken", "%s %q belongs to another organization and cannot move: choose another id", noun, id)
}

func (w *work) company(organization, id string) (Company, error) {
	c, err := w.Company(id)
	if err != nil || c.Organization != organization {
		return Company{}, unless(err, "company", id)
	}
	return companyOf(c), nil
}

// unless is err, except that what is not there or lies elsewhere is not found.
func unless(err error, noun, id string) error {
	if err == nil {
		return notFound(noun, id)
	}
	return missing(err, noun, id)
}

// DeleteCompany takes away a company that has no accounts and that nobody is
// authorized for.
func (p *PAP) DeleteCompany(ctx context.Context, call Call, organization, id string) (Company, Change, error) {
	return change(ctx, p, call, func(w *work) (Company, string, error) {
		if err := w.authorizeOver("company.delete", organization, id); err != nil {
			return Company{}, "", err
		}
		before, err := w.company(organization, id)
		if err != nil {
			return Company{}, "", err
		}
		if err := w.tx.DeleteCompany(id); err != nil {
			return Company{}, "", inUse(err, "company %q still has accounts or members: delete or move the accounts and revoke the company first", id)
		}
		return before, id, w.noteChange("company.deleted", organization, id, before, nil)
	}, func(_ *work, id string) (Company, error) { return Company{ID: id}, nil })
}

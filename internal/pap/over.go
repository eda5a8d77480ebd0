package pap

import (
	"errors"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
)

// authorizeOver asks about an organization as a whole or, without one, about
// what belongs to none: that is the operator's.
func (w *work) authorizeOver(action, organization, id string) error {
	reach, err := w.reachOver(organization)
	if err != nil {
		return err
	}
	return w.authorize(ask{action: action, organization: organization, target: target{id: id, reach: reach}})
}

func (w *work) reachOver(organization string) ([]authz.Scope, error) {
	if organization == "" {
		return []authz.Scope{"realm:customer"}, nil
	}
	if !w.call.Principal.Bound(organization) {
		return nil, notFound("organization", organization)
	}
	return w.reachOfOrganization(organization)
}

// afresh shows what a request made to who may still make it: whoever lost the
// right since learns nothing by asking again.
func afresh[T any](action, organization string, show func(*work, string) (T, error)) func(*work, string) (T, error) {
	return func(w *work, id string) (T, error) {
		if err := w.authorizeOver(action, organization, id); err != nil {
			var none T
			return none, err
		}
		return show(w, id)
	}
}

// powersFor are the roles that let the actor do something in the organization,
// each with where it counts. It is for views that show what lies there.
func (w *work) powersFor(action, organization string) ([]power, error) {
	if err := w.authorizeOver(action, organization, organization); err != nil {
		return nil, err
	}
	var found []power
	for _, r := range w.verdict.Reasons {
		if r.Rule == "manage.role" || r.Rule == "manage.machine" {
			found = append(found, power{r.Role, r.Scope})
		}
	}
	return found, nil
}

// wrong refuses what the directory's rules call invalid; pointer is where in
// the request it stands. The rule names the member first.
func wrong(pointer string, err error) error {
	var already *Refusal
	if errors.As(err, &already) || !errors.Is(err, authz.ErrInvalid) {
		return err
	}
	detail := strings.TrimSuffix(err.Error(), ": "+authz.ErrInvalid.Error())
	member, _, _ := strings.Cut(detail, " ")
	if member = strings.TrimSuffix(member, ":"); slices.Contains(directoryMembers(), member) {
		pointer += "/" + member
	}
	return invalid(pointer, "value", "%s", detail)
}

// directoryMembers are those that the directory's rules name first when they are
// wrong.
func directoryMembers() []string {
	return []string{"id", "kind", "name", "seat_limit", "settings", "company", "contract", "delivery", "accounts"}
}

// inUse refuses to delete what others refer to.
func inUse(err error, hint, id string) error {
	if errors.Is(err, authz.ErrConflict) {
		return conflict("in-use", hint, id)
	}
	return err
}

// each is what f makes of every element, up to the first error.
func each[A, B any](list []A, f func(A) (B, error)) ([]B, error) {
	made := make([]B, 0, len(list))
	for _, a := range list {
		b, err := f(a)
		if err != nil {
			return nil, err
		}
		made = append(made, b)
	}
	return made, nil
}

// after is the id that a part of a list ended with, if more may follow.
func after[T any](list []T, size int, id func(T) string) string {
	if size == 0 || len(list) < size {
		return ""
	}
	return id(list[len(list)-1])
}

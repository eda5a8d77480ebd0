package pap

import (
	"context"
	"errors"
	"slices"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// A Role is what a member can be, with all that it permits (R9-R11).
type Role struct {
	ID   string `json:"id"`
	Name string `json:"name"` // as the organization calls it
	// PartnerOnly: only in partner organizations (R16).
	PartnerOnly bool `json:"partner_only"`
	// OperatorOnly: only the operator assigns it (R3).
	OperatorOnly bool `json:"operator_only"`
	BuiltIn      bool `json:"built_in"`
	// Permissions are the actions that the policy in force lets the role take,
	// sorted; where they count, the grants of each member say.
	Permissions []string `json:"permissions"`
	// Assignable: the actor may give it to somebody of the organization, within
	// the actor's own scope.
	Assignable bool `json:"assignable"`
}

// A RoleInput is a role as the operator puts it. What it may do is the policy's.
type RoleInput struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	PartnerOnly  bool   `json:"partner_only,omitempty"`
	OperatorOnly bool   `json:"operator_only,omitempty"`
}

// Roles lists every role side by side, by id order, as the organization calls
// them. Without an organization it is the operator's list, in which nothing is
// assignable. The role of the operator's staff is not shown to customers.
func (p *PAP) Roles(ctx context.Context, call Call, organization string) ([]Role, error) {
	return look(ctx, p, call, func(w *work) ([]Role, error) {
		if err := w.authorizeOver("role.view", organization, organization); err != nil {
			return nil, err
		}
		all, err := w.rolesIn(organization)
		if err != nil {
			return nil, err
		}
		may, err := w.Judge.Roles(ctx)
		if err != nil {
			return nil, err
		}
		return each(all, func(r directory.Role) (Role, error) { return w.showRole(organization, r, may) })
	})
}

func (w *work) rolesIn(organization string) ([]directory.Role, error) {
	all, err := w.Reader.Roles()
	if err != nil || organization == "" {
		return all, err
	}
	o, _, err := w.organization(organization)
	if err != nil || o.Kind == directory.OrganizationOperator {
		return all, err
	}
	return slices.DeleteFunc(all, func(r directory.Role) bool { return r.ID == directory.RoleOperator }), nil
}

func (w *work) showRole(organization string, r directory.Role, may map[string][]string) (Role, error) {
	shown := Role{
		ID: r.ID, Name: r.Name, PartnerOnly: r.PartnerOnly, OperatorOnly: r.OperatorOnly,
		BuiltIn: builtIn(r.ID) != nil, Permissions: append([]string{}, may[r.ID]...),
	}
	if organization == "" {
		return shown, nil
	}
	o, settings, err := w.organization(organization)
	if err != nil {
		return Role{}, err
	}
	shown.Name = settings.RoleName(r.ID, r.Name)
	if r.PartnerOnly && o.Kind != directory.OrganizationPartner || r.OperatorOnly && !w.actor.operator() {
		return shown, nil
	}
	shown.Assignable, err = w.could("member.invite", organization, given{role: r.ID})
	return shown, err
}

func builtIn(id string) *directory.Role {
	all := directory.BuiltinRoles()
	if i := slices.IndexFunc(all, func(r directory.Role) bool { return r.ID == id }); i >= 0 {
		return &all[i]
	}
	return nil
}

// PutRole makes a role that the policy in force knows, or renames one. A role of
// which the policy knows nothing would permit nothing, and is refused.
func (p *PAP) PutRole(ctx context.Context, call Call, in RoleInput) (Role, Change, error) {
	return change(ctx, p, call, func(w *work) (Role, string, error) {
		if err := w.authorizeOver("role.update", "", in.ID); err != nil {
			return Role{}, "", err
		}
		if err := w.checkRolePut(directory.Role(in)); err != nil {
			return Role{}, "", err
		}
		var before any
		switch was, err := w.roleByID(in.ID); {
		case err == nil:
			before = RoleInput{was.ID, was.Name, was.PartnerOnly, was.OperatorOnly}
		case !errors.Is(err, authz.ErrNotFound):
			return Role{}, "", err
		}
		if err := w.tx.PutRole(directory.Role(in)); err != nil {
			return Role{}, "", err
		}
		after, err := w.roleByID(in.ID)
		if err != nil {
			return Role{}, "", err
		}
		return after, in.ID, w.noteChange("role.changed", "", in.ID, before, in)
	}, (*work).roleByID)
}

func (w *work) checkRolePut(r directory.Role) error {
	if err := r.Validate(); err != nil {
		return wrong("", err)
	}
	own := builtIn(r.ID)
	if own != nil && (own.PartnerOnly != r.PartnerOnly || own.OperatorOnly != r.OperatorOnly) {
		return invalid("/id", "built-in", "role %q is built in: it can be renamed, and who may have it stays", r.ID)
	}
	if own == nil && roleOfScope(Scope(r.ID)) != "" {
		return invalid("/id", "reserved", "role %q is that of a credential and no member's: choose another id", r.ID)
	}
	may, err := w.Judge.Roles(w.ctx)
	if err != nil {
		return err
	}
	if _, known := may[r.ID]; !known {
		return invalid("/id", "unknown-to-policy", "the policy in force knows no role %q: add it to an overlay's data, under custom.catalog.roles and custom.roles, and load that first", r.ID)
	}
	return nil
}

func (w *work) roleByID(id string) (Role, error) {
	all, err := w.Reader.Roles()
	if err != nil {
		return Role{}, err
	}
	i := slices.IndexFunc(all, func(r directory.Role) bool { return r.ID == id })
	if i < 0 {
		return Role{}, notFound("role", id)
	}
	may, err := w.Judge.Roles(w.ctx)
	if err != nil {
		return Role{}, err
	}
	return w.showRole("", all[i], may)
}

// DeleteRole takes away a role that nobody has. The built-in ones stay.
func (p *PAP) DeleteRole(ctx context.Context, call Call, id string) (Role, Change, error) {
	return change(ctx, p, call, func(w *work) (Role, string, error) {
		if err := w.authorizeOver("role.update", "", id); err != nil {
			return Role{}, "", err
		}
		before, err := w.roleByID(id)
		if err != nil {
			return Role{}, "", err
		}
		if before.BuiltIn {
			return Role{}, "", conflict("built-in", "role %q is built in and stays", id)
		}
		if err := w.tx.DeleteRole(id); err != nil {
			return Role{}, "", inUse(err, "role %q is still somebody's: give its members another role first", id)
		}
		was := RoleInput{before.ID, before.Name, before.PartnerOnly, before.OperatorOnly}
		return before, id, w.noteChange("role.deleted", "", id, was, nil)
	}, func(_ *work, id string) (Role, error) { return Role{ID: id, Permissions: []string{}}, nil })
}

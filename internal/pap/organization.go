package pap

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// An Organization is a customer, a partner who resells, or the operator itself.
type Organization struct {
	ID        string          `json:"id"`
	Kind      string          `json:"kind"` // customer, partner or operator; never changes
	Name      string          `json:"name"`
	SeatLimit int             `json:"seat_limit"` // 0: none
	SeatsUsed int             `json:"seats_used"` // by living and waiting members, account teams left out (R7)
	Settings  json.RawMessage `json:"settings"`   // see Settings
	Revision  authz.Revision  `json:"revision"`   // of the last change to it; its ETag
}

// A NewOrganization is an organization to be made. Its id is the portal's own.
type NewOrganization struct {
	ID        string          `json:"id"`
	Kind      string          `json:"kind"`
	Name      string          `json:"name"`
	SeatLimit int             `json:"seat_limit,omitempty"`
	Settings  json.RawMessage `json:"settings,omitempty"`
}

// An OrganizationPatch changes what it names.
type OrganizationPatch struct {
	Name *string `json:"name,omitempty"`
	// SeatLimit may be below what is used: nobody loses a seat, and nobody gets
	// one until enough are given back (C15).
	SeatLimit *int            `json:"seat_limit,omitempty"`
	Settings  json.RawMessage `json:"settings,omitempty"` // a JSON Merge Patch (RFC 7396)
}

// Organizations lists organizations by id order; the second result is what to go
// on after, or "". A credential that is bound to some lists those.
func (p *PAP) Organizations(ctx context.Context, call Call, page PageByID) ([]Organization, string, error) {
	var next string
	list, err := look(ctx, p, call, func(w *work) ([]Organization, error) {
		if bound := call.Principal.Organizations; len(bound) > 0 {
			return w.organizations(bound)
		}
		if err := w.authorizeOver("organization.view", "", ""); err != nil {
			return nil, err
		}
		found, err := w.Organizations(page.After, page.Size)
		if err != nil {
			return nil, err
		}
		next = after(found, page.Size, func(o directory.Organization) string { return o.ID })
		return each(found, w.showOrganization)
	})
	return list, next, err
}

func (w *work) organizations(ids []string) ([]Organization, error) {
	return each(ids, func(id string) (Organization, error) {
		if err := w.authorizeOver("organization.view", id, id); err != nil {
			return Organization{}, err
		}
		return w.organizationByID(id)
	})
}

// Organization returns one.
func (p *PAP) Organization(ctx context.Context, call Call, id string) (Organization, error) {
	return look(ctx, p, call, func(w *work) (Organization, error) {
		if err := w.authorizeOver("organization.view", id, id); err != nil {
			return Organization{}, err
		}
		return w.organizationByID(id)
	})
}

func (w *work) organizationByID(id string) (Organization, error) {
	o, _, err := w.organization(id)
	if err != nil {
		return Organization{}, err
	}
	return w.showOrganization(o)
}

func (w *work) showOrganization(o directory.Organization) (Organization, error) {
	used, err := w.SeatsUsed(o.ID)
	if err != nil {
		return Organization{}, err
	}
	changed, err := w.Changed(authz.Key{Kind: authz.KindOrganization, ID: o.ID})
	if err != nil {
		return Organization{}, err
	}
	settings := o.Settings
	if len(settings) == 0 {
		settings = json.RawMessage("{}")
	}
	return Organization{ID: o.ID, Kind: o.Kind, Name: o.Name, SeatLimit: o.SeatLimit, SeatsUsed: used, Settings: settings, Revision: changed}, nil
}

// CreateOrganization makes an organization. An id that is in use is a conflict.
func (p *PAP) CreateOrganization(ctx context.Context, call Call, in NewOrganization) (Organization, Change, error) {
	return change(ctx, p, call, func(w *work) (Organization, string, error) {
		if err := w.authorizeOver("organization.create", "", in.ID); err != nil {
			return Organization{}, "", err
		}
		switch _, err := w.Reader.Organization(in.ID); {
		case err == nil:
			return Organization{}, "", conflict("id-taken", "there is an organization %q: choose another id, or update it", in.ID)
		case !errors.Is(err, authz.ErrNotFound):
			return Organization{}, "", err
		}
		made, err := w.writeOrganization(directory.Organization(in))
		if err != nil {
			return Organization{}, "", err
		}
		return made, in.ID, w.noteChange("organization.created", in.ID, in.ID, nil, made)
	}, afresh("organization.create", "", (*work).organizationByID))
}

// UpdateOrganization changes an organization.
func (p *PAP) UpdateOrganization(ctx context.Context, call Call, id string, in OrganizationPatch) (Organization, Change, error) {
	return change(ctx, p, call, func(w *work) (Organization, string, error) {
		if err := w.authorizeOver("organization.update", id, id); err != nil {
			return Organization{}, "", err
		}
		before, err := w.organizationByID(id)
		if err != nil {
			return Organization{}, "", err
		}
		if err := w.checkMatch(before.Revision); err != nil {
			return Organization{}, "", err
		}
		o, err := in.apply(before)
		if err != nil {
			return Organization{}, "", err
		}
		after, err := w.writeOrganization(o)
		if err != nil {
			return Organization{}, "", err
		}
		return after, id, w.noteChange("organization.updated", id, id, before, after)
	}, (*work).organizationByID)
}

func (in OrganizationPatch) apply(to Organization) (directory.Organization, error) {
	o := directory.Organization{ID: to.ID, Kind: to.Kind, Name: to.Name, SeatLimit: to.SeatLimit, Settings: to.Settings}
	if in.Name != nil {
		o.Name = *in.Name
	}
	if in.SeatLimit != nil {
		o.SeatLimit = *in.SeatLimit
	}
	if len(in.Settings) == 0 {
		return o, nil
	}
	merged, err := mergePatch(o.Settings, in.Settings, "/settings")
	o.Settings = merged
	return o, err
}

func (w *work) writeOrganization(o directory.Organization) (Organization, error) {
	if err := o.Validate(); err != nil {
		return Organization{}, wrong("", err)
	}
	s, err := SettingsOf(o)
	if err != nil {
		return Organization{}, err
	}
	if err := w.checkSettings(s); err != nil {
		return Organization{}, err
	}
	if err := w.tx.PutOrganization(o); err != nil {
		return Organization{}, err
	}
	return w.organizationByID(o.ID)
}

package pap

import (
	"maps"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/directory"
)

// checkSettings says what is wrong with settings in this directory and with
// these portals. What is wrong with them by themselves, SettingsOf says.
func (w *work) checkSettings(s Settings) error {
	if url := s.Invitation.PortalURL; url != "" && !slices.Contains(w.PortalURLs, url) {
		return invalid("/settings/invitation/portal_url", "value", "the portal %q is not one of those configured: %s", url, strings.Join(w.PortalURLs, ", "))
	}
	if err := s.checkProfiles(); err != nil {
		return err
	}
	return w.checkRoleNames(s)
}

// ProfileMembers are what an organization may require of a profile (R22).
func ProfileMembers() []string {
	return []string{"given_name", "family_name", "phone", "country", "address"}
}

func (s Settings) checkProfiles() error {
	for way, members := range map[string][]string{"invite": s.Profile.Invite, "create": s.Profile.Create, "accept": s.Profile.Accept} {
		for i, m := range members {
			if !slices.Contains(ProfileMembers(), m) {
				return invalid(pointer("/settings/profile", way, i), "value", "a profile has no %q to require: it has %s", m, strings.Join(ProfileMembers(), ", "))
			}
		}
	}
	return nil
}

// checkRoleNames: what an organization calls roles is read by people in lists
// and mails, and no two roles may look the same.
func (w *work) checkRoleNames(s Settings) error {
	if len(s.Roles) == 0 {
		return nil
	}
	roles, err := w.Roles()
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(s.Roles)) {
		at := "/settings/roles/" + escaped(id)
		if !slices.ContainsFunc(roles, func(r directory.Role) bool { return r.ID == id }) {
			return invalid(at, "unknown", "the directory has no role %q to name", id)
		}
		if err := (directory.Role{ID: "name", Name: s.Roles[id].Name}).Validate(); err != nil {
			return wrong(at, err)
		}
	}
	return checkNamesDiffer(s, roles)
}

func checkNamesDiffer(s Settings, roles []directory.Role) error {
	known := map[string]string{}
	for _, r := range roles {
		name := strings.ToLower(s.RoleName(r.ID, r.Name))
		if other, twice := known[name]; twice {
			return invalid("/settings/roles", "duplicate", "the roles %s and %s would both be called %q", other, r.ID, name)
		}
		known[name] = r.ID
	}
	return nil
}

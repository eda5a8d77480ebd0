package pap

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/postern-authz/postern/internal/directory"
)

// Settings are what an organization's portal is like: the members of
// organization.settings that Postern knows. The zero value of each is the
// default that is named.
type Settings struct {
	PrimaryContact struct {
		// Mode is operator_only (default) or transferable: one holder, who may
		// hand over and cannot be removed (R3).
		Mode string `json:"mode,omitempty"`
	} `json:"primary_contact,omitzero"`
	Administrator struct {
		// MayAppointAdministrators: R6, for portals whose top role it is (R12).
		MayAppointAdministrators bool `json:"may_appoint_administrators,omitempty"`
	} `json:"administrator,omitzero"`
	// Roles are display names by role id, such as Admin for administrator.
	Roles map[string]struct {
		Name string `json:"name"`
	} `json:"roles,omitempty"`
	// Profile lists the members that each way to add somebody requires (R22).
	Profile struct {
		Invite []string `json:"invite,omitempty"` // default: none but the address
		Create []string `json:"create,omitempty"` // with a password; default: given_name, family_name, phone, country
		Accept []string `json:"accept,omitempty"` // of the person who accepts; default: none
	} `json:"profile,omitzero"`
	Removal struct {
		// Readd is operator_restore (default) or customer_reinvite (R81).
		Readd string `json:"readd,omitempty"`
		// PurgeAfter is how long a removed member keeps its personal data, as a
		// Go duration; default: 2160h, 90 days.
		PurgeAfter string `json:"purge_after,omitempty"`
	} `json:"removal,omitzero"`
	Invitation struct {
		TTL       string `json:"ttl,omitempty"`        // Go duration from 1h to 720h; default 168h (R47)
		PortalURL string `json:"portal_url,omitempty"` // one of the configured ones; default the first
		From      string `json:"from,omitempty"`       // name that mail is from; default: the organization's
	} `json:"invitation,omitzero"`
	ManualCreate struct {
		Disabled bool `json:"disabled,omitempty"` // R41's hardened setting
	} `json:"manual_create,omitzero"`
	Acknowledgement struct {
		Required bool `json:"required,omitempty"` // R43
	} `json:"acknowledgement,omitzero"`
	MFA struct {
		Required bool `json:"required,omitempty"` // R84; the policy sees it
	} `json:"mfa,omitzero"`
	EmailChange struct {
		Hold string `json:"hold,omitempty"` // Go duration up to 720h; default none (R78)
	} `json:"email_change,omitzero"`
}

// The words of settings.
const (
	ModeOperatorOnly = "operator_only"
	ModeTransferable = "transferable"

	ReaddOperatorRestore  = "operator_restore"
	ReaddCustomerReinvite = "customer_reinvite"
)

// Defaults of settings.
const (
	DefaultTTL        = 7 * 24 * time.Hour
	MinTTL, MaxTTL    = time.Hour, 30 * 24 * time.Hour
	DefaultPurgeAfter = 90 * 24 * time.Hour
)

// SettingsOf reads an organization's settings. What it does not know or cannot
// be is an error of kind authz.ErrInvalid that names the member.
func SettingsOf(o directory.Organization) (Settings, error) {
	var s Settings
	if len(o.Settings) == 0 {
		return s, nil
	}
	d := json.NewDecoder(bytes.NewReader(o.Settings))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil && !errors.Is(err, io.EOF) {
		return s, invalid("/settings", "unknown", "settings: %v", err)
	}
	return s, s.check()
}

func (s Settings) check() error {
	for _, c := range []struct {
		ok              bool
		pointer, detail string
	}{
		{oneOf(s.PrimaryContact.Mode, "", ModeOperatorOnly, ModeTransferable), "/settings/primary_contact/mode", "use operator_only or transferable"},
		{oneOf(s.Removal.Readd, "", ReaddOperatorRestore, ReaddCustomerReinvite), "/settings/removal/readd", "use operator_restore or customer_reinvite"},
		{within(s.Invitation.TTL, MinTTL, MaxTTL), "/settings/invitation/ttl", "use a duration from 1h to 720h, such as 168h"},
		{within(s.Removal.PurgeAfter, 0, 10*365*24*time.Hour), "/settings/removal/purge_after", "use a duration up to 87600h, such as 2160h"},
		{within(s.EmailChange.Hold, 0, 30*24*time.Hour), "/settings/email_change/hold", "use a duration up to 720h"},
	} {
		if !c.ok {
			return invalid(c.pointer, "value", "%s: %s", c.pointer[1:], c.detail)
		}
	}
	return nil
}

func oneOf(value string, words ...string) bool {
	for _, w := range words {
		if value == w {
			return true
		}
	}
	return false
}

// within takes an empty duration for the default.
func within(text string, least, most time.Duration) bool {
	if text == "" {
		return true
	}
	d, err := time.ParseDuration(text)
	return err == nil && least <= d && d <= most
}

// duration is a checked duration, or what holds without one.
func duration(text string, unset time.Duration) time.Duration {
	if d, err := time.ParseDuration(text); err == nil {
		return d
	}
	return unset
}

// TTL is how long an invitation lasts from when it was sent.
func (s Settings) TTL() time.Duration { return duration(s.Invitation.TTL, DefaultTTL) }

// RoleName is what the organization calls a role.
func (s Settings) RoleName(id, name string) string {
	if own := s.Roles[id].Name; own != "" {
		return own
	}
	return name
}

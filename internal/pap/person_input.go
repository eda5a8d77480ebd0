package pap

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// checkEmail is an address's key; what is no plain address is refused without
// quoting it.
func checkEmail(at, address string) (key string, err error) {
	if address == "" {
		return "", invalid(at, "required", "email is missing")
	}
	key, err = directory.EmailKey(address)
	if err != nil {
		return "", invalid(at, "value", "%s", sentence(err))
	}
	return key, nil
}

func checkUsername(at, name string) error {
	if err := directory.CheckUsername(name); err != nil {
		return invalid(at, "value", "%s", sentence(err))
	}
	return nil
}

// sentence is an error without the kind it ends in.
func sentence(err error) string {
	return strings.TrimSuffix(err.Error(), ": "+authz.ErrInvalid.Error())
}

// maxProfileText is the longest name or line of an address, in bytes.
const maxProfileText = 256

// check says what is wrong with a profile: texts that would break a line of a
// mail or of a log, or that are too long for one.
func (p Profile) check() error {
	for _, f := range p.texts() {
		switch {
		case len(f.text) > maxProfileText:
			return invalid("/"+f.name, "length", "%s is longer than %d bytes", f.name, maxProfileText)
		case strings.TrimSpace(f.text) != f.text:
			return invalid("/"+f.name, "value", "%s has space around it", f.name)
		case strings.ContainsFunc(f.text, breaksLines):
			return invalid("/"+f.name, "value", "%s has a control character", f.name)
		}
	}
	if p.Country != "" && (len(p.Country) != 2 || strings.ContainsFunc(p.Country, func(c rune) bool { return c < 'A' || 'Z' < c })) {
		return invalid("/country", "value", "country is two capital letters, such as LV (ISO 3166-1)")
	}
	return nil
}

// breaksLines reports what no line of text may hold: a line of a mail's header
// is made of it.
func breaksLines(c rune) bool {
	return unicode.In(c, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point)
}

// A profileText is one text of a profile, by its JSON name.
type profileText struct{ name, text string }

func (p Profile) texts() []profileText {
	list := []profileText{{"given_name", p.GivenName}, {"family_name", p.FamilyName}, {"phone", p.Phone}, {"country", p.Country}}
	if a := p.Address; a != nil {
		list = append(list, profileText{"address/street", a.Street}, profileText{"address/city", a.City},
			profileText{"address/region", a.Region}, profileText{"address/postal_code", a.PostalCode})
	}
	return list
}

// needs refuses a profile that lacks one of the required members (R22).
func (p Profile) needs(required []string) error {
	var missing []Field
	for _, name := range required {
		if !p.has(name) {
			missing = append(missing, Field{Pointer: "/" + name, Code: "required", Detail: name + " is missing"})
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &Refusal{Kind: authz.ErrInvalid, Reason: "validation", Detail: "the organization requires more of a person: " + missing[0].Detail, Fields: missing}
}

func (p Profile) has(name string) bool {
	if name == "address" {
		return p.Address != nil && *p.Address != Address{}
	}
	return !slices.ContainsFunc(p.texts(), func(f profileText) bool { return f.name == name && f.text == "" })
}

// over is the profile with what the other says instead, where it says something.
func (p Profile) over(other Profile) Profile {
	for _, f := range []struct {
		to  *string
		say string
	}{{&p.GivenName, other.GivenName}, {&p.FamilyName, other.FamilyName}, {&p.Phone, other.Phone}, {&p.Country, other.Country}} {
		if f.say != "" {
			*f.to = f.say
		}
	}
	if other.Address != nil {
		p.Address = other.Address
	}
	return p
}

// name is how mails call the person, or "".
func (p Profile) name() string { return strings.TrimSpace(p.GivenName + " " + p.FamilyName) }

// maxPreferences bounds what a membership keeps for its portal, in bytes.
const maxPreferences = 16 << 10

// checkPreferences refuses what is no JSON object, and one that is too large.
func checkPreferences(text json.RawMessage) error {
	if len(text) == 0 {
		return nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil || object == nil {
		return invalid("/preferences", "type", "preferences is not a JSON object")
	}
	if len(text) > maxPreferences {
		return invalid("/preferences", "length", "preferences are longer than %d bytes", maxPreferences)
	}
	return nil
}

// checkRole refuses a role that there is not.
func (w *work) checkRole(id string) (directory.Role, error) {
	roles, err := w.Roles()
	if err != nil {
		return directory.Role{}, err
	}
	at := slices.IndexFunc(roles, func(r directory.Role) bool { return r.ID == id })
	if id == "" || at < 0 {
		return directory.Role{}, invalid("/role", "unknown", "there is no role %q: GET roles lists them", id)
	}
	return roles[at], nil
}

// checkWho says what is wrong with the kind and affiliation of a member to be.
// Empty ones are the defaults.
func checkWho(kind, affiliation, role string) (string, string, error) {
	kind, affiliation = or(kind, directory.UserPersonal), or(affiliation, directory.AffiliationCustomer)
	switch {
	case !oneOf(kind, directory.UserPersonal, directory.UserGroup):
		return "", "", invalid("/kind", "value", "kind %q is neither personal nor group", kind)
	case !oneOf(affiliation, directory.AffiliationCustomer, directory.AffiliationEndCustomer, directory.AffiliationAccountTeam):
		return "", "", invalid("/affiliation", "value", "affiliation %q is none of customer, end_customer and account_team", affiliation)
	case affiliation == directory.AffiliationAccountTeam && role == directory.RolePrimaryContact:
		return "", "", invalid("/role", "value", "an account team member cannot be primary_contact: make it administrator (R7)")
	}
	return kind, affiliation, sharedLead(kind, role)
}

// sharedLead: nobody shares an identity that leads others (R37).
func sharedLead(kind, role string) error {
	if kind == directory.UserGroup && oneOf(role, directory.RolePrimaryContact, directory.RoleAdministrator) {
		return refuse(authz.ErrForbidden, "shared-identity", "a shared identity is neither Primary Contact nor Administrator")
	}
	return nil
}

// mayAffiliate: an account team takes no seat and is of the operator's realm
// (R7), so only the operator says who is one.
func (w *work) mayAffiliate(affiliation string) error {
	if affiliation == directory.AffiliationAccountTeam && !w.actor.operator() {
		return refuse(authz.ErrForbidden, "operator-only", "only the operator says who is of its account team")
	}
	return nil
}

// or is value, or other if value is empty.
func or(value, other string) string {
	if value == "" {
		return other
	}
	return value
}

// absent makes nothing of an error that says that there is none.
func absent(err error) error {
	if errors.Is(err, authz.ErrNotFound) {
		return nil
	}
	return err
}

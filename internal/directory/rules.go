package directory

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/postern-authz/postern/internal/authz"
)

// The closed lists of the directory.
const (
	OrganizationCustomer = "customer"
	OrganizationPartner  = "partner"
	OrganizationOperator = "operator"

	AccountContract = "contract"
	AccountDelivery = "delivery"
	AccountBilling  = "billing"
	AccountService  = "service"

	ServiceGroup            = "service_group"
	CustomerGroupIdentifier = "customer_group_identifier"
	EMediaConfiguration     = "emedia_configuration"

	UserPersonal = "personal"
	UserGroup    = "group" // a shared identity, such as a distribution list

	AffiliationCustomer    = "customer"
	AffiliationEndCustomer = "end_customer"
	AffiliationAccountTeam = "account_team"

	StateInvited   = "invited"
	StateActive    = "active"
	StateSuspended = "suspended"
	StateRemoved   = "removed"

	ByOperator = "operator"
	ByUser     = "user"
	BySCIM     = "scim"
	ByRequest  = "request"
	BySystem   = "system"
)

// Limits of a record, in bytes. They keep every record within MaxLine.
const (
	MaxText     = 256       // a name or another text of a record
	MaxSettings = 64 << 10  // the settings of an organization
	MaxSeats    = 1<<31 - 1 // the seat limit of an organization
)

// invalid makes an error of kind authz.ErrInvalid.
func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, authz.ErrInvalid)...)
}

// checkKey is authz.CheckKey with the name of the member that holds the key.
func checkKey(member, key string) error {
	if key == "" {
		return invalid("%s is missing", member)
	}
	if err := authz.CheckKey(key); err != nil {
		return fmt.Errorf("%s: %w", member, err)
	}
	return nil
}

// checkOptionalKey is checkKey for a member that may be empty.
func checkOptionalKey(member, key string) error {
	if key == "" {
		return nil
	}
	return checkKey(member, key)
}

// checkMadeID checks the id of a user or membership, which may be empty.
func checkMadeID(prefix, id string) error {
	if id == "" {
		return nil
	}
	return authz.CheckID(prefix, id)
}

// checkOneOf checks a member against its closed list.
func checkOneOf(member, value string, list ...string) error {
	switch {
	case slices.Contains(list, value):
		return nil
	case value == "":
		return invalid("%s is missing: one of %s", member, strings.Join(list, ", "))
	}
	return invalid("%s %.60q is none of %s", member, value, strings.Join(list, ", "))
}

// checkText checks a text that people read: it has no control characters, so
// it cannot break a line of a log or a mail, and no space around it.
func checkText(member, value string) error {
	switch {
	case value == "":
		return nil
	case len(value) > MaxText:
		return invalid("%s is %d bytes long, more than %d", member, len(value), MaxText)
	case !utf8.ValidString(value):
		return invalid("%s is not UTF-8", member)
	case strings.TrimSpace(value) != value:
		return invalid("%s %q has space around it", member, value)
	case strings.ContainsFunc(value, breaksLines):
		return invalid("%s %q has a control character", member, value)
	}
	return nil
}

// breaksLines reports controls, line and paragraph separators, and the code
// points that no text may hold.
func breaksLines(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point)
}

// first is the first error, or nil.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

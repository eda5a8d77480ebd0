package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

// Errors of a schema that is not the one this binary works with.
var (
	// ErrSchemaBehind says that migrations are missing.
	ErrSchemaBehind = errors.New("the schema is behind")
	// ErrSchemaAhead says that a newer Postern migrated the database.
	ErrSchemaAhead = errors.New("the schema is ahead")
)

// classify gives an error of the database the kind that callers act on: what a
// constraint refuses is authz.ErrConflict, what may succeed later is
// authz.ErrUnavailable. What is neither stays as it is.
func (d dialect) classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", err, authz.ErrUnavailable)
	case d.unavailable(err):
		return fmt.Errorf("%w: %w", err, authz.ErrUnavailable)
	}
	if name := d.constraint(err); name != "" {
		return fmt.Errorf("%s: %w", sentence(name), authz.ErrConflict)
	}
	return err
}

// uncommitted classifies what a commit failed with: pap.ErrOutcomeUnknown if
// nobody said whether the transaction was kept (F12).
func (d dialect) uncommitted(err error) error {
	if d.unknown(err) {
		return fmt.Errorf("%w: %w", err, pap.ErrOutcomeUnknown)
	}
	return d.classify(err)
}

// sentence says what a constraint means. CHECKs have one name on both engines;
// of a unique index SQLite names the columns and PostgreSQL the index, and of a
// foreign key SQLite names nothing. Values are not repeated: they may be
// addresses of people.
func sentence(constraint string) string {
	switch constraint {
	case "seats":
		return "an organization has no free seat"
	case "role_operator_only":
		return "a role that only the operator gives was given by somebody else"
	case "role_partner_only":
		return "a role that exists only in partner organizations was given in another"
	case "account_team_primary_contact":
		return "a member of the account team cannot be a primary contact"
	case "tool_restricted":
		return "a restricted tool was granted by somebody else than the operator"
	case "account_in_accounts":
		return "an account that is neither billing nor service lies in no contract or delivery account"
	case "users.email_key", "users_email_key_key":
		return "an e-mail address is another user's, maybe a removed one's"
	case "users.username_key", "users_username_key_key":
		return "a username is another user's, maybe a removed one's"
	case "memberships.temporary_username_key", "memberships_temporary_username_key_key":
		return "a temporary username was used before"
	case "memberships.organization_id, memberships.user_id", "memberships_by_user",
		"memberships.organization_id, memberships.login_key", "memberships_by_login":
		return "a user is already a member of the organization, maybe a removed one"
	case "account_contract", "account_delivery":
		return "an account names a contract or delivery account that its organization does not have"
	case "usernames.username_key", "usernames_pkey":
		return "a username is or was somebody else's, maybe a temporary one"
	case "membership_user":
		return "a membership that is neither invited nor superseded is some user's"
	case "membership_temporary_username":
		return "an invited membership has a temporary username"
	case "invitation_accepted":
		return "an invitation is accepted by a user at a time, and no other invitation is"
	case "invitation_expiry":
		return "an invitation expires before it was made"
	case "invitations.membership_id", "invitations_membership_id_key":
		return "a membership has one invitation, and it has another"
	case "audit_events.organization_id, audit_events.sequence", "audit_events_pkey":
		return "an audit event has the number of another"
	case "audit events are never changed", "audit events are never deleted", "audit_events_stay":
		return "audit events are never changed or deleted"
	case "FOREIGN KEY constraint failed":
		return "a record still needs what would change: the company of granted accounts, an organization with companies, an account others lie in"
	}
	if strings.HasSuffix(constraint, "_fkey") {
		return sentence("FOREIGN KEY constraint failed") // which of them, only PostgreSQL says
	}
	return "the directory's rules refuse it (" + constraint + ")"
}

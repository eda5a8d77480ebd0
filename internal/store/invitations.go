package store

import (
	"database/sql"
	"time"

	"github.com/postern-authz/postern/internal/pap"
)

// The address of an invitation is a member if it is that of one or who accepted
// the invitation still is one.
const selectInvitations = `
	SELECT i.id, i.organization_id, i.membership_id, i.email, i.email_key, i.state, m.role_id, i.inviter,
		i.generation, i.failed_attempts, i.deliver, i.ttl, i.send_count, i.last_sent_at, i.delivery, COALESCE(i.delivery_reason, ''),
		i.expires_at, i.created_at, i.accepted_at, COALESCE(i.accepted_user_id, ''), i.changed_revision,
		EXISTS (SELECT 1 FROM users u JOIN memberships x ON x.user_id = u.id WHERE u.email_key = i.email_key
			AND x.organization_id = i.organization_id AND x.state IN ('active', 'suspended'))
		OR EXISTS (SELECT 1 FROM memberships x WHERE x.user_id = i.accepted_user_id
			AND x.organization_id = i.organization_id AND x.state IN ('active', 'suspended'))
	FROM invitations i JOIN memberships m ON m.id = i.membership_id`

func readInvitation(row *sql.Rows) (i pap.Invitation, err error) {
	var ttl int64
	var sent, expires, created, accepted *int64
	err = scan(row, &i.ID, &i.Organization, &i.Member, &i.Email, &i.EmailKey, &i.State, &i.Role, kept{&i.Inviter},
		&i.Generation, &i.FailedAttempts, &i.Deliver, &ttl, &i.SendCount, &sent, &i.Delivery.State, &i.Delivery.FailedReason,
		&expires, &created, &accepted, &i.AcceptedUser, &i.Revision, &i.UserCreated)
	i.TTL, i.LastSentAt = time.Duration(ttl)*time.Millisecond, moment(sent)
	i.ExpiresAt, i.CreatedAt, i.AcceptedAt = instant(expires), instant(created), moment(accepted)
	i.SignupCompleted = i.State == "accepted"
	return i, err
}

// Invitation gives the state that is kept: one that expired is pending.
func (r reader) Invitation(organization, id string) (pap.Invitation, error) {
	var w where
	w.is("i.id = ?", id)
	w.text("i.organization_id = ?", organization)
	query := selectInvitations + w.sql("i.id", 1)
	i, err := one(r, "invitation "+id, readInvitation, query, w.arguments...)
	if err != nil {
		return i, err
	}
	grants, err := r.grantsOf(i.Member)
	if err != nil {
		return i, err
	}
	i.Grants = grants[0]
	return i, nil
}

// Invitations gives the states that are kept: one that expired is pending. A
// query for those pending leaves out what expired by its Now.
func (r reader) Invitations(q pap.InvitationQuery) ([]pap.Invitation, error) {
	w := invitationsWhere(q)
	query := selectInvitations + w.page("i", q.Page)
	found, err := list(r, readInvitation, query, w.arguments...)
	if err != nil {
		return nil, err
	}
	members := make([]string, len(found))
	for n, i := range found {
		members[n] = i.Member
	}
	grants, err := r.grantsOf(members...)
	for n := range grants {
		found[n].Grants = grants[n]
	}
	return found, err
}

func invitationsWhere(q pap.InvitationQuery) *where {
	w := &where{}
	w.is("i.organization_id = ?", q.Organization)
	w.text("i.email_key = ?", q.EmailKey)
	switch q.State {
	case "pending":
		w.is("i.state = 'pending'")
		w.at("i.expires_at > ?", q.Now)
	case "expired":
		w.is("i.state = 'pending'")
		w.at("i.expires_at <= ?", q.Now)
	default:
		w.text("i.state = ?", q.State)
	}
	return w
}

func (r reader) OpenInvitations(organization string, now time.Time) (int, error) {
	const query = `SELECT count(*) FROM invitations WHERE organization_id = $1 AND state = 'pending' AND expires_at > $2`
	return r.number(query, organization, now.UnixMilli())
}

func (r reader) Sent(since time.Time, emailKey, inviter, organization string) (pap.Counts, error) {
	const query = `
		SELECT (SELECT count(*) FROM sent_mails WHERE email_key = $2 AND sent_at >= $1),
			(SELECT count(*) FROM invitations WHERE inviter_id = $3 AND created_at >= $1),
			(SELECT count(*) FROM invitations WHERE organization_id = $4 AND created_at >= $1)`
	return one(r, "counts", func(row *sql.Rows) (c pap.Counts, err error) {
		return c, scan(row, &c.Recipient, &c.Inviter, &c.Organization)
	}, query, since.UnixMilli(), emailKey, inviter, organization)
}

func (c change) PutInvitation(i pap.Invitation) error {
	return c.upsert("invitations", "id",
		column{name: "id", value: i.ID},
		column{name: "organization_id", value: i.Organization},
		column{name: "membership_id", value: i.Member},
		column{name: "email", value: i.Email},
		column{name: "email_key", value: i.EmailKey},
		column{name: "state", value: i.State},
		column{name: "generation", value: i.Generation},
		column{name: "failed_attempts", value: i.FailedAttempts},
		column{name: "deliver", value: i.Deliver},
		column{name: "ttl", value: i.TTL.Milliseconds()},
		column{name: "send_count", value: i.SendCount},
		column{name: "last_sent_at", value: when(i.LastSentAt)},
		column{name: "delivery", value: i.Delivery.State},
		column{name: "delivery_reason", value: optional(i.Delivery.FailedReason)},
		column{name: "inviter", value: kept{i.Inviter}},
		column{name: "inviter_id", value: i.Inviter.ID},
		column{name: "expires_at", value: i.ExpiresAt.UnixMilli()},
		column{name: "created_at", value: i.CreatedAt.UnixMilli(), first: true},
		column{name: "accepted_at", value: when(i.AcceptedAt)},
		column{name: "accepted_user_id", value: optional(i.AcceptedUser)},
		column{name: "changed_revision", value: int64(c.reader.revision)},
	)
}

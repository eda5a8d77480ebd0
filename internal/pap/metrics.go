package pap

import (
	"errors"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// other stands for a type of event that is not listed here, so that the series
// are those of this list whatever is noted.
const other = "other"

// eventTypes are what the trail tells of, as the Type of its events says it.
func eventTypes() []string {
	return []string{
		"account.changed", "account.deleted", "account.moved",
		"account_group.changed", "account_group.deleted",
		"company.changed", "company.deleted",
		"invitation.accept_failed", "invitation.accepted", "invitation.created", "invitation.not_honoured", "invitation.resent",
		"invitation.revoked", "invitation.send_failed", "invitation.sent", "invitation.superseded", "invitation.updated",
		"member.activated", "member.cloned", "member.cpni_changed", "member.created", "member.email_change_confirmed",
		"member.email_change_requested", "member.email_changed", "member.grants_changed", "member.mfa_changed", "member.purged",
		"member.reactivated", "member.removed", "member.restored", "member.role_changed", "member.suspended",
		"member.tool_granted", "member.tool_revoked", "member.updated", "member.username_changed",
		"organization.created", "organization.updated",
		"password.changed", "password.check_failed", "password.locked", "password.reset_requested", "password.set_by_admin",
		"role.changed", "role.deleted",
		"service_token.created", "service_token.revoked",
		"tool.changed",
		"webhook.created", "webhook.deleted", "webhook.disabled", "webhook.redelivered", "webhook.secret_rotated", "webhook.updated",
		other,
	}
}

// newEvents counts what was changed. Every series exists from the start.
func newEvents(to prometheus.Registerer) *prometheus.CounterVec {
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_audit_events_total",
		Help: "Changes of the directory that this server has committed, by the type of the event in the audit trail.",
	}, []string{"type"})
	for _, t := range eventTypes() {
		events.WithLabelValues(t)
	}
	var before prometheus.AlreadyRegisteredError
	if to != nil && errors.As(to.Register(events), &before) {
		return before.ExistingCollector.(*prometheus.CounterVec) // of another PAP of this server
	}
	return events
}

// happened counts events that were committed.
func (p *PAP) happened(events []Event) {
	for _, e := range events {
		kind := e.Type
		if !slices.Contains(eventTypes(), kind) {
			kind = other
		}
		p.counted.WithLabelValues(kind).Inc()
	}
}

package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func invitationColumns() []column {
	return []column{
		{"ID", "id"}, {"EMAIL", "email"}, {"ROLE", "role"}, {"STATE", "state"}, {"SENT", "send_count"}, {"DELIVERY", "delivery.state"},
		{"FAILED", "delivery.failed_reason"}, {"EXPIRES", "expires_at"},
	}
}

// invitedColumns are those of an answer with an invitation in it.
func invitedColumns() []column {
	columns := invitationColumns()
	for i := range columns {
		columns[i].at = "invitation." + columns[i].at
	}
	return append(columns, column{"MEMBER", "member.id"}, column{"LINK", "link"})
}

func inviteCommand(s streams) *cobra.Command {
	c, a := adminCommand(s, "invite", "Invite people and follow their invitations")
	c.AddCommand(
		inviteCreateCommand(a), inviteListCommand(a),
		a.inviteAction("resend", "Mail an invitation again; the link before is dead", "/resend"),
		a.inviteAction("revoke", "End an invitation, and with it its link", "/revoke"),
	)
	return c
}

func inviteCreateCommand(a *admin) *cobra.Command {
	body := map[string]any{}
	var g grantFlags
	c := &cobra.Command{
		Use: "create ORGANIZATION EMAIL", Short: "Invite somebody, with a role and what comes with it",
		Args: exactly("create", "an organization", "an e-mail address"),
		RunE: func(c *cobra.Command, args []string) error {
			body["email"], body["grants"] = args[1], g.grants()
			return a.do(c.Context(), request{method: http.MethodPost, path: in("organizations/%s/invitations", args[0]), body: body}, invitedColumns())
		},
	}
	for _, f := range []struct{ flag, member, help string }{
		{"role", "role", "the role, such as regular (required)"},
		{"given-name", "given_name", "the given name"},
		{"family-name", "family_name", "the family name"},
		{"affiliation", "affiliation", "customer (default), end_customer or account_team"},
		{"ttl", "ttl", "how long it lasts, from 1h to 720h (default: the organization's)"},
		{"deliver", "deliver", "email (default), return_link to print the link, or none"},
		{"acknowledgement", "acknowledgement", "what you agreed to"},
	} {
		c.Flags().Func(f.flag, f.help, func(value string) error { body[f.member] = value; return nil })
	}
	c.Flags().BoolFunc("cpni", "authorize for customer proprietary network information", func(string) error { body["cpni_authorized"] = true; return nil })
	_ = c.MarkFlagRequired("role")
	g.add(c)
	return a.changes(c)
}

func inviteListCommand(a *admin) *cobra.Command {
	query := url.Values{}
	c := &cobra.Command{
		Use: "list ORGANIZATION", Short: "List invitations, newest first", Args: exactly("list", "an organization"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.list(c.Context(), in("organizations/%s/invitations", args[0]), query, invitationColumns())
		},
	}
	c.Flags().Func("state", "only those that are pending, accepted, expired, revoked or superseded", func(value string) error { query.Set("state", value); return nil })
	return c
}

func (a *admin) inviteAction(verb, short, what string) *cobra.Command {
	return a.changes(&cobra.Command{
		Use: verb + " ORGANIZATION INVITATION", Short: short, Args: exactly(verb, "an organization", "the id of an invitation (inv_...)"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.do(c.Context(), request{method: http.MethodPost, path: in("organizations/%s/invitations/%s", args...) + what}, invitationColumns())
		},
	})
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/authz"
)

func memberColumns() []column {
	return []column{
		{"ID", "id"}, {"USERNAME", "username"}, {"TEMPORARY", "temporary_username"}, {"EMAIL", "email"}, {"GIVEN NAME", "given_name"},
		{"FAMILY NAME", "family_name"}, {"ROLE", "role"}, {"STATE", "state"}, {"AFFILIATION", "affiliation"},
	}
}

func memberDetails() []column {
	return append(memberColumns(),
		column{"USER", "user"}, column{"CPNI", "cpni_authorized"}, column{"MFA", "mfa.enrolled"}, column{"COMPANIES", "grants.companies"},
		column{"ACCOUNTS", "grants.accounts"}, column{"ACCOUNT GROUPS", "grants.account_groups"}, column{"TOOLS", "grants.tools"},
		column{"CREATED", "created_at"}, column{"PURGE", "purge_at"})
}

func memberCommand(s streams) *cobra.Command {
	c, a := adminCommand(s, "member", "Manage the members of an organization")
	c.AddCommand(
		memberListCommand(a), memberShowCommand(a), memberCreateCommand(a),
		a.memberAction("suspend", "Keep a member out until it is reactivated", http.MethodPost, "/suspend"),
		a.memberAction("reactivate", "Let a suspended member in again", http.MethodPost, "/reactivate"),
		a.memberAction("remove", "Remove a member; the operator can restore it until it is purged", http.MethodDelete, ""),
		a.memberAction("purge", "Take what is personal from a removed member, for good", http.MethodPost, "/purge"),
		memberRestoreCommand(a), memberRoleCommand(a), memberGrantCommand(a, "grant", "Give a member companies, accounts, account groups or tools", "add"),
		memberGrantCommand(a, "revoke", "Take companies, accounts, account groups or tools from a member", "remove"),
		memberCloneCommand(a), memberAccessCommand(a),
	)
	return c
}

// member is the path of a member, who is named by its id or its username.
func (a *admin) member(ctx context.Context, args []string) (string, error) {
	organization, name := args[0], args[1]
	if strings.HasPrefix(name, authz.PrefixMembership) {
		return in("organizations/%s/members/%s", organization, name), nil
	}
	path := ""
	query := url.Values{"q": {name}, "show_removed": {"true"}}
	err := a.all(ctx, in("organizations/%s/members", organization), query, func(item json.RawMessage) error {
		var m struct{ ID, Username string }
		err := json.Unmarshal(item, &m)
		if m.Username == name {
			path = in("organizations/%s/members/%s", organization, m.ID)
		}
		return err
	})
	if err == nil && path == "" {
		err = fmt.Errorf("nobody in %s has the username %q; `postern member list %s` shows who is there: %w", organization, name, organization, authz.ErrNotFound)
	}
	return path, err
}

// onMember asks something about a member.
func (a *admin) onMember(ctx context.Context, args []string, method, what string, body any, columns []column) error {
	path, err := a.member(ctx, args)
	if err != nil {
		return err
	}
	return a.do(ctx, request{method: method, path: path + what, body: body}, columns)
}

func (a *admin) memberAction(verb, short, method, what string) *cobra.Command {
	return a.changes(&cobra.Command{
		Use: verb + " ORGANIZATION MEMBER", Short: short, Args: exactly(verb, "an organization", "a member, by id or username"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onMember(c.Context(), args, method, what, nil, memberColumns())
		},
	})
}

func memberListCommand(a *admin) *cobra.Command {
	query := url.Values{}
	c := &cobra.Command{
		Use: "list ORGANIZATION", Short: "List members, newest first", Args: exactly("list", "an organization"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.list(c.Context(), in("organizations/%s/members", args[0]), query, memberColumns())
		},
	}
	for _, f := range []struct{ flag, param, help string }{
		{"state", "state", "only those that are invited, active, suspended or removed"},
		{"role", "role", "only those with the role"},
		{"account", "account", "only those who were given the account"},
		{"tool", "tool", "only those who were given the tool"},
		{"search", "q", "only those with this in the name, username or address"},
	} {
		c.Flags().Func(f.flag, f.help, func(value string) error { query.Set(f.param, value); return nil })
	}
	c.Flags().BoolFunc("removed", "removed ones too", func(value string) error { query.Set("show_removed", value); return nil })
	return c
}

func memberShowCommand(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "show ORGANIZATION MEMBER", Short: "Show a member with its grants", Args: exactly("show", "an organization", "a member, by id or username"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onMember(c.Context(), args, http.MethodGet, "", nil, memberDetails())
		},
	}
}

func memberCreateCommand(a *admin) *cobra.Command {
	return a.changes(&cobra.Command{
		Use: "create ORGANIZATION FILE", Short: "Make a member with a password of its own, without mail",
		Long: `The file is a JSON object with username, password, email, given_name, family_name,
phone, country, role and perhaps grants, as the API has it. Invite people instead
where they have an address: then nobody else knows their password.`,
		Args: exactly("create", "an organization", "a file"),
		RunE: func(c *cobra.Command, args []string) error {
			body, err := jsonFile(args[1])
			if err != nil {
				return err
			}
			return a.do(c.Context(), request{method: http.MethodPost, path: in("organizations/%s/members", args[0]), body: body}, memberDetails())
		},
	})
}

func memberRestoreCommand(a *admin) *cobra.Command {
	var role string
	var g grantFlags
	c := &cobra.Command{
		Use: "restore ORGANIZATION MEMBER", Short: "Restore a removed member, with the grants that are named and no others",
		Args: exactly("restore", "an organization", "a member, by id or username"),
		RunE: func(c *cobra.Command, args []string) error {
			body := map[string]any{"grants": g.grants()}
			if role != "" {
				body["role"] = role
			}
			return a.onMember(c.Context(), args, http.MethodPost, "/restore", body, memberDetails())
		},
	}
	c.Flags().StringVar(&role, "role", "", "its role (default: the one it had)")
	g.add(c)
	return a.changes(c)
}

func memberRoleCommand(a *admin) *cobra.Command {
	return a.changes(&cobra.Command{
		Use: "role ORGANIZATION MEMBER ROLE", Short: "Give a member another role", Args: exactly("role", "an organization", "a member, by id or username", "a role"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onMember(c.Context(), args, http.MethodPut, "/role", map[string]any{"role": args[2]}, memberColumns())
		},
	})
}

func memberAccessCommand(a *admin) *cobra.Command {
	columns := []column{{"ROLE", "role.name"}, {"PERMISSIONS", "role.permissions"}, {"ACCOUNTS", "accounts"}, {"TOOLS", "tools"}}
	return &cobra.Command{
		Use: "access ORGANIZATION MEMBER", Short: "Show what a member can reach", Args: exactly("access", "an organization", "a member, by id or username"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onMember(c.Context(), args, http.MethodGet, "/access", nil, columns)
		},
	}
}

// exactly wants these arguments and says which.
func exactly(command string, what ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != len(what) {
			return usage(fmt.Errorf("%s needs %s", command, strings.Join(what, ", and ")))
		}
		return nil
	}
}

package main

import (
	"errors"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

// grantFlags are companies, accounts, account groups and tools on a command
// line.
type grantFlags struct {
	companies, wholeCompanies, accounts, groups, tools []string
}

func (g *grantFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringSliceVar(&g.companies, "company", nil, "a company; may be repeated")
	f.StringSliceVar(&g.wholeCompanies, "company-with-accounts", nil, "a company with all its accounts; may be repeated")
	f.StringSliceVar(&g.accounts, "account", nil, "an account; may be repeated")
	f.StringSliceVar(&g.groups, "account-group", nil, "an account group; may be repeated")
	f.StringArrayVar(&g.tools, "tool", nil, "a product tool, with its accounts after a colon, as in wan_analysis:a-1,a-2; may be repeated")
}

// grants are the flags as the API has them.
func (g *grantFlags) grants() map[string]any {
	companies, accounts, tools := []any{}, []any{}, []any{}
	for _, id := range g.companies {
		companies = append(companies, map[string]any{"id": id, "all_accounts": false})
	}
	for _, id := range g.wholeCompanies {
		companies = append(companies, map[string]any{"id": id, "all_accounts": true})
	}
	for _, id := range g.accounts {
		accounts = append(accounts, map[string]any{"id": id})
	}
	for _, word := range g.tools {
		id, list, _ := strings.Cut(word, ":")
		own := strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
		tools = append(tools, map[string]any{"id": id, "accounts": append([]string{}, own...)})
	}
	return map[string]any{"companies": companies, "accounts": accounts, "account_groups": append([]string{}, g.groups...), "tools": tools}
}

func (g *grantFlags) empty() bool {
	return len(g.companies)+len(g.wholeCompanies)+len(g.accounts)+len(g.groups)+len(g.tools) == 0
}

func memberGrantCommand(a *admin, verb, short, member string) *cobra.Command {
	var g grantFlags
	c := &cobra.Command{
		Use: verb + " ORGANIZATION MEMBER", Short: short, Args: exactly(verb, "an organization", "a member, by id or username"),
		RunE: func(c *cobra.Command, args []string) error {
			if g.empty() {
				return usage(errors.New(verb + " needs something to " + verb + ": --company, --account, --account-group or --tool"))
			}
			return a.onMember(c.Context(), args, http.MethodPatch, "/grants", map[string]any{member: g.grants()}, memberDetails())
		},
	}
	g.add(c)
	return a.changes(c)
}

func memberCloneCommand(a *admin) *cobra.Command {
	body := map[string]any{}
	c := &cobra.Command{
		Use: "clone ORGANIZATION MEMBER EMAIL", Short: "Invite somebody to be what a member is",
		Long: `Invites the address with the member's role and grants. What you may not pass on
yourself is left out and named, or refused with --strict.`,
		Args: exactly("clone", "an organization", "a member, by id or username", "an e-mail address"),
		RunE: func(c *cobra.Command, args []string) error {
			body["email"] = args[2]
			return a.onMember(c.Context(), args, http.MethodPost, "/clone", body, append(invitedColumns(), column{"LEFT OUT", "omitted"}))
		},
	}
	c.Flags().BoolFunc("strict", "refuse rather than leave something out", func(string) error { body["strict"] = true; return nil })
	c.Flags().BoolFunc("cpni", "pass on the authorization for customer proprietary network information", func(string) error { body["cpni_authorized"] = true; return nil })
	return a.changes(c)
}

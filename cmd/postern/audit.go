package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func eventColumns() []column {
	return []column{
		{"NUMBER", "sequence"}, {"TIME", "at"}, {"TYPE", "type"}, {"TARGET", "target"}, {"ACTOR", "actor.id"}, {"VIA", "actor.via"}, {"DECISION", "decision_id"},
	}
}

func auditCommand(s streams) *cobra.Command {
	c, a := adminCommand(s, "audit", "Read and check the trail of changes")
	c.AddCommand(auditListCommand(a), auditExportCommand(a), auditVerifyCommand(a))
	return c
}

// trail is the path of an organization's trail, or of what belongs to none.
func trail(args []string) string {
	if len(args) == 0 {
		return in("audit-events")
	}
	return in("organizations/%s/audit-events", args[0])
}

func anOrganizationOrNone(c *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage(fmt.Errorf("%s takes one organization, or none for what belongs to none", c.CommandPath()))
	}
	return nil
}

func auditListCommand(a *admin) *cobra.Command {
	query := url.Values{}
	c := &cobra.Command{
		Use: "list [ORGANIZATION]", Short: "List changes, newest first; without an organization those that belong to none", Args: anOrganizationOrNone,
		RunE: func(c *cobra.Command, args []string) error {
			return a.list(c.Context(), trail(args), query, eventColumns())
		},
	}
	for _, f := range []struct{ flag, help string }{
		{"type", "only events of the type, such as member.created"},
		{"actor", "only what this user, key or token did"},
		{"target", "only what happened to this"},
		{"since", "not before this time, as in 2026-11-22T00:00:00Z"},
		{"until", "not after this time"},
	} {
		c.Flags().Func(f.flag, f.help, func(value string) error { query.Set(f.flag, value); return nil })
	}
	return c
}

func auditExportCommand(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "export [ORGANIZATION]", Short: "Print the whole trail, oldest first, one JSON object a line", Args: anOrganizationOrNone,
		RunE: func(c *cobra.Command, args []string) error {
			query := url.Values{}
			for {
				body, header, err := a.ask(c.Context(), request{method: http.MethodGet, path: trail(args), query: query, accept: "application/x-ndjson"})
				if err != nil {
					return err
				}
				if _, err := a.s.out.Write(body); err != nil {
					return err
				}
				if header.Get("Postern-Next-Page-Token") == "" {
					return nil
				}
				query.Set("page_token", header.Get("Postern-Next-Page-Token"))
			}
		},
	}
}

func auditVerifyCommand(a *admin) *cobra.Command {
	return &cobra.Command{
		Use: "verify [ORGANIZATION]", Short: "Check that nothing in a trail was changed, left out or put in",
		Long: `Exits with 1 when the trail does not hold. The hash that is printed is that of the
last event: whoever keeps it elsewhere notices when the end is cut off.`,
		Args: anOrganizationOrNone,
		RunE: func(c *cobra.Command, args []string) error {
			body, _, err := a.ask(c.Context(), request{method: http.MethodGet, path: trail(args) + "/verify"})
			if err != nil {
				return err
			}
			return a.verified(body)
		},
	}
}

func (a *admin) verified(body []byte) error {
	var v struct {
		OK           bool
		Count        int64
		Detail, Head string
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("the answer says nothing of a trail: %w", err)
	}
	if !v.OK {
		return errors.New(v.Detail)
	}
	if !a.tables() {
		return printLine(a.s.out, body)
	}
	_, err := fmt.Fprintf(a.s.out, "%d events, as they were written; the last has the hash %s\n", v.Count, v.Head)
	return err
}

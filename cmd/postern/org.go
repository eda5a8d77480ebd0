package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/spf13/cobra"
)

func organizationColumns() []column {
	return []column{{"ID", "id"}, {"KIND", "kind"}, {"NAME", "name"}, {"SEATS", "seats_used"}, {"LIMIT", "seat_limit"}}
}

func orgCommand(s streams) *cobra.Command {
	c, a := adminCommand(s, "org", "Manage organizations")
	c.AddCommand(
		&cobra.Command{
			Use: "list", Short: "List organizations", Args: noArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				return a.list(c.Context(), in("organizations"), nil, organizationColumns())
			},
		},
		&cobra.Command{
			Use: "show ORGANIZATION", Short: "Show an organization with its settings", Args: exactly("show", "an organization"),
			RunE: func(c *cobra.Command, args []string) error {
				return a.do(c.Context(), request{method: http.MethodGet, path: in("organizations/%s", args[0])},
					append(organizationColumns(), column{"SETTINGS", "settings"}))
			},
		},
		orgCreateCommand(a), orgUpdateCommand(a),
	)
	return c
}

// orgFlags are what an organization is made of.
type orgFlags struct {
	kind, name, settings string
	seats                int
}

func (o *orgFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&o.name, "name", "", "what people call it")
	c.Flags().IntVar(&o.seats, "seat-limit", 0, "most members it may have (default: no limit)")
	c.Flags().StringVar(&o.settings, "settings", "", "file with its settings as a JSON object")
}

// body has the flags that were given.
func (o *orgFlags) body(c *cobra.Command) (map[string]any, error) {
	body := map[string]any{}
	for flag, value := range map[string]any{"name": o.name, "kind": o.kind, "seat-limit": o.seats} {
		if c.Flags().Changed(flag) {
			body[map[string]string{"name": "name", "kind": "kind", "seat-limit": "seat_limit"}[flag]] = value
		}
	}
	if o.settings == "" {
		return body, nil
	}
	settings, err := jsonFile(o.settings)
	body["settings"] = settings
	return body, err
}

// jsonFile reads a file that has to be JSON.
func jsonFile(path string) (json.RawMessage, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, usage(err)
	}
	if !json.Valid(raw) {
		return nil, usage(fmt.Errorf("%s is not JSON", path))
	}
	return raw, nil
}

func orgCreateCommand(a *admin) *cobra.Command {
	var o orgFlags
	c := &cobra.Command{
		Use: "create ORGANIZATION", Short: "Make an organization, by the key that the portal knows it by", Args: exactly("create", "a key for the organization"),
		RunE: func(c *cobra.Command, args []string) error {
			body, err := o.body(c)
			if err != nil {
				return err
			}
			body["id"], body["kind"] = args[0], o.kind
			return a.do(c.Context(), request{method: http.MethodPost, path: in("organizations"), body: body}, organizationColumns())
		},
	}
	o.add(c)
	c.Flags().StringVar(&o.kind, "kind", "customer", "customer, partner or operator")
	return a.changes(c)
}

func orgUpdateCommand(a *admin) *cobra.Command {
	var o orgFlags
	c := &cobra.Command{
		Use: "update ORGANIZATION", Short: "Change an organization's name, seats or settings", Args: exactly("update", "an organization"),
		RunE: func(c *cobra.Command, args []string) error {
			body, err := o.body(c)
			if err != nil {
				return err
			}
			return a.do(c.Context(), request{method: http.MethodPatch, path: in("organizations/%s", args[0]), body: body}, organizationColumns())
		},
	}
	o.add(c)
	return a.changes(c)
}

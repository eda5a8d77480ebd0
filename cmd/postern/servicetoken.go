package main

import (
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

func tokenColumns() []column {
	return []column{
		{"ID", "id"}, {"NAME", "name"}, {"KIND", "kind"}, {"SCOPES", "scopes"}, {"ORGANIZATIONS", "organizations"},
		{"CREATED", "created_at"}, {"EXPIRES", "expires_at"}, {"REVOKED", "revoked_at"},
	}
}

// tokenCommand is apart from keyCommand: app keys ask for decisions and are made
// on the database, while service tokens administer and are made by who may, over
// the API, with a row in the trail.
func tokenCommand(s streams) *cobra.Command {
	c, a := adminCommand(s, "token", "Manage the service tokens and operator keys that administer")
	c.AddCommand(
		tokenCreateCommand(a),
		&cobra.Command{
			Use: "list", Short: "List service tokens and operator keys, without what they are", Args: noArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				return a.list(c.Context(), in("service-tokens"), nil, tokenColumns())
			},
		},
		a.changes(&cobra.Command{
			Use: "revoke ID", Short: "End a service token or operator key; servers refuse it within a second", Args: exactly("revoke", "the id of a token"),
			RunE: func(c *cobra.Command, args []string) error {
				return a.do(c.Context(), request{method: http.MethodDelete, path: in("service-tokens/%s", args[0])}, tokenColumns())
			},
		}),
	)
	return c
}

func tokenCreateCommand(a *admin) *cobra.Command {
	body := map[string]any{}
	var scopes, organizations []string
	var expires time.Duration
	var operator bool
	var out string
	c := &cobra.Command{
		Use: "create NAME", Short: "Make a service token and print it, once",
		Long: `The secret is in the answer and nowhere else. What a token may be used for are its
scopes: act (whatever the user may that it acts for), act.read, sync, identity, replicate,
and operator. --operator-key makes an operator key instead, which is for
everything.

With --out the secret goes into a file that only its owner may read, and is not
printed. If there is such a file, nothing is made: a script may ask again.`,
		Args: exactly("create", "a name, after who uses it"),
		RunE: func(c *cobra.Command, args []string) error {
			body["name"] = args[0]
			switch {
			case operator:
				body["kind"] = "operator_key"
			default:
				body["scopes"], body["organizations"] = scopes, append([]string{}, organizations...)
				body["expires_at"] = time.Now().Add(expires).UTC().Format(time.RFC3339)
			}
			r := request{method: http.MethodPost, path: in("service-tokens"), body: body}
			if out != "" {
				return a.keep(c.Context(), r, out)
			}
			return a.do(c.Context(), r, append(tokenColumns(), column{"SECRET", "secret"}))
		},
	}
	c.Flags().StringSliceVar(&scopes, "scope", []string{"act"}, "what it is for; may be repeated")
	c.Flags().StringSliceVar(&organizations, "organization", nil, "an organization it is bound to; may be repeated (default: all)")
	c.Flags().DurationVar(&expires, "expires", 90*24*time.Hour, "how long it is good for, at most a year")
	c.Flags().BoolVar(&operator, "operator-key", false, "make an operator key")
	c.Flags().StringVar(&out, "out", "", "a file for the secret, in place of printing it")
	a.changes(c).MarkFlagsMutuallyExclusive("out", "dry-run")
	c.MarkFlagsMutuallyExclusive("operator-key", "scope")
	c.MarkFlagsMutuallyExclusive("operator-key", "organization")
	return c
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/app"
	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/store"
)

func keyCommand(s streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "Manage the app keys by which applications prove who they are",
		Args:  knownCommand,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(keyCreateCommand(s), keyListCommand(s), keyRevokeCommand(s))
	return c
}

func keyCreateCommand(s streams) *cobra.Command {
	var (
		key         store.AppKey
		certificate string
		expires     time.Duration
	)
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Make an app key and print it, once",
		Long: `Prints the key on standard output. It is kept only as a hash and cannot be shown
again. Without --organization it may ask about every organization, without
--action about every action.

With --certificate nothing is printed: whoever shows the client certificate of
that name is held to the same limits, and kept out when the key is revoked.`,
		Args: one("create", "a name for the key, such as the application's"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkScope(c, key, expires); err != nil {
				return usage(err)
			}
			key.Name, key.CreatedAt = args[0], time.Now()
			if expires > 0 {
				key.ExpiresAt = key.CreatedAt.Add(expires)
			}
			id, secret, hash := httpserver.NewAppKey()
			key.ID, key.Hash = cmp.Or(certificate, id), hash[:]
			return withStore(c, s, func(st *store.Store) error {
				if err := wantOrganizations(c.Context(), st, key.Organizations); err != nil {
					return err
				}
				err := st.PutAppKey(c.Context(), key)
				if err != nil || certificate != "" {
					return err // the secret of a certificate's key is nobody's
				}
				_, err = fmt.Fprintln(s.out, secret)
				return err
			})
		},
	}
	c.Flags().StringSliceVar(&key.Organizations, "organization", nil, "an organization it may ask about; may be repeated")
	c.Flags().StringSliceVar(&key.Actions, "action", nil, "a prefix of the actions it may ask about, such as invoice.; may be repeated")
	c.Flags().StringVar(&certificate, "certificate", "", "the client certificate it is for, by its first DNS name, else its first URI, else its common name")
	c.Flags().DurationVar(&expires, "expires", 0, "how long it is good for, such as 720h (default: until it is revoked)")
	return c
}

// checkScope refuses what would make a key for more than was meant: an empty
// value, as an unset variable of a script leaves one, restricts nothing.
func checkScope(c *cobra.Command, key store.AppKey, expires time.Duration) error {
	empty := func(flag string, values []string) bool {
		return c.Flags().Changed(flag) && (len(values) == 0 || slices.Contains(values, ""))
	}
	switch {
	case empty("organization", key.Organizations):
		return errors.New("--organization is empty, which would not restrict the key: name one, or leave it out")
	case empty("action", key.Actions):
		return errors.New("--action is empty, which would not restrict the key: name a prefix such as invoice., or leave it out")
	case c.Flags().Changed("certificate") && c.Flag("certificate").Value.String() == "":
		return errors.New("--certificate is empty: give the name in the client certificate, or leave it out")
	case c.Flags().Changed("expires") && expires <= 0:
		return errors.New("--expires is how long the key is good for, such as 720h: leave it out for a key without an end")
	}
	for _, o := range key.Organizations {
		if err := authz.CheckKey(o); err != nil {
			return fmt.Errorf("--organization: %w", err)
		}
	}
	return nil
}

// wantOrganizations refuses a key for an organization that is not there: with a
// slip in its name nobody would be answered, or whoever gets that name later.
func wantOrganizations(ctx context.Context, st *store.Store, ids []string) error {
	keys := make([]authz.Key, len(ids))
	for i, id := range ids {
		keys[i] = authz.Key{Kind: authz.KindOrganization, ID: id}
	}
	documents, _, err := st.Read(ctx, keys)
	for i, d := range documents {
		if d.Place == nil {
			return fmt.Errorf("--organization: the directory has no organization %s; import or create it first", ids[i])
		}
	}
	return err
}

func keyListCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the app keys, without what they are",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withStore(c, s, func(st *store.Store) error {
				keys, err := st.AppKeys(c.Context())
				if err != nil {
					return err
				}
				return printKeys(s, keys)
			})
		},
	}
}

func printKeys(s streams, keys []store.AppKey) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ID\tNAME\tORGANIZATIONS\tACTIONS\tCREATED\tSTATE")
	for _, k := range keys {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name,
			cmp.Or(strings.Join(k.Organizations, ","), "all"), cmp.Or(strings.Join(k.Actions, ","), "all"),
			k.CreatedAt.UTC().Format(time.DateOnly), keyState(k, time.Now()))
	}
	return w.Flush()
}

func keyState(k store.AppKey, now time.Time) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked " + k.RevokedAt.UTC().Format(time.DateOnly)
	case k.ExpiresAt.IsZero():
		return "good"
	case !now.Before(k.ExpiresAt):
		return "expired " + k.ExpiresAt.UTC().Format(time.DateOnly)
	}
	return "good until " + k.ExpiresAt.UTC().Format(time.RFC3339)
}

func keyRevokeCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "End an app key; servers refuse it within a second",
		Args:  one("revoke", "the id of a key, as `postern key list` shows it"),
		RunE: func(c *cobra.Command, args []string) error {
			return withStore(c, s, func(st *store.Store) error {
				return st.RevokeAppKey(c.Context(), args[0])
			})
		},
	}
}

// withStore runs fn on the configured directory.
func withStore(c *cobra.Command, s streams, fn func(*store.Store) error) error {
	cfg, err := load(s)
	if err != nil {
		return err
	}
	st, err := app.OpenStore(c.Context(), cfg, quiet(s))
	if err != nil {
		return err
	}
	defer st.Close()
	return fn(st)
}

// one wants exactly one argument and says which.
func one(command, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage(fmt.Errorf("%s needs %s", command, what))
		}
		return nil
	}
}

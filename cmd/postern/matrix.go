package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/policy"
)

// writeMatrix writes what each role may do as a Markdown table: an action a
// line, a role a column.
func writeMatrix(ctx context.Context, w io.Writer, g *policy.Generation) error {
	answer, err := g.Query(ctx, policy.MatrixTable, nil)
	if errors.Is(err, policy.ErrUndefined) {
		return fmt.Errorf("%s does not answer %s, so it has no matrix: %w", g.Revision(), policy.MatrixTable, err)
	}
	if err != nil {
		return err
	}
	var table map[string][]string // action to roles
	if err := json.Unmarshal(answer.AppendJSON(nil), &table); err != nil {
		return fmt.Errorf("%s is no table of roles by action: %w", policy.MatrixTable, err)
	}
	return printMatrix(w, table)
}

func printMatrix(w io.Writer, table map[string][]string) error {
	actions := slices.Sorted(maps.Keys(table))
	roles := columns(table)
	width := len("action")
	for _, a := range actions {
		width = max(width, len(a))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| %-*s | %s |\n|%s|", width, "action", strings.Join(roles, " | "), strings.Repeat("-", width+2))
	for _, r := range roles {
		b.WriteString(":" + strings.Repeat("-", len(r)) + ":|")
	}
	for _, a := range actions {
		fmt.Fprintf(&b, "\n| %-*s |", width, a)
		for _, r := range roles {
			mark := ""
			if slices.Contains(table[a], r) {
				mark = "x"
			}
			fmt.Fprintf(&b, " %-*s |", len(r), mark)
		}
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}

func columns(table map[string][]string) []string {
	roles := map[string]bool{}
	for _, held := range table {
		for _, r := range held {
			roles[r] = true
		}
	}
	return slices.Sorted(maps.Keys(roles))
}

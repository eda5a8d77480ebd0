package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
)

// A column is the heading of one value of a resource, and where it is: members
// are separated by dots.
type column struct{ heading, at string }

// tables tells whether to print tables: to a person at a terminal.
func (a *admin) tables() bool {
	file, ok := a.s.out.(*os.File)
	if !ok || a.json {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// list prints a list: a table on a terminal, else one JSON object a line.
func (a *admin) list(ctx context.Context, path string, query url.Values, columns []column) error {
	if !a.tables() {
		return a.all(ctx, path, query, func(item json.RawMessage) error { return printLine(a.s.out, item) })
	}
	var rows []any
	err := a.all(ctx, path, query, func(item json.RawMessage) error {
		v, err := decoded(item)
		rows = append(rows, v)
		return err
	})
	if err != nil {
		return err
	}
	return printTable(a.s.out, columns, rows)
}

// do sends a request and prints its answer: what the columns name on a terminal,
// else JSON.
func (a *admin) do(ctx context.Context, r request, columns []column) error {
	body, _, err := a.ask(ctx, r)
	if err != nil {
		return err
	}
	if !a.tables() {
		return printLine(a.s.out, body)
	}
	v, err := decoded(body)
	if err != nil {
		return err
	}
	return printFields(a.s.out, columns, v)
}

func decoded(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

func printLine(w io.Writer, text []byte) error {
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}

func printTable(w io.Writer, columns []column, rows []any) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	headings := make([]string, len(columns))
	for i, c := range columns {
		headings[i] = c.heading
	}
	_, _ = fmt.Fprintln(t, strings.Join(headings, "\t"))
	for _, row := range rows {
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = cell(row, c.at)
		}
		_, _ = fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// printFields prints one resource, a value a line, and leaves out what it has
// not.
func printFields(w io.Writer, columns []column, v any) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range columns {
		if text := cell(v, c.at); text != "" {
			_, _ = fmt.Fprintf(t, "%s\t%s\n", strings.ToLower(c.heading), text)
		}
	}
	return t.Flush()
}

// cell is a value as people read it. What a stranger wrote may hold anything: it
// moves no cursor.
func cell(v any, at string) string {
	for name := range strings.SplitSeq(at, ".") {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 {
			return '?'
		}
		return r
	}, text(v))
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case []any:
		parts := make([]string, len(v))
		for i, element := range v {
			parts[i] = text(element)
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		return grantText(v)
	}
	return fmt.Sprint(v)
}

// grantText is a grant in short: its id and what goes with it.
func grantText(grant map[string]any) string {
	id, ok := grant["id"].(string)
	if !ok {
		raw, _ := json.Marshal(grant)
		return string(raw)
	}
	if grant["all_accounts"] == true {
		id += " (all accounts)"
	}
	if accounts, ok := grant["accounts"].([]any); ok {
		id += " (" + text(accounts) + ")"
	}
	if until := text(grant["expires_at"]); until != "" {
		id += " until " + until
	}
	return id
}

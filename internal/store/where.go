package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/pap"
)

// A where is the conditions of a query and their arguments.
type where struct {
	terms     []string
	arguments []any
}

// is adds a condition, in which each ? stands for the next value.
func (w *where) is(term string, values ...any) {
	for _, value := range values {
		w.arguments = append(w.arguments, value)
		term = strings.Replace(term, "?", fmt.Sprintf("$%d", len(w.arguments)), 1)
	}
	w.terms = append(w.terms, term)
}

// text adds a condition on text unless the text is empty.
func (w *where) text(term, value string) {
	if value != "" {
		w.is(term, value)
	}
}

// at adds a condition on a time unless it is the zero time.
func (w *where) at(term string, t time.Time) {
	if !t.IsZero() {
		w.is(term, t.UnixMilli())
	}
}

// sql is the clause, with an order and at most limit rows.
func (w *where) sql(order string, limit int) string {
	w.arguments = append(w.arguments, atMost(limit))
	return fmt.Sprintf(" WHERE %s ORDER BY %s LIMIT $%d", strings.Join(w.terms, " AND "), order, len(w.arguments))
}

// page is the clause for a page of a table, newest first.
func (w *where) page(table string, p pap.Page) string {
	if p.After != nil {
		w.is("("+table+".created_at, "+table+".id) < (?, ?)", p.After.At.UnixMilli(), p.After.ID)
	}
	return w.sql(table+".created_at DESC, "+table+".id DESC", p.Size)
}

// containing is a pattern of LIKE with the escape \ for what contains the text.
func containing(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

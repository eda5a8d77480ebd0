package store

import (
	"fmt"
	"strings"
)

// A column is a column of a row that is written by name.
type column struct {
	name  string
	value any
	first bool // written with the row and never again
}

// upsert writes one row at once: it inserts it, or replaces the one with the
// same key. The key is the names of its columns, separated by commas.
func (t *tx) upsert(table, key string, row ...column) error {
	var names, places, sets []string
	var values []any
	for i, c := range row {
		names, places = append(names, c.name), append(places, fmt.Sprintf("$%d", i+1))
		values = append(values, c.value)
		if !c.first {
			sets = append(sets, c.name+" = excluded."+c.name)
		}
	}
	_, err := t.run(fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT (%s) DO UPDATE SET %s", table,
		strings.Join(names, ", "), strings.Join(places, ", "), key, strings.Join(sets, ", ")), values...)
	return err
}

package drift

import (
	"slices"
	"time"
)

// atOnce is how many records are in memory at a time, each with what is granted
// on it.
const atOnce = 100

// A Row is a row of a table: nil, int64 or string by column, as a backup has
// them.
type Row struct {
	Columns []string
	Values  []any
}

// value is the value of a column, which every caller has asked for.
func (r Row) value(column string) any { return r.Values[slices.Index(r.Columns, column)] }

// text is empty for NULL.
func (r Row) text(column string) string {
	text, _ := r.value(column).(string)
	return text
}

func (r Row) has(column string) bool { return r.value(column) != nil }

func (r Row) number(column string) int64 {
	n, _ := r.value(column).(int64)
	return n
}

func (r Row) flag(column string) bool { return r.number(column) != 0 }

// instant is the zero time for NULL.
func (r Row) instant(column string) time.Time {
	if !r.has(column) {
		return time.Time{}
	}
	return time.UnixMilli(r.number(column)).UTC()
}

// pages hands over a whole table, a page at a time, in the order of its first
// column.
func (c *check) pages(table string, columns []string, fn func([]Row) error) error {
	last := ""
	for {
		page, err := c.After(table, columns, last, atOnce)
		if err != nil || len(page) == 0 {
			return err
		}
		if err := fn(page); err != nil {
			return err
		}
		last = page[len(page)-1].text(columns[0])
	}
}

// gathered are rows of a table by what they belong to.
func (c *check) gathered(table string, columns []string, owners []string) (map[string][]Row, error) {
	if len(owners) == 0 {
		return nil, nil
	}
	rows, err := c.Of(table, columns, owners)
	by := map[string][]Row{}
	for _, row := range rows {
		owner := row.text(columns[0])
		by[owner] = append(by[owner], row)
	}
	return by, err
}

// one is the only row of an owner, or one in which every column is NULL.
func one(by map[string][]Row, owner string, columns []string) Row {
	if rows := by[owner]; len(rows) > 0 {
		return rows[0]
	}
	return Row{Columns: columns, Values: make([]any, len(columns))}
}

// texts are the values of a column, each once, without NULL.
func texts(rows []Row, column string) []string {
	var all []string
	for _, row := range rows {
		if row.has(column) {
			all = append(all, row.text(column))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

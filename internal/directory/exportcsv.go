package directory

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/postern-authz/postern/internal/ijson"
)

// ExportCSV writes the directory into a folder that exists, one file for each
// type of record, such as accounts.csv. Import reads the folder back into the
// same directory. Files that are there already are an error: what an earlier
// export left would be imported again.
//
// The cells say what the records say. A spreadsheet may take one that begins
// with = for a formula.
func ExportCSV(ctx context.Context, store Store, folder string) (err error) {
	tables := map[string]*table{}
	defer func() { err = errors.Join(err, closeAll(tables)) }()
	for _, t := range recordTypes() {
		opened, err := createTable(folder, t)
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		tables[t.name] = opened
	}
	e := &exporter{write: func(r record) error { return writeRow(ctx, tables, r) }}
	if err := store.View(ctx, e.all); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// A table is one file of a CSV export.
type table struct {
	file    io.Closer
	out     *csv.Writer
	columns []string
	line    []byte
}

func createTable(folder string, t recordType) (*table, error) {
	path := filepath.Join(folder, t.plural+".csv")
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	opened := &table{file: file, out: csv.NewWriter(file), columns: columns(t)}
	return opened, opened.out.Write(opened.columns)
}

// columns are the members that a record of the type can have.
func columns(t recordType) []string {
	var probe members
	t.decode(&probe)
	return probe.names
}

func writeRow(ctx context.Context, tables map[string]*table, r record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	kind, _, _ := strings.Cut(name(r), " ")
	return tables[kind].write(r)
}

// write turns the record's line into cells, so that both formats say the same.
func (t *table) write(r record) error {
	t.line = r.append(t.line[:0])
	value, err := ijson.Decode(t.line, ijson.Limits{Values: MaxLine})
	if err != nil {
		return err
	}
	members, _ := value.(map[string]any)
	cells := make([]string, len(t.columns))
	for i, column := range t.columns {
		cells[i] = cell(members[column])
	}
	return t.out.Write(cells)
}

func cell(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	case bool:
		return strconv.FormatBool(value)
	case json.Number:
		return string(value)
	case []any:
		texts := make([]string, len(value))
		for i := range value {
			texts[i] = cell(value[i])
		}
		return strings.Join(texts, ";")
	}
	return string(encode(value))
}

func closeAll(tables map[string]*table) error {
	var errs []error
	for _, t := range tables {
		t.out.Flush()
		errs = append(errs, t.out.Error(), t.file.Close())
	}
	return errors.Join(errs...)
}

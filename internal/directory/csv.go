package directory

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/postern-authz/postern/internal/authz"
)

// A csvReader reads CSV (RFC 4180). The header row names the members of the
// record type; an empty cell leaves its member out.
type csvReader struct {
	in      *csv.Reader
	budget  *budgetReader
	kind    string   // of the file's records; empty: as the column "type" says
	columns []string // nil before the header was read
	line    int      // of the last row
}

func newCSV(r io.Reader, kind string) *csvReader {
	budget := &budgetReader{in: withoutMark(r)}
	in := csv.NewReader(budget)
	in.ReuseRecord = true
	return &csvReader{in: in, budget: budget, kind: kind}
}

// withoutMark skips the byte order mark that spreadsheets write.
func withoutMark(r io.Reader) io.Reader {
	in := bufio.NewReader(r)
	if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\xEF\xBB\xBF")) {
		in.Discard(len(mark))
	}
	return in
}

func (r *csvReader) read(m *members) (int, error) {
	if r.columns == nil {
		if line, err := r.header(); err != nil {
			return line, err
		}
	}
	cells, line, err := r.row()
	if err != nil {
		return line, err
	}
	*m = members{values: make(map[string]any, len(cells)+1), cells: true, names: m.names[:0]}
	if r.kind != "" {
		m.values["type"] = r.kind
	}
	for i, cell := range cells {
		if cell != "" {
			m.values[r.columns[i]] = cell
		}
	}
	return line, r.checkType(m)
}

// checkType: a file is of one type, so that its header can be checked.
func (r *csvReader) checkType(m *members) error {
	if kind, _ := m.values["type"].(string); kind != r.kind {
		if r.kind != "" {
			return invalid("type %q in a file of type %s", kind, r.kind)
		}
		r.kind = kind
		return r.checkColumns()
	}
	return nil
}

// header reads the first row. After a bad header nothing of the file is read.
func (r *csvReader) header() (int, error) {
	cells, line, err := r.row()
	r.columns = slices.Clone(cells)
	switch {
	case err != nil:
		r.stop()
		return line, err
	case !slices.Contains(r.columns, "type") && r.kind == "":
		r.stop()
		return line, invalid("the file has no column \"type\", and its name does not begin with a type such as accounts")
	case slices.Contains(r.columns, "type"):
		r.kind = ""
		return line, nil
	}
	return line, r.checkColumns()
}

// checkColumns compares the header with what a record of the type has.
func (r *csvReader) checkColumns() error {
	probe := &members{values: map[string]any{}}
	for i, column := range r.columns {
		if slices.Contains(r.columns[:i], column) {
			r.stop()
			return invalid("column %q stands twice in the header", column)
		}
		probe.values[column] = ""
	}
	probe.take("type")
	at := rank(r.kind)
	if at < 0 {
		return nil // whoever reads the record says so
	}
	recordTypes()[at].decode(probe)
	probe.err = nil
	if err := probe.done(); err != nil {
		r.stop()
		return fmt.Errorf("the header has an %w", err)
	}
	return nil
}

// stop makes the rest of the file unread.
func (r *csvReader) stop() {
	r.in, r.columns = csv.NewReader(bytes.NewReader(nil)), []string{}
}

func (r *csvReader) row() (cells []string, line int, err error) {
	r.budget.left = MaxLine
	cells, err = r.in.Read()
	var syntax *csv.ParseError
	switch {
	case errors.As(err, &syntax):
		r.line = syntax.StartLine
		return nil, r.line, fmt.Errorf("no CSV at column %d: %w: %w", syntax.Column, syntax.Err, authz.ErrInvalid)
	case err != nil:
		return nil, r.line + 1, err
	}
	r.line, _ = r.in.FieldPos(0)
	return cells, r.line, nil
}

// A budgetReader ends a row that never ends: one with a quote too many would
// take in the rest of the file.
type budgetReader struct {
	in   io.Reader
	left int
}

func (b *budgetReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("a row is longer than %d bytes; is a quote missing?", MaxLine)
	}
	n, err := b.in.Read(p)
	b.left -= n
	return n, err
}

package test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A matrix is the table of testdata/authorization.csv: its comments stand before
// the operation that they are about.
type matrix struct {
	columns  []string
	rows     []matrixRow
	comments map[string][]string // by operation; "" has those of the file
}

// A matrixRow is what is answered when an operation is asked about some targets.
type matrixRow struct {
	operation string
	targets   []string
	statuses  []int // by column; 0: nobody of it can ask
}

const matrixFile = "testdata/authorization.csv"

// columns are the principals' columns, from those who may least.
func matrixColumns() []string {
	return strings.Fields("none unknown app_key act removed suspended foreign elsewhere identity sync others admin_us admin_eu act.read primary staff operator")
}

func readMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{comments: map[string][]string{}}
	text, err := os.ReadFile(matrixFile)
	if err != nil && !*update {
		t.Fatal(err)
	}
	var comments []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		fields := splitRow(line)
		switch {
		case line == "":
			m.comments[""], comments = append(m.comments[""], comments...), nil
		case strings.HasPrefix(line, "#"):
			comments = append(comments, line)
		case m.columns == nil:
			m.columns = fields[1 : len(fields)-1]
		default:
			row := matrixRow{operation: fields[0], targets: strings.Fields(fields[len(fields)-1])}
			for _, f := range fields[1 : len(fields)-1] {
				status, _ := strconv.Atoi(f) // "-" is 0
				row.statuses = append(row.statuses, status)
			}
			if len(row.statuses) != len(m.columns) {
				t.Fatalf("%s: %q has %d statuses, want %d", matrixFile, line, len(row.statuses), len(m.columns))
			}
			m.comments[row.operation] = append(m.comments[row.operation], comments...)
			m.rows, comments = append(m.rows, row), nil
		}
	}
	return m
}

func splitRow(line string) []string {
	fields := strings.Split(line, ",")
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	return fields
}

// compare fails the test where the answers are not those of the table.
func (m *matrix) compare(t *testing.T, known []matrixOperation, got map[cell]int) {
	t.Helper()
	want := m.cells(t, got)
	rows := map[string]bool{}
	for _, r := range m.rows {
		rows[r.operation] = true
		if !slices.ContainsFunc(known, func(o matrixOperation) bool { return o.id == r.operation }) {
			t.Errorf("%s has rows of %s, which is no operation: take them out", matrixFile, r.operation)
		}
	}
	for _, o := range known {
		if !rows[o.id] {
			t.Errorf("%s has no row of %s: run the test with -update, and review what it writes", matrixFile, o.id)
		}
	}
	for at, status := range got {
		if rows[at.operation] && want[at] != status {
			t.Errorf("%s of %s as %s: got %d, want %d", at.operation, at.target, at.principal, status, want[at])
		}
	}
	for at, status := range want {
		isKnown := slices.ContainsFunc(known, func(o matrixOperation) bool { return o.id == at.operation })
		if _, asked := got[at]; isKnown && !asked && status != 0 {
			t.Errorf("%s of %s as %s: nobody asks, and the table has %d", at.operation, at.target, at.principal, status)
		}
	}
}

// cells are the cells of the table. A star stands for all targets of the
// operation.
func (m *matrix) cells(t *testing.T, got map[cell]int) map[cell]int {
	t.Helper()
	all := map[string]map[string]bool{}
	for at := range got {
		if all[at.operation] == nil {
			all[at.operation] = map[string]bool{}
		}
		all[at.operation][at.target] = true
	}
	cells := map[cell]int{}
	for _, r := range m.rows {
		targets := r.targets
		if slices.Equal(targets, []string{"*"}) {
			targets = nil
			for name := range all[r.operation] {
				targets = append(targets, name)
			}
		}
		for _, name := range targets {
			for i, column := range m.columns {
				at := cell{r.operation, name, column}
				if _, twice := cells[at]; twice {
					t.Errorf("%s has %s of %s twice", matrixFile, r.operation, name)
				}
				cells[at] = r.statuses[i]
			}
		}
	}
	return cells
}

// write writes the table as it was answered, with the comments that it had.
func (m *matrix) write(t *testing.T, known []matrixOperation, got map[cell]int) {
	t.Helper()
	var b strings.Builder
	for _, c := range m.comments[""] {
		fmt.Fprintln(&b, c)
	}
	columns := matrixColumns()
	fmt.Fprintln(&b)
	line := func(operation, targets string, cells []string) {
		fmt.Fprintf(&b, "%-42s", operation)
		for i, c := range cells {
			fmt.Fprintf(&b, ", %*s", max(3, len(columns[i])), c)
		}
		fmt.Fprintf(&b, ", %s\n", targets)
	}
	line("operation", "targets", columns)
	for _, o := range known {
		for _, c := range m.comments[o.id] {
			fmt.Fprintln(&b, c)
		}
		for _, r := range rowsOf(o.id, columns, got) {
			cells := make([]string, len(columns))
			for i, s := range r.statuses {
				if cells[i] = "-"; s != 0 {
					cells[i] = strconv.Itoa(s)
				}
			}
			line(o.id, strings.Join(r.targets, " "), cells)
		}
	}
	if err := os.WriteFile(matrixFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// rowsOf are the rows of an operation: targets that are answered alike share one.
func rowsOf(operation string, columns []string, got map[cell]int) []matrixRow {
	names := map[string]bool{}
	for at := range got {
		if at.operation == operation {
			names[at.target] = true
		}
	}
	var rows []matrixRow
	for _, name := range matrixTargets() {
		if !names[name] {
			continue
		}
		r := matrixRow{operation, []string{name}, make([]int, len(columns))}
		for i, column := range columns {
			r.statuses[i] = got[cell{operation, name, column}]
		}
		same := slices.IndexFunc(rows, func(other matrixRow) bool { return slices.Equal(other.statuses, r.statuses) })
		if same >= 0 {
			rows[same].targets = append(rows[same].targets, name)
			continue
		}
		rows = append(rows, r)
	}
	if len(rows) == 1 && len(names) > 1 {
		rows[0].targets = []string{"*"}
	}
	return rows
}

// matrixTargets are the targets in the order of the table.
func matrixTargets() []string {
	return strings.Fields("- own foreign inside inside_of_operator outside regular regular_to_administrator regular_to_primary_contact wider administrator primary_contact foreign_regular foreign_administrator foreign_primary_contact self")
}

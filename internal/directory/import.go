package directory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
)

// MaxErrors is how many errors a Report names by default.
const MaxErrors = 1000

// ImportOptions say what is imported and how. The zero value of every field
// but Sources will do.
type ImportOptions struct {
	Sources   []Source       // in this order
	KeepGoing bool           // write the records that are right, leave out the others
	DryRun    bool           // check everything and keep nothing
	MaxErrors int            // how many errors the report names; 0: MaxErrors
	Progress  func(Progress) // called now and then, and at the end
}

// Progress is how far an import has come.
type Progress struct {
	Source  string // the file being read
	Bytes   int64  // read so far
	Total   int64  // to be read; 0: unknown
	Records int    // read so far
	Errors  int    // among them
}

// A Report says what an import did.
type Report struct {
	Revision   authz.Revision // the directory's after the import; 0 if nothing was kept
	Records    int            // read
	Written    int            // right, and kept unless DryRun; the same record twice counts twice
	Types      []TypeCount    // in the order of dependency, types without a record left out
	ErrorCount int            // all errors
	Errors     []LineError    // the first MaxErrors of them
}

// A TypeCount counts the records of one type.
type TypeCount struct {
	Type          string
	Read, Written int
}

// A LineError is what is wrong with one record.
type LineError struct {
	Source string
	Line   int
	Type   string // of the record; empty if it cannot be known
	Err    error
}

// Error is one line such as
//
//	grants.ndjson:17: grant: account "a9" is not in the directory; put it above this line or import it first
func (e LineError) Error() string {
	text := e.Err.Error()
	for _, kind := range []error{authz.ErrInvalid, authz.ErrConflict, authz.ErrNotFound} {
		text = strings.TrimSuffix(text, ": "+kind.Error())
	}
	if e.Type != "" {
		text = e.Type + ": " + text
	}
	return fmt.Sprintf("%s:%d: %s", e.Source, e.Line, text)
}

// Unwrap is what is wrong: of kind authz.ErrInvalid for what can never be right,
// authz.ErrConflict or authz.ErrNotFound for what is wrong in this directory.
func (e LineError) Unwrap() error { return e.Err }

// Import brings records into the directory: organizations, companies, accounts,
// account groups, tools, roles, users, memberships and grants, each after those
// it refers to. Records that the directory holds are replaced, none is deleted,
// and importing the same again changes nothing. It all happens in one
// transaction of the store.
//
// Every record is judged by itself, by what the directory holds, and by the
// records before it. If one is wrong nothing is kept, and the error is of kind
// authz.ErrInvalid; with KeepGoing the others are kept, there is no error, and
// Report.ErrorCount tells. A record whose reference was refused is wrong too.
// What fails otherwise, such as a file that cannot be read or a rule of the
// store, keeps nothing. The report tells in every case how far the import came.
func Import(ctx context.Context, store Store, o ImportOptions) (Report, error) {
	i := newImporter(o)
	revision, err := store.Update(ctx, func(tx Tx) error {
		// In here nobody else writes, so what is read stays true.
		if err := store.View(ctx, i.ledger.load); err != nil {
			return fmt.Errorf("read what the directory holds: %w", err)
		}
		return i.run(ctx, tx)
	})
	i.count()
	switch {
	case errors.Is(err, errNothingKept):
		return i.report, i.verdict()
	case err != nil:
		return i.report, fmt.Errorf("import: nothing is written: %w", err)
	}
	i.report.Revision = revision
	return i.report, nil
}

// errNothingKept ends a transaction that is not wanted. It never leaves Import.
var errNothingKept = errors.New("nothing is kept")

// An importer is one import on its way.
type importer struct {
	options ImportOptions
	ledger  *ledger
	types   []recordType
	counts  []TypeCount // parallel to types
	read    int64       // bytes of the sources before the one being read
	report  Report
}

func newImporter(o ImportOptions) *importer {
	i := &importer{options: o, ledger: newLedger(), types: recordTypes()}
	if i.options.MaxErrors <= 0 {
		i.options.MaxErrors = MaxErrors
	}
	for _, t := range i.types {
		i.counts = append(i.counts, TypeCount{Type: t.name})
	}
	for _, s := range o.Sources {
		i.ledger.files = append(i.ledger.files, s.Name)
	}
	return i
}

func (i *importer) run(ctx context.Context, tx Tx) error {
	for n := range i.options.Sources {
		if err := i.source(ctx, tx, n); err != nil {
			return err
		}
	}
	if i.options.DryRun || i.spoiled() {
		return errNothingKept
	}
	return nil
}

// spoiled reports that nothing will be kept, so that nothing need be written.
func (i *importer) spoiled() bool { return i.report.ErrorCount > 0 && !i.options.KeepGoing }

func (i *importer) verdict() error {
	if !i.spoiled() {
		return nil
	}
	return fmt.Errorf("import: nothing is written, for %d of %d records are wrong: %w",
		i.report.ErrorCount, i.report.Records, authz.ErrInvalid)
}

func (i *importer) source(ctx context.Context, tx Tx, n int) error {
	source := i.options.Sources[n]
	in, err := source.Open()
	if err != nil {
		return fmt.Errorf("open %s: %w", source.Name, err)
	}
	defer in.Close()
	counted := &countingReader{in: in}
	var reader recordReader = newNDJSON(counted)
	if source.CSV {
		reader = newCSV(counted, source.Type)
	}
	err = i.records(ctx, tx, reader, uint32(n), counted)
	i.progress(uint32(n), counted)
	i.read += counted.n
	return err
}

// records reads one source to its end.
func (i *importer) records(ctx context.Context, tx Tx, in recordReader, file uint32, counted *countingReader) error {
	var m members
	for {
		line, err := in.read(&m)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err := i.line(tx, &m, sighting{file: file, line: uint32(line)}, err); err != nil {
			return err
		}
		if err := i.pause(ctx, file, counted); err != nil {
			return err
		}
	}
}

// line takes in what was read from one line. An error ends the import.
func (i *importer) line(tx Tx, m *members, at sighting, err error) error {
	switch {
	case err == nil:
		i.report.Records++
		return i.record(tx, m, at)
	case errors.Is(err, authz.ErrInvalid):
		i.report.Records++
		i.refuse(at, "", err)
		return nil
	}
	return fmt.Errorf("read %s: %w", i.ledger.place(at), err)
}

// pause lets the caller see the progress and stop the import.
func (i *importer) pause(ctx context.Context, file uint32, counted *countingReader) error {
	const often = 1024
	if i.report.Records%often != 0 {
		return nil
	}
	i.progress(file, counted)
	return ctx.Err()
}

// record judges one record and writes it. A wrong one is noted; an error is of
// the store and ends the import.
func (i *importer) record(tx Tx, m *members, at sighting) error {
	kind := m.text("type")
	t := slices.IndexFunc(i.types, func(t recordType) bool { return t.name == kind })
	if t < 0 {
		i.refuse(at, "", i.unknownType(m, kind))
		return nil
	}
	i.counts[t].Read++
	r := i.types[t].decode(m)
	if err := i.judge(m, r); err != nil {
		i.ledger.refused[name(r)] = at
		i.refuse(at, kind, err)
		return nil
	}
	at.sum = i.ledger.sum(r)
	r.enter(i.ledger, at)
	i.counts[t].Written++
	if i.spoiled() {
		return nil
	}
	if err := r.put(tx); err != nil {
		return fmt.Errorf("the store refuses a record at or above %s: %w", i.ledger.place(at), err)
	}
	return nil
}

func (i *importer) judge(m *members, r record) error {
	if err := m.done(); err != nil {
		return err
	}
	if err := r.Validate(); err != nil {
		return err
	}
	return r.check(i.ledger)
}

func (i *importer) unknownType(m *members, kind string) error {
	if m.err != nil {
		return m.err
	}
	var names []string
	for _, t := range i.types {
		names = append(names, t.name)
	}
	if kind == "" {
		return invalid("type is missing: one of %s", strings.Join(names, ", "))
	}
	return invalid("unknown type %.60q%s", kind, suggest(kind, names))
}

func (i *importer) refuse(at sighting, kind string, err error) {
	i.report.ErrorCount++
	if len(i.report.Errors) < i.options.MaxErrors {
		name := i.ledger.files[at.file]
		i.report.Errors = append(i.report.Errors, LineError{name, int(at.line), kind, err})
	}
}

func (i *importer) progress(file uint32, counted *countingReader) {
	if i.options.Progress == nil {
		return
	}
	i.options.Progress(Progress{
		Source:  i.ledger.files[file],
		Bytes:   i.read + counted.n,
		Total:   i.total(),
		Records: i.report.Records,
		Errors:  i.report.ErrorCount,
	})
}

// total is how many bytes there are to read, or 0 if one source cannot tell.
func (i *importer) total() int64 {
	var total int64
	for _, s := range i.options.Sources {
		if s.Size == 0 {
			return 0
		}
		total += s.Size
	}
	return total
}

// count completes the report. Of a spoiled import nothing counts as written.
func (i *importer) count() {
	for _, c := range i.counts {
		if i.spoiled() {
			c.Written = 0
		}
		if c.Read > 0 {
			i.report.Types = append(i.report.Types, c)
			i.report.Written += c.Written
		}
	}
}

// A countingReader counts what was read.
type countingReader struct {
	in io.Reader
	n  int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err
}

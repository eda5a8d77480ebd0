package backup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/postern-authz/postern/internal/authz"
)

// maxLine bounds one row: more than a row of the directory can have.
const maxLine = 64 << 20

// maxTables bounds what is remembered of a file: far more than a schema has.
const maxTables = 1000

// Read hands a backup over to a Sink. That the file is whole is known only when
// Read returns: what the Sink took before an error is to be thrown away. A file
// that was cut off, changed, or is none is of kind authz.ErrInvalid.
func Read(from io.Reader, to Sink) (Summary, error) {
	r := &reader{in: bufio.NewReaderSize(from, 64<<10), sum: sha256.New(), to: to}
	r.summary.Rows = map[string]int64{}
	if err := r.begin(); err != nil {
		return Summary{}, err
	}
	for {
		end, err := r.next()
		if err != nil {
			return Summary{}, err
		}
		if end {
			return r.summary, nil
		}
	}
}

// Check reads a backup and hands it to nobody.
func Check(from io.Reader) (Summary, error) { return Read(from, nowhere{}) }

type nowhere struct{}

func (nowhere) Begin(Header) error { return nil }
func (nowhere) Table(Table) error  { return nil }
func (nowhere) Row([]any) error    { return nil }

// A reader reads lines and remembers what the trailer must say.
type reader struct {
	in      *bufio.Reader
	sum     hash.Hash
	to      Sink
	line    []byte
	number  int
	table   Table
	values  []any
	text    bytes.Reader
	decoder jsontext.Decoder
	summary Summary
}

func (r *reader) damaged(why string) error {
	return fmt.Errorf("the backup is damaged at line %d: %s; use another copy or an older backup: %w", r.number, why, authz.ErrInvalid)
}

func (r *reader) begin() error {
	if err := r.read(); err != nil {
		return err
	}
	var h Header
	if json.Unmarshal(r.line, &h) != nil || h.Format == 0 {
		return fmt.Errorf("the file is no backup of Postern: it does not begin with {\"postern_backup\":…}; give one that `postern backup` wrote: %w", authz.ErrInvalid)
	}
	if h.Format != Format {
		return fmt.Errorf("the backup has format %d and this binary reads only %d; restore it with the Postern that wrote it: %w", h.Format, Format, authz.ErrInvalid)
	}
	r.summary.Header = h
	r.sum.Write(r.line)
	return r.to.Begin(h)
}

// next takes one line. It says whether that was the last.
func (r *reader) next() (end bool, err error) {
	if err := r.read(); err != nil {
		return false, err
	}
	switch {
	case r.line[0] == '[':
		err = r.row()
	case bytes.HasPrefix(r.line, []byte(`{"end":`)):
		return true, r.end()
	default:
		err = r.begins()
	}
	r.sum.Write(r.line)
	return false, err
}

// read reads a line with its end, so that every byte counts.
func (r *reader) read() error {
	r.number++
	r.line = r.line[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		r.line = append(r.line, part...)
		r.summary.Bytes += int64(len(part))
		switch {
		case err == nil:
			return nil
		case errors.Is(err, io.EOF):
			return r.damaged("it ends in the middle, as a copy that was cut off does")
		case !errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("read the backup: %w", err)
		case len(r.line) > maxLine:
			return r.damaged("a line is longer than any row")
		}
	}
}

func (r *reader) begins() error {
	var t Table
	if json.Unmarshal(r.line, &t) != nil || t.Name == "" || len(t.Columns) == 0 {
		return r.damaged("it is neither a table nor a row")
	}
	if _, twice := r.summary.Rows[t.Name]; twice {
		return r.damaged("table " + t.Name + " comes twice")
	}
	if len(r.summary.Rows) == maxTables {
		return r.damaged("it has more tables than any schema")
	}
	r.table, r.summary.Rows[t.Name] = t, 0
	return r.to.Table(t)
}

func (r *reader) row() error {
	if r.table.Name == "" {
		return r.damaged("a row comes before its table")
	}
	if err := r.decode(); err != nil || len(r.values) != len(r.table.Columns) {
		return r.damaged("it is no row of " + r.table.Name)
	}
	r.summary.Rows[r.table.Name]++
	return r.to.Row(r.values)
}

// decode reads the values of the line.
func (r *reader) decode() error {
	r.text.Reset(r.line)
	r.decoder.Reset(&r.text)
	r.values = r.values[:0]
	if _, err := r.decoder.ReadToken(); err != nil {
		return err
	}
	for {
		token, err := r.decoder.ReadToken()
		if err != nil {
			return err
		}
		switch token.Kind() {
		case ']':
			return nil
		case 'n':
			r.values = append(r.values, nil)
		case '0':
			n, err := token.Int()
			if err != nil {
				return err
			}
			r.values = append(r.values, n)
		case '"':
			r.values = append(r.values, token.String())
		default:
			return errors.New("a value is neither null, a number nor a text")
		}
	}
}

// end compares what was read with the last line, after which nothing comes.
func (r *reader) end() error {
	var t trailer
	if json.Unmarshal(r.line, &t) != nil {
		return r.damaged("its last line cannot be read")
	}
	if t.SHA256 != hex.EncodeToString(r.sum.Sum(nil)) {
		return r.damaged("its SHA-256 is not the one its last line has, so something before was changed")
	}
	if !maps.Equal(t.End, r.summary.Rows) {
		return r.damaged("it does not have the rows that its last line counts")
	}
	if _, err := r.in.ReadByte(); !errors.Is(err, io.EOF) {
		return r.damaged("something follows its last line")
	}
	return nil
}

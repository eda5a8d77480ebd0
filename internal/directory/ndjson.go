package directory

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/ijson"
)

// MaxLine is the longest record of an import, in bytes.
const MaxLine = 1 << 20

// A recordReader gives the records of one source, one after the other. An error
// of kind authz.ErrInvalid is about one line, and reading may go on after it;
// io.EOF is the end; any other error ends the import.
type recordReader interface {
	// read replaces what m holds by the next record, and returns the line that
	// it begins on.
	read(m *members) (line int, err error)
}

// An ndjsonReader reads one JSON object a line. Blank lines are skipped.
type ndjsonReader struct {
	in   *bufio.Reader
	line int
	long []byte // a line that does not fit in the buffer of in
}

func newNDJSON(r io.Reader) *ndjsonReader {
	return &ndjsonReader{in: bufio.NewReaderSize(r, 64<<10)}
}

func (r *ndjsonReader) read(m *members) (int, error) {
	for {
		line, err := r.next()
		if err != nil {
			return r.line, err
		}
		if line = bytes.TrimSpace(line); len(line) != 0 {
			return r.line, m.decode(line)
		}
	}
}

// next is the next line; it is valid until the following call.
func (r *ndjsonReader) next() ([]byte, error) {
	r.line++
	line, err := r.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return r.rest(line)
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		return line, nil
	}
	return line, err
}

// rest reads on to the end of a long line. What exceeds MaxLine is not kept.
func (r *ndjsonReader) rest(line []byte) ([]byte, error) {
	r.long = append(r.long[:0], line...)
	size, err := len(line), bufio.ErrBufferFull
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.in.ReadSlice('\n')
		if size += len(line); size <= MaxLine {
			r.long = append(r.long, line...)
		}
	}
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case size > MaxLine:
		return nil, invalid("the line is longer than %d bytes", MaxLine)
	}
	return r.long, nil
}

// decode reads a line as a JSON object.
func (m *members) decode(line []byte) error {
	value, err := ijson.Decode(line, ijson.Limits{Values: MaxLine})
	var syntax *ijson.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("no JSON at byte %d: %s: %w", syntax.Offset, syntax.Reason, authz.ErrInvalid)
	}
	object, ok := value.(map[string]any)
	if !ok {
		return invalid("the line is %s, want a JSON object", kindOf(value))
	}
	*m = members{values: object, names: m.names[:0]}
	return nil
}

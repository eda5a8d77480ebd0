package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/postern-authz/postern/internal/authz"
)

// Write takes a backup. Two of equal states at the same time are equal byte for
// byte, whatever the engine.
func Write(ctx context.Context, from Source, to io.Writer, at time.Time) (Summary, error) {
	w := &writer{ctx: ctx, out: bufio.NewWriterSize(to, 64<<10), sum: sha256.New()}
	w.summary.At, w.summary.Rows = at.UTC(), map[string]int64{}
	if err := from.Dump(ctx, w); err != nil {
		return Summary{}, fmt.Errorf("take a backup: %w", err)
	}
	if err := w.end(); err != nil {
		return Summary{}, fmt.Errorf("write the backup: %w", err)
	}
	return w.summary, nil
}

// A writer is the Sink that writes lines.
type writer struct {
	ctx     context.Context
	out     *bufio.Writer
	sum     hash.Hash
	line    []byte
	table   Table
	summary Summary
}

// Begin writes the header.
func (w *writer) Begin(h Header) error {
	h.Format, h.At = Format, w.summary.At
	w.summary.Header = h
	return w.object(h)
}

// Table writes the line before the rows of a table.
func (w *writer) Table(t Table) error {
	w.table = t
	w.summary.Rows[t.Name] = 0
	return w.object(t)
}

// Row writes one row.
func (w *writer) Row(values []any) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	w.line = append(w.line[:0], '[')
	for i, value := range values {
		if i > 0 {
			w.line = append(w.line, ',')
		}
		if err := w.value(value); err != nil {
			return fmt.Errorf("table %s, column %s: %w", w.table.Name, w.table.Columns[i].Name, err)
		}
	}
	w.line = append(w.line, ']')
	w.summary.Rows[w.table.Name]++
	return w.write()
}

func (w *writer) value(value any) (err error) {
	switch v := value.(type) {
	case nil:
		w.line = append(w.line, "null"...)
	case int64:
		w.line = strconv.AppendInt(w.line, v, 10)
	case string:
		if w.line, err = jsontext.AppendQuote(w.line, v); err != nil {
			return fmt.Errorf("a text is not UTF-8, which Postern never writes; mend the row first: %w", authz.ErrConflict)
		}
	default:
		return fmt.Errorf("a backup cannot hold a %T: %w", value, authz.ErrInvalid)
	}
	return nil
}

func (w *writer) object(v any) (err error) {
	if w.line, err = json.Marshal(v); err != nil {
		return err
	}
	return w.write()
}

// write ends the line and counts it in.
func (w *writer) write() error {
	w.line = append(w.line, '\n')
	w.sum.Write(w.line)
	w.summary.Bytes += int64(len(w.line))
	_, err := w.out.Write(w.line)
	return err
}

func (w *writer) end() error {
	if err := w.object(trailer{End: w.summary.Rows, SHA256: hex.EncodeToString(w.sum.Sum(nil))}); err != nil {
		return err
	}
	return w.out.Flush()
}

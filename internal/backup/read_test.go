package backup_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/backup"
)

// A copy is what was read, and a Source of it.
type copied struct {
	header backup.Header
	tables []backup.Table
	rows   [][][]any // by table
}

func (c *copied) Begin(h backup.Header) error {
	c.header = h
	return nil
}

func (c *copied) Table(t backup.Table) error {
	c.tables, c.rows = append(c.tables, t), append(c.rows, nil)
	return nil
}

func (c *copied) Row(values []any) error {
	last := len(c.rows) - 1
	if len(values) != len(c.tables[last].Columns) {
		return fmt.Errorf("got %d values of %d columns", len(values), len(c.tables[last].Columns))
	}
	c.rows[last] = append(c.rows[last], append([]any(nil), values...))
	return nil
}

func (c *copied) Dump(_ context.Context, to backup.Sink) error {
	if err := to.Begin(c.header); err != nil {
		return err
	}
	for i, table := range c.tables {
		if err := to.Table(table); err != nil {
			return err
		}
		for _, row := range c.rows[i] {
			if err := to.Row(row); err != nil {
				return err
			}
		}
	}
	return nil
}

const small = `{"postern_backup":1,"schema":2,"directory":"dir_1","revision":7,"at":"2030-01-02T03:04:05Z"}
{"table":"users","columns":[{"name":"id","type":"text"},{"name":"revision","type":"integer"}]}
["usr_1",-9223372036854775808]
["\u00e9\n",null]
{"table":"keys","columns":[{"name":"hash","type":"bytes"}]}
["00ff"]
`

// ended is the text with the last line that somebody would give it on purpose.
func ended(text []byte, rows string) []byte {
	return fmt.Appendf(bytes.Clone(text), "{\"end\":%s,\"sha256\":\"%x\"}\n", rows, sha256.Sum256(text))
}

// FuzzRead reads any file, with a last line that fits it and without. A file is
// refused as damaged, or what is read of it makes a backup that reads the same;
// it takes memory by its length and not by what it says.
func FuzzRead(f *testing.F) {
	f.Add([]byte(small), `{"users":2,"keys":1}`)
	f.Add([]byte(small), `{}`)
	f.Add([]byte(strings.ReplaceAll(small, `"keys"`, `"users"`)), `{"users":3}`)
	f.Add([]byte(strings.Replace(small, "null", "[null]", 1)), `{"users":2,"keys":1}`)
	f.Add([]byte(strings.Replace(small, "null", "1e400", 1)), `{"users":2,"keys":1}`)
	f.Add([]byte("[]\n"), `{}`)
	f.Fuzz(func(t *testing.T, text []byte, rows string) {
		read(t, text)
		whole := ended(text, rows)
		if first := read(t, whole); first != nil {
			var again bytes.Buffer
			if _, err := backup.Write(t.Context(), first, &again, first.header.At); err != nil {
				t.Fatalf("write what was read: %v", err)
			}
			if second := read(t, again.Bytes()); !reflect.DeepEqual(second, first) {
				t.Fatalf("got %+v, want %+v", second, first)
			}
		}
	})
}

// read is what a file holds, or nil if it is refused as one should be.
func read(t *testing.T, text []byte) *copied {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := &copied{}
	_, err := backup.Read(bytes.NewReader(text), c)
	runtime.ReadMemStats(&after)
	if took, most := after.TotalAlloc-before.TotalAlloc, uint64(8<<20+200*len(text)); took > most {
		t.Errorf("%d bytes took %d bytes of memory, want %d at most", len(text), took, most)
	}
	if err == nil {
		return c
	}
	if !errors.Is(err, authz.ErrInvalid) {
		t.Errorf("got %v, want it to be of kind ErrInvalid", err)
	}
	return nil
}

// An endless reader repeats lines.
type endless struct {
	line func(n int) string
	n    int
	left string
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == "" {
		e.left = e.line(e.n)
		e.n++
	}
	n := copy(p, e.left)
	e.left = e.left[n:]
	return n, nil
}

// What never ends is refused before memory does.
func TestAFileWithoutEndIsRefused(t *testing.T) {
	first, _, _ := strings.Cut(small, "\n")
	for name, tt := range map[string]struct {
		line func(n int) string
		says string
	}{
		"a line": {func(int) string { return strings.Repeat("x", 1<<16) }, "a line is longer than any row"},
		"tables": {func(n int) string { return fmt.Sprintf("{\"table\":\"t%d\",\"columns\":[{}]}\n", n) }, "more tables than any schema"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := backup.Check(io.MultiReader(strings.NewReader(first+"\n"), &endless{line: tt.line}))
			if !errors.Is(err, authz.ErrInvalid) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want it to say %q", err, tt.says)
			}
		})
	}
}

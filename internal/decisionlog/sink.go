package decisionlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gopkg.in/natefinch/lumberjack.v2"
)

// A Sink is where lines go. Only the writer of one Log may use it.
type Sink struct {
	Name string // stdout or file; a label of metrics
	io.WriteCloser
	unfinished bool // what it ends with is no whole line
}

// Stdout is a sink that writes to w and leaves it open.
func Stdout(w io.Writer) Sink {
	return Sink{Name: "stdout", WriteCloser: leaveOpen{w}}
}

type leaveOpen struct{ io.Writer }

func (leaveOpen) Close() error { return nil }

// File is a sink that appends to the file at path, which only its owner may
// read unless it is there already with another mode. At maxSize bytes, rounded
// up to whole MiB, the file is put aside under a name with the time in it; the
// given number of such files is kept. No other process may write to it.
func File(path string, maxSize int64, files int) (Sink, error) {
	unfinished, err := prepare(path)
	if err != nil {
		return Sink{}, fmt.Errorf("open the decision log: %w", err)
	}
	const mib = 1 << 20
	rotating := &lumberjack.Logger{Filename: path, MaxSize: int((maxSize + mib - 1) / mib), MaxBackups: files}
	return Sink{Name: "file", WriteCloser: rotating, unfinished: unfinished}, nil
}

// prepare makes the file, so that a server that could not log does not start,
// and tells whether a crash left its last line unfinished.
func prepare(path string) (unfinished bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

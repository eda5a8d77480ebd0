package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// WriteFile takes a backup into a file that only its owner may read. The name
// stands for a whole backup at any time: the one before until the new one is on
// the disk, or none.
func WriteFile(ctx context.Context, from Source, path string, at time.Time) (s Summary, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return Summary{}, fmt.Errorf("make the file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	s, err = Write(ctx, from, f, at)
	if err := errors.Join(err, settle(f)); err != nil {
		return Summary{}, err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return Summary{}, fmt.Errorf("give the backup its name: %w", err)
	}
	return s, settleFolder(filepath.Dir(path))
}

// settle brings the file to the disk. CreateTemp made it 0600.
func settle(f *os.File) error {
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("bring the backup to the disk: %w", err)
	}
	return nil
}

// settleFolder brings a name to the disk.
func settleFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("bring the backup's name to the disk: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Restore brings a backup into an empty target. It reads the file twice: nothing
// is written before all of it is known to be whole. The Summary has the header
// of the backup, the revision is the one that the restore made.
func Restore(ctx context.Context, from io.ReadSeeker, to Target) (Summary, authz.Revision, error) {
	s, err := Check(from)
	if err != nil {
		return Summary{}, 0, err
	}
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return Summary{}, 0, fmt.Errorf("read the backup again: %w", err)
	}
	revision, err := to.Load(ctx, s.Header, func(sink Sink) error {
		_, err := Read(from, sink)
		return err
	})
	if err != nil {
		return Summary{}, 0, fmt.Errorf("restore: %w", err)
	}
	return s, revision, nil
}

package mail

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	gomail "github.com/wneessen/go-mail"

	"github.com/postern-authz/postern/internal/outbox"
)

// A folder keeps mails as files, for who develops a portal. They hold links that
// work, so they are for nobody else to read.
type folder struct{ path string }

func newFolder(u *url.URL) (*folder, error) {
	path := filepath.FromSlash(u.Path)
	if u.Host != "" || !filepath.IsAbs(path) {
		return nil, errors.New("the directory for mails is not absolute: use file:///directory")
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory for mails: %w", err)
	}
	f := &folder{path}
	if err := f.try(); err != nil {
		return nil, fmt.Errorf("write to the directory for mails: %w", err)
	}
	return f, nil
}

// try tells before the first mail does that none can be kept.
func (f *folder) try() error {
	file, err := f.create()
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// create makes a file that only its owner may read.
func (f *folder) create() (*os.File, error) { return os.CreateTemp(f.path, ".mail-*") }

// send writes <message id>.eml, which is there whole or not at all.
func (f *folder) send(_ context.Context, id string, m *gomail.Msg, _, _ string) error {
	if err := f.write(id+".eml", m); err != nil {
		return &outbox.Delay{Reason: ReasonFolder, Err: fmt.Errorf("write to the directory of POSTERN_MAIL: %w", err)}
	}
	return nil
}

func (f *folder) write(name string, m *gomail.Msg) (err error) {
	file, err := f.create()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	if _, err := m.WriteTo(file); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), filepath.Join(f.path, filepath.Base(name)))
}

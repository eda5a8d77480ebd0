package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeState makes the state directory, for its owner alone, if there is none.
func (c *Config) MakeState() error {
	if err := os.MkdirAll(c.State, 0o700); err != nil {
		return fmt.Errorf("make the state directory; POSTERN_STATE names another: %w", err)
	}
	return nil
}

// Key is the secret that tokens are sealed with, of 32 bytes or more: that of
// POSTERN_SECRET, else that of the file "secret" in the state directory, which
// the first call makes.
func (c *Config) Key() ([]byte, error) {
	if c.Secret != "" {
		return []byte(c.Secret), nil
	}
	path := filepath.Join(c.State, "secret")
	if err := c.makeKey(path); err != nil {
		return nil, fmt.Errorf("make a secret in the state directory of POSTERN_STATE; POSTERN_SECRET gives one instead: %w", err)
	}
	secret, err := readSecret(path)
	if err != nil {
		return nil, fmt.Errorf("%s, which stands in for POSTERN_SECRET, is a file that %w", path, err)
	}
	if len(secret) < minSecret {
		return nil, fmt.Errorf("%s, which stands in for POSTERN_SECRET, has fewer than %d bytes; remove it and a new one is made", path, minSecret)
	}
	return []byte(secret), nil
}

// makeKey writes a new secret to path unless there is one. It appears there
// whole or not at all, and of two processes that start together one wins.
func (c *Config) makeKey(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	raw := make([]byte, minSecret)
	_, _ = rand.Read(raw) // never fails
	file, err := c.writeSecret(base64.RawURLEncoding.EncodeToString(raw))
	if err != nil {
		return err
	}
	defer os.Remove(file)
	if err := os.Link(file, path); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// KeepSecret writes a secret into a file of the state directory that only its
// owner may read, in place of what was there. It appears whole or not at all.
func (c *Config) KeepSecret(name, secret string) error {
	file, err := c.writeSecret(secret)
	if err != nil {
		return err
	}
	defer os.Remove(file) // gone by then, unless it could not be renamed
	return os.Rename(file, filepath.Join(c.State, name))
}

// writeSecret writes a secret to a new file of the state directory, 0600.
func (c *Config) writeSecret(secret string) (path string, err error) {
	if err := c.MakeState(); err != nil {
		return "", err
	}
	file, err := os.CreateTemp(c.State, ".secret-*")
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintln(file, secret)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}

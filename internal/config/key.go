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
		return nil, fmt.Errorf("make a secret in the state directory; POSTERN_SECRET gives one instead: %w", err)
	}
	secret, err := readSecret(path)
	if err != nil {
		return nil, fmt.Errorf("%s is a secret file that %w", path, err)
	}
	if len(secret) < minSecret {
		return nil, fmt.Errorf("%s has fewer than %d bytes; remove it and a new one is made", path, minSecret)
	}
	return []byte(secret), nil
}

// makeKey writes a new secret to path unless there is one. It appears there
// whole or not at all, and of two processes that start together one wins.
func (c *Config) makeKey(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := c.MakeState(); err != nil {
		return err
	}
	file, err := os.CreateTemp(c.State, ".secret-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	raw := make([]byte, minSecret)
	_, _ = rand.Read(raw) // never fails
	_, err = fmt.Fprintln(file, base64.RawURLEncoding.EncodeToString(raw))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

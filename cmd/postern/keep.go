package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// keep asks for something with a secret and keeps that in a file.
func (a *admin) keep(ctx context.Context, r request, path string) error {
	return keepFile(a.s, path, func(file *os.File) error { return a.write(ctx, r, file) })
}

// keepFile writes a secret into a new file, 0600, unless there is one. The file
// appears whole or not at all, and can be written before anything is made.
func keepFile(s streams, path string, write func(*os.File) error) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			_, err = fmt.Fprintf(s.err, "postern: there is a file %s, so nothing is made\n", path)
		}
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".secret-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	err = write(file)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Link(file.Name(), path)
}

// write asks, writes the secret of the answer into file, and prints the rest.
func (a *admin) write(ctx context.Context, r request, file *os.File) error {
	body, _, err := a.ask(ctx, r)
	if err != nil {
		return err
	}
	var made map[string]any
	if err := json.Unmarshal(body, &made); err != nil {
		return fmt.Errorf("the answer of the server is not JSON: %w", err)
	}
	if _, err := fmt.Fprintln(file, made["secret"]); err != nil {
		return err
	}
	delete(made, "secret")
	rest, err := json.Marshal(made)
	if err != nil {
		return err
	}
	return printLine(a.s.out, rest)
}

package policy

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Core is the name of the lowest layer.
const Core = "core"

// A Source is where the files of one layer come from.
type Source struct {
	Name string // of the layer; in revisions and metrics
	Path string // a directory or a .tar.gz; empty for what is compiled in
	fsys fs.FS  // what is compiled in
}

// Embedded is the core compiled into the program. It never changes, and its
// tests are those of the program's own build.
func Embedded(fsys fs.FS) Source { return Source{Name: Core, fsys: fsys} }

// CoreAt is a core of one's own in place of the embedded one: a directory or a
// .tar.gz with any Rego and data that answers data.postern.access.decision.
func CoreAt(path string) Source { return Source{Name: Core, Path: path} }

// OverlayAt is an overlay above either core, named after its directory or file.
func OverlayAt(path string) Source {
	name := filepath.Base(filepath.Clean(path))
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".tar")
	return Source{Name: headerSafe(name), Path: path}
}

// headerSafe keeps a name printable in a header and apart from its neighbours.
func headerSafe(name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(revisionRunes, r) {
			return r
		}
		return '_'
	}, name)
	if name == "" || name == Core {
		return "overlay_" + name
	}
	return name
}

const revisionRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+"

func (s Source) embedded() bool { return s.Path == "" }

// LayerFiles are the contents of one layer as they were at one moment, before
// anyone has looked into them. They never change.
type LayerFiles struct {
	Name      string            // of the layer
	Path      string            // where they were read, for errors to name; empty for what is compiled in
	Directory bool              // Path is a directory, and no archive
	Files     map[string][]byte // by slash-separated path
}

func (l LayerFiles) embedded() bool { return l.Path == "" }

func (l LayerFiles) fromOutside() bool { return !l.embedded() }

// same says whether two layers have one name and the same contents.
func (l LayerFiles) same(other LayerFiles) bool {
	return l.Name == other.Name && maps.EqualFunc(l.Files, other.Files, bytes.Equal)
}

// read gives the files as they were at one moment. What cannot be read is
// refused.
func (s Source) read(ctx context.Context) (LayerFiles, error) {
	found, err := still(ctx, s.stamp, s.load)
	if err != nil {
		return LayerFiles{}, refuse(s.Name, StageRead, fmt.Errorf("%s: %w", cmp.Or(s.Path, "embedded"), err),
			"give a directory or a .tar.gz of regular files, at most 2,000 and 16 MiB together")
	}
	info, err := os.Stat(s.Path)
	return LayerFiles{Name: s.Name, Path: s.Path, Directory: err == nil && info.IsDir(), Files: found}, nil
}

// still loads, and loads again if anything moved meanwhile.
func still(ctx context.Context, stamp func() (string, error), load func() (files, error)) (files, error) {
	for range 10 {
		before, err := stamp()
		if err != nil {
			return nil, err
		}
		found, err := load()
		if after, stampErr := stamp(); stampErr == nil && after == before {
			return found, err
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return nil, errMoving
}

var errMoving = errors.New("the files keep changing while they are read")

func (s Source) load() (files, error) {
	if s.embedded() {
		return readFS(s.fsys)
	}
	if info, err := os.Stat(s.Path); err != nil || !info.IsDir() {
		return s.loadArchive()
	}
	root, err := os.OpenRoot(s.Path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return readFS(root.FS())
}

func (s Source) loadArchive() (files, error) {
	file, err := os.Open(s.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readTarGz(file)
}

// stamp changes whenever a file is written, added, removed or replaced, or who may
// read it.
func (s Source) stamp() (string, error) {
	if s.embedded() {
		return Core, nil
	}
	info, err := os.Stat(s.Path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return stampOf(s.Path, info), nil
	}
	root, err := os.OpenRoot(s.Path)
	if err != nil {
		return "", err
	}
	defer root.Close()
	var stamp strings.Builder
	err = walk(root.FS(), func(name string, info fs.FileInfo) error {
		stamp.WriteString(stampOf(name, info))
		return nil
	})
	return stamp.String(), err
}

func stampOf(name string, info fs.FileInfo) string {
	return fmt.Sprintf("%q %v %d %d %d\n", name, info.Mode(), info.Size(), info.ModTime().UnixNano(), inode(info))
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/loader/filter"
)

// The limits on one layer (security.md B6): a policy is text, not a payload.
const (
	maxBytes = 16 << 20
	maxFiles = 2000
)

// files are the contents of a layer by slash-separated path, all read as one.
type files map[string][]byte

// digest names the contents: the first 12 hex digits of SHA-256 over the sorted
// paths and bytes, each with its length before it.
func (f files) digest() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(f)) {
		for _, part := range [][]byte{[]byte(name), f[name]} {
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
			h.Write(part)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// withoutTests are the files but for those that only test the others.
func (f files) withoutTests() files {
	fewer := maps.Clone(f)
	maps.DeleteFunc(fewer, func(name string, _ []byte) bool { return isTest(name) })
	return fewer
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.rego") }

// put adds a file and keeps the limits.
func (f files) put(name string, content []byte, total *int) error {
	if _, twice := f[name]; twice {
		return fmt.Errorf("%s is there twice", name)
	}
	if *total += len(content); *total > maxBytes {
		return fmt.Errorf("%s: the files are more than %d MiB together", name, maxBytes>>20)
	}
	if f[name] = content; len(f) > maxFiles {
		return fmt.Errorf("%s: there are more than %d files", name, maxFiles)
	}
	return nil
}

// wanted says whether a bundle has use for a file: Rego, data, a schema or the
// manifest. What else lies about (editor droppings, a README) is left alone.
func wanted(name string) bool {
	switch base := path.Base(name); base {
	case ".manifest", "policy.wasm", "patch.json":
		return true
	case "plan.json":
		return false
	default:
		return !strings.HasPrefix(base, ".") && slices.Contains([]string{".rego", ".json", ".yaml", ".yml"}, path.Ext(base))
	}
}

// hidden says whether a folder is none of ours: .git, .regal, and the ..data of
// a mounted Kubernetes volume, whose files are linked to from above it.
func hidden(name string) bool { return name != "." && strings.HasPrefix(path.Base(name), ".") }

// readFS reads the files of a file system. A symbolic link counts as the file
// it leads to; fsys must refuse links that lead out of it, as os.Root does.
func readFS(fsys fs.FS) (files, error) {
	found, total := files{}, 0
	return found, walk(fsys, func(name string, info fs.FileInfo) error {
		if info.Size() > maxBytes {
			return fmt.Errorf("%s: is larger than %d MiB", name, maxBytes>>20)
		}
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		return found.put(name, content, &total)
	})
}

// walk visits the files a bundle has use for, in lexical order.
func walk(fsys fs.FS, visit func(name string, info fs.FileInfo) error) error {
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && hidden(name):
			return fs.SkipDir
		case d.IsDir() || !wanted(name):
			return nil
		}
		info, err := fs.Stat(fsys, name)
		if err != nil {
			return fmt.Errorf("%s: cannot be read as a regular file of this folder: %w", name, err)
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s: is no regular file but %v", name, info.Mode().Type())
		}
		return visit(name, info)
	})
}

// readTarGz reads a bundle as `opa build` makes it. Links, devices and paths
// that lead out of the archive are refused.
func readTarGz(r io.Reader) (files, error) {
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("is no gzip: %w", err)
	}
	// One byte more than the limit, plus what tar itself needs for headers.
	archive := tar.NewReader(io.LimitReader(unzipped, maxBytes+maxFiles*2048+1))
	found, total := files{}, 0
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("is no whole tar archive within %d MiB: %w", maxBytes>>20, err)
		}
		if err := found.add(header, archive, &total); err != nil {
			return nil, err
		}
	}
}

func (f files) add(header *tar.Header, content io.Reader, total *int) error {
	name := path.Clean(strings.TrimLeft(header.Name, "/"))
	switch {
	case header.Typeflag == tar.TypeDir, header.Typeflag == tar.TypeXGlobalHeader:
		return nil
	case header.Typeflag != tar.TypeReg:
		return fmt.Errorf("%s: is no regular file", name)
	case !fs.ValidPath(name):
		return fmt.Errorf("%s: leads out of the archive", header.Name)
	case slices.ContainsFunc(strings.Split(path.Dir(name), "/"), hidden), !wanted(name):
		return nil
	case header.Size > maxBytes:
		return fmt.Errorf("%s: is larger than %d MiB", name, maxBytes>>20)
	}
	text, err := io.ReadAll(content)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return f.put(name, text, total)
}

// loader hands files to bundle.Reader, in the order of their paths.
type loader struct {
	files files
	rest  []string
}

func (f files) loader() bundle.DirectoryLoader {
	return &loader{f, slices.Sorted(maps.Keys(f))}
}

func (l *loader) NextFile() (*bundle.Descriptor, error) {
	if len(l.rest) == 0 {
		return nil, io.EOF
	}
	name := l.rest[0]
	l.rest = l.rest[1:]
	return bundle.NewDescriptor(name, name, bytes.NewReader(l.files[name])), nil
}

// What a loader could be told, it has done already.
func (l *loader) WithFilter(filter.LoaderFilter) bundle.DirectoryLoader   { return l }
func (l *loader) WithPathFormat(bundle.PathFormat) bundle.DirectoryLoader { return l }
func (l *loader) WithSizeLimitBytes(int64) bundle.DirectoryLoader         { return l }
func (l *loader) WithFollowSymlinks(bool) bundle.DirectoryLoader          { return l }

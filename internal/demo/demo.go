// Package demo holds a small carrier portal to try Postern with, and makes large
// ones to measure it with. Both are records of the import format and nothing
// else: the directory gets to know them as it gets to know any portal.
package demo

import (
	_ "embed"
	"io"
	"strings"

	"github.com/postern-authz/postern/internal/directory"
)

//go:embed demo.ndjson
var records string

// Source is the demo portal, to be imported. README.md tells who is who.
func Source() directory.Source {
	return directory.Source{
		Name: "demo.ndjson",
		Size: int64(len(records)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(records)), nil },
	}
}

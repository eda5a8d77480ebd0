// Package policies is the Rego that Postern decides with unless it is told
// otherwise: an ordinary bundle directory, embedded whole, tests included.
package policies

import "embed"

// FS holds the core bundle: .manifest, the catalog, the rules with their tests,
// and the schemas of their inputs. The manifest and the schemas are named
// because embedding skips dot files and because the gate needs the schemas.
//
//go:embed .manifest catalog postern schemas
var FS embed.FS

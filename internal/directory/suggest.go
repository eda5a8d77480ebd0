package directory

import (
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
)

// suggest names what was probably meant, as the end of a sentence; or every
// name there is, if nothing is near.
func suggest(word string, names []string) string {
	const far, long = 3, 64 // letters; what is longer is near nothing and costly to compare
	best, nearest := "", far
	for _, name := range names {
		if len(word) > long {
			break
		}
		if d := levenshtein.ComputeDistance(word, name); d < nearest {
			best, nearest = name, d
		}
	}
	if best == "" {
		return "; there are " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

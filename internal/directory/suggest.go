package directory

import (
	"fmt"
	"strings"
)

// suggest names what was probably meant, as the end of a sentence; or every
// name there is, if nothing is near.
func suggest(word string, names []string) string {
	const far = 3
	best, nearest := "", far
	for _, name := range names {
		if d := distance(word, name); d < nearest {
			best, nearest = name, d
		}
	}
	if best == "" {
		return "; there are " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is how many letters must be added, taken away or replaced to make
// one word of the other (Levenshtein). Long words are far from everything.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal + count(a[i] != b[j])
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

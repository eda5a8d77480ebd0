package test

import (
	"cmp"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLinksLeadSomewhere follows each link of each page to a file of the
// repository, and to a heading in it.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, page := range pages(t) {
		for _, found := range link.FindAllStringSubmatch(prose(t, page), -1) {
			path, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(path, ":") {
				continue // elsewhere
			}
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the link %s leads nowhere", page, found[1])
			} else if anchor != "" && !slices.Contains(anchors(t, target), anchor) {
				t.Errorf("%s: the link %s leads to no heading", page, found[1])
			}
		}
	}
}

// TestTheFailurePageIsTrue wants a test for each number of the page, and in each
// row a metric or none, and an alert or none. That they exist is tested where
// metrics and links are.
func TestTheFailurePageIsTrue(t *testing.T) {
	carried := carriedPromises(t)
	rows := 0
	for line := range strings.Lines(prose(t, "../deploy/docs/failures.md")) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || strings.HasPrefix(cells[1], "---") || strings.Contains(cells[1], "what fails") {
			continue
		}
		rows++
		named := numbers(cells[1])
		if len(named) == 0 {
			t.Errorf("got a row without a number: %s", line)
		}
		for _, n := range named {
			if carried[n] == "" {
				t.Errorf("%s is carried by no test, so that this is only hoped: %s", n, line)
			}
		}
		if !regexp.MustCompile("^ (`(postern_[a-z_]+|up)`|none); (none|(\\[Postern\\w+\\]\\(../README.md#postern\\w+\\)(, )?)+) $").MatchString(cells[3]) {
			t.Errorf("got %q, want a metric or none, and alerts or none: %s", cells[3], line)
		}
	}
	if rows < 25 {
		t.Errorf("got %d rows, want those of the page", rows)
	}
}

// TestTopicsNamePathsThatAreServed asks a server for each path that `postern help
// TOPIC` names. Commands and settings of topics are looked at beside the topics.
func TestTopicsNamePathsThatAreServed(t *testing.T) {
	t.Parallel()
	topics, err := filepath.Glob("../cmd/postern/help/*.txt")
	if err != nil || len(topics) == 0 {
		t.Fatalf("got %d topics: %v", len(topics), err)
	}
	s := install(t, "POSTERN_PUBLIC_URL=https://pdp.example.com", "POSTERN_TRUSTED_PROXIES=127.0.0.1/32").serve(t)
	named := regexp.MustCompile(`(?m)(?:^| )((?:GET|POST|PUT|PATCH|DELETE) )?(/(?:access|v1|authz|\.well-known|metrics|readyz|livez|health)[\w/.-]*)`)
	for _, topic := range topics {
		for _, found := range named.FindAllStringSubmatch(prose(t, topic), -1) {
			method, path := strings.TrimSpace(cmp.Or(found[1], "GET")), strings.TrimSuffix(found[2], "...")
			if !s.misses(t, method, path) {
				continue
			}
			t.Errorf("%s: %s %s is not served", topic, method, path)
		}
	}
}

// misses says whether no listener serves a path.
func (s *server) misses(t *testing.T, method, path string) bool {
	t.Helper()
	for _, e := range []endpoint{s.decisions, s.administration, s.ops} {
		x, err := e.send(method, path, "")
		if err != nil {
			t.Fatal(err)
		}
		if x.status != http.StatusNotFound {
			return false
		}
	}
	return true
}

// pages are all of the repository's.
func pages(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git") {
			return fs.SkipDir
		}
		if err == nil && filepath.Ext(path) == ".md" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) < 10 {
		t.Fatalf("got %d pages: %v", len(paths), err)
	}
	return paths
}

// prose is a page without its fenced blocks and what stands in backquotes with
// a bracket before it, which is code.
func prose(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Clean(page))
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(string(text), "")
}

// anchors are those of a page's headings, as GitHub makes them.
func anchors(t *testing.T, page string) (names []string) {
	t.Helper()
	drop := regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
	for _, heading := range regexp.MustCompile(`(?m)^#+ +(.+)$`).FindAllStringSubmatch(prose(t, page), -1) {
		name := drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading[1])), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

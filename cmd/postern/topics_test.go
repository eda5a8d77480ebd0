package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/config"
)

// Each topic is listed, fits a screen or two, and names only commands, flags and
// settings that there are.
func TestTopicsAreTrue(t *testing.T) {
	var out, errs strings.Builder
	if code := run([]string{"help"}, nil, &out, &errs, nil); code != 0 {
		t.Fatal(errs.String())
	}
	for _, name := range topicNames() {
		if !strings.Contains(out.String(), name) {
			t.Errorf("%s: got no such topic in the list of `postern help`", name)
		}
		text, ok := topic(name)
		if !ok {
			continue // written from the configuration
		}
		if n := strings.Count(text, "\n"); n > 100 {
			t.Errorf("%s: got %d lines, want no more than 100", name, n)
		}
		for line := range strings.Lines(text) {
			if len([]rune(strings.TrimRight(line, "\n"))) > 84 {
				t.Errorf("%s: got a line of more than 84 columns: %s", name, line)
			}
		}
		namesSettings(t, name, text)
		namesCommands(t, name, text)
	}
}

// namesSettings wants each setting to be one, or the beginning of some before a
// star.
func namesSettings(t *testing.T, topic, text string) {
	t.Helper()
	for _, name := range regexp.MustCompile(`POSTERN_[A-Z_]*[A-Z]_?\*?`).FindAllString(text, -1) {
		known := slices.ContainsFunc(append(config.Vars(), config.ClientVars()...), func(v config.Var) bool {
			begins, many := strings.CutSuffix(name, "*")
			return name == v.Name || v.Secret && name == v.Name+"_FILE" || many && strings.HasPrefix(v.Name, begins)
		})
		if !known {
			t.Errorf("%s: %s is no setting", topic, name)
		}
	}
}

// namesCommands follows what stands behind "postern" at the begin of a line, in
// backquotes or behind a pipe through the tree of commands.
func namesCommands(t *testing.T, topic, text string) {
	t.Helper()
	named := regexp.MustCompile("(?m)(?:^ +|`|\\| )postern ([a-z][^`\n|]*)")
	for _, found := range named.FindAllStringSubmatch(text, -1) {
		c, rest := follow(strings.Fields(found[1]))
		for _, word := range rest {
			// A list of a group's commands, with commas, or what is none.
			if c.HasSubCommands() && child(c, strings.TrimSuffix(word, ",")) == nil {
				t.Errorf("%s: there is no command %s of postern %s", topic, word, c.Name())
			}
		}
		for _, flag := range regexp.MustCompile(`(?:^|[ \[])--([a-z-]+)`).FindAllStringSubmatch(found[1], -1) {
			if c.Flags().Lookup(flag[1]) == nil && c.InheritedFlags().Lookup(flag[1]) == nil {
				t.Errorf("%s: postern %s has no flag --%s", topic, c.Name(), flag[1])
			}
		}
	}
}

// follow goes down the tree of commands as far as words name any.
func follow(words []string) (c *cobra.Command, rest []string) {
	c = command(streams{})
	for len(words) > 0 {
		next := child(c, words[0])
		if next == nil {
			break
		}
		c, words = next, words[1:]
	}
	return c, words
}

func child(c *cobra.Command, name string) *cobra.Command {
	for _, sub := range append(c.Commands(), helpCommand(streams{})) {
		if sub.Name() == name {
			return sub
		}
	}
	return nil
}

package main

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/config"
)

//go:embed help/*.txt
var topics embed.FS

// helpCommand replaces cobra's: `help import` describes a command, `help
// decisions` a topic.
func helpCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND | TOPIC]",
		Short: "Explain a command, or a topic: " + strings.Join(topicNames(), ", "),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				if text, ok := topic(args[0]); ok {
					_, err := fmt.Fprint(s.out, text)
					return err
				}
			}
			if len(args) == 1 && args[0] == "configuration" {
				return config.WriteHelp(s.out)
			}
			found, _, err := c.Root().Find(args)
			if err != nil || found == nil || (found == c.Root() && len(args) > 0) {
				return usage(fmt.Errorf("there is no command or topic %q; topics are %s", strings.Join(args, " "), strings.Join(topicNames(), ", ")))
			}
			return found.Help()
		},
	}
}

func topic(name string) (string, bool) {
	text, err := fs.ReadFile(topics, path.Join("help", path.Base(name)+".txt"))
	return string(text), err == nil
}

// topicNames are the texts and the one topic that is written from the
// configuration itself, so that it cannot be out of date.
func topicNames() []string {
	names := []string{"configuration"}
	entries, _ := fs.ReadDir(topics, "help")
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".txt"))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

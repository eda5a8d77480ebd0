package config

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// Introduction is what holds for all variables.
const Introduction = "Postern is configured by environment variables. None has to be set. An empty variable counts as not set; a variable that starts with POSTERN_ and is not listed here is an error. Durations are written as 250ms, 5s or 1m30s, sizes as 256KiB, 4MiB or 1GiB, lists with commas. `postern config` prints the settings in effect and where each comes from, `postern config --check` says what is wrong with them."

// WriteHelp writes what every variable does, in lines of at most 80 columns.
func WriteHelp(w io.Writer) error {
	var b strings.Builder
	b.WriteString(wrap(Introduction, ""))
	group := ""
	for _, v := range append(Vars(), ClientVars()...) {
		if v.Group != group {
			group = v.Group
			b.WriteString("\n" + strings.ToUpper(group) + "\n")
		}
		b.WriteString("\n" + v.Name + "\n")
		b.WriteString(wrap(v.Help+" "+v.facts(), "    "))
		b.WriteString("    " + v.Example + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// facts are the type, the bounds and the default, as a sentence.
func (v Var) facts() string {
	text := "(" + v.Type
	if v.Range != "" {
		text += ", " + strings.Replace(v.Range, "..", " to ", 1)
	}
	if v.Default != "" {
		text += ", default " + v.Default
	}
	if v.Secret {
		text += ", or the file that " + v.Name + fileSuffix + " names"
	}
	return text + ")"
}

func wrap(text, indent string) string {
	const width = 78
	var b strings.Builder
	line := indent
	for word := range strings.FieldsSeq(text) {
		if len(line) > len(indent) && len(line)+len(word) >= width {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = indent
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	return b.String()
}

// Print writes the settings in effect, one NAME=value line each, and behind it
// where the value comes from. It shows no secret.
func (c *Config) Print(w io.Writer) error {
	for _, v := range variables(c) {
		source := cmp.Or(c.sources[v.Name], fromDefault)
		if _, err := fmt.Fprintf(w, "%-58s # %s\n", v.Name+"="+show(v.value), source); err != nil {
			return err
		}
	}
	return nil
}

// Report reads what "go test -json" writes and tells it to people: one line for
// each package, everything a failed test said, and nothing of one that passed.
// A skipped test is a failure, for it would pass without having run.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if err := report(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// An event is one line of test2json (go doc test2json).
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

// A test is what one test, or with an empty name one package, said.
type test struct{ Package, Name string }

// report fails when a test failed or was skipped, and when nothing ran.
func report(r io.Reader, w io.Writer) error {
	said := map[test]*strings.Builder{}
	passed, bad := 0, 0
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		e, ok := parse(lines.Bytes())
		if !ok {
			fmt.Fprintf(w, "%s\n", lines.Bytes())
			continue
		}
		key := test{e.Package, e.Test}
		if said[key] == nil {
			said[key] = new(strings.Builder)
		}
		said[key].WriteString(e.Output)
		switch {
		case e.Action == "pass" && e.Test != "":
			passed++
		case e.Action == "pass":
			fmt.Fprintf(w, "ok    %-60s %6.1f s\n", e.Package, e.Elapsed)
		case e.Action == "skip" && e.Test != "":
			bad++
			fmt.Fprintf(w, "SKIP  %s %s\n%s", e.Package, e.Test, said[key])
		case e.Action == "fail":
			bad++
			fmt.Fprintf(w, "FAIL  %s %s\n%s", e.Package, e.Test, said[key])
		case e.Action == "build-output":
			fmt.Fprint(w, e.Output)
		case e.Action == "build-fail":
			bad++
		}
		if e.Action == "pass" || e.Action == "fail" || e.Action == "skip" {
			delete(said, key)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return verdict(passed, bad)
}

// parse reads one event; what the go command says in plain text is none.
func parse(line []byte) (event, bool) {
	var e event
	err := json.Unmarshal(line, &e)
	return e, err == nil && e.Action != ""
}

func verdict(passed, bad int) error {
	switch {
	case bad > 0:
		return fmt.Errorf("%d tests passed, %d failed or were skipped", passed, bad)
	case passed == 0:
		return fmt.Errorf("no test ran")
	}
	return nil
}

// Command grafana prints the dashboard that postern.json holds, for Grafana 10
// and later:
//
//	go run ./deploy/grafana >deploy/grafana/postern.json
//
// Given the address of a Prometheus, it draws what the first rows of the dashboard
// would show of the last minutes there:
//
//	go run ./deploy/grafana http://127.0.0.1:9090 >deploy/docs/dashboard.svg
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

func main() {
	print := written
	if len(os.Args) > 1 {
		print = func() ([]byte, error) { return picture(prometheus{os.Args[1], time.Now()}) }
	}
	text, err := print()
	if err == nil {
		_, err = os.Stdout.Write(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// written is the dashboard as the file has it.
func written() ([]byte, error) {
	text, err := json.MarshalIndent(dashboard(), "", " ")
	return append(text, '\n'), err
}

// dashboard is all of it: the data source and the job are chosen by whoever
// looks, and each policy that was put in force is marked.
func dashboard() board {
	b := board{
		Title: "Postern", UID: "postern", Tags: []string{"postern", "authorization"},
		SchemaVersion: 39, Version: 1, Editable: true, Refresh: "30s", Time: span{"now-6h", "now"}, Timezone: "browser",
	}
	b.Annotations.List = []annotation{{
		Name: "Policies put in force", Datasource: chosen(), Enable: true, IconColor: "blue",
		Expr:        "changes(postern_policy_activation_timestamp_seconds{" + job + "}[2m]) > 0",
		TitleFormat: "{{source}}",
	}}
	b.Templating.List = []variable{
		{Name: "datasource", Label: "Data source", Type: "datasource", Query: "prometheus"},
		jobs(),
	}
	b.lay(overview(), decisions(), freshness(), policies(), directory(), leaving(), served(), resources())
	return b
}

// jobs chooses among the jobs that scrape Postern.
func jobs() variable {
	const values = "label_values(postern_build_info, job)"
	source := chosen()
	return variable{
		Name: "job", Label: "Job", Type: "query", Datasource: &source,
		Query: map[string]string{"query": values, "refId": "v"}, Definition: values,
		IncludeAll: true, Multi: true, Current: map[string]string{"text": "All", "value": "$__all"}, Refresh: 2, Sort: 1,
	}
}

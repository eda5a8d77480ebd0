package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/app"
	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pdp"
)

// A question is what the flags of decide ask.
type question struct {
	subject, action, resource string
	properties, context       map[string]string
	asJSON, exitCode          bool
}

func decideCommand(s streams) *cobra.Command {
	var q question
	c := &cobra.Command{
		Use:   "decide --subject TYPE:ID --action NAME --resource TYPE:ID",
		Short: "Decide one request from the command line, with the reasons",
		Long: `Decides as a server with the same settings would: by the configured policies, over
the configured directory.`,
		Example: `  postern decide --subject login:rosa --action service.view --resource account:a-1001
  postern decide --subject login:sally --action quote.create --resource quote:q-7 \
      --property account=r-4001 --context portal=partner`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return decide(c, s, q) },
	}
	f := c.Flags()
	f.StringVar(&q.subject, "subject", "", "who wants to act: user:ID or login:USERNAME")
	f.StringVar(&q.action, "action", "", "what they want to do, such as service.view")
	f.StringVar(&q.resource, "resource", "", "what they want to do it to, such as account:a-1001")
	f.StringToStringVar(&q.properties, "property", nil, "NAME=VALUE of the resource; may be repeated")
	f.StringToStringVar(&q.context, "context", nil, "NAME=VALUE of the context; may be repeated")
	f.BoolVar(&q.asJSON, "json", false, "print the answer an application would get")
	f.BoolVar(&q.exitCode, "exit-code", false, "exit with 5 if the decision is no")
	return c
}

func decide(c *cobra.Command, s streams, q question) error {
	req, err := q.request()
	if err != nil {
		return usage(err)
	}
	cfg, err := load(s)
	if err != nil {
		return err
	}
	result, err := app.Decide(c.Context(), cfg, quiet(s), req)
	if err != nil {
		return err
	}
	outcome := result.Outcomes[0]
	if outcome.Err != nil {
		return outcome.Err
	}
	if err := q.print(s.out, result); err != nil {
		return err
	}
	if q.exitCode && !outcome.Decision.Allow {
		return &exitError{exitDenied, nil}
	}
	return nil
}

// request is the question as an application would ask it.
func (q question) request() (req authz.Request, err error) {
	if q.action == "" {
		return req, errors.New("--action is missing: what the subject wants to do, such as service.view")
	}
	subjectType, subjectID, ok := strings.Cut(q.subject, ":")
	if !ok {
		return req, fmt.Errorf("--subject is %q; it takes TYPE:ID, such as login:rosa", q.subject)
	}
	resourceType, resourceID, ok := strings.Cut(q.resource, ":")
	if !ok {
		return req, fmt.Errorf("--resource is %q; it takes TYPE:ID, such as account:a-1001", q.resource)
	}
	return authz.Request{
		Subject:  authz.Subject{Type: subjectType, ID: subjectID},
		Action:   authz.Action{Name: q.action},
		Resource: authz.Resource{Type: resourceType, ID: resourceID, Properties: properties(q.properties)},
		Context:  properties(q.context),
	}, nil
}

func properties(given map[string]string) authz.Properties {
	if len(given) == 0 {
		return nil
	}
	p := authz.Properties{}
	for name, value := range given {
		p[name] = value
	}
	return p
}

func (q question) print(w io.Writer, r pdp.Result) error {
	d := r.Outcomes[0].Decision
	if q.asJSON {
		_, err := fmt.Fprintf(w, "%s\n", d.AppendJSON(nil))
		return err
	}
	verdict := "deny "
	if d.Allow {
		verdict = "allow"
	}
	_, _ = fmt.Fprintf(w, "%s  %s %s on %s\n", verdict, q.subject, q.action, q.resource)
	printContext(w, d.Context)
	_, err := fmt.Fprintf(w, "policy %s, directory revision %d\n", r.Policy, r.Data)
	return err
}

// printContext writes reasons and obligations a line each; what a policy of
// one's own says otherwise is written as it is.
func printContext(w io.Writer, context json.RawMessage) {
	var said struct {
		Reasons     []map[string]any
		Obligations []map[string]any
	}
	if len(context) == 0 {
		return
	}
	if json.Unmarshal(context, &said) != nil || len(said.Reasons)+len(said.Obligations) == 0 {
		_, _ = fmt.Fprintf(w, "  %s\n", context)
		return
	}
	for _, r := range said.Reasons {
		_, _ = fmt.Fprintf(w, "  because  %s\n", reason(r))
	}
	for _, o := range said.Obligations {
		_, _ = fmt.Fprintf(w, "  obliges  %v\n", compact(o))
	}
}

// reason is the rule's id, its text, and whatever else it says.
func reason(r map[string]any) string {
	text, _ := r["text"].(string)
	rule, _ := r["rule"].(string)
	delete(r, "text")
	delete(r, "rule")
	parts := []string{rule}
	if text != "" {
		parts = append(parts, text)
	}
	if len(r) > 0 {
		parts = append(parts, compact(r))
	}
	return strings.Join(parts, "  ")
}

func compact(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

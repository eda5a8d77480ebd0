// Package portal is what an application does anyway: it knows who is signed in,
// shows a page, and changes what somebody holds. Both examples are made of it.
package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/postern-authz/postern/deploy/examples/go/postern"
)

// A Portal is a small application for ACME of the demo directory.
type Portal struct {
	Decisions  *postern.Client
	Management string // URL of Postern's management listener
	Token      string // of it: a service token with the scope act, or the demo's operator key
	Log        *slog.Logger
}

// User is who is signed in: the example believes any name. An application reads
// its session here, and nothing else that a caller could write.
func User(username string) (postern.Entity, bool) {
	id, ok := map[string]string{
		"paula": "usr_01920000-0000-7000-8000-000000000005",
		"rosa":  "usr_01920000-0000-7000-8000-000000000007",
		"sam":   "usr_01920000-0000-7000-8000-000000000009",
	}[username]
	return postern.Entity{Type: "user", ID: id}, ok
}

// Service is a service as a resource.
func Service(id string) postern.Entity { return postern.Entity{Type: "service", ID: id} }

// Account is an account as a resource.
func Account(id string) postern.Entity { return postern.Entity{Type: "account", ID: id} }

var buttons = []struct{ action, Label string }{
	{"service.configure", "Configure"},
	{"order.create", "Order"},
	{"ticket.create", "Report a fault"},
	{"call_record.view", "Call records"},
}

var page = template.Must(template.New("page").Parse(`<h1>Service {{.Service}}</h1>
{{if .Price}}<p>42.00 a month</p>
{{end}}{{range .Buttons}}<button>{{.Label}}</button>
{{end}}`))

// Page shows a service with the buttons that the user may press, all of them
// asked about at once. Each is asked about again when it is pressed.
func (p Portal) Page(ctx context.Context, user postern.Entity, service string, seen postern.Answer) ([]byte, error) {
	questions := make([]postern.Question, len(buttons))
	for i, b := range buttons {
		questions[i] = postern.Question{Action: b.action, Resource: Service(service)}
	}
	shown := buttons[:0:0]
	for i, answer := range p.Decisions.EvaluateAll(ctx, user, questions) {
		if answer.Allowed {
			shown = append(shown, buttons[i])
		} else if answer.Err != nil {
			p.Log.Error("a button is not shown", "err", answer.Err, "action", buttons[i].action)
		}
	}
	var b bytes.Buffer
	err := page.Execute(&b, map[string]any{"Service": service, "Price": !seen.Must("redact", "financial"), "Buttons": shown})
	return b.Bytes(), err
}

// TakeAccount takes an account from a member, in the name of the user. Postern
// decides whether the user may, and its answer has the token with which the next
// decisions about both see the change.
func (p Portal) TakeAccount(ctx context.Context, user postern.Entity, member, account string) error {
	body, err := json.Marshal(map[string]any{"remove": map[string]any{"accounts": []any{map[string]any{"id": account}}}})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch,
		p.Management+"/v1/organizations/acme/members/"+url.PathEscape(member)+"/grants", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+p.Token)
	req.Header.Set("Postern-Actor", user.ID)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	var changed struct{ User string }
	if err == nil {
		err = json.Unmarshal(text, &changed)
	}
	if resp.StatusCode != http.StatusOK || err != nil {
		return fmt.Errorf("take an account: %s %.500s, %v", resp.Status, text, err)
	}
	token := resp.Header.Get("Postern-Consistency-Token")
	p.Decisions.Saw(postern.Entity{Type: "user", ID: changed.User}, token)
	p.Decisions.Saw(user, token)
	return nil
}

package postern

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// readAll fills in as many answers as there are questions.
func (c *Client) readAll(r reply, answers []Answer) error {
	var items []map[string]json.RawMessage
	if err := json.Unmarshal(r.members["evaluations"], &items); err != nil {
		return fmt.Errorf("postern answered without evaluations: %w", err)
	}
	if len(items) != len(answers) {
		return fmt.Errorf("postern answered %d of %d questions", len(items), len(answers))
	}
	for i, item := range items {
		answers[i] = c.read(item, r.decisionID)
	}
	return nil
}

// read reads a decision. Only a true under the very name "decision" allows, and
// only without anything beside it that the application does not understand.
func (c *Client) read(members map[string]json.RawMessage, id string) Answer {
	var said struct {
		Reasons     []Reason     `json:"reasons"`
		Obligations []Obligation `json:"obligations"`
		Error       *struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	var allowed *bool
	if err := json.Unmarshal(members["decision"], &allowed); err != nil || allowed == nil {
		return Answer{DecisionID: id, Err: errors.New("postern answered without a decision")}
	}
	if context, ok := members["context"]; ok {
		if err := json.Unmarshal(context, &said); err != nil {
			return Answer{DecisionID: id, Err: fmt.Errorf("postern answered with a context that cannot be read: %w", err)}
		}
	}
	if said.Error != nil {
		return Answer{DecisionID: id, Err: fmt.Errorf("%w: %s", errUndecided, said.Error.Message)}
	}
	for _, o := range said.Obligations {
		if *allowed && !slices.Contains(c.options.Obligations, o.ID) {
			return Answer{DecisionID: id, Reasons: said.Reasons, Err: fmt.Errorf("postern allows with the obligation %q, which this application does not know", o.ID)}
		}
	}
	return Answer{Allowed: *allowed, Reasons: said.Reasons, Obligations: said.Obligations, DecisionID: id}
}

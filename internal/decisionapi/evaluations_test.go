package decisionapi

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pdp"
)

// Items of batches, by what is decided on them.
const (
	yes     = `{"resource":{"type":"record","id":"101"}}`
	no      = `{"resource":{"type":"record","id":"9"}}`
	invalid = `{"resource":{"type":"record"}}`
	bug     = `{"resource":{"type":"record","id":"bug"}}`
)

// noResource are the defaults of a batch whose items bring their resources.
func batch(items ...string) []string {
	return []string{"resource", "", "evaluations", "[" + strings.Join(items, ",") + "]"}
}

func failed(status int, message string) string {
	return fmt.Sprintf(`{"decision":false,"context":{"error":{"status":%d,"message":%q}}}`, status, message)
}

func decisions(all ...string) string { return `{"evaluations":[` + strings.Join(all, ",") + `]}` }

const undecided = "Something went wrong here and not in the request. The operator finds it in the log by the request id."

// TestEvaluations has a test for each of requirements 16 to 34, and for the
// rulings that bear on a batch.
func TestEvaluations(t *testing.T) {
	missingID := failed(400, "evaluations[0].resource.id is missing: send a string")
	for name, tt := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"16 items are decided each for itself":                  {with(batch(yes, no, yes)...), 200, decisions(permit, deny, permit)},
		"17 answers come in the order of the items":             {with(batch(no, yes, no, no, yes)...), 200, decisions(deny, permit, deny, deny, permit)},
		"17 a batch of one is a batch":                          {with(batch(yes)...), 200, decisions(permit)},
		"18 no evaluations is one request":                      {permitted, 200, permit},
		"18 empty evaluations is one request":                   {with("evaluations", `[]`), 200, permit},
		"18 empty evaluations is judged as one request":         {with("subject", "", "evaluations", `[]`), 400, "subject is missing"},
		"18 no evaluations has no use for options":              {with("options", `{"evaluations_semantic":"x"}`), 200, permit},
		"19 an item replaces a default whole":                   {with("subject", `{"type":"user","id":"eve","properties":{"role":"auditor"}}`, "evaluations", `[{},{"subject":{"type":"user","id":"eve"}}]`), 200, decisions(permit, deny)},
		"19 properties of a default are not merged":             {with("resource", `{"type":"record","id":"9","properties":{"public":true}}`, "evaluations", `[{},{"resource":{"type":"record","id":"9","properties":{}}}]`), 200, decisions(permit, deny)},
		"19 an item inherits a default whole":                   {with("evaluations", `[{},{"action":{"name":"write"}},{}]`), 200, decisions(permit, deny, permit)},
		"20 there may be no defaults":                           {`{"evaluations":[` + permitted + `,` + permitted + `]}`, 200, decisions(permit, permit)},
		"21 what is missing in item and default fails the item": {with(batch(`{}`, yes)...), 200, decisions(failed(400, "evaluations[0].resource is missing: send an object"), permit)},
		"22 a failed item leaves the others alone":              {with(batch(yes, bug, yes)...), 200, decisions(permit, failed(500, undecided), permit)},
		"23 a failed item is closed and says why":               {with(batch(`{"resource":{"type":"record","id":"gone"}}`)...), 200, decisions(failed(404, "record gone is not known"))},
		"23 a forbidden item says so":                           {with(batch(`{"resource":{"type":"record","id":"foreign"}}`)...), 200, decisions(failed(403, "record foreign is not yours"))},
		"24 bad JSON fails the payload":                         {`{"evaluations":[`, 400, "ends in the middle"},
		"24 evaluations that is an object":                      {with("evaluations", `{}`), 400, "evaluations is an object"},
		"24 evaluations that is a string":                       {with("evaluations", `"x"`), 400, "evaluations is a string"},
		"25 there is no decision beside evaluations":            {with(batch(yes)...), 200, decisions(permit)},
		"26 missing in all items and defaults":                  {`{"evaluations":[{},{}]}`, 200, decisions(failed(400, "evaluations[0].subject is missing: send an object"), failed(400, "evaluations[1].subject is missing: send an object"))},
		"27 an incomplete default that nobody inherits":         {with("resource", `{"type":"record"}`, "evaluations", "["+yes+","+no+"]"), 200, decisions(permit, deny)},
		"27 an incomplete default fails who inherits it":        {with("resource", `{"type":"record"}`, "evaluations", "["+yes+",{}]"), 200, decisions(permit, failed(400, "resource.id is missing: send a string"))},
		"28 unknown options are ignored":                        {with(append(batch(yes), "options", `{"explain":true,"EVALUATIONS_SEMANTIC":"x"}`)...), 200, decisions(permit)},
		"28 options that are a string":                          {with(append(batch(yes), "options", `"x"`)...), 400, "options is a string"},
		"29 execute_all is the default":                         {with(append(batch(no, yes), "options", `{}`)...), 200, decisions(deny, permit)},
		"29 a semantic that is a number":                        {with(append(batch(yes), "options", `{"evaluations_semantic":1}`)...), 400, "evaluations_semantic is a number"},
		"30 execute_all returns everything":                     {with(append(batch(no, yes, bug), "options", `{"evaluations_semantic":"execute_all"}`)...), 200, decisions(deny, permit, failed(500, undecided))},
		"31 deny_on_first_deny stops at a denial":               {with(append(batch(yes, no, yes), "options", `{"evaluations_semantic":"deny_on_first_deny"}`)...), 200, decisions(permit, deny)},
		"31 deny_on_first_deny stops at a failure":              {with(append(batch(yes, bug, yes), "options", `{"evaluations_semantic":"deny_on_first_deny"}`)...), 200, decisions(permit, failed(500, undecided))},
		"31 deny_on_first_deny stops at an invalid item":        {with(append(batch(invalid, yes), "options", `{"evaluations_semantic":"deny_on_first_deny"}`)...), 200, decisions(missingID)},
		"32 permit_on_first_permit stops at a permit":           {with(append(batch(no, bug, yes, yes), "options", `{"evaluations_semantic":"permit_on_first_permit"}`)...), 200, decisions(deny, failed(500, undecided), permit)},
		"33 deny_on_first_deny without a denial":                {with(append(batch(yes, yes), "options", `{"evaluations_semantic":"deny_on_first_deny"}`)...), 200, decisions(permit, permit)},
		"33 permit_on_first_permit without a permit":            {with(append(batch(no, no), "options", `{"evaluations_semantic":"permit_on_first_permit"}`)...), 200, decisions(deny, deny)},
		"34 an unknown semantic":                                {with(append(batch(yes), "options", `{"evaluations_semantic":"first_wins"}`)...), 400, "first_wins"},
		"34 an empty semantic":                                  {with(append(batch(yes), "options", `{"evaluations_semantic":""}`)...), 400, "execute_all"},
		"34 a semantic in capitals":                             {with(append(batch(yes), "options", `{"evaluations_semantic":"EXECUTE_ALL"}`)...), 400, "execute_all"},
		"A3 null evaluations is one request":                    {with("evaluations", `null`), 200, permit},
		"A3 null options are none":                              {with(append(batch(yes), "options", `null`)...), 200, decisions(permit)},
		"A3 a null semantic is none":                            {with(append(batch(no, yes), "options", `{"evaluations_semantic":null}`)...), 200, decisions(deny, permit)},
		"A3 a null default is none":                             {with("subject", `null`, "evaluations", `[{"subject":{"type":"user","id":"alice"}},{}]`), 200, decisions(permit, failed(400, "subject is missing: send an object"))},
		"A3 a null subject fails the item and inherits nothing": {with("evaluations", `[{"subject":null},{}]`), 200, decisions(failed(400, "evaluations[0].subject is missing: send an object"), permit)},
		"A4 half an entity fails that item alone":               {with("evaluations", `[{"resource":{"id":"101"}},{}]`), 200, decisions(failed(400, "evaluations[0].resource.type is missing: send a string"), permit)},
		"A5 an item that is no object fails alone":              {with("evaluations", `["x",{},null,[]]`), 200, decisions(failed(400, "evaluations[0] is a string: send an object"), permit, failed(400, "evaluations[2] is null: send an object"), failed(400, "evaluations[3] is an array: send an object"))},
		"A6 a default subject of the wrong type":                {with("subject", `"alice"`, "evaluations", "["+permitted+"]"), 400, "subject is a string"},
		"A6 a default resource of the wrong type":               {with("resource", `[]`, "evaluations", "["+permitted+"]"), 400, "resource is an array"},
		"A6 a default action of the wrong type":                 {with("action", `1`, "evaluations", "["+permitted+"]"), 400, "action is a number"},
		"A6 a default context of the wrong type":                {with("context", `true`, "evaluations", "["+permitted+"]"), 400, "context is a boolean"},
		"11 a wrong type inside an item fails that item":        {with("evaluations", `[{"subject":{"type":"user","id":1}},{"context":[]},{}]`), 200, decisions(failed(400, "evaluations[0].subject.id is a number: send a string"), failed(400, "evaluations[1].context is an array: send an object or leave it out"), permit)},
		"A8 a duplicate member in an item fails the payload":    {with("evaluations", `[{"action":{"name":"read","name":"write"}}]`), 400, "/evaluations/0/action/name"},
		"A11 an item that cannot be known says 503":             {with(batch(`{"resource":{"type":"record","id":"broken"}}`, yes)...), 200, decisions(failed(503, "The answer cannot be known at the moment. Ask again."), permit)},
		"A11 an item's failure of another kind is 500":          {with(batch(`{"resource":{"type":"record","id":"moved"}}`)...), 200, decisions(failed(500, undecided))},
		"70 unknown members of items are ignored":               {with("evaluations", `[{"evaluations":5,"options":{},"SUBJECT":{"type":"user","id":"eve"}}]`), 200, decisions(permit)},
		"78 more items than may be":                             {with(batch(strings.Split(strings.Repeat(yes+" ", 11), " ")[:11]...)...), 400, "evaluations has 11 items: send 10 or fewer"},
		"trap 1 EVALUATIONS is not evaluations":                 {`{"EVALUATIONS":[{}],` + permitted[1:], 200, permit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listen(t, Options{MaxBatch: 10}).ask(t, pathEvaluations, tt.body).wants(t, tt.status, tt.want)
		})
	}
}

func TestABatchIsOneQuery(t *testing.T) {
	l := listen(t, Options{})
	l.ask(t, pathEvaluations, with("context", `{"a":1}`, "evaluations", `[{},{"context":{"b":2}},{"context":null},{"context":{}},7]`)).wants(t, 200, "")
	got := l.last(t)
	if l.count() != 1 || got.API != "evaluations" || len(got.Items) != 5 {
		t.Fatalf("got %d queries, the last %+v, want one with 5 items", l.count(), got)
	}
	for i, want := range []authz.Properties{{"a": json.Number("1")}, {"b": json.Number("2")}, {"a": json.Number("1")}, {}} {
		if c := got.Items[i].Request.Context; !reflect.DeepEqual(c, want) {
			t.Errorf("item %d got the context %v, want %v", i, c, want)
		}
	}
	if got.Items[4].Err == nil || !reflect.DeepEqual(got.Items[4].Request, authz.Request{}) {
		t.Errorf("item 4 got %+v, want an error and no request", got.Items[4])
	}
	l.ask(t, pathEvaluations, permitted).wants(t, 200, permit)
	if got := l.last(t).API; got != "evaluation" {
		t.Errorf("18 without a batch got the API %q, want evaluation", got)
	}
}

func TestALargeBatch(t *testing.T) {
	l := listen(t, Options{})
	items := strings.Repeat(yes+",", 999)
	l.ask(t, pathEvaluations, with(batch(items+no)...)).wants(t, 200, decisions(strings.Repeat(permit+",", 999)+deny))
	l.ask(t, pathEvaluations, with(batch(items+no, no)...)).wants(t, 400, "1001 items")
}

func TestA11TheOperatorLearnsWhyItemsFailed(t *testing.T) {
	l := listen(t, Options{})
	l.ask(t, pathEvaluations, with(batch(yes, invalid)...), "X-Request-ID", "fine").wants(t, 200, "")
	l.ask(t, pathEvaluations, with(batch(yes, bug, bug)...), "X-Request-ID", "failing").wants(t, 200, "")
	if log := l.log.String(); !strings.Contains(log, "hunter2") || !strings.Contains(log, `"failed":2`) || !strings.Contains(log, "failing") || strings.Contains(log, "fine") {
		t.Errorf("got the log %s, want one line on the two failures", log)
	}
}

func TestA13EqualRequestsHaveEqualBodies(t *testing.T) {
	l := listen(t, Options{})
	body := with(batch(yes, no, invalid, bug)...)
	first := l.ask(t, pathEvaluations, body)
	for range 3 {
		if again := l.ask(t, pathEvaluations, body); again.body != first.body {
			t.Errorf("got %s, want %s", again.body, first.body)
		}
	}
}

// deadlines is a decision point that remembers until when it was asked.
type deadlines struct {
	fixture
	until []time.Time
}

func (d *deadlines) Evaluate(ctx context.Context, q pdp.Query) (pdp.Result, error) {
	until, _ := ctx.Deadline()
	d.until = append(d.until, until)
	return d.fixture.Evaluate(ctx, q)
}

func TestABatchHasTheTimeOfOneDecisionAndAMillisecondForEachMore(t *testing.T) {
	d := &deadlines{}
	l := listen(t, Options{PDP: d})
	l.ask(t, pathEvaluation, permitted)
	l.ask(t, pathEvaluations, `{"evaluations":[`+strings.Repeat(permitted+",", 900)+permitted+`]}`)
	if len(d.until) != 2 {
		t.Fatalf("got %d queries, want 2", len(d.until))
	}
	if more := d.until[1].Sub(d.until[0]); more < 900*time.Millisecond {
		t.Errorf("got %v more for a batch of 901, want %v or more", more, 900*time.Millisecond)
	}
}

package test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/postern-authz/postern/test/history"
)

// An event is a row of the trail, as far as histories need it.
type event struct {
	Revision      history.Revision
	Type, Target  string
	RequestID     string `json:"request_id"`
	Before, After standing
}

// A standing is what an event says of a member: in part, what was and what is.
type standing struct {
	Role, State string
	Grants      struct{ Accounts []struct{ ID string } }
}

// history is what happened, with the trail as the truth.
func (w *workload) history() history.History {
	o := w.fleet.office()
	x := o.does(200, "GET", "/v1/organizations/acme/audit-events/verify", "")
	if x.read("ok") != "true" {
		o.t.Errorf("the trail does not hold:\n%s", x)
	}
	var events []event
	for line := range strings.Lines(o.export("/v1/organizations/acme/audit-events?")) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			o.t.Fatal(err)
		}
		events = append(events, e)
	}
	slices.SortStableFunc(events, func(a, b event) int { return int(a.Revision - b.Revision) })
	return history.History{Commits: w.commits(events), Writes: w.writes, Readings: w.readings}
}

// commits are the changes of the trail, with all that they say of a member.
func (w *workload) commits(events []event) (commits []history.Commit) {
	commits = append(commits, history.Commit{Revision: history.Revision(w.first)})
	who := map[string]*state{}
	for _, m := range w.members {
		who[m.id] = &state{member: m, role: "regular", active: true, holds: map[string]bool{}}
	}
	for _, e := range events {
		s := who[e.Target]
		if s == nil { // of before it began
			continue
		}
		s.apply(e)
		commits = append(commits, history.Commit{Revision: e.Revision, Write: e.RequestID, Answers: s.answers()})
	}
	w.wantRead(who)
	return commits
}

// A state is how a member stands after some of the trail.
type state struct {
	member subject
	role   string
	active bool
	holds  map[string]bool
}

func (s *state) apply(e event) {
	if e.After.Role != "" {
		s.role = e.After.Role
	}
	if e.After.State != "" {
		s.active = e.After.State == "active"
	}
	for _, a := range e.Before.Grants.Accounts {
		delete(s.holds, a.ID)
	}
	for _, a := range e.After.Grants.Accounts {
		s.holds[a.ID] = true
	}
}

// answers are those to every question about a member, by what its role may do,
// and the facts that writers want.
func (s *state) answers() map[string]bool {
	name := s.member.name
	all := map[string]bool{name + " is active": s.active, name + " is regular": s.role == "regular"}
	for n := range accounts {
		account := fmt.Sprintf("a%d", n)
		holds := s.holds[account]
		all[name+" holds "+account] = holds
		all[name+" service.view "+account] = s.active && holds
		all[name+" order.create "+account] = s.active && holds && s.role == "regular"
	}
	return all
}

// wantRead wants the directory to be what the trail comes to.
func (w *workload) wantRead(who map[string]*state) {
	o := w.fleet.office()
	for id, want := range who {
		var got standing
		x := o.does(200, "GET", "/v1/organizations/acme/members/"+id, "")
		if err := json.Unmarshal([]byte(x.body), &got); err != nil {
			o.t.Fatal(err)
		}
		holds := map[string]bool{}
		for _, a := range got.Grants.Accounts {
			holds[a.ID] = true
		}
		if fmt.Sprint(got.Role, got.State == "active", holds) != fmt.Sprint(want.role, want.active, want.holds) {
			o.t.Errorf("%s is %s, the trail says %+v", want.member.name, x.body, want)
		}
	}
}

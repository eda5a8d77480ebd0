package pap_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

// A bug makes the product forget one check.
type bug struct {
	name   string
	during []string // the roads on which it forgets; none: on all
	// near are the roads on which it is likely met: every other step takes one.
	near []string
	// forgives are the rules of the policy that are not heard.
	forgives []string
	// asks is what the policy is asked instead.
	asks func(q *authz.Question)
	// blind: nobody says which companies lie in a contract.
	blind bool
	on    bool // while it forgets
}

// bugs are ways in which products like this one have let people climb (T3, T4,
// V17-V20, V36).
func bugs() []*bug {
	giving := []string{"invite", "accept", "create", "set grants", "patch grants"}
	return []*bug{
		{name: "anybody gives any role anywhere", forgives: []string{"manage.beyond"}},
		{
			name: "people change their own access", near: []string{"revoke tool", "set grants", "unseat inviter"},
			forgives: []string{"manage.own_access", "manage.outranked"}, // each of the two rules would do
		},
		{name: "anybody passes CPNI on", forgives: []string{"manage.cpni"}, near: []string{"authorize cpni", "create"}},
		{name: "what an invitation becomes is not asked about", during: []string{"amend invitation"}, forgives: everything, near: []string{"invite", "amend invitation", "accept"}},
		{name: "a clone gets what its maker has not", during: []string{"clone"}, forgives: everything, near: []string{"clone", "accept"}},
		{name: "who is created is not asked about", during: []string{"create"}, forgives: everything, near: []string{"create"}},
		{name: "grants are added as if none were", during: []string{"patch grants", "set grants"}, forgives: everything},
		{
			name: "whoever holds an account group fills it", during: []string{"change account group"},
			forgives: []string{"manage.account_group", "manage.beyond"}, near: []string{"change account group"},
		},
		{name: "a company holds what its contracts give elsewhere", blind: true, near: []string{"create", "patch grants"}},
		{name: "people manage those above them", forgives: []string{"manage.outranked", "manage.beyond", "manage.primary_contact"}},
		{name: "the operator's tools are everybody's", during: []string{"grant tool", "set tool accounts", "restore"}, forgives: everything},
		{name: "an invitation is not judged again when it is accepted", during: []string{"accept"}, forgives: everything, near: []string{"invite", "unseat inviter", "accept"}},
		{name: "what is given outlives what it is given from", asks: lasting, near: giving},
	}
}

var everything = []string{"manage."}

// lasting counts grants that end as if they did not: abe's.
func lasting(q *authz.Question) {
	user, _ := q.Facts["user"].(map[string]any)
	grants, _ := q.Facts["grants"].([]any)
	if organization, _ := user["organization"].(string); user["role"] == "administrator" && len(grants) > 0 {
		q.Facts["grants"] = append(slices.Clone(grants), map[string]any{"role": "administrator", "scope": "account:" + organization + "-s2"})
	}
}

// A forgetful judge has a bug.
type forgetful struct {
	pap.Judge
	bug *bug
}

func (f forgetful) Manage(ctx context.Context, q authz.Question) (authz.Verdict, error) {
	if f.bug.on && f.bug.asks != nil {
		q.Facts = maps.Clone(q.Facts)
		f.bug.asks(&q)
	}
	v, err := f.Judge.Manage(ctx, q)
	forgiven := func(r authz.Reason) bool {
		return slices.ContainsFunc(f.bug.forgives, func(rule string) bool { return strings.HasPrefix(r.Rule, rule) })
	}
	if f.bug.on && err == nil && !v.Allow && !slices.ContainsFunc(v.Reasons, func(r authz.Reason) bool { return !forgiven(r) }) {
		v.Allow = true
	}
	return v, err
}

// A blind store does not know which companies lie in a contract.
type blind struct{ pap.Store }

type blindTx struct{ pap.Tx }

func (blindTx) EnclosedCompanies(string) ([]string, error) { return nil, nil }

func (b blind) Change(ctx context.Context, fn func(pap.Tx) error) (authz.Revision, error) {
	return b.Store.Change(ctx, func(tx pap.Tx) error { return fn(blindTx{tx}) })
}

// limitless lets people invite as often as they like.
func limitless(h *house) {
	o := h.Options
	o.Limits = pap.Limits{
		Cooldown: -1, MailsPerRecipient: -1, ResetsPerRecipient: -1,
		InvitationsPerActor: -1, InvitationsPerOrganization: -1, OpenInvitations: -1,
	}
	h.PAP = pap.New(o)
}

func (b *bug) plant(h *house) {
	h.Judge = forgetful{h.Judge, b}
	if b.blind {
		h.Store = blind{h.Store}
	}
}

// planted is how many of the bugs are tried; the gate tries all.
var planted = flag.Int("bugs", 2, "how many bugs TestNobodyClimbsFindsBugs plants")

// TestNobodyClimbsFindsBugs plants each bug and wants TestNobodyClimbs to find
// it, in a process of its own, for a property that fails ends its test.
func TestNobodyClimbsFindsBugs(t *testing.T) {
	const variable = "POSTERN_TEST_BUG"
	if name := os.Getenv(variable); name != "" {
		i := slices.IndexFunc(bugs(), func(b *bug) bool { return b.name == name })
		h, b := open(t), bugs()[i]
		b.plant(h)
		climb(t, h, b)
		return
	}
	for _, b := range bugs()[:min(*planted, len(bugs()))] {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNobodyClimbsFindsBugs$", "-rapid.shrinktime=0s", "-rapid.nofailfile", "-climbs=400")
			again.Env = append(os.Environ(), fmt.Sprintf("%s=%s", variable, b.name))
			out, err := again.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL") {
				t.Fatalf("the bug was not found: %v\n%s", err, out)
			}
			t.Logf("found in %s: %s", time.Since(begun).Round(time.Millisecond), finding(string(out)))
		})
	}
}

// finding is the line that says what was wrong.
func finding(out string) string {
	for line := range strings.Lines(out) {
		if strings.Contains(line, "climb_test.go") && !strings.Contains(line, " by \"") {
			return strings.TrimSpace(line)
		}
	}
	return out
}

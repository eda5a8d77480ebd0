package pap

import (
	"errors"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// An ask is one thing the actor wants to do, for the policy to judge.
type ask struct {
	action       string // such as member.invite
	organization string // that the target belongs to; "": to none
	target       target
	changes      []given   // what is given or taken away
	gives        bool      // changes are given
	lasting      time.Time // when the last of them ends; zero: never
}

// A target is who or what is managed.
type target struct {
	id    string
	kind  string // of an account group: its kind; of a member: personal or group
	role  string // of a member
	reach []authz.Scope
	held  []given // all that a member has, for actions on the whole of it
}

// A given is one thing that a member has, gets or loses: a role or a tool
// somewhere, or the authorization for CPNI.
type given struct {
	role, tool string
	restricted bool
	cpni       *bool
	scope      authz.Scope // "": nowhere in particular
	reach      []authz.Scope
}

// A power is a role of the actor and where it counts.
type power struct {
	role  string
	scope authz.Scope
}

// authorize asks the policy as the actor. What it forbids is a *Refusal.
func (w *work) authorize(a ask) error {
	if !w.call.Principal.Bound(a.organization) && a.organization != "" {
		return notFound("organization", a.organization)
	}
	if a.organization == "" && w.actor.user != nil && len(w.call.Principal.Organizations) > 0 {
		return refuse(authz.ErrForbidden, "not-permitted", "this credential is bound to organizations, whoever it acts for, and this belongs to none")
	}
	verdict, err := w.judge(w.actor, a)
	if err != nil {
		return err
	}
	switch {
	case verdict.Allow:
		w.verdict = verdict
		return nil
	case a.organization != "" && w.actor.user != nil && w.actor.membership(a.organization) == nil:
		unseen := notFound("organization", a.organization) // whether there is one is not for strangers (T2)
		unseen.Decision = verdict.ID
		return unseen
	}
	return refusalOf(verdict)
}

// judge asks the policy as any actor: the inviter, for one, when its invitation
// is accepted.
func (w *work) judge(as actor, a ask) (authz.Verdict, error) {
	settings, realm, err := w.circumstances(a.organization)
	if err != nil {
		return authz.Verdict{}, err
	}
	facts := map[string]any{
		"settings": settings,
		"target":   a.target.fact(realm),
		"changes":  givenFacts(a.changes),
	}
	if user, grants := as.facts(a.organization, w.now, a.lasting, a.gives); user != nil {
		facts["user"], facts["grants"] = user, grants
	}
	circumstances := map[string]any{}
	if w.call.Portal != "" {
		circumstances["portal"] = w.call.Portal
	}
	return w.Judge.Manage(w.ctx, authz.Question{
		RequestID: w.call.RequestID, Caller: w.caller(), Action: a.action,
		Context: circumstances, Facts: facts, Data: w.Revision(),
	})
}

// circumstances are what an organization's settings tell the policy, and its
// realm.
func (w *work) circumstances(organization string) (settings map[string]any, realm string, err error) {
	settings = map[string]any{"administrators_appoint": false, "primary_contacts_appoint": false, "mfa_required": false}
	if organization == "" {
		return settings, "operator", nil
	}
	o, s, err := w.organization(organization)
	if err != nil {
		return nil, "", err
	}
	settings["administrators_appoint"] = s.Administrator.MayAppointAdministrators
	settings["primary_contacts_appoint"] = s.PrimaryContact.Mode == ModeTransferable
	settings["mfa_required"] = s.MFA.Required
	if o.Kind == directory.OrganizationOperator {
		return settings, "operator", nil
	}
	return settings, "customer", nil
}

// organization reads an organization and its settings. One that the credential
// is not bound to is not found.
func (w *work) organization(id string) (directory.Organization, Settings, error) {
	if !w.call.Principal.Bound(id) {
		return directory.Organization{}, Settings{}, notFound("organization", id)
	}
	o, err := w.Organization(id)
	if err != nil {
		return o, Settings{}, missing(err, "organization", id)
	}
	s, err := SettingsOf(o)
	return o, s, err
}

func (t target) fact(realm string) map[string]any {
	fact := map[string]any{"id": t.id, "realm": realm, "reach": scopes(t.reach), "grants": givenFacts(t.held)}
	if t.kind != "" {
		fact["kind"] = t.kind
	}
	if t.role != "" {
		fact["role"] = t.role
	}
	return fact
}

func givenFacts(list []given) []any {
	facts := make([]any, 0, len(list))
	for _, g := range list {
		fact := map[string]any{}
		switch {
		case g.role != "":
			fact["role"] = g.role
		case g.tool != "":
			fact["tool"], fact["restricted"] = g.tool, g.restricted
		case g.cpni != nil:
			fact["cpni"] = *g.cpni
		}
		if g.scope != "" {
			fact["scope"], fact["reach"] = string(g.scope), scopes(g.reach)
		}
		facts = append(facts, fact)
	}
	return facts
}

func scopes(list []authz.Scope) []any {
	texts := make([]any, len(list))
	for i, s := range list {
		texts[i] = string(s)
	}
	return texts
}

// refusalOf says what a verdict forbids, by the first of its rules that tells
// the caller most.
func refusalOf(v authz.Verdict) *Refusal {
	for _, known := range []struct{ rule, reason, detail string }{
		{"manage.unknown_action", "not-permitted", "the policy in force knows no such action"},
		{"manage.unknown_subject", "not-permitted", "this credential does nothing by itself here: send Postern-Actor with the user it acts for"},
		{"manage.inactive", "not-permitted", "the actor is not active"},
		{"manage.not_self", "not-permitted", "this is for the user alone"},
		{"manage.own_access", "self-change", "nobody changes their own access"},
		{"manage.shared_identity", "shared-identity", "a shared identity manages nobody: somebody with an account of their own has to"},
		{"manage.powerless", "not-permitted", "none of the actor's roles may do this"},
		{"manage.out_of_reach", "not-permitted", "this is outside the actor's organization and scopes"},
		{"manage.shared_role", "shared-identity", "a shared identity is neither Primary Contact nor Administrator"},
		{"manage.primary_contact", "operator-only", "only the operator makes or touches a Primary Contact"},
		{"manage.tool_restricted", "tool-restricted", "only the operator grants this product tool: ask the operator"},
		{"manage.operator_group", "operator-only", "only the operator manages account groups of this kind"},
		{"manage.cpni", "cpni-not-held", "only who holds the authorization for customer proprietary network information passes it on"},
		{"manage.wrong_realm", "role-not-assignable", "this role is not for members of this organization"},
		{"manage.role_unsaid", "not-permitted", "the request says not which role is given"},
		{"manage.outranked", "rank", "the member's role is not below the actor's own"},
		{"manage.beyond", "scope-exceeded", "this is more than the actor holds itself: a role below its own, inside its own accounts and tools, and no longer than it has them"},
		{"manage.account_group", "scope-exceeded", "the account group reaches beyond the actor's own accounts"},
		{"manage.wide", "scope-exceeded", "this is about the whole organization, and the actor's role is not"},
	} {
		if slices.ContainsFunc(v.Reasons, func(r authz.Reason) bool { return r.Rule == known.rule }) {
			return &Refusal{Kind: authz.ErrForbidden, Reason: known.reason, Detail: known.detail, Decision: v.ID}
		}
	}
	return &Refusal{Kind: authz.ErrForbidden, Reason: "not-permitted", Detail: forbidden(v), Decision: v.ID}
}

// forbidden names the first of the rules that forbade: one of an overlay's, which
// the policy's own pages explain.
func forbidden(v authz.Verdict) string {
	if len(v.Reasons) == 0 || v.Reasons[0].Rule == "" {
		return "the policy forbids it"
	}
	return "the policy forbids it, by its rule " + v.Reasons[0].Rule
}

// powersIn are where the actor may see members of the organization, and as what.
// An actor that may see none is refused.
func (w *work) powersIn(organization string) ([]power, error) {
	if known, ok := w.powers[organization]; ok {
		return known, nil
	}
	if !w.call.Principal.Bound(organization) {
		return nil, notFound("organization", organization)
	}
	at, err := w.reachOfOrganization(organization)
	if err != nil {
		return nil, err
	}
	before := w.verdict
	defer func() { w.verdict = before }() // seeing allows nothing else
	if err := w.authorize(ask{action: "member.view", organization: organization, target: target{id: organization, reach: at}}); err != nil {
		return nil, err
	}
	var found []power
	for _, r := range w.verdict.Reasons {
		if r.Rule == "manage.role" || r.Rule == "manage.machine" {
			found = append(found, power{r.Role, r.Scope})
		}
	}
	w.powers[organization] = found
	return found, nil
}

// covers says whether one of the powers counts everywhere in reach.
func covers(powers []power, reach []authz.Scope) bool {
	return slices.ContainsFunc(powers, func(p power) bool { return slices.Contains(reach, p.scope) })
}

// reachOfOrganization are the scopes that an organization lies in: itself and
// its realm.
func (w *work) reachOfOrganization(id string) ([]authz.Scope, error) {
	o, err := w.Organization(id)
	if err != nil {
		return nil, missing(err, "organization", id)
	}
	return organizationReach(o.ID, o.Kind), nil
}

func organizationReach(id, kind string) []authz.Scope {
	realm := authz.Scope("realm:customer")
	if kind == directory.OrganizationOperator {
		realm = "realm:operator"
	}
	return []authz.Scope{authz.ScopeOf(authz.KindOrganization, id), realm}
}

// missing makes of what the directory does not have a refusal that says so.
func missing(err error, noun, id string) error {
	if errors.Is(err, authz.ErrNotFound) {
		return notFound(noun, id)
	}
	return err
}

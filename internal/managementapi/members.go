package managementapi

import (
	"encoding/json"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/pap"
)

// Where members are.
const (
	pathMembers = "/v1/organizations/{organization}/members"
	pathMember  = pathMembers + "/{member}"
)

var memberOperations = []operation{
	{id: "listMembers", method: fiber.MethodGet, path: pathMembers, list: true,
		query: []string{"state", "role", "affiliation", "kind", "company", "account", "account_group", "tool", "mfa", "q", "temporary_username", "show_removed"},
		handle: pagesByTime(func(r *request, p pap.Page) ([]pap.Member, *pap.Cursor, error) {
			q, err := r.memberQuery(p)
			if err != nil {
				return nil, nil, err
			}
			return r.pap.Members(r.ctx, r.call, q)
		})},
	{id: "checkMember", method: fiber.MethodPost, path: pathMembers + "/check", body: mediaJSON, reads: true,
		handle: (*request).checkMember},
	{id: "getMember", method: fiber.MethodGet, path: pathMember,
		handle: sees(func(r *request) (pap.Member, error) {
			return r.pap.Member(r.ctx, r.call, r.organization(), r.param("member"))
		})},
	{id: "suspendMember", method: fiber.MethodPost, path: pathMember + "/suspend",
		handle: does(fiber.StatusOK, func(r *request) (pap.Member, pap.Change, error) {
			return r.pap.Suspend(r.ctx, r.call, r.organization(), r.param("member"))
		})},
	{id: "reactivateMember", method: fiber.MethodPost, path: pathMember + "/reactivate",
		handle: does(fiber.StatusOK, func(r *request) (pap.Member, pap.Change, error) {
			return r.pap.Reactivate(r.ctx, r.call, r.organization(), r.param("member"))
		})},
	{id: "transferPrimaryContact", method: fiber.MethodPost, path: pathMember + "/transfer",
		handle: does(fiber.StatusOK, func(r *request) (pap.Member, pap.Change, error) {
			return r.pap.TransferPrimaryContact(r.ctx, r.call, r.organization(), r.param("member"))
		})},
	{id: "assignRole", method: fiber.MethodPut, path: pathMember + "/role", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in assignment) (pap.Member, pap.Change, error) {
			return r.pap.AssignRole(r.ctx, r.call, r.organization(), r.param("member"), in.Role)
		})},
	{id: "authorizeCPNI", method: fiber.MethodPut, path: pathMember + "/cpni", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in authorization) (pap.Member, pap.Change, error) {
			return r.pap.AuthorizeCPNI(r.ctx, r.call, r.organization(), r.param("member"), in.Authorized)
		})},
	{id: "reportMFA", method: fiber.MethodPut, path: pathMember + "/mfa", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in enrollment) (pap.Member, pap.Change, error) {
			return r.pap.ReportMFA(r.ctx, r.call, r.organization(), r.param("member"), in.Enrolled)
		})},
	{id: "getMemberPreferences", method: fiber.MethodGet, path: pathMember + "/preferences",
		handle: sees(func(r *request) (part, error) {
			m, err := r.pap.Member(r.ctx, r.call, r.organization(), r.param("member"))
			return part{m.Preferences, m.Revision}, err
		})},
	{id: "updateMemberPreferences", method: fiber.MethodPatch, path: pathMember + "/preferences", body: mediaPatch,
		handle: takes(fiber.StatusOK, func(r *request, in json.RawMessage) (pap.Member, pap.Change, error) {
			return r.pap.SetPreferences(r.ctx, r.call, r.organization(), r.param("member"), in)
		})},
	{id: "getMemberAccess", method: fiber.MethodGet, path: pathMember + "/access", list: true,
		handle: func(r *request) error { return r.access(r.organization(), r.param("member")) }},
}

var grantOperations = []operation{
	{id: "getGrants", method: fiber.MethodGet, path: pathMember + "/grants",
		handle: sees(func(r *request) (part, error) {
			m, err := r.pap.Member(r.ctx, r.call, r.organization(), r.param("member"))
			return part{m.Grants, m.Revision}, err
		})},
	{id: "setGrants", method: fiber.MethodPut, path: pathMember + "/grants", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in pap.Grants) (pap.Member, pap.Change, error) {
			return r.pap.SetGrants(r.ctx, r.call, r.organization(), r.param("member"), in)
		})},
	{id: "patchGrants", method: fiber.MethodPatch, path: pathMember + "/grants", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in pap.GrantPatch) (pap.Member, pap.Change, error) {
			return r.pap.PatchGrants(r.ctx, r.call, r.organization(), r.param("member"), in)
		})},
	{id: "grantTool", method: fiber.MethodPut, path: pathMember + "/tools/{tool}", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in pap.ToolGrant) (m pap.Member, change pap.Change, err error) {
			if err = named(&in.ID, r.param("tool")); err != nil {
				return m, change, err
			}
			return r.pap.GrantTool(r.ctx, r.call, r.organization(), r.param("member"), in.ID, in)
		})},
	{id: "revokeTool", method: fiber.MethodDelete, path: pathMember + "/tools/{tool}",
		handle: does(fiber.StatusOK, func(r *request) (pap.Member, pap.Change, error) {
			return r.pap.RevokeTool(r.ctx, r.call, r.organization(), r.param("member"), r.param("tool"))
		})},
	{id: "setToolAccounts", method: fiber.MethodPut, path: pathMember + "/tools/{tool}/accounts", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in accountList) (pap.Member, pap.Change, error) {
			return r.pap.SetToolAccounts(r.ctx, r.call, r.organization(), r.param("member"), r.param("tool"), in.Accounts)
		})},
}

// Bodies that have no type of their own in the PAP.
type (
	address struct {
		Email string `json:"email" api:"required"`
	}
	assignment struct {
		Role string `json:"role" api:"required"`
	}
	authorization struct {
		Authorized bool `json:"authorized" api:"required"`
	}
	enrollment struct {
		Enrolled bool `json:"enrolled" api:"required"`
	}
)

// A part is one part of a resource, with the ETag of the whole.
type part struct {
	v     any
	whole authz.Revision
}

// MarshalJSON writes the part alone.
func (p part) MarshalJSON() ([]byte, error) { return httpserver.Encode(p.v) }

func (r *request) memberQuery(p pap.Page) (pap.MemberQuery, error) {
	q := pap.MemberQuery{
		Organization: r.organization(), State: r.query["state"], Role: r.query["role"], Affiliation: r.query["affiliation"], Kind: r.query["kind"],
		Company: r.query["company"], Account: r.query["account"], AccountGroup: r.query["account_group"], Tool: r.query["tool"],
		Text: r.query["q"], TemporaryUsername: r.query["temporary_username"], Page: p,
	}
	removed, err := r.flag("show_removed")
	if err != nil {
		return q, err
	}
	q.ShowRemoved = removed != nil && *removed
	q.MFA, err = r.flag("mfa")
	return q, err
}

// checkMember says whether an address is free (R39).
func (r *request) checkMember() error {
	in, err := read[address](r)
	if err != nil {
		return err
	}
	state, err := r.pap.CheckEmail(r.ctx, r.call, r.organization(), in.Email)
	return r.show(map[string]string{"state": state}, err)
}

// access shows what a member reaches, its accounts in pages.
func (r *request) access(organization, member string) error {
	size, position, err := r.page()
	if err != nil {
		return err
	}
	a, err := r.pap.Access(r.ctx, r.call, pap.AccessQuery{Organization: organization, Member: member, After: position, Limit: size})
	answer := struct {
		pap.Access
		Next string `json:"next_page_token"`
	}{Access: a}
	if a.Next != "" {
		answer.Next = r.seal.page(a.Next, r.about())
	}
	return r.show(answer, err)
}

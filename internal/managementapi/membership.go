package managementapi

import (
	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/pap"
)

// How somebody becomes a member, and ceases to be one.
var membershipOperations = []operation{
	{id: "createMember", method: fiber.MethodPost, path: pathMembers, body: mediaJSON,
		handle: takes(fiber.StatusCreated, func(r *request, in pap.NewMember) (pap.Member, pap.Change, error) {
			return r.pap.CreateMember(r.ctx, r.call, r.organization(), in)
		})},
	{id: "updateMember", method: fiber.MethodPatch, path: pathMember, body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in pap.MemberPatch) (pap.Member, pap.Change, error) {
			return r.pap.UpdateMember(r.ctx, r.call, r.organization(), r.param("member"), in)
		})},
	{id: "removeMember", method: fiber.MethodDelete, path: pathMember,
		handle: does(fiber.StatusOK, func(r *request) (pap.Removal, pap.Change, error) {
			return r.pap.RemoveMember(r.ctx, r.call, r.organization(), r.param("member"))
		})},
	{id: "cloneMember", method: fiber.MethodPost, path: pathMember + "/clone", body: mediaJSON,
		handle: takes(fiber.StatusCreated, func(r *request, in pap.Clone) (pap.Cloned, pap.Change, error) {
			return r.pap.CloneMember(r.ctx, r.call, r.organization(), r.param("member"), in)
		})},
	{id: "restoreMember", method: fiber.MethodPost, path: pathMember + "/restore", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in pap.Restoration) (pap.Member, pap.Change, error) {
			return r.pap.Restore(r.ctx, r.call, r.organization(), r.param("member"), in)
		})},
	{id: "purgeMember", method: fiber.MethodPost, path: pathMember + "/purge",
		handle: does(fiber.StatusOK, func(r *request) (pap.Member, pap.Change, error) {
			return r.pap.Purge(r.ctx, r.call, r.organization(), r.param("member"))
		})},
}

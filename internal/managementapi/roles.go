package managementapi

import (
	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/pap"
)

var roleOperations = []operation{
	{id: "listRoles", method: fiber.MethodGet, path: "/v1/roles",
		handle: lists(func(r *request) ([]pap.Role, error) { return r.pap.Roles(r.ctx, r.call, "") })},
	{id: "listOrganizationRoles", method: fiber.MethodGet, path: "/v1/organizations/{organization}/roles",
		handle: lists(func(r *request) ([]pap.Role, error) { return r.pap.Roles(r.ctx, r.call, r.organization()) })},
	{id: "putRole", method: fiber.MethodPut, path: "/v1/roles/{role}", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in pap.RoleInput) (role pap.Role, change pap.Change, err error) {
			if err = named(&in.ID, r.param("role")); err != nil {
				return role, change, err
			}
			return r.pap.PutRole(r.ctx, r.call, in)
		})},
	{id: "deleteRole", method: fiber.MethodDelete, path: "/v1/roles/{role}",
		handle: does(fiber.StatusOK, func(r *request) (pap.Role, pap.Change, error) {
			return r.pap.DeleteRole(r.ctx, r.call, r.param("role"))
		})},

	{id: "listTools", method: fiber.MethodGet, path: "/v1/tools", query: []string{"recommended_for"},
		handle: lists(func(r *request) ([]pap.Tool, error) {
			return r.pap.Tools(r.ctx, r.call, "", false, r.query["recommended_for"])
		})},
	{id: "listOrganizationTools", method: fiber.MethodGet, path: "/v1/organizations/{organization}/tools", query: []string{"grantable", "recommended_for"},
		handle: lists(func(r *request) ([]pap.Tool, error) {
			grantable, err := r.flag("grantable")
			if err != nil {
				return nil, err
			}
			return r.pap.Tools(r.ctx, r.call, r.organization(), grantable != nil && *grantable, r.query["recommended_for"])
		})},
	{id: "putTool", method: fiber.MethodPut, path: "/v1/tools/{tool}", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in pap.Tool) (t pap.Tool, change pap.Change, err error) {
			if err = named(&in.ID, r.param("tool")); err != nil {
				return t, change, err
			}
			return r.pap.PutTool(r.ctx, r.call, in)
		})},
}

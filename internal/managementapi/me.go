package managementapi

import (
	"encoding/json"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/pap"
)

// What an actor asks about itself. The organization is a parameter, which who
// belongs to one only leaves out.
var selfOperations = []operation{
	{id: "getMe", method: fiber.MethodGet, path: "/v1/me", query: []string{"organization"},
		handle: sees((*request).me)},
	{id: "getMyAccess", method: fiber.MethodGet, path: "/v1/me/access", query: []string{"organization"}, list: true,
		handle: func(r *request) error { return r.access(r.query["organization"], "") }},
	{id: "getMyPreferences", method: fiber.MethodGet, path: "/v1/me/preferences", query: []string{"organization"},
		handle: sees(func(r *request) (part, error) {
			m, err := r.me()
			return part{m.Preferences, m.Revision}, err
		})},
	{id: "updateMyPreferences", method: fiber.MethodPatch, path: "/v1/me/preferences", query: []string{"organization"}, body: mediaPatch,
		handle: takes(fiber.StatusOK, func(r *request, in json.RawMessage) (pap.Member, pap.Change, error) {
			m, err := r.me()
			if err != nil {
				return m, pap.Change{}, err
			}
			return r.pap.SetPreferences(r.ctx, r.call, m.Organization, m.ID, in)
		})},
}

func (r *request) me() (pap.Member, error) {
	return r.pap.Me(r.ctx, r.call, r.query["organization"])
}

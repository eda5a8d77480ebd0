package managementapi

import (
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/pap"
)

// webhookOperations are those of an organization, and those of all.
func webhookOperations() []operation {
	return slices.Concat(webhooksAt("/v1/organizations/{organization}/webhooks", ""), webhooksAt("/v1/webhooks", "Directory"))
}

func webhooksAt(path, of string) []operation {
	one := path + "/{webhook}"
	return []operation{
		{id: "list" + of + "Webhooks", method: fiber.MethodGet, path: path,
			handle: lists(func(r *request) ([]pap.Webhook, error) {
				return r.pap.Webhooks(r.ctx, r.call, r.organization())
			})},
		{id: "create" + of + "Webhook", method: fiber.MethodPost, path: path, body: mediaJSON,
			handle: takes(fiber.StatusCreated, func(r *request, in pap.WebhookInput) (pap.NewSecret, pap.Change, error) {
				return r.pap.CreateWebhook(r.ctx, r.call, r.organization(), in)
			})},
		{id: "get" + of + "Webhook", method: fiber.MethodGet, path: one,
			handle: sees(func(r *request) (pap.Webhook, error) {
				return r.pap.Webhook(r.ctx, r.call, r.organization(), r.param("webhook"))
			})},
		{id: "update" + of + "Webhook", method: fiber.MethodPatch, path: one, body: mediaJSON,
			handle: takes(fiber.StatusOK, func(r *request, in pap.WebhookPatch) (pap.Webhook, pap.Change, error) {
				return r.pap.UpdateWebhook(r.ctx, r.call, r.organization(), r.param("webhook"), in)
			})},
		{id: "delete" + of + "Webhook", method: fiber.MethodDelete, path: one,
			handle: does(fiber.StatusOK, func(r *request) (pap.Webhook, pap.Change, error) {
				return r.pap.DeleteWebhook(r.ctx, r.call, r.organization(), r.param("webhook"))
			})},
		{id: "rotate" + of + "WebhookSecret", method: fiber.MethodPost, path: one + "/rotate-secret",
			handle: does(fiber.StatusOK, func(r *request) (pap.NewSecret, pap.Change, error) {
				return r.pap.RotateWebhookSecret(r.ctx, r.call, r.organization(), r.param("webhook"))
			})},
		{id: "list" + of + "Deliveries", method: fiber.MethodGet, path: one + "/deliveries", list: true, query: []string{"state"},
			handle: pagesByTime(func(r *request, p pap.Page) ([]pap.WebhookDelivery, *pap.Cursor, error) {
				return r.pap.Deliveries(r.ctx, r.call, r.organization(), r.param("webhook"), r.query["state"], p)
			})},
		{id: "redeliver" + of, method: fiber.MethodPost, path: one + "/deliveries/{delivery}/redeliver",
			handle: does(fiber.StatusOK, func(r *request) (pap.WebhookDelivery, pap.Change, error) {
				return r.pap.Redeliver(r.ctx, r.call, r.organization(), r.param("webhook"), r.param("delivery"))
			})},
	}
}

var tokenOperations = []operation{
	{id: "listServiceTokens", method: fiber.MethodGet, path: "/v1/service-tokens",
		handle: lists(func(r *request) ([]pap.Token, error) { return r.pap.Tokens(r.ctx, r.call) })},
	{id: "createServiceToken", method: fiber.MethodPost, path: "/v1/service-tokens", body: mediaJSON,
		handle: takes(fiber.StatusCreated, func(r *request, in pap.NewToken) (pap.NewTokenSecret, pap.Change, error) {
			return r.pap.CreateToken(r.ctx, r.call, in)
		})},
	{id: "revokeServiceToken", method: fiber.MethodDelete, path: "/v1/service-tokens/{service_token}",
		handle: does(fiber.StatusOK, func(r *request) (pap.Token, pap.Change, error) {
			return r.pap.RevokeToken(r.ctx, r.call, r.param("service_token"))
		})},
}

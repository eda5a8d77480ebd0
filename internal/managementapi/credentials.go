package managementapi

import (
	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/pap"
)

// What is about passwords and addresses. Without credentials of our own
// (POSTERN_CREDENTIALS) there is nothing at these paths.
var credentialOperations = []operation{
	{id: "changePassword", method: fiber.MethodPost, path: "/v1/me/password", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in passwordChange) (none, pap.Change, error) {
			change, err := r.pap.ChangePassword(r.ctx, r.call, in.Old, in.New)
			return none{}, change, err
		})},
	{id: "requestEmailChange", method: fiber.MethodPost, path: "/v1/me/email-change", body: mediaJSON,
		handle: takes(fiber.StatusAccepted, func(r *request, in address) (none, pap.Change, error) {
			change, err := r.pap.RequestEmailChange(r.ctx, r.call, in.Email)
			return none{}, change, err
		})},
	{id: "resetMemberPassword", method: fiber.MethodPost, path: pathMember + "/password-reset",
		handle: does(fiber.StatusAccepted, func(r *request) (none, pap.Change, error) {
			change, err := r.pap.ResetMemberPassword(r.ctx, r.call, r.organization(), r.param("member"))
			return none{}, change, err
		})},
	{id: "requestPasswordReset", method: fiber.MethodPost, path: "/v1/password-resets", body: mediaJSON, public: true, reads: true,
		handle: (*request).requestPasswordReset},
	{id: "confirmPasswordReset", method: fiber.MethodPost, path: "/v1/password-resets/confirm", body: mediaJSON, public: true,
		handle: takes(fiber.StatusOK, func(r *request, in newPassword) (none, pap.Change, error) {
			change, err := r.pap.ConfirmPasswordReset(r.ctx, r.call, string(in.Token), in.Password)
			return none{}, change, err
		})},
	{id: "verifyCredentials", method: fiber.MethodPost, path: "/v1/credentials/verify", body: mediaJSON, reads: true,
		handle: func(r *request) error {
			in, err := read[credentials](r)
			if err != nil {
				return err
			}
			v, err := r.pap.VerifyPassword(r.ctx, r.call, in.Username, in.Password)
			return r.show(v, err)
		}},
	{id: "confirmEmailChange", method: fiber.MethodPost, path: "/v1/email-changes/confirm", body: mediaJSON, public: true,
		handle: takes(fiber.StatusOK, func(r *request, in followed) (none, pap.Change, error) {
			change, err := r.pap.ConfirmEmailChange(r.ctx, r.call, string(in.Token))
			return none{}, change, err
		})},
}

type (
	passwordChange struct {
		Old string `json:"old_password" api:"required"`
		New string `json:"new_password" api:"required"`
	}
	resetRequest struct {
		Organization string `json:"organization"`
		Login        string `json:"login" api:"required"`
	}
	newPassword struct {
		Token    linkText `json:"token"`
		Password string   `json:"password" api:"required"`
	}
	credentials struct {
		Username string `json:"username" api:"required"`
		Password string `json:"password" api:"required"`
	}
	// none is an answer that says nothing but that it was done.
	none struct{}
)

// requestPasswordReset takes every request on, whoever is meant by it: no token
// either says that something was written (C11).
func (r *request) requestPasswordReset() error {
	in, err := read[resetRequest](r)
	if err != nil {
		return err
	}
	if err := r.pap.RequestPasswordReset(r.ctx, r.call, in.Organization, in.Login); err != nil {
		return err
	}
	return r.send(fiber.StatusAccepted, []byte("{}"))
}

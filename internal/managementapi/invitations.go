package managementapi

import (
	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/ijson"
	"github.com/postern-authz/postern/internal/pap"
)

// Where invitations are.
const (
	pathInvitations = "/v1/organizations/{organization}/invitations"
	pathInvitation  = pathInvitations + "/{invitation}"
)

var invitationOperations = []operation{
	{id: "listInvitations", method: fiber.MethodGet, path: pathInvitations, list: true, query: []string{"state", "email"},
		handle: pagesByTime(func(r *request, p pap.Page) ([]pap.Invitation, *pap.Cursor, error) {
			key, err := r.emailKey()
			if err != nil {
				return nil, nil, err
			}
			return r.pap.Invitations(r.ctx, r.call, pap.InvitationQuery{
				Organization: r.organization(), State: r.query["state"], EmailKey: key, Page: p,
			})
		})},
	{id: "createInvitation", method: fiber.MethodPost, path: pathInvitations, body: mediaJSON,
		handle: takes(fiber.StatusCreated, func(r *request, in pap.NewInvitation) (pap.Invited, pap.Change, error) {
			return r.pap.Invite(r.ctx, r.call, r.organization(), in)
		})},
	{id: "createInvitations", method: fiber.MethodPost, path: pathInvitations + "/batch", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in invitationBatch) (results[pap.InviteResult], pap.Change, error) {
			list, change, err := r.pap.InviteBatch(r.ctx, r.call, r.organization(), in.Invitations)
			return results[pap.InviteResult]{list}, change, err
		})},
	{id: "getInvitation", method: fiber.MethodGet, path: pathInvitation,
		handle: sees(func(r *request) (pap.Invitation, error) {
			return r.pap.Invitation(r.ctx, r.call, r.organization(), r.param("invitation"))
		})},
	{id: "updateInvitation", method: fiber.MethodPatch, path: pathInvitation, body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in pap.InvitationPatch) (pap.Invited, pap.Change, error) {
			return r.pap.UpdateInvitation(r.ctx, r.call, r.organization(), r.param("invitation"), in)
		})},
	{id: "resendInvitation", method: fiber.MethodPost, path: pathInvitation + "/resend",
		handle: does(fiber.StatusOK, func(r *request) (pap.Invited, pap.Change, error) {
			return r.pap.ResendInvitation(r.ctx, r.call, r.organization(), r.param("invitation"))
		})},
	{id: "revokeInvitation", method: fiber.MethodPost, path: pathInvitation + "/revoke",
		handle: does(fiber.StatusOK, func(r *request) (pap.Invited, pap.Change, error) {
			return r.pap.RevokeInvitation(r.ctx, r.call, r.organization(), r.param("invitation"))
		})},
	{id: "previewInvitation", method: fiber.MethodPost, path: "/v1/invitations/preview", body: mediaJSON, public: true, reads: true,
		handle: func(r *request) error {
			in, err := read[followed](r)
			if err != nil {
				return err
			}
			p, err := r.pap.PreviewInvitation(r.ctx, r.call, string(in.Token))
			return r.show(p, err)
		}},
	{id: "acceptInvitation", method: fiber.MethodPost, path: "/v1/invitations/accept", body: mediaJSON, public: true,
		handle: takes(fiber.StatusOK, func(r *request, in acceptance) (pap.Accepted, pap.Change, error) {
			return r.pap.AcceptInvitation(r.ctx, r.call, string(in.Token), in.Acceptance)
		})},
}

type (
	invitationBatch struct {
		Invitations []pap.NewInvitation `json:"invitations" api:"required"`
	}
	followed struct {
		Token linkText `json:"token"`
	}
	acceptance struct {
		Token linkText `json:"token"`
		pap.Acceptance
	}
)

// A linkText is a link as somebody sent it. Whatever is not one opens nothing,
// and is told so in the words for every link that opens nothing (C11, V14).
type linkText string

// UnmarshalJSON takes any value; only a string can be a link.
func (l *linkText) UnmarshalJSON(text []byte) error {
	v, err := ijson.Decode(text, ijson.Limits{})
	if err != nil {
		return err
	}
	link, _ := v.(string)
	*l = linkText(link)
	return nil
}

// emailKey is the address that invitations are asked for, in the form that they
// are found by; empty: any.
func (r *request) emailKey() (string, error) {
	text := r.query["email"]
	if text == "" {
		return "", nil
	}
	key, err := directory.EmailKey(text)
	if err != nil {
		return "", badRequest("the query parameter email is no address: send one such as dana@acme.example")
	}
	return key, nil
}

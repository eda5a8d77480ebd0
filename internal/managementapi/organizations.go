package managementapi

import (
	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/pap"
)

var organizationOperations = []operation{
	{id: "listOrganizations", method: fiber.MethodGet, path: "/v1/organizations", list: true,
		handle: pagesByID(func(r *request, p pap.PageByID) ([]pap.Organization, string, error) {
			return r.pap.Organizations(r.ctx, r.call, p)
		})},
	{id: "createOrganization", method: fiber.MethodPost, path: "/v1/organizations", body: mediaJSON,
		handle: takes(fiber.StatusCreated, func(r *request, in pap.NewOrganization) (pap.Organization, pap.Change, error) {
			return r.pap.CreateOrganization(r.ctx, r.call, in)
		})},
	{id: "getOrganization", method: fiber.MethodGet, path: "/v1/organizations/{organization}",
		handle: sees(func(r *request) (pap.Organization, error) {
			return r.pap.Organization(r.ctx, r.call, r.organization())
		})},
	{id: "updateOrganization", method: fiber.MethodPatch, path: "/v1/organizations/{organization}", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in pap.OrganizationPatch) (pap.Organization, pap.Change, error) {
			return r.pap.UpdateOrganization(r.ctx, r.call, r.organization(), in)
		})},

	{id: "listCompanies", method: fiber.MethodGet, path: "/v1/organizations/{organization}/companies", list: true,
		handle: pagesByID(func(r *request, p pap.PageByID) ([]pap.Company, string, error) {
			return r.pap.Companies(r.ctx, r.call, r.organization(), p)
		})},
	{id: "getCompany", method: fiber.MethodGet, path: "/v1/organizations/{organization}/companies/{company}",
		handle: sees(func(r *request) (pap.Company, error) {
			return r.pap.Company(r.ctx, r.call, r.organization(), r.param("company"))
		})},
	{id: "putCompany", method: fiber.MethodPut, path: "/v1/organizations/{organization}/companies/{company}", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in pap.Company) (c pap.Company, change pap.Change, err error) {
			if err = named(&in.ID, r.param("company")); err != nil {
				return c, change, err
			}
			return r.pap.PutCompany(r.ctx, r.call, r.organization(), in)
		})},
	{id: "deleteCompany", method: fiber.MethodDelete, path: "/v1/organizations/{organization}/companies/{company}",
		handle: does(fiber.StatusOK, func(r *request) (pap.Company, pap.Change, error) {
			return r.pap.DeleteCompany(r.ctx, r.call, r.organization(), r.param("company"))
		})},

	{id: "listAccounts", method: fiber.MethodGet, path: "/v1/organizations/{organization}/accounts", list: true,
		query: []string{"company", "kind", "within"},
		handle: pagesByID(func(r *request, p pap.PageByID) ([]pap.Account, string, error) {
			return r.pap.Accounts(r.ctx, r.call, pap.AccountQuery{
				Organization: r.organization(), Company: r.query["company"], Kind: r.query["kind"], Within: r.query["within"],
				After: p.After, Limit: p.Size,
			})
		})},
	{id: "putAccounts", method: fiber.MethodPut, path: "/v1/organizations/{organization}/accounts/batch", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in accountBatch) (results[pap.AccountResult], pap.Change, error) {
			list, change, err := r.pap.PutAccounts(r.ctx, r.call, r.organization(), in.Accounts)
			return results[pap.AccountResult]{list}, change, err
		})},
	{id: "getAccount", method: fiber.MethodGet, path: "/v1/organizations/{organization}/accounts/{account}",
		handle: sees(func(r *request) (pap.Account, error) {
			return r.pap.Account(r.ctx, r.call, r.organization(), r.param("account"))
		})},
	{id: "putAccount", method: fiber.MethodPut, path: "/v1/organizations/{organization}/accounts/{account}", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in pap.Account) (a pap.Account, change pap.Change, err error) {
			if err = named(&in.ID, r.param("account")); err != nil {
				return a, change, err
			}
			return r.pap.PutAccount(r.ctx, r.call, r.organization(), in)
		})},
	{id: "deleteAccount", method: fiber.MethodDelete, path: "/v1/organizations/{organization}/accounts/{account}",
		handle: does(fiber.StatusOK, func(r *request) (pap.Account, pap.Change, error) {
			return r.pap.DeleteAccount(r.ctx, r.call, r.organization(), r.param("account"))
		})},

	{id: "listAccountGroups", method: fiber.MethodGet, path: "/v1/organizations/{organization}/account-groups", list: true,
		handle: pagesByID(func(r *request, p pap.PageByID) ([]pap.AccountGroup, string, error) {
			return r.pap.AccountGroups(r.ctx, r.call, r.organization(), p)
		})},
	{id: "createAccountGroup", method: fiber.MethodPost, path: "/v1/organizations/{organization}/account-groups", body: mediaJSON,
		handle: takes(fiber.StatusCreated, func(r *request, in newAccountGroup) (pap.AccountGroup, pap.Change, error) {
			return r.pap.CreateAccountGroup(r.ctx, r.call, r.organization(), pap.AccountGroup{ID: in.ID, Kind: in.Kind, Name: in.Name, Accounts: in.Accounts})
		})},
	{id: "getAccountGroup", method: fiber.MethodGet, path: "/v1/organizations/{organization}/account-groups/{account_group}",
		handle: sees(func(r *request) (pap.AccountGroup, error) {
			return r.pap.AccountGroup(r.ctx, r.call, r.organization(), r.param("account_group"))
		})},
	{id: "updateAccountGroup", method: fiber.MethodPatch, path: "/v1/organizations/{organization}/account-groups/{account_group}", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in pap.AccountGroupPatch) (pap.AccountGroup, pap.Change, error) {
			return r.pap.UpdateAccountGroup(r.ctx, r.call, r.organization(), r.param("account_group"), in)
		})},
	{id: "deleteAccountGroup", method: fiber.MethodDelete, path: "/v1/organizations/{organization}/account-groups/{account_group}",
		handle: does(fiber.StatusOK, func(r *request) (pap.AccountGroup, pap.Change, error) {
			return r.pap.DeleteAccountGroup(r.ctx, r.call, r.organization(), r.param("account_group"))
		})},
	{id: "setAccountGroupAccounts", method: fiber.MethodPut, path: "/v1/organizations/{organization}/account-groups/{account_group}/accounts", body: mediaJSON,
		handle: takes(fiber.StatusOK, func(r *request, in accountList) (pap.AccountGroup, pap.Change, error) {
			return r.pap.SetAccountGroupAccounts(r.ctx, r.call, r.organization(), r.param("account_group"), in.Accounts)
		})},
}

type (
	accountBatch struct {
		Accounts []pap.Account `json:"accounts" api:"required"`
	}
	accountList struct {
		Accounts []string `json:"accounts" api:"required"`
	}
	newAccountGroup struct {
		ID       string   `json:"id"`
		Kind     string   `json:"kind"`
		Name     string   `json:"name"`
		Accounts []string `json:"accounts"`
	}
	// results are what became of each item of a batch, in their order.
	results[T any] struct {
		Results []T `json:"results"`
	}
)

// named gives a body the id that its path has, and refuses another one.
func named(id *string, path string) error {
	if *id != "" && *id != path {
		return invalid([]httpserver.Field{{Pointer: "/id", Code: "value", Detail: "this is not the id in the path: send the same or leave it out"}})
	}
	*id = path
	return nil
}

package pap

import (
	"context"
	"slices"

	"github.com/postern-authz/postern/internal/authz"
)

// AuthorizeFollowing asks whether the caller may follow the whole directory, as
// the servers do that decide and have no database. That is the operator's own,
// and not for its staff, who manage customers.
func (p *PAP) AuthorizeFollowing(ctx context.Context, call Call) error {
	_, err := look(ctx, p, call, func(w *work) (struct{}, error) {
		return struct{}{}, w.authorize(ask{action: "directory.follow", target: target{reach: []authz.Scope{"realm:operator"}}})
	})
	return err
}

// checkReplicate keeps tokens that read the whole directory from being bound to a
// part of it, which would promise what nothing keeps, or used for anything else.
func checkReplicate(in NewToken) error {
	if !slices.Contains(in.Scopes, ScopeReplicate) {
		return nil
	}
	switch {
	case len(in.Organizations) > 0:
		return invalid("/organizations", "value", "a token of scope replicate reads the whole directory: leave organizations out")
	case len(in.Scopes) > 1:
		return invalid("/scopes", "value", "a token of scope replicate is for a server, not for a portal: leave the other scopes out")
	}
	return nil
}

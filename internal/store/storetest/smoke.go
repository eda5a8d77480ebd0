package storetest

import (
	"context"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
)

func testSmoke(t *testing.T, newDSN func(testing.TB) string) {
	s := Open(t, newDSN(t))
	rev := update(t, s, portal()...)
	docs, r, err := s.Read(context.Background(), []authz.Key{{Kind: authz.KindLogin, ID: "Dana"}, {Kind: authz.KindAccount, ID: "s1"}})
	t.Log(rev, docs, r, err, docs[1].Place)
	id := docs[0].Login
	docs, r, err = s.Read(context.Background(), []authz.Key{{Kind: authz.KindUser, ID: id}})
	t.Logf("%+v %v %v", docs[0].User, r, err)
	ch, err := s.Changes(context.Background(), 0)
	t.Logf("%+v %v", ch, err)
	rev = update(t, s, portal()...)
	t.Log(rev)
}

package directory_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/demo"
	"github.com/postern-authz/postern/internal/directory"
)

// discard is a store that writes nothing: what remains is reading and judging.
type discard struct{ *memory }

func (discard) Update(_ context.Context, fn func(directory.Tx) error) (authz.Revision, error) {
	return 1, fn(discardTx{})
}

type discardTx struct{}

func (discardTx) PutOrganization(directory.Organization) error { return nil }
func (discardTx) PutCompany(directory.Company) error           { return nil }
func (discardTx) PutAccount(directory.Account) error           { return nil }
func (discardTx) PutAccountGroup(directory.AccountGroup) error { return nil }
func (discardTx) PutTool(directory.Tool) error                 { return nil }
func (discardTx) PutRole(directory.Role) error                 { return nil }
func (discardTx) PutUser(directory.User) error                 { return nil }
func (discardTx) PutMembership(directory.Membership) error     { return nil }
func (discardTx) PutGrant(directory.GrantRecord) error         { return nil }

// BenchmarkImport reads and judges 130,000 records; writing them is left out.
func BenchmarkImport(b *testing.B) {
	var text bytes.Buffer
	if err := demo.Generate(&text, demo.Size{Users: 10_000, Accounts: 20_000, Grants: 100_000}, 1); err != nil {
		b.Fatal(err)
	}
	source := directory.Source{Name: "generated", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(text.Bytes())), nil
	}}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	records := 0
	for b.Loop() {
		report, err := directory.Import(context.Background(), discard{newMemory()}, directory.ImportOptions{Sources: []directory.Source{source}})
		if err != nil {
			b.Fatal(err, report.Errors)
		}
		records += report.Records
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}

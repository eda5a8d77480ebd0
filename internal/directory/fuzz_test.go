package directory_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// checkAccepted imports a source into a small directory, leaving out what is
// wrong, and wants what was accepted to come back equal.
func checkAccepted(t *testing.T, source directory.Source) {
	t.Helper()
	one, two := loaded(t), newMemory()
	report, err := directory.Import(context.Background(), one, directory.ImportOptions{
		Sources:   []directory.Source{source},
		KeepGoing: true,
	})
	switch {
	case errors.Is(err, authz.ErrConflict), err != nil && strings.Contains(err.Error(), "a row is longer than"):
		return // the store refused it, and kept nothing
	case err != nil:
		t.Fatalf("import: %v %s", err, messages(report.Errors))
	}
	if report.Written+report.ErrorCount != report.Records {
		t.Errorf("got %d written and %d wrong of %d", report.Written, report.ErrorCount, report.Records)
	}
	first := exported(t, one)
	load(t, two, first)
	if second := exported(t, two); second != first {
		t.Errorf("exported\n%s\nand after importing that\n%s", first, second)
	}
}

func FuzzImportNDJSON(f *testing.F) {
	f.Add(base)
	for line := range strings.Lines(base) {
		f.Add(line)
	}
	f.Add(`{"type":"organization","id":"o","kind":"partner","seat_limit":3,"settings":{"a":[1e3,"\u00e4"]}}`)
	f.Add(`{"type":"grant","organization":"acme","user":"rosa","account":"a1","expires":"2030-02-29T24:00:00+01:00"}`)
	f.Add(`{"type":"grant","organization":"acme","user":"rosa","company":"acme-south","revoked":true}`)
	f.Add(`{"type":"user","id":"usr_01900000-0000-7000-8000-000000000001","username":"Pauline","email":"J\u00f6rg@B\u00fccher.example"}`)
	f.Fuzz(func(t *testing.T, text string) { checkAccepted(t, ndjson("fuzz", text)) })
}

func FuzzImportCSV(f *testing.F) {
	f.Add("account", "id,company,kind,contract\nx,acme-south,service,k1\n")
	f.Add("account_group", "id,organization,kind,accounts\nx,acme,service_group,a1;k1\n")
	f.Add("organization", "\xEF\xBB\xBFid,kind,settings\r\no,customer,\"{\"\"a\"\":1}\"\r\n")
	f.Add("", "type,organization,user,account,expires\ngrant,acme,rosa,a1,2030-01-01T00:00:00.5Z\n")
	f.Add("user", "username,email,mfa\nralf,\"Ralf@Example.com\",true\n")
	f.Fuzz(func(t *testing.T, kind, text string) { checkAccepted(t, csvFile("fuzz.csv", kind, text)) })
}

package document_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/document"
)

func TestWhatIsReadIsWhatWasWritten(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var want authz.Document
		fill(random, reflect.ValueOf(&want).Elem(), false)
		got, err := document.Read(written(t, want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v (%v), want %+v", got, err, want)
		}
	}
}

// A field that somebody adds to a document is lost on the way, until it is
// written too.
func TestEveryFieldIsWritten(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var want authz.Document
		fill(random, reflect.ValueOf(&want).Elem(), true)
		got, err := document.Read(written(t, want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v (%v), want %+v: a document has a field that is not written", got, err, want)
		}
	}
}

func TestOneDocumentHasOneForm(t *testing.T) {
	doc := authz.Document{User: user(1000)}
	for range 5 {
		if !bytes.Equal(written(t, doc), written(t, doc)) {
			t.Fatal("got two forms")
		}
	}
}

func TestWhatNobodyWroteIsRefused(t *testing.T) {
	whole := written(t, authz.Document{User: user(30)})
	for end := range whole {
		if _, err := document.Read(whole[:end]); err == nil {
			t.Errorf("cut at %d of %d: got no error", end, len(whole))
		}
	}
	cases := map[string]string{
		"one byte more":                  string(whole) + "\x00",
		"another version":                "\x02" + string(whole[1:]),
		"parts that do not exist":        "\x01\x10\x00\x00",
		"more texts than bytes":          "\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00",
		"longer texts than memory":       "\x01\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"a number beyond 64 bits":        "\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00",
		"more shared than there is":      "\x01\x00\x01\x02\x01\x01a",
		"less text than was said":        "\x01\x00\x01\x02\x00\x01a",
		"a text that is not there":       "\x01\x01\x00\x00\x01",
		"a tool's account without scope": "\x01\x02\x01\x01\x00\x01a" + strings.Repeat("\x00", 3) + "\x01" + strings.Repeat("\x00", 8) + "\x01\x02\x01\x03\x00",
	}
	for name, b := range cases {
		if d, err := document.Read([]byte(b)); err == nil {
			t.Errorf("%s: got %+v, want an error", name, d)
		}
	}
}

func TestADocumentThatCouldNotBeReadIsNotWritten(t *testing.T) {
	_, err := document.Append(nil, authz.Document{Login: strings.Repeat("x", 8<<20+1)})
	if err == nil {
		t.Error("got no error")
	}
}

// FuzzRead: any bytes are an error, or a document that is written and read as
// itself.
func FuzzRead(f *testing.F) {
	for _, d := range []authz.Document{{}, {Login: "usr_1"}, {User: user(3)}, {Place: &authz.Place{Account: "a", AccountGroups: []string{"g"}}}, {Granted: []authz.Granted{{Membership: "mem_1", Tool: "wan"}}}} {
		b, _ := document.Append(nil, d)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := document.Read(b)
		if err != nil {
			return
		}
		again, err := document.Read(written(t, d))
		if err != nil || !reflect.DeepEqual(again, d) {
			t.Errorf("got %+v (%v), want %+v", again, err, d)
		}
	})
}

func BenchmarkDocument(b *testing.B) {
	for _, n := range []int{10, 1000, 5000} {
		doc := authz.Document{User: user(n)}
		raw, _ := document.Append(nil, doc)
		b.Run(fmt.Sprintf("append/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				raw, _ = document.Append(raw[:0], doc)
			}
			b.ReportMetric(float64(len(raw)), "bytes")
		})
		b.Run(fmt.Sprintf("read/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = document.Read(raw)
			}
		})
	}
}

// user is a user with n accounts of random names, and tools on a tenth of them.
func user(n int) *authz.User {
	random := rand.New(rand.NewPCG(uint64(n), 0))
	m := authz.Membership{ID: "mem_01890a5d-ac96-774b-bcce-b302099a8058", Organization: "acme", OrganizationKind: "customer", Affiliation: "customer", State: "active", Role: "user"}
	var ids []string
	for range n {
		ids = append(ids, name(random, 22))
		m.Grants = append(m.Grants, authz.Grant{Scope: authz.ScopeOf(authz.KindAccount, ids[len(ids)-1])})
	}
	for i := range 3 + min(n/50, 20) {
		m.Tools = append(m.Tools, authz.Tool{ID: fmt.Sprintf("tool_%d", i), Accounts: ids[:(n+9)/10]})
	}
	return &authz.User{ID: "usr_01890a5d-ac96-774b-bcce-b302099a8057", Kind: "personal", MFA: true, Memberships: []authz.Membership{m}}
}

func name(random *rand.Rand, length int) string {
	b := make([]byte, length)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[random.IntN(36)]
	}
	return string(b)
}

func written(t testing.TB, d authz.Document) []byte {
	t.Helper()
	b, err := document.Append(nil, d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fill gives a value something at random, and every part of it something that
// is not zero if all is set.
func fill(random *rand.Rand, v reflect.Value, all bool) {
	if !all && random.IntN(4) == 0 {
		return
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(random.Int64N(1<<33)-1<<32, random.Int64N(1e9)).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		names := []string{"account:a1", "a1", "account:", "account:a2", "a2", "\xff:\x00", name(random, 5), "account:" + name(random, 3)}
		v.SetString(names[random.IntN(len(names))])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(1 + random.Int64N(1<<31-1))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(random, v.Elem(), all)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+random.IntN(4), 4))
		for i := range v.Len() {
			fill(random, v.Index(i), all)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(random, v.Field(i), all)
		}
	default:
		panic("a document has a field of a kind that this test does not know: " + v.Type().String())
	}
}

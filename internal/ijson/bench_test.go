package ijson

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
)

const single = `{"subject":{"type":"user","id":"usr_0190f5a6-7c1e-7b1a-9f63-2f1f6f3c9d10"},"action":{"name":"invoice.view"},` +
	`"resource":{"type":"invoice","id":"inv-2026-0042","properties":{"account":"acct-000123"}},"context":{"mfa":true,"amount":12.50}}`

func batch(n int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`{"resource":{"type":"account","id":"acct-%06d"}}`, i)
	}
	return `{"subject":{"type":"user","id":"u1"},"action":{"name":"service.view"},"evaluations":[` + strings.Join(items, ",") + `]}`
}

func BenchmarkDecode(b *testing.B) {
	for name, text := range map[string]string{"single": single, "batch of 50": batch(50)} {
		body := []byte(text)
		b.Run(name+"/ijson", func(b *testing.B) {
			run(b, body, func() error { _, err := Decode(body, Limits{}); return err })
		})
		b.Run(name+"/encoding-json", func(b *testing.B) {
			run(b, body, func() error { var v any; return json.Unmarshal(body, &v) })
		})
		b.Run(name+"/go-json-experiment", func(b *testing.B) {
			run(b, body, func() error { var v any; return jsonv2.Unmarshal(body, &v) })
		})
	}
}

func run(b *testing.B, body []byte, decode func() error) {
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := decode(); err != nil {
			b.Fatal(err)
		}
	}
}

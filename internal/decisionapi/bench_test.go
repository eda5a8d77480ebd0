package decisionapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/authzen"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/ijson"
	"github.com/postern-authz/postern/internal/pdp"
)

// always permits, so that only HTTP and JSON are measured.
type always struct{}

func (always) Evaluate(_ context.Context, q pdp.Query) (pdp.Result, error) {
	outcomes := make([]pdp.Outcome, len(q.Items))
	for i := range outcomes {
		outcomes[i].Decision = authz.Decision{Allow: true, Context: []byte(`{"reasons":[{"rule":"access.role","role":"regular","scope":"account:acct-000123"}]}`)}
	}
	return pdp.Result{ID: "01a20074-4b0b-74e9-8c2a-3e4083a4a1e0", Policy: "policy-7", Data: 42, Outcomes: outcomes}, nil
}

const benchSingle = `{"subject":{"type":"user","id":"usr_0190f5a6-7c1e-7b1a-9f63-2f1f6f3c9d10"},"action":{"name":"invoice.view"},` +
	`"resource":{"type":"invoice","id":"inv-2026-0042","properties":{"account":"acct-000123"}},"context":{"mfa":true,"amount":12.50}}`

func benchBatch(n int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`{"resource":{"type":"account","id":"acct-%06d"}}`, i)
	}
	return with(batch(items...)...)
}

func BenchmarkDecode(b *testing.B) {
	for name, body := range map[string]string{"single": benchSingle, "batch of 50": benchBatch(50)} {
		raw := []byte(body)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				v, err := ijson.Decode(raw, ijson.Limits{})
				if err != nil {
					b.Fatal(err)
				}
				if _, _, err := authzen.ReadBatch(v.(map[string]any), 1000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// traceparent lacks its flags.
const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"

// BenchmarkHandler compares the decision listener with a bare fiber handler that
// takes and gives bodies of the same sizes, over a connection in memory. The
// ratio of the two is what the listener costs.
func BenchmarkHandler(b *testing.B) {
	server := httpserver.New(httpserver.Options{Name: "decisions"})
	if err := Register(server.App, Options{PDP: always{}, Tokens: plainTokens{}, Stages: pdp.New(pdp.Options{}).Stages()}); err != nil {
		b.Fatal(err)
	}
	for name, tt := range map[string]struct{ path, body string }{
		"single":      {pathEvaluation, benchSingle},
		"batch of 50": {pathEvaluations, benchBatch(50)},
	} {
		var size int
		b.Run(name+"/postern", func(b *testing.B) { size = converse(b, server.App, tt.path, tt.body) })
		b.Run(name+"/traced", func(b *testing.B) { converse(b, server.App, tt.path, tt.body, "traceparent", traceparent+"00") })
		b.Run(name+"/sampled", func(b *testing.B) { converse(b, server.App, tt.path, tt.body, "traceparent", traceparent+"01") })
		b.Run(name+"/bare", func(b *testing.B) {
			answer := []byte(strings.Repeat("x", size))
			bare := fiber.New(fiber.Config{DisableStartupMessage: true})
			bare.Post(tt.path, func(c *fiber.Ctx) error { return c.Send(answer) })
			converse(b, bare, tt.path, tt.body)
		})
	}
}

// converse sends one request after the other and returns the size of the last
// answer's body.
func converse(b *testing.B, app *fiber.App, path, body string, header ...string) int {
	app.Handler() // builds the routes
	ln := fasthttputil.NewInmemoryListener()
	defer ln.Close()
	go func() { _ = app.Server().Serve(ln) }()
	c, err := ln.Dial()
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	w, r := bufio.NewWriter(c), bufio.NewReader(c)
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	req.SetRequestURI("http://bench" + path)
	req.Header.SetMethod("POST")
	req.Header.SetContentType("application/json")
	req.Header.Set("X-Request-ID", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	req.SetBodyString(body)
	b.ReportAllocs()
	for b.Loop() {
		if err := errors.Join(req.Write(w), w.Flush(), resp.Read(r)); err != nil {
			b.Fatal(err)
		}
		if resp.StatusCode() != fiber.StatusOK {
			b.Fatalf("got %d %s", resp.StatusCode(), resp.Body())
		}
	}
	return len(resp.Body())
}

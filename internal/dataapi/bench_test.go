package dataapi

import (
	"bufio"
	"context"
	"errors"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pdp"
)

// always permits, so that only HTTP and JSON are measured.
type always struct{ fixture }

func (always) Ask(context.Context, pdp.Query) (pdp.Result, error) {
	permit := authz.Decision{Allow: true, Context: []byte(`{"reasons":[{"rule":"access.role","role":"regular","scope":"account:acct-000123"}]}`)}
	return pdp.Result{ID: "01a20074-4b0b-74e9-8c2a-3e4083a4a1e0", Policy: "policy-7", Data: 42, Outcomes: []pdp.Outcome{{ID: "01a20074", Decision: permit}}}, nil
}

// converse sends one request after the other over a connection in memory.
func converse(b *testing.B, app *fiber.App, path, body string) {
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
}

package dataapi

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/open-policy-agent/opa/v1/metrics"

	"github.com/postern-authz/postern/internal/pdp"
)

// params are what a query string asks for beside the answer. That builtins fail
// strictly cannot be chosen: they always do.
type params struct {
	pretty, provenance, instrument bool
	explain                        string          // notes, fails, full or debug; empty: no explanation
	metrics                        metrics.Metrics // nil: not wanted
	watch                          pdp.Stopwatch   // of the call, begun
}

func (a *api) params(c *fiber.Ctx) (p params) {
	p.watch = a.Stages.Begin()
	if len(c.Context().QueryArgs().QueryString()) == 0 {
		return p
	}
	p.pretty, p.provenance, p.instrument = flag(c, "pretty"), flag(c, "provenance"), flag(c, "instrument")
	for _, mode := range c.Context().QueryArgs().PeekMulti("explain") {
		switch string(mode) {
		case "notes", "fails", "full", "debug":
			p.explain = string(mode)
		}
	}
	if flag(c, "metrics") || p.instrument {
		p.metrics = metrics.New()
		p.metrics.Timer(metrics.ServerHandler).Start()
	}
	return p
}

// flag reads a parameter as OPA does: present without a value, or true.
func flag(c *fiber.Ctx, name string) bool {
	sent := c.Context().QueryArgs().PeekMulti(name)
	if len(sent) == 1 && len(sent[0]) == 0 {
		return true
	}
	for _, v := range sent {
		if strings.EqualFold(string(v), "true") {
			return true
		}
	}
	return false
}

// query is what to ask of a path.
func (p params) query(api, path string, items ...pdp.Item) pdp.Query {
	return pdp.Query{API: api, Path: path, Items: items, Explain: p.explain != "", Metrics: p.metrics, Instrument: p.instrument}
}

// taken are the metrics of an answer that is ready.
func (p params) taken() map[string]any {
	p.metrics.Timer(metrics.ServerHandler).Stop()
	return p.metrics.All()
}

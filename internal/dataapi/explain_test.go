package dataapi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/postern-authz/postern/internal/policy"
)

// explained is an explanation of n events, each of some 3,000 bytes.
func explained(n int) *policy.Explanation {
	x := &policy.Explanation{}
	for range n {
		x.TraceEvent(topdown.Event{Op: topdown.NoteOp, Node: ast.MustParseExpr("x"), Location: &ast.Location{File: "f.rego", Row: 1}, Message: strings.Repeat("m", 3000)})
	}
	return x
}

func TestAnExplanationEndsWhereItsRoomDoes(t *testing.T) {
	for _, pretty := range []bool{false, true} {
		for n, tt := range map[int]struct {
			room int
			cut  bool
		}{3: {1 << 20, false}, 100: {50_000, true}, 1: {-7, true}, 0: {-7, false}} {
			b, err := explain("full", explained(n), pretty, tt.room)
			var all []any
			if err != nil || json.Unmarshal(b, &all) != nil || len(b) > max(tt.room, 0)+8000 {
				t.Errorf("%d events, pretty %v: got %v and %d bytes, want an array in its room", n, pretty, err, len(b))
			}
			if got := strings.Contains(string(b), leftOut); got != tt.cut {
				t.Errorf("%d events, pretty %v: got cut %v, want %v", n, pretty, got, tt.cut)
			}
		}
	}
}

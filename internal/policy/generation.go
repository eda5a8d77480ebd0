package policy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// A Generation is one set of policies that passed the gate. It never changes,
// and may be asked by any number of goroutines at once.
type Generation struct {
	revision string
	actions  map[string]bool
	roles    map[string]bool
	rules    map[string]bool
	queries  map[string]query
	compiler *ast.Compiler
	store    storage.Store
	txn      storage.Transaction // open for life: the data never changes
	others   others              // queries beside the entrypoints'
	keys     inputKeys
	now      func() time.Time
}

// A query is an entrypoint, compiled once.
type query struct {
	body     ast.Body
	compiler ast.QueryCompiler
}

// Revision names the generation: each layer's name and revision, "core@1.4.0
// custom@7f3a9c0d1e2f". It is printable ASCII, fit for a header.
func (g *Generation) Revision() string { return g.revision }

// Entrypoints are the paths Query can be asked: the rules and packages that the
// policies declare as entrypoints, and those Go requires. Sorted.
func (g *Generation) Entrypoints() []string { return slices.Sorted(maps.Keys(g.queries)) }

// Declares says whether a path is one of Entrypoints.
func (g *Generation) Declares(path string) bool {
	_, ok := g.queries[path]
	return ok
}

// Actions, Roles and Rules are the names this generation's policies declare, so
// that metrics stay bounded: the keys of data.catalog.actions and
// data.catalog.roles (and of data.custom.catalog), and the rule labels.
func (g *Generation) Actions() []string { return slices.Sorted(maps.Keys(g.actions)) }

// Roles: see Actions.
func (g *Generation) Roles() []string { return slices.Sorted(maps.Keys(g.roles)) }

// Rules: see Actions.
func (g *Generation) Rules() []string { return slices.Sorted(maps.Keys(g.rules)) }

// A gate is what policies must pass.
type gate struct {
	capabilities *ast.Capabilities
	now          func() time.Time
	plain        bool // leave packages unfolded, to compare
	proved       bool // the tests have passed elsewhere
	// at, if not nil, is told what begins, such as "compiling", and for which layer.
	at func(layer, doing string)
}

func (g gate) begin(layer, doing string) {
	if g.at != nil {
		g.at(layer, doing)
	}
}

// pass makes layers of files, the core first, and a generation of layers. It
// fails with a *Refusal mostly, changing nothing, unless they pass.
func (g gate) pass(ctx context.Context, found []LayerFiles) ([]*layer, *Generation, error) {
	layers, err := g.parse(found, LayerFiles.fromOutside)
	if err != nil {
		return nil, nil, err
	}
	next, err := g.build(ctx, layers)
	return layers, next, err
}

// parse makes layers of files, with the tests of those that are to be tested:
// the embedded core's passed where the program was built, and are most of it.
func (g gate) parse(found []LayerFiles, tested func(LayerFiles) bool) ([]*layer, error) {
	layers := make([]*layer, len(found))
	for i, f := range found {
		g.begin(f.Name, "reading it")
		l, err := f.parse(g.capabilities, tested(f))
		if err != nil {
			return nil, err
		}
		layers[i] = l
	}
	return layers, nil
}

// build makes a generation of layers, the core first. It fails with a *Refusal,
// changing nothing, unless they pass.
func (g gate) build(ctx context.Context, layers []*layer) (*Generation, error) {
	g.begin(layers[len(layers)-1].name, "compiling it")
	made, err := g.compile(ctx, layers)
	if err != nil {
		return nil, err
	}
	if err := g.admit(ctx, layers, made); err != nil {
		return nil, err
	}
	names := declared(made, layers)
	if !g.plain {
		if made, err = g.folded(ctx, layers, made); err != nil {
			return nil, err
		}
	}
	next := &Generation{
		revision: revision(layers), actions: names.actions, roles: names.roles, rules: names.rules,
		compiler: made.compiler, store: made.store, keys: newInputKeys(), now: g.now,
	}
	return next, next.prepare(ctx, slices.Concat(names.entrypoints, required(layers)))
}

func revision(layers []*layer) string {
	parts := make([]string, len(layers))
	for i, l := range layers {
		parts[i] = l.name + "@" + l.revision
	}
	return strings.Join(parts, " ")
}

// required are the entrypoints that a core must answer.
func required(layers []*layer) []string {
	if layers[0].embedded {
		return []string{AccessDecision, ManageDecision, MatrixTable}
	}
	return []string{AccessDecision}
}

// admit asks what a compiler does not: entrypoints, data and the layers' tests.
func (g gate) admit(ctx context.Context, layers []*layer, made compiled) error {
	core := layers[0].name
	for _, path := range required(layers) {
		ref := ast.MustParseRef(dotted(path))
		if len(made.compiler.GetRulesWithPrefix(ref)) == 0 {
			return refuse(core, StageEntrypoint, fmt.Errorf("there is no rule %s", ref),
				"define it in package "+strings.TrimPrefix(ref[:len(ref)-1].String(), "data."))
		}
	}
	if err := missingData(layers, made); err != nil {
		return err
	}
	for i := range layers {
		if err := g.verify(ctx, layers[:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// prepare compiles the entrypoints' queries.
func (g *Generation) prepare(ctx context.Context, entrypoints []string) (err error) {
	if g.txn, err = g.store.NewTransaction(ctx); err != nil {
		return err
	}
	g.queries = make(map[string]query, len(entrypoints))
	for _, path := range entrypoints {
		if g.queries[path], err = g.query(path); err != nil {
			return fmt.Errorf("entrypoint %s: %w", path, err)
		}
	}
	return nil
}

// query compiles the query of a path.
func (g *Generation) query(path string) (q query, err error) {
	ref, err := refOf(path)
	if err != nil {
		return query{}, err
	}
	q.compiler = g.compiler.QueryCompiler().WithContext(ast.NewQueryContext())
	q.body, err = q.compiler.Compile(ast.NewBody(ast.Equality.Expr(ast.VarTerm(answer), ast.NewTerm(ref))))
	return q, err
}

// answer is the variable of a query that holds what an entrypoint comes to.
const answer = "answer"

// compiled are layers made ready for evaluation.
type compiled struct {
	compiler *ast.Compiler
	store    storage.Store
	data     map[string]any
}

// compile compiles layers strictly, against the schemas of the core, and brings
// their data. Bundles whose roots overlap are refused.
func (g gate) compile(ctx context.Context, layers []*layer) (compiled, error) {
	made := compiled{
		store: inmem.NewWithOpts(inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true)),
		compiler: ast.NewCompiler().WithCapabilities(g.capabilities).WithStrict(true).
			WithSchemas(schemaSet(layers)).WithUseTypeCheckAnnotations(true),
		data: map[string]any{},
	}
	bundles := map[string]*bundle.Bundle{}
	for _, l := range layers {
		bundles[l.name] = l.policy
		merge(made.data, l.policy.Data)
	}
	err := storage.Txn(ctx, made.store, storage.WriteParams, func(txn storage.Transaction) error {
		return bundle.Activate(&bundle.ActivateOpts{
			Ctx: ctx, Store: made.store, Txn: txn, TxnCtx: storage.NewContext(), Metrics: metrics.NoOp(),
			Compiler: made.compiler, Bundles: bundles,
			ParserOptions: ast.ParserOptions{ProcessAnnotation: true, Capabilities: g.capabilities},
		})
	})
	if err != nil {
		return made, refuse(guilty(layers, err), StageCompile, err, hint(err))
	}
	return made, nil
}

// merge adds one layer's data. Roots do not overlap, so objects join and nothing
// is replaced.
func merge(into, from map[string]any) {
	for key, value := range from {
		below, isObject := value.(map[string]any)
		had, alsoObject := into[key].(map[string]any)
		if isObject && alsoObject {
			joined := maps.Clone(had)
			merge(joined, below)
			into[key] = joined
			continue
		}
		into[key] = value
	}
}

// schemaSet holds the schemas of all layers; the core's win.
func schemaSet(layers []*layer) *ast.SchemaSet {
	set := ast.NewSchemaSet()
	for _, l := range slices.Backward(layers) {
		for name, schema := range l.schemas {
			ref := ast.SchemaRootRef.Copy()
			for part := range strings.SplitSeq(name, "/") {
				ref = ref.Append(ast.StringTerm(part))
			}
			set.Put(ref, schema)
		}
	}
	return set
}

// guilty names the layer whose file an error speaks of: the topmost, if it is
// about none in particular, since what lies below it compiled without it.
func guilty(layers []*layer, err error) string {
	var faults ast.Errors
	if errors.As(err, &faults) && len(faults) > 0 && faults[0].Location != nil {
		for _, l := range layers {
			if l.owns(faults[0].Location.File) {
				return l.name
			}
		}
	}
	return layers[len(layers)-1].name
}

func (l *layer) owns(file string) bool {
	return slices.ContainsFunc(l.policy.Modules, func(m bundle.ModuleFile) bool { return m.Path == file })
}

func hint(err error) string {
	if name := withheld(err); name != "" {
		text := name + " is withheld from policies: a decision follows from its input and its policy alone, in bounded time"
		if strings.HasPrefix(name, "io.jwt.") || strings.HasPrefix(name, "crypto.") {
			text += "; POSTERN_POLICY_BUILTINS=" + name + " allows it"
		}
		return text
	}
	if strings.Contains(err.Error(), "overlap") {
		return "give each layer roots of its own in its .manifest"
	}
	return "mend it: `postern policy check` tells when it is right"
}

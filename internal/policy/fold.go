package policy

import (
	"context"
	"fmt"
	"path"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
)

// folded compiles the layers again with each package that follows from data
// alone, such as the table of what each role may do, replaced by what it comes
// to. Rego evaluates lazily: without this every decision works it out anew.
func (g gate) folded(ctx context.Context, layers []*layer, made compiled) (compiled, error) {
	f := folder{gate: g, made: made, known: map[*ast.Rule]bool{}}
	lighter, changed := make([]*layer, len(layers)), false
	for i, l := range layers {
		copied := *l
		copied.policy, changed = f.fold(ctx, l, changed)
		lighter[i] = &copied
	}
	if !changed {
		return made, nil
	}
	return g.compile(ctx, lighter)
}

// A folder works out what is constant in compiled policies.
type folder struct {
	gate
	made  compiled
	known map[*ast.Rule]bool // whether a rule is constant
}

func (f folder) fold(ctx context.Context, l *layer, changed bool) (*bundle.Bundle, bool) {
	light := *l.policy
	light.Modules = make([]bundle.ModuleFile, len(l.policy.Modules))
	for i, m := range l.policy.Modules {
		f.begin(l.name, fmt.Sprintf("working out the constants of %v", m.Parsed.Package.Location))
		if module := f.constant(ctx, m.Parsed, f.made.compiler.Modules[path.Join(l.name, m.Path)]); module != nil {
			m.Parsed, changed = module, true
			m.Raw = []byte(module.String())
		}
		light.Modules[i] = m
	}
	return &light, changed
}

// constant gives a module's rules as what they come to, or nil if they have to
// stay as they are: when one has arguments, an entrypoint or a label, reads
// input, time or chance, fails, or when the package goes on elsewhere.
func (f folder) constant(ctx context.Context, parsed, module *ast.Module) *ast.Module {
	if module == nil || len(module.Rules) == 0 || !f.alone(module) || annotated(module) {
		return nil
	}
	for _, r := range module.Rules {
		if len(r.Head.Args) > 0 || !f.isConstant(r) {
			return nil
		}
	}
	light := &ast.Module{Package: parsed.Package.Copy(), Imports: parsed.Imports[:0:0]}
	done := map[ast.Value]bool{}
	for _, r := range module.Rules {
		name := r.Head.Ref()[0].Value
		if done[name] {
			continue
		}
		done[name] = true
		value, ok := f.value(ctx, parsed.Package.Path, name)
		if !ok {
			return nil
		}
		if value != nil {
			light.Rules = append(light.Rules, constantRule(light, name, value, r.Location))
		}
	}
	return light
}

// alone reports whether a module is its whole package, with nothing below it.
func (f folder) alone(m *ast.Module) bool {
	for _, other := range f.made.compiler.Modules {
		if other != m && other.Package.Path.HasPrefix(m.Package.Path) {
			return false
		}
	}
	return find(f.made.data, segments(m.Package.Path)...) == nil
}

func annotated(m *ast.Module) bool {
	for _, a := range m.Annotations {
		if a.Entrypoint || len(a.Labels) > 0 {
			return true
		}
	}
	return false
}

// isConstant reports whether a rule, and all it rests on, reads only data.
func (f folder) isConstant(r *ast.Rule) bool {
	if known, seen := f.known[r]; seen {
		return known
	}
	f.known[r] = true // Rego has no recursion; this only spares a second visit
	constant := true
	ast.WalkRefs(r, func(ref ast.Ref) bool {
		constant = constant && !ref.HasPrefix(ast.InputRootRef) && !f.chancy(ref)
		return !constant
	})
	for dependency := range f.made.compiler.Graph.Dependencies(r) {
		if below, ok := dependency.(*ast.Rule); ok && constant {
			constant = f.isConstant(below)
		}
	}
	f.known[r] = constant
	return constant
}

// chancy reports whether a reference is to a builtin that does not follow from
// its arguments, such as time.now_ns.
func (f folder) chancy(ref ast.Ref) bool {
	if len(ref) == 0 {
		return false
	}
	for _, b := range f.capabilities.Builtins {
		if b.Nondeterministic && ref.Equal(b.Ref()) {
			return true
		}
	}
	return false
}

// value works a rule's document out: nil if it is undefined, not ok if it fails.
func (f folder) value(ctx context.Context, pkg ast.Ref, name ast.Value) (ast.Value, bool) {
	variable, ok := name.(ast.Var)
	if !ok {
		return nil, false
	}
	g := Generation{compiler: f.made.compiler, store: f.made.store, now: f.now}
	ref := pkg.Append(ast.StringTerm(string(variable)))
	q := query{compiler: g.compiler.QueryCompiler().WithContext(ast.NewQueryContext())}
	var err error
	if q.body, err = q.compiler.Compile(ast.NewBody(ast.Equality.Expr(ast.VarTerm(answer), ast.NewTerm(ref)))); err != nil {
		return nil, false
	}
	if g.txn, err = g.store.NewTransaction(ctx); err != nil {
		return nil, false
	}
	defer g.store.Abort(ctx, g.txn)
	value, err := g.eval(ctx, q, nil, nil, Watch{})
	return value, err == nil
}

func constantRule(m *ast.Module, name, value ast.Value, at *ast.Location) *ast.Rule {
	variable, _ := name.(ast.Var)
	head := ast.NewHead(variable, nil, ast.NewTerm(value).SetLocation(at))
	head.Assign, head.Location = true, at
	head.Reference = ast.Ref{ast.NewTerm(variable).SetLocation(at)}
	body := ast.NewBody(ast.NewExpr(ast.BooleanTerm(true).SetLocation(at)).SetLocation(at))
	return &ast.Rule{Head: head, Body: body, Module: m, Location: at}
}

package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options say where policies come from. The zero value of everything but Core is
// safe.
type Options struct {
	Core     Source   // Embedded or CoreAt
	Overlays []Source // OverlayAt, each above those before it
	// Builtins are withheld builtins to allow: of io.jwt and crypto, by name or
	// as io.jwt.*
	Builtins []string
	// Interval is how often directories and archives are looked at. Default 1 s.
	Interval time.Duration
	// Settle is how long files must lie still before they are read, so that a
	// copy that is going on is not taken for the whole. Default 100 ms.
	Settle time.Duration
	// Prove, if not nil, tries files where it does no harm when they take all
	// memory and all time (see Prove, which does the trying). What it returns is
	// why they are refused: a *Refusal mostly. It ends as soon as ctx does, and is
	// not asked about the embedded core alone. Default: they are tried here.
	Prove func(ctx context.Context, layers []LayerFiles) error
	// Limit is what the gate may take for one set of policies. Default 30 s.
	Limit      time.Duration
	Log        *slog.Logger          // default: discard
	Now        func() time.Time      // default: time.Now
	Registerer prometheus.Registerer // default: none
}

// An Engine keeps a generation of policies in force and replaces it when its
// sources change. A policy that does not pass the gate changes nothing.
type Engine struct {
	options Options
	gate    gate
	metrics *meters
	runner  *runner
	live    atomic.Pointer[Generation]

	mu      sync.Mutex        // guards what follows; held while the gate works
	sources []Source          // the core first
	seen    map[string]sight  // of the files, by layer
	tried   map[string]string // digest of what was last offered, by layer
	latest  []LayerFiles      // as last read, in the order of sources
	good    []*layer          // in force
}

// New makes an engine with nothing in force: call Load.
func New(o Options) (*Engine, error) {
	allowed, err := capabilities(o.Builtins)
	if err != nil {
		return nil, err
	}
	if o.Core.Path == "" && o.Core.fsys == nil {
		return nil, errors.New("there is no core: give Embedded or CoreAt")
	}
	o.Interval, o.Settle, o.Limit = cmp.Or(o.Interval, time.Second), cmp.Or(o.Settle, 100*time.Millisecond), cmp.Or(o.Limit, 30*time.Second)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	e := &Engine{
		options: o, gate: gate{capabilities: allowed, now: o.Now}, runner: newRunner(),
		sources: apart(append([]Source{o.Core}, o.Overlays...)),
		seen:    map[string]sight{}, tried: map[string]string{},
	}
	e.metrics = newMeters(o.Registerer, e.sources, func() float64 { return float64(e.runner.stuck.Load()) })
	return e, nil
}

// apart gives sources of the same name names of their own.
func apart(sources []Source) []Source {
	seen := map[string]int{}
	for i, s := range sources {
		if seen[s.Name]++; seen[s.Name] > 1 {
			sources[i].Name = fmt.Sprintf("%s_%d", s.Name, seen[s.Name])
		}
	}
	return sources
}

// Live is the generation in force, nil until Load has succeeded. Take it once
// per question: all answers of a batch come from one generation.
func (e *Engine) Live() *Generation { return e.live.Load() }

// Run calls fn and returns nil when fn has, or an error of kind
// authz.ErrUnavailable as soon as ctx ends, whatever fn is doing; see Decide.
// After an error fn may go on: it must write nothing the caller still reads,
// but by atomics. One Run per query is enough, whatever the number of its items.
func (e *Engine) Run(ctx context.Context, fn func(context.Context)) error {
	return e.runner.run(ctx, fn)
}

// Load reads every source and puts them in force. An error, a *Refusal mostly,
// says what is wrong with the first that is not fit, and changes nothing.
func (e *Engine) Load(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.tellGood()
	at := e.options.Now()
	found, err := e.read(ctx)
	if err != nil {
		return e.refused(err)
	}
	for _, l := range found {
		e.seen[l.Name] = sight{at: at, digest: files(l.Files).digest()}
	}
	e.latest = found
	return e.offer(ctx, found)
}

// Check puts what the sources hold now through the gate, and nothing in force.
func (e *Engine) Check(ctx context.Context) (*Generation, error) {
	found, err := e.read(ctx)
	if err != nil {
		return nil, err
	}
	_, g, err := e.build(ctx, found)
	return g, err
}

// Test runs the tests of every layer, those of the embedded core too, and
// measures which policies they cover if asked to.
func (e *Engine) Test(ctx context.Context, coverage bool) (Report, error) {
	found, err := e.read(ctx)
	if err != nil {
		return Report{}, err
	}
	layers, err := e.gate.parse(found, func(LayerFiles) bool { return true })
	if err != nil {
		return Report{}, err
	}
	return e.gate.report(ctx, layers, coverage)
}

// Offer proposes what a source holds now for the layer of its name, which may
// be new. It is in force when Offer returns nil; otherwise nothing changed.
func (e *Engine) Offer(ctx context.Context, s Source) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	l, err := s.read(ctx)
	if err != nil {
		return e.refused(err)
	}
	if err := e.offer(ctx, with(filesOf(e.good), l)); err != nil {
		return err
	}
	e.latest = with(e.latest, l)
	return nil
}

// with gives layers with one replaced, or added on top.
func with(layers []LayerFiles, l LayerFiles) []LayerFiles {
	layers = slices.Clone(layers)
	if i := slices.IndexFunc(layers, func(had LayerFiles) bool { return had.Name == l.Name }); i >= 0 {
		layers[i] = l
		return layers
	}
	return append(layers, l)
}

// filesOf are the files that layers were made of.
func filesOf(layers []*layer) []LayerFiles {
	found := make([]LayerFiles, len(layers))
	for i, l := range layers {
		found[i] = l.files
	}
	return found
}

func (e *Engine) read(ctx context.Context) ([]LayerFiles, error) {
	found := make([]LayerFiles, len(e.sources))
	for i, s := range e.sources {
		l, err := s.read(ctx)
		if err != nil {
			return nil, err
		}
		found[i] = l
	}
	return found, nil
}

// offer puts files in force if they pass the gate. Callers hold e.mu.
func (e *Engine) offer(ctx context.Context, found []LayerFiles) error {
	for _, l := range found {
		e.tried[l.Name] = files(l.Files).digest()
	}
	start := e.options.Now()
	layers, next, err := e.build(ctx, found)
	if err != nil {
		return e.refused(err)
	}
	was := e.good
	e.good = layers
	e.live.Store(next)
	e.announce(was, next.revision, start)
	return nil
}

func (e *Engine) announce(was []*layer, revision string, start time.Time) {
	now := e.options.Now()
	for _, l := range e.good {
		i := slices.IndexFunc(was, func(had *layer) bool { return had.name == l.name })
		switch {
		case i < 0:
			e.metrics.activated(nil, l, now)
		case was[i].digest != l.digest:
			e.metrics.activated(was[i], l, now)
		}
	}
	e.options.Log.Info("policy in force", "revision", revision, "seconds", now.Sub(start).Seconds())
}

// refused counts and reports a policy that was not put in force.
func (e *Engine) refused(err error) error {
	layer, stage := Core, StageLimit
	if r := (*Refusal)(nil); errors.As(err, &r) {
		layer, stage = r.Layer, r.Stage
	}
	e.metrics.activations.WithLabelValues(layer, string(stage)).Inc()
	inForce := "none"
	if g := e.Live(); g != nil {
		inForce = g.revision
	}
	e.options.Log.Error("policy refused", "err", err, "layer", layer, "in_force", inForce)
	return err
}

// build passes files through the gate, or gives up at the limit: compiling looks
// at no deadline, and a test may be stuck in a builtin. Files that are proved
// have done all this before, so here they need their tests no more.
func (e *Engine) build(ctx context.Context, found []LayerFiles) ([]*layer, *Generation, error) {
	limited, stop := context.WithTimeout(ctx, e.options.Limit)
	defer stop()
	g := e.gate
	if e.options.Prove != nil && slices.ContainsFunc(found, LayerFiles.fromOutside) {
		if err := e.options.Prove(limited, found); err != nil {
			return nil, nil, err
		}
		g.proved = true
	}
	var (
		layers []*layer
		next   *Generation
		err    error
		done   = make(chan error, 1)
	)
	go func() {
		panicked := guarded(limited, func(ctx context.Context) { layers, next, err = g.pass(ctx, found) })
		done <- cmp.Or(panicked, err)
	}()
	select {
	case err := <-done:
		return layers, next, err
	case <-limited.Done():
		return nil, nil, refuse(found[len(found)-1].Name, StageLimit,
			fmt.Errorf("compiling and testing did not end within %v: %w", e.options.Limit, context.Cause(limited)),
			"look for rules and tests that do not end")
	}
}

// Prove passes layers through the gate that an Engine has, the core first, and
// puts nothing in force. It fails with a *Refusal mostly. The builtins are those
// of Options. at, if not nil, is told what begins, such as "running its tests",
// and of which layer: who dies of it may have left a word.
func Prove(ctx context.Context, layers []LayerFiles, builtins []string, at func(layer, doing string)) error {
	allowed, err := capabilities(builtins)
	if err != nil {
		return err
	}
	g := gate{capabilities: allowed, now: time.Now, at: at}
	panicked := guarded(ctx, func(ctx context.Context) { _, _, err = g.pass(ctx, layers) })
	return cmp.Or(panicked, err)
}

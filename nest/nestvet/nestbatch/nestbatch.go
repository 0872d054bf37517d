// Package nestbatch checks how batches are used. It reports
//
//   - a batch that is filled but never executed: nothing is sent;
//   - a future whose Value is called before the batch can have been executed;
//   - a batch that is filled after it was executed: a batch is executed only once.
//
// A batch that is returned, stored or passed to another function is not checked.
package nestbatch

import (
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/ctrlflow"
	"golang.org/x/tools/go/cfg"

	"github.com/redisimnest/redisimnest/nest/nestvet/internal/code"
)

// Analyzer reports batches that are lost or used in the wrong order.
var Analyzer = &analysis.Analyzer{
	Name:     "nestbatch",
	Doc:      "check that batches of package nest are executed, once, and before their results are used",
	URL:      "https://pkg.go.dev/github.com/redisimnest/redisimnest/nest/nestvet/nestbatch",
	Requires: []*analysis.Analyzer{ctrlflow.Analyzer},
	Run:      run,
}

const (
	neverExecuted = "the batch is filled and never executed: nothing is sent; call its Exec"
	tooEarly      = "the future has no value yet: Value is called before the batch's Exec"
	tooLate       = "the batch was executed already: an operation that is added now is refused with ErrBatch; start another batch"
)

func run(pass *analysis.Pass) (any, error) {
	c := &checker{pass, pass.ResultOf[ctrlflow.Analyzer].(*ctrlflow.CFGs), code.Assigned(pass)}
	for _, file := range pass.Files {
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Body != nil {
					c.function(d)
				}
			case *ast.GenDecl: // functions held by variables
				ast.Inspect(d, func(n ast.Node) bool {
					f, ok := n.(*ast.FuncLit)
					if ok {
						c.function(f)
					}
					return !ok
				})
			}
		}
	}
	return nil, nil
}

type checker struct {
	pass     *analysis.Pass
	flow     *ctrlflow.CFGs
	assigned code.Assignments
}

// batch is a variable of a function that holds a batch.
type batch struct {
	made    ast.Node // the statement that assigns it
	at      ast.Expr // the value that it is assigned
	in      ast.Node // the innermost function around it
	fills   []ast.Node
	execs   []ast.Node
	values  []ast.Node
	strays  bool // it is used in a way that is not understood
	outside bool // it is used in another function than the one that creates it, or later
}

// function checks the batches that are created in a function or in the functions inside it.
func (c *checker) function(f ast.Node) {
	w := &walker{checker: c, batches: make(map[*types.Var]*batch), futures: make(map[*types.Var]*types.Var)}
	w.collect(f)
	w.uses(f)
	all := slices.SortedFunc(maps.Values(w.batches), func(a, b *batch) int { return int(a.at.Pos() - b.at.Pos()) })
	for _, b := range all {
		switch {
		case b.strays:
		case len(b.fills) > 0 && len(b.execs) == 0:
			c.report(b.at, neverExecuted)
		case !b.outside:
			c.order(b)
		}
	}
}

// walker goes through one function.
type walker struct {
	*checker

	batches map[*types.Var]*batch
	futures map[*types.Var]*types.Var // to the batch of each
}

// makes reports whether an expression creates a batch.
func (c *checker) makes(e ast.Expr) bool {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return false
	}
	f := code.Callee(c.pass.TypesInfo, call)
	typ, ok := code.Method(f, "Batch")
	if !ok {
		typ, ok = code.Method(f, "Atomic")
	}
	return ok && typ == "Scope"
}

// fills returns the batch to which an expression adds an operation: x.In(b).Get() and x.In(b).
func (c *checker) fills(e ast.Expr) ast.Expr {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return nil
	}
	if _, ok := code.Method(code.Callee(c.pass.TypesInfo, call), "In"); ok && len(call.Args) == 1 && code.IsNest(c.pass.TypesInfo.TypeOf(call.Args[0]), "Batch") {
		return call.Args[0]
	}
	if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		return c.fills(sel.X)
	}
	return nil
}

func (c *checker) variable(e ast.Expr) *types.Var {
	id, ok := ast.Unparen(e).(*ast.Ident)
	if !ok {
		return nil
	}
	v, _ := c.pass.TypesInfo.ObjectOf(id).(*types.Var)
	return v
}

// collect finds the variables that hold batches and futures.
func (w *walker) collect(f ast.Node) {
	var stack []ast.Node
	ast.Inspect(f, func(n ast.Node) bool {
		if n == nil {
			stack = stack[:len(stack)-1]
			return true
		}
		stack = append(stack, n)
		switch s := n.(type) {
		case *ast.AssignStmt:
			if len(s.Lhs) != len(s.Rhs) {
				break
			}
			for i := range s.Lhs {
				w.assign(s, s.Lhs[i], s.Rhs[i], s.Tok == token.DEFINE, innermost(stack))
			}
		case *ast.ValueSpec:
			if len(s.Names) != len(s.Values) {
				break
			}
			for i := range s.Names {
				w.assign(s, s.Names[i], s.Values[i], true, innermost(stack))
			}
		}
		return true
	})
}

// assign handles a variable that is assigned a batch or a future. If the variable was declared
// before the assignment, the future in it may belong to an earlier batch.
func (w *walker) assign(s ast.Node, target, value ast.Expr, declares bool, in ast.Node) {
	v := w.variable(target)
	if v == nil || in == nil || v.Parent() == w.pass.Pkg.Scope() || !w.assigned.Once(v) {
		return
	}
	if w.makes(value) {
		w.batches[v] = &batch{made: s, at: value, in: in}
	} else if of := w.fills(value); of != nil && declares {
		if b := w.variable(of); b != nil {
			w.futures[v] = b
		}
	}
}

func innermost(stack []ast.Node) ast.Node {
	for _, n := range slices.Backward(stack) {
		switch n.(type) {
		case *ast.FuncDecl, *ast.FuncLit:
			return n
		}
	}
	return nil
}

// uses records what happens to the batches.
func (w *walker) uses(f ast.Node) {
	understood := make(map[*ast.Ident]bool)
	var stack []ast.Node
	ast.Inspect(f, func(n ast.Node) bool {
		if n == nil {
			stack = stack[:len(stack)-1]
			return true
		}
		stack = append(stack, n)
		switch n := n.(type) {
		case *ast.CallExpr:
			w.call(n, stack, understood)
		case *ast.AssignStmt:
			for _, target := range n.Lhs {
				if id, ok := target.(*ast.Ident); ok {
					understood[id] = true
				}
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				understood[name] = true
			}
		case *ast.Ident:
			v := w.variable(n)
			if b := w.batches[v]; b != nil && !understood[n] {
				b.strays = true
			}
		}
		return true
	})
}

func (w *walker) call(call *ast.CallExpr, stack []ast.Node, understood map[*ast.Ident]bool) {
	f := code.Callee(w.pass.TypesInfo, call)
	if f == nil {
		return
	}
	note := func(e ast.Expr, to func(*batch) *[]ast.Node) {
		id, ok := ast.Unparen(e).(*ast.Ident)
		if !ok {
			return
		}
		b := w.batches[w.variable(id)]
		if b == nil {
			return
		}
		understood[id] = true
		if to != nil {
			list := to(b)
			*list = append(*list, call)
			b.outside = b.outside || innermost(stack) != b.in || deferred(stack, b.in)
		}
	}
	sel, ok := code.Selects(w.pass.TypesInfo, call)
	if !ok {
		return
	}
	if _, ok := code.Method(f, "In"); ok && len(call.Args) == 1 {
		if w.makes(call.Args[0]) {
			w.report(call.Args[0], neverExecuted)
		}
		note(call.Args[0], func(b *batch) *[]ast.Node { return &b.fills })
	}
	switch typ, name := receiver(f), f.Name(); {
	case typ == "Batch" && name == "Exec":
		note(sel.X, func(b *batch) *[]ast.Node { return &b.execs })
	case typ == "Batch":
		note(sel.X, nil)
	case name == "Value":
		w.value(call, sel.X, stack)
	}
}

func receiver(f *types.Func) string {
	typ, _ := code.Method(f, f.Name())
	return typ
}

// value records that the result of a future is read.
func (w *walker) value(call *ast.CallExpr, of ast.Expr, stack []ast.Node) {
	batchOf := w.futures[w.variable(of)]
	if direct := w.fills(of); direct != nil {
		if batchOf = w.variable(direct); batchOf == nil {
			return
		}
	}
	b := w.batches[batchOf]
	if b == nil {
		return
	}
	if innermost(stack) != b.in || deferred(stack, b.in) {
		return // it is read when that function runs
	}
	b.values = append(b.values, call)
}

// deferred reports whether something runs later than its position in the function suggests.
func deferred(stack []ast.Node, in ast.Node) bool {
	for _, n := range slices.Backward(stack) {
		switch n.(type) {
		case *ast.DeferStmt, *ast.GoStmt:
			return true
		}
		if n == in {
			break
		}
	}
	return false
}

// ran is what is known about a batch at one point of its function.
type ran struct{ may, must, reached bool }

func (a ran) join(b ran) ran {
	switch {
	case !a.reached:
		return b
	case !b.reached:
		return a
	}
	return ran{a.may || b.may, a.must && b.must, true}
}

// order follows the paths through a function on which a batch is created, filled and executed.
func (c *checker) order(b *batch) {
	var graph *cfg.CFG
	switch f := b.in.(type) {
	case *ast.FuncDecl:
		graph = c.flow.FuncDecl(f)
	case *ast.FuncLit:
		graph = c.flow.FuncLit(f)
	}
	if graph == nil || len(graph.Blocks) == 0 {
		return
	}
	entry := make(map[*cfg.Block]ran)
	entry[graph.Blocks[0]] = ran{reached: true}
	for changed := true; changed; {
		changed = false
		for _, block := range graph.Blocks {
			if !entry[block].reached {
				continue
			}
			after := c.through(b, block, entry[block], nil)
			for _, next := range block.Succs {
				if now := entry[next].join(after); now != entry[next] {
					entry[next], changed = now, true
				}
			}
		}
	}
	for _, block := range graph.Blocks {
		if entry[block].reached {
			c.through(b, block, entry[block], c.report)
		}
	}
}

// through returns what is known after a block. If report is not nil, it is called for each problem
// in the block.
func (c *checker) through(b *batch, block *cfg.Block, now ran, report func(ast.Node, string)) ran {
	for _, n := range block.Nodes {
		for _, e := range events(b, n) {
			switch {
			case e == b.made:
				now = ran{reached: true}
			case slices.Contains(b.execs, e):
				now = ran{may: true, must: now.must || !perhaps(n, e), reached: true}
			case slices.Contains(b.values, e) && !now.may && report != nil:
				report(e, tooEarly)
			case slices.Contains(b.fills, e) && now.must && report != nil:
				report(e, tooLate)
			}
		}
	}
	return now
}

// events returns what a node does to a batch, in order of evaluation: the innermost call first.
func events(b *batch, n ast.Node) []ast.Node {
	var found []ast.Node
	ast.Inspect(n, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.CallExpr, *ast.AssignStmt, *ast.ValueSpec:
			if n == b.made || slices.Contains(b.execs, n) || slices.Contains(b.fills, n) || slices.Contains(b.values, n) {
				found = append(found, n)
			}
		}
		return true
	})
	slices.SortStableFunc(found, func(a, b ast.Node) int { return int(end(a) - end(b)) })
	return found
}

// perhaps reports whether a call inside a statement depends on the left operand of && or ||.
func perhaps(n, call ast.Node) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		if b, ok := n.(*ast.BinaryExpr); ok && (b.Op == token.LAND || b.Op == token.LOR) {
			found = found || b.Y.Pos() <= call.Pos() && call.End() <= b.Y.End()
		}
		return !found
	})
	return found
}

func end(n ast.Node) token.Pos { return n.End() }

func (c *checker) report(at ast.Node, text string) {
	code.Report(c.pass, analysis.Diagnostic{Pos: at.Pos(), End: at.End(), Message: text})
}

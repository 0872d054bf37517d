package decl

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/types/typeutil"

	"github.com/redisimnest/redisimnest/nest/nestvet/internal/code"
)

// Opener is the fact of a function that opens or checks a cluster passed to it, as env.Open does.
// That cluster is at the top of the tree.
type Opener struct {
	Param int  // the index of the parameter
	Opens bool // it opens the cluster; otherwise it only checks it
	Scope bool // its first result is the scope at the top
}

// AFact marks Opener as a fact of analyzers.
func (*Opener) AFact() {}

func (o *Opener) String() string { return "opens" }

// openers knows the functions that open a cluster passed to them.
type openers struct {
	pass     *analysis.Pass
	assigned code.Assignments
	own      map[*types.Func]*Opener
}

// findOpeners goes through the functions of a package until it finds no more openers: a function
// may call another that is declared after it.
func findOpeners(pass *analysis.Pass, assigned code.Assignments) *openers {
	o := &openers{pass, assigned, make(map[*types.Func]*Opener)}
	for found := true; found; {
		found = false
		for _, file := range pass.Files {
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
					found = o.look(f) || found
				}
			}
		}
	}
	for f, fact := range o.own {
		pass.ExportObjectFact(f, fact)
	}
	return o
}

// look reports whether a function is newly found to open one of its parameters.
func (o *openers) look(d *ast.FuncDecl) bool {
	f, ok := o.pass.TypesInfo.Defs[d.Name].(*types.Func)
	if !ok {
		return false
	}
	if _, known := o.own[f]; known {
		return false
	}
	params := f.Signature().Params()
	for i := range params.Len() {
		p := params.At(i)
		if code.DefKind(p.Type()) != "Cluster" {
			continue
		}
		used, opens, other := false, false, false
		given := make(map[*ast.Ident]bool)
		ast.Inspect(d.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				arg, fact := o.opener(n)
				if id, ok := arg.(*ast.Ident); ok && o.pass.TypesInfo.Uses[id] == p {
					used, given[id] = true, true
					opens = opens || fact.Opens
				}
				// Package nest only reads it, except in Sub.
				if f := code.Callee(o.pass.TypesInfo, n); f != nil && f.Name() != "Sub" {
					for _, arg := range n.Args {
						if id, ok := ast.Unparen(arg).(*ast.Ident); ok {
							given[id] = true
						}
					}
				}
			case *ast.SelectorExpr: // a method of it
				if id, ok := n.X.(*ast.Ident); ok {
					given[id] = true
				}
			case *ast.Ident:
				other = other || o.pass.TypesInfo.Uses[n] == p && !given[n]
			}
			return true
		})
		if used && !other {
			o.own[f] = &Opener{Param: i, Opens: opens, Scope: opens && o.returns(d, p)}
			return true
		}
	}
	return false
}

// returns reports whether the first result of every return statement is the scope opened for p, or
// the zero Scope.
func (o *openers) returns(d *ast.FuncDecl, p *types.Var) bool {
	all := true
	ast.Inspect(d.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			all = all && len(n.Results) > 0 && o.opened(n.Results[0], p)
		}
		return true
	})
	return all
}

// opened reports whether a result is the scope opened for p, or the zero Scope.
func (o *openers) opened(e ast.Expr, p *types.Var) bool {
	e = ast.Unparen(e)
	if id, ok := e.(*ast.Ident); ok {
		v, _ := o.pass.TypesInfo.Uses[id].(*types.Var)
		value, index, once := o.assigned.Value(v)
		if !once || index != 0 {
			return false
		}
		e = ast.Unparen(value)
	}
	switch e := e.(type) {
	case *ast.CompositeLit:
		return code.IsNest(o.pass.TypesInfo.TypeOf(e), "Scope")
	case *ast.CallExpr:
		arg, fact := o.opener(e)
		id, ok := arg.(*ast.Ident)
		return ok && fact.Scope && o.pass.TypesInfo.Uses[id] == p
	}
	return false
}

// opener returns the cluster that a call opens or checks, and the fact of the function, or nil.
func (o *openers) opener(call *ast.CallExpr) (ast.Expr, Opener) {
	f, ok := typeutil.Callee(o.pass.TypesInfo, call).(*types.Func)
	if !ok || f.Pkg() == nil {
		return nil, Opener{}
	}
	f = f.Origin()
	var fact Opener
	own, ok := o.own[f]
	switch nest := f.Pkg().Path() == code.Nest && f.Signature().Recv() == nil; {
	case nest && f.Name() == "Open": // regardless of its body
		fact = Opener{Param: 1, Opens: true, Scope: true}
	case nest && f.Name() == "Check":
		fact = Opener{Param: 0}
	case ok:
		fact = *own
	case f.Pkg() == o.pass.Pkg || !o.pass.ImportObjectFact(f, &fact):
		return nil, Opener{}
	}
	if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		if s, ok := o.pass.TypesInfo.Selections[sel]; ok && s.Kind() != types.MethodVal {
			return nil, Opener{}
		}
	}
	if fact.Param >= len(call.Args) {
		return nil, Opener{}
	}
	return ast.Unparen(call.Args[fact.Param]), fact
}

// Opens returns the cluster that a call opens, or nil. The call may be to nest.Open, or to any
// function that passes its parameter on to it.
func (w *World) Opens(call *ast.CallExpr) ast.Expr {
	if root, fact := w.openers.opener(call); fact.Opens {
		return root
	}
	return nil
}

// ReturnsOpened reports whether the first result of a call that opens a cluster is the scope at its
// top. A function may also return a scope below it.
func (w *World) ReturnsOpened(call *ast.CallExpr) bool {
	_, fact := w.openers.opener(call)
	return fact.Scope
}

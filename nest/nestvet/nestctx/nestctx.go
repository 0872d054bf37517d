// Package nestctx reports context.Background() and context.TODO() in calls of package nest in
// functions that have a context of their own: such a call goes on after its caller has given up.
//
// Deferred calls, goroutines and functions without a context are not checked: a fresh context is
// often intended there. Neither is code that runs once the context has ended: code after
// <-ctx.Done(), and code that depends on ctx.Err().
package nestctx

import (
	"go/ast"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/types/typeutil"

	"github.com/redisimnest/redisimnest/nest/nestvet/internal/code"
)

// Analyzer reports contexts that are not passed on.
var Analyzer = &analysis.Analyzer{
	Name: "nestctx",
	Doc:  "check that calls of package nest are given the context that their function has",
	URL:  "https://pkg.go.dev/github.com/redisimnest/redisimnest/nest/nestvet/nestctx",
	Run:  run,
}

func run(pass *analysis.Pass) (any, error) {
	for _, file := range pass.Files {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
				body(pass, f.Type, f.Body)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncLit); ok {
				body(pass, f.Type, f.Body)
			}
			return true
		})
	}
	return nil, nil
}

// body checks the calls that a function itself makes, not those of functions inside it.
func body(pass *analysis.Pass, typ *ast.FuncType, body *ast.BlockStmt) {
	ctx := contextOf(pass, typ)
	if ctx == nil {
		return
	}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit, *ast.DeferStmt, *ast.GoStmt:
			return false
		case *ast.IfStmt:
			return n.Cond == nil || !asks(pass, n.Cond, ctx)
		case *ast.CommClause:
			return n.Comm == nil || !asks(pass, n.Comm, ctx)
		case *ast.CaseClause:
			return !slices.ContainsFunc(n.List, func(e ast.Expr) bool { return asks(pass, e, ctx) })
		case *ast.CallExpr:
			if f := code.Callee(pass.TypesInfo, n); f != nil && len(n.Args) > 0 {
				argument(pass, n.Args[0], ctx)
			}
		}
		return true
	})
}

// asks reports whether a condition checks whether a context has ended.
func asks(pass *analysis.Pass, cond ast.Node, ctx *types.Var) bool {
	found := false
	ast.Inspect(cond, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
		if ok && (sel.Sel.Name == "Done" || sel.Sel.Name == "Err") {
			id, ok := ast.Unparen(sel.X).(*ast.Ident)
			found = found || ok && pass.TypesInfo.Uses[id] == types.Object(ctx)
		}
		return true
	})
	return found
}

// contextOf returns the context among a function's parameters.
func contextOf(pass *analysis.Pass, typ *ast.FuncType) *types.Var {
	for _, field := range typ.Params.List {
		for _, name := range field.Names {
			v, ok := pass.TypesInfo.Defs[name].(*types.Var)
			if ok && v.Name() != "_" && code.TypeName(v.Type()) == "context.Context" {
				return v
			}
		}
	}
	return nil
}

func argument(pass *analysis.Pass, arg ast.Expr, ctx *types.Var) {
	call, ok := ast.Unparen(arg).(*ast.CallExpr)
	if !ok {
		return
	}
	f, ok := typeutil.Callee(pass.TypesInfo, call).(*types.Func)
	if !ok || f.Pkg() == nil || f.Pkg().Path() != "context" || f.Name() != "Background" && f.Name() != "TODO" {
		return
	}
	d := analysis.Diagnostic{Pos: arg.Pos(), End: arg.End(), Message: "context." + f.Name() + "() in a function that has " + ctx.Name() +
		": the call goes on when its caller has given up (context.WithoutCancel(" + ctx.Name() + ") says that this is meant)"}
	if inner := pass.Pkg.Scope().Innermost(arg.Pos()); inner != nil {
		if _, obj := inner.LookupParent(ctx.Name(), arg.Pos()); obj == types.Object(ctx) {
			d.SuggestedFixes = []analysis.SuggestedFix{{Message: "pass " + ctx.Name() + " on", TextEdits: []analysis.TextEdit{
				{Pos: arg.Pos(), End: arg.End(), NewText: []byte(ctx.Name())},
			}}}
		}
	}
	code.Report(pass, d)
}

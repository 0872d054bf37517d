// Package nestraw reports keys that bypass the declarations: a literal, a concatenation or a
// Sprintf that is passed to a command of rueidis or go-redis as its key.
//
// A package that has to work without declarations, such as one that adopts them step by step, says
// so and why, in any of its files:
//
//	//nest:raw the billing keys are declared next
//
// Test files are not checked: they often plant the keys that the program should find.
package nestraw

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"

	"github.com/redisimnest/redisimnest/nest/nestvet/internal/code"
)

// Analyzer reports keys that are not declared.
var Analyzer = &analysis.Analyzer{
	Name:     "nestraw",
	Doc:      "find keys that are made by hand and given to a Redis client",
	URL:      "https://pkg.go.dev/github.com/redisimnest/redisimnest/nest/nestvet/nestraw",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

const directive = "//nest:raw"

func run(pass *analysis.Pass) (any, error) {
	if exempt(pass) {
		return nil, nil
	}
	assigned := code.Assigned(pass)
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	in.Preorder([]ast.Node{(*ast.CallExpr)(nil)}, func(n ast.Node) {
		call := n.(*ast.CallExpr)
		if code.InTest(pass.Fset, call.Pos()) {
			return
		}
		f, ok := typeutil.Callee(pass.TypesInfo, call).(*types.Func)
		if !ok || f.Pkg() == nil || f.Signature().Recv() == nil {
			return
		}
		for _, key := range keys(f.Origin(), call) {
			how := made(pass, assigned, key)
			if how == "" {
				continue
			}
			code.Report(pass, analysis.Diagnostic{Pos: key.Pos(), End: key.End(), Message: how +
				" is given to a Redis command as its key: nothing says what it holds, for how long, and that nobody else has it; declare it with package nest"})
		}
	})
	return nil, nil
}

// exempt reports whether the package declares that it has raw keys. It reports a diagnostic for a
// declaration without a reason.
func exempt(pass *analysis.Pass) bool {
	found := false
	for _, file := range pass.Files {
		for _, group := range file.Comments {
			for _, c := range group.List {
				if c.Text == directive || strings.HasPrefix(c.Text, directive) && strings.TrimSpace(c.Text) == directive {
					pass.Report(analysis.Diagnostic{Pos: c.Pos(), End: c.End(), Message: directive + " without a reason: say why the package has raw keys"})
				}
				found = found || code.Directive(c.Text, directive)
			}
		}
	}
	return found
}

// keys returns the arguments of a client's command that are keys.
func keys(f *types.Func, call *ast.CallExpr) []ast.Expr {
	switch path := f.Pkg().Path(); {
	case path == "github.com/redis/rueidis/internal/cmds":
		if f.Name() == "Key" || f.Name() == "Keys" || f.Name() == "Source" || f.Name() == "Destination" || f.Name() == "Newkey" {
			return call.Args
		}
	case strings.HasPrefix(path, "github.com/redis/go-redis/") || strings.HasPrefix(path, "github.com/go-redis/redis"):
		return named(f, call)
	}
	return nil
}

// named returns the arguments whose parameters in go-redis are named as keys.
func named(f *types.Func, call *ast.CallExpr) []ast.Expr {
	params := f.Signature().Params()
	if params.Len() == 0 || types.TypeString(params.At(0).Type(), nil) != "context.Context" {
		return nil
	}
	var found []ast.Expr
	for i, arg := range call.Args {
		at := min(i, params.Len()-1)
		switch params.At(at).Name() {
		case "key", "keys", "source", "destination", "newkey", "sourceKey", "destinationKey", "src", "dst":
			if lit, ok := ast.Unparen(arg).(*ast.CompositeLit); ok {
				found = append(found, lit.Elts...)
				continue
			}
			found = append(found, arg)
		}
	}
	return found
}

// made returns how a key was made by hand, or "" if it was not or that is unknown.
func made(pass *analysis.Pass, assigned code.Assignments, e ast.Expr) string {
	switch e := ast.Unparen(e).(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			return "a literal"
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return "a concatenation"
		}
	case *ast.CallExpr:
		if f, ok := typeutil.Callee(pass.TypesInfo, e).(*types.Func); ok && f.Pkg() != nil && f.Pkg().Path() == "fmt" && strings.HasPrefix(f.Name(), "Sprint") {
			return "a Sprintf"
		}
	case *ast.Ident:
		switch obj := pass.TypesInfo.Uses[e].(type) {
		case *types.Const:
			return "a constant"
		case *types.Var:
			if obj.Exported() && obj.Parent() == pass.Pkg.Scope() {
				break // another package may assign it
			}
			if value, _, ok := assigned.Value(obj); ok && obj.Pkg() == pass.Pkg {
				if _, again := ast.Unparen(value).(*ast.Ident); !again {
					return made(pass, assigned, value)
				}
			}
		}
	case *ast.SelectorExpr:
		if _, ok := pass.TypesInfo.Uses[e.Sel].(*types.Const); ok {
			return "a constant"
		}
	}
	return ""
}

// Package code answers the questions that all analyzers ask about a package's syntax: what a call
// calls, what a variable was assigned, and which lines are exempt.
package code

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/types/typeutil"
)

// Nest is the import path of package nest.
const Nest = "github.com/redisimnest/redisimnest/nest"

// Callee returns the function or method of package nest that a call calls, or nil.
func Callee(info *types.Info, call *ast.CallExpr) *types.Func {
	if f, ok := typeutil.Callee(info, call).(*types.Func); ok && f.Pkg() != nil && f.Pkg().Path() == Nest {
		return f.Origin()
	}
	return nil
}

// Method reports whether f is a method with the given name, and returns the name of its receiver's
// type.
func Method(f *types.Func, name string) (typ string, ok bool) {
	if f == nil || f.Name() != name {
		return "", false
	}
	recv := f.Signature().Recv()
	if recv == nil {
		return "", false
	}
	return typeName(recv.Type()), true
}

// IsNest reports whether t is the type of package nest with the given name, or a pointer to it.
func IsNest(t types.Type, name string) bool {
	return typeName(t) == name
}

// typeName returns the name of t if it is a type of package nest or a pointer to one, or else "".
func typeName(t types.Type) string {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	if n, ok := types.Unalias(t).(*types.Named); ok && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == Nest {
		return n.Obj().Name()
	}
	return ""
}

// DefKind returns the name of a declaration's type without its suffix: "Key" for *KeyDef[int]. It
// returns "" for any other type.
func DefKind(t types.Type) string {
	if kind, ok := strings.CutSuffix(typeName(t), "Def"); ok && kind != "Param" {
		return kind
	}
	return ""
}

// Assignments records what each variable of a package was assigned.
type Assignments map[*types.Var]assigned

type assigned struct {
	value ast.Expr
	index int // index of the result, if value has several
	times int
}

// unknown stands for a value assigned by other code: by a caller, through the variable's address,
// or by a loop.
var unknown = assigned{times: 2}

// Assigned collects the assignments in the files of a package.
func Assigned(pass *analysis.Pass) Assignments {
	all := make(Assignments)
	note := func(target ast.Expr, value ast.Expr, index int) {
		id, ok := ast.Unparen(target).(*ast.Ident)
		if !ok {
			return
		}
		v, ok := pass.TypesInfo.ObjectOf(id).(*types.Var)
		if !ok || v.IsField() {
			return
		}
		all[v] = assigned{value, index, all[v].times + 1}
	}
	foreign := func(target ast.Expr) {
		if id, ok := ast.Unparen(target).(*ast.Ident); ok {
			if v, ok := pass.TypesInfo.ObjectOf(id).(*types.Var); ok {
				all[v] = unknown
			}
		}
	}
	for _, file := range pass.Files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Field: // the caller sets parameters, results and receivers
				for _, name := range n.Names {
					foreign(name)
				}
			case *ast.AssignStmt:
				for i, target := range n.Lhs {
					switch {
					case n.Tok != token.ASSIGN && n.Tok != token.DEFINE:
						note(target, nil, 0)
					case len(n.Rhs) == len(n.Lhs):
						note(target, n.Rhs[i], 0)
					default:
						note(target, n.Rhs[0], i)
					}
				}
			case *ast.ValueSpec:
				for i, name := range n.Names {
					switch {
					case len(n.Values) == len(n.Names):
						note(name, n.Values[i], 0)
					case len(n.Values) == 1:
						note(name, n.Values[0], i)
					}
				}
			case *ast.RangeStmt:
				for _, target := range []ast.Expr{n.Key, n.Value} {
					if target != nil {
						foreign(target)
					}
				}
			case *ast.IncDecStmt:
				note(n.X, nil, 0)
			case *ast.UnaryExpr:
				if n.Op == token.AND { // code that has the address can assign
					foreign(n.X)
				}
			}
			return true
		})
	}
	return all
}

// Value returns the only expression that a variable is ever assigned, and which of the expression's
// results it gets.
func (a Assignments) Value(v *types.Var) (value ast.Expr, index int, ok bool) {
	one := a[v]
	return one.value, one.index, one.times == 1 && one.value != nil
}

// Once reports whether the variable is assigned exactly once.
func (a Assignments) Once(v *types.Var) bool { return a[v].times == 1 }

const ignoreDirective = "//nest:ignore"

// Report reports a diagnostic unless its line is exempt. The comment "//nest:ignore why" exempts
// its own line and the line below it. Before the package clause, it exempts the whole file. A
// comment without a reason exempts nothing.
func Report(pass *analysis.Pass, d analysis.Diagnostic) {
	at := pass.Fset.Position(d.Pos)
	for _, file := range pass.Files {
		// Compare positions, not names: a file that cgo has rewritten goes by two names.
		if d.Pos < file.FileStart || file.FileEnd <= d.Pos {
			continue
		}
		for _, group := range file.Comments {
			for _, c := range group.List {
				line := pass.Fset.Position(c.Pos()).Line
				near := line == at.Line || line == at.Line-1 || c.Pos() < file.Package
				if !near || !Directive(c.Text, ignoreDirective) {
					continue
				}
				if line != at.Line-1 || c.Pos() < file.Package || alone(pass.Fset, file, c) {
					return
				}
			}
		}
	}
	pass.Report(d)
}

// alone reports whether a comment is alone on its line. If it is not, it refers to that line.
func alone(fset *token.FileSet, file *ast.File, c *ast.Comment) bool {
	line, found := fset.Position(c.Pos()).Line, false
	ast.Inspect(file, func(n ast.Node) bool {
		if n == nil || found || n.Pos() >= c.Pos() {
			return false
		}
		switch n.(type) {
		case *ast.File, *ast.Comment, *ast.CommentGroup:
		default:
			found = fset.Position(n.Pos()).Line == line || n.End() <= c.Pos() && fset.Position(n.End()).Line == line
		}
		return !found
	})
	return !found
}

// Directive reports whether a comment is this directive, followed by a reason.
func Directive(comment, directive string) bool {
	reason, ok := strings.CutPrefix(comment, directive)
	return ok && strings.HasPrefix(reason, " ") && strings.TrimSpace(reason) != ""
}

// Selects returns the selector of a method call on a value, as in x.At(s) but not in (*T).At(x, s).
func Selects(info *types.Info, call *ast.CallExpr) (*ast.SelectorExpr, bool) {
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return nil, false
	}
	s, ok := info.Selections[sel]
	return sel, ok && s.Kind() == types.MethodVal
}

// Spreads reports whether a call's only argument stands for several: f(g()).
func Spreads(info *types.Info, call *ast.CallExpr) bool {
	if len(call.Args) != 1 {
		return false
	}
	_, ok := info.TypeOf(call.Args[0]).(*types.Tuple)
	return ok
}

// TypeName returns a type's name, with full package paths and without aliases. Identical types have
// the same name in all packages.
func TypeName(t types.Type) string {
	return spell(t, func(p *types.Package) string { return p.Path() })
}

// Shown returns a type as package reflect prints it: "users.ID", "[]uint8".
func Shown(t types.Type) string {
	return spell(t, func(p *types.Package) string { return p.Name() })
}

func spell(t types.Type, of types.Qualifier) string {
	switch t := types.Unalias(t).(type) {
	case *types.Basic: // byte and rune are aliases
		return types.Typ[types.Default(t).(*types.Basic).Kind()].Name()
	case *types.Pointer:
		return "*" + spell(t.Elem(), of)
	case *types.Slice:
		return "[]" + spell(t.Elem(), of)
	case *types.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), spell(t.Elem(), of))
	case *types.Map:
		return "map[" + spell(t.Key(), of) + "]" + spell(t.Elem(), of)
	case *types.Named:
		name := t.Obj().Name()
		if p := t.Obj().Pkg(); p != nil {
			name = of(p) + "." + name
		}
		if args := t.TypeArgs(); args.Len() > 0 {
			all := make([]string, args.Len())
			for i := range all {
				all[i] = TypeName(args.At(i)) // as in package reflect
			}
			name += "[" + strings.Join(all, ",") + "]"
		}
		return name
	default:
		return types.TypeString(t, of)
	}
}

// InTest reports whether a position is in a test file.
func InTest(fset *token.FileSet, at token.Pos) bool {
	return strings.HasSuffix(fset.Position(at).Filename, "_test.go")
}

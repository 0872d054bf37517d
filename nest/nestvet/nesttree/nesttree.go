// Package nesttree checks the tree of declarations. It reports
//
//   - a declaration in a package variable that is not mounted below anything that the program
//     opens;
//   - two keys of one cluster with the same template;
//   - the template of a package variable that is not a constant, and so cannot be checked.
//
// Whether a declaration is mounted is known in two cases: for all declarations where the program
// opens its tree, in package main, and for an unexported variable in its own package. A declaration
// that is passed to a function or put into a slice counts as mounted.
package nesttree

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/redisimnest/redisimnest/nest/nestvet/internal/code"
	"github.com/redisimnest/redisimnest/nest/nestvet/internal/decl"
)

// Analyzer reports mistakes in the tree of declarations.
var Analyzer = &analysis.Analyzer{
	Name:     "nesttree",
	Doc:      "check that declarations of package nest are mounted, once, under constant templates",
	URL:      "https://pkg.go.dev/github.com/redisimnest/redisimnest/nest/nestvet/nesttree",
	Requires: []*analysis.Analyzer{decl.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	c := &checker{pass, pass.ResultOf[decl.Analyzer].(*decl.World)}
	for _, file := range pass.Files {
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				c.twins(call)
				c.opened(call)
			}
			return true
		})
		c.variables(file)
	}
	return nil, nil
}

type checker struct {
	pass  *analysis.Pass
	world *decl.World
}

// twins reports two keys of one cluster with the same template.
func (c *checker) twins(call *ast.CallExpr) {
	f := code.Callee(c.pass.TypesInfo, call)
	if f == nil || f.Name() != "Sub" || f.Signature().Recv() != nil {
		return
	}
	first := make(map[string]*decl.Node)
	for _, arg := range call.Args {
		n := c.world.Node(c.world.Resolve(arg))
		if n == nil || n.Dynamic || n.Kind == "Cluster" {
			continue
		}
		if len(n.Params()) > 0 && (len(n.Typed) > 0 || n.Opaque) {
			continue // parameters of two types may have no value in common
		}
		if twin, ok := first[n.Template]; ok {
			where := twin.Place
			if twin.Name != "" {
				where = twin.Name + ", " + where
			}
			c.report(arg, "two keys of one cluster have the template "+quoted(n.Template)+", so that they have the same name: the other one is "+where)
			continue
		}
		first[n.Template] = n
	}
}

func quoted(s string) string { return `"` + s + `"` }

// variables checks the package's own variables.
func (c *checker) variables(file *ast.File) {
	for _, d := range file.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR {
			continue
		}
		for _, spec := range gen.Specs {
			vs := spec.(*ast.ValueSpec)
			for i, name := range vs.Names {
				v, ok := c.pass.TypesInfo.Defs[name].(*types.Var)
				if !ok || v.Name() == "_" || len(vs.Values) != len(vs.Names) || code.DefKind(v.Type()) == "" {
					continue
				}
				c.variable(name, vs.Values[i])
			}
		}
	}
}

func (c *checker) variable(name *ast.Ident, value ast.Expr) {
	call, ok := ast.Unparen(value).(*ast.CallExpr)
	if !ok {
		return
	}
	n := c.world.Node(c.world.Resolve(name))
	if n == nil {
		return
	}
	if n.Dynamic && len(call.Args) > 0 {
		c.report(call.Args[0], "the template of "+name.Name+" is no constant: what it declares cannot be checked, nor found by its text")
	}
	if !n.Exported && !c.mounted(n) {
		c.report(name, name.Name+" is declared and mounted nowhere: "+remedy)
	}
}

const remedy = "put it into the Sub of a cluster, or its every operation returns ErrNotMounted"

// mounted reports whether something is above a declaration, or could be unseen.
func (c *checker) mounted(n *decl.Node) bool {
	for _, p := range c.world.Paths(n.ID, true) {
		if p.Whole || len(p.Nodes) > 1 || n.Escapes {
			return true
		}
	}
	return false
}

// opened reports, at a call that opens the program's tree, exported declarations of that tree's
// packages that are not mounted in it.
func (c *checker) opened(call *ast.CallExpr) {
	root := c.world.Opens(call)
	if root == nil || c.pass.Pkg.Name() != "main" || code.InTest(c.pass.Fset, call.Pos()) {
		return
	}
	inside := make(map[*decl.Node]bool)
	packages := make(map[string]bool)
	if !c.descend(c.world.Resolve(root), inside, packages) {
		return
	}
	var lost []*decl.Node
	for _, n := range c.world.Nodes() {
		// A whole cluster may be opened by another program of the module.
		if n.Name != "" && n.Exported && n.Kind != "Cluster" && packages[packageOf(n)] && !inside[n] && !c.elsewhere(n) {
			lost = append(lost, n)
		}
	}
	slices.SortFunc(lost, func(a, b *decl.Node) int { return strings.Compare(a.Name, b.Name) })
	for _, n := range lost {
		c.report(call, n.Name+" ("+n.Place+") is declared beside what is opened here and mounted nowhere: "+remedy)
	}
}

// descend collects what is mounted below a cluster, and reports whether it saw everything.
func (c *checker) descend(id decl.ID, inside map[*decl.Node]bool, packages map[string]bool) bool {
	n := c.world.Node(id)
	if n == nil {
		return false
	}
	if inside[n] {
		return true
	}
	inside[n] = true
	packages[packageOf(n)] = true
	seen := !n.Opaque
	for _, sub := range n.Subs {
		seen = c.descend(sub, inside, packages) && seen
	}
	return seen
}

// elsewhere reports whether a declaration is mounted in another tree, is opened by itself or was
// passed on.
func (c *checker) elsewhere(n *decl.Node) bool {
	for _, p := range c.world.Paths(n.ID, true) {
		if p.Whole || len(p.Nodes) > 1 || slices.ContainsFunc(p.Nodes, func(n *decl.Node) bool { return n.Escapes || n.Opaque }) {
			return true
		}
	}
	return false
}

func packageOf(n *decl.Node) string {
	pkg, _, _ := strings.Cut(string(n.ID), "@")
	return pkg
}

func (c *checker) report(at ast.Node, text string) {
	code.Report(c.pass, analysis.Diagnostic{Pos: at.Pos(), End: at.End(), Message: text})
}

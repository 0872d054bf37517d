package decl

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/types"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/redisimnest/redisimnest/nest/nestvet/internal/code"
)

type node = ast.Node

func run(pass *analysis.Pass) (any, error) {
	assigned := code.Assigned(pass)
	w := &World{
		Assigned: assigned,
		info:     pass.TypesInfo,
		pkg:      pass.Pkg,
		own:      new(Declared),
		nodes:    make(map[ID]*Node),
		params:   make(map[ID]*Param),
		aliases:  make(map[ID]ID),
		roots:    make(map[ID]rooted),
		parents:  make(map[ID][]ID),
		openers:  findOpeners(pass, assigned),
	}
	w.at = func(n node) ID {
		p := pass.Fset.PositionFor(n.Pos(), false) // a //line comment may give several one position
		return ID(fmt.Sprintf("%s@%s:%d:%d", pass.Pkg.Path(), filepath.Base(p.Filename), p.Line, p.Column))
	}
	place := func(n node) string {
		p := pass.Fset.Position(n.Pos())
		return fmt.Sprintf("%s:%d", filepath.Base(p.Filename), p.Line)
	}
	var others []*Declared
	for _, f := range pass.AllPackageFacts() {
		if d, ok := f.Fact.(*Declared); ok && f.Package != pass.Pkg {
			others = append(others, d)
		}
	}
	for _, d := range others { // in any order: the roots below are looked up among all declarations
		w.take(d)
	}
	c := &collector{World: w, place: place, mounted: make(map[*ast.Ident]bool), subs: make(map[*ast.CallExpr]bool)}
	for _, file := range pass.Files {
		test := code.InTest(pass.Fset, file.Pos())
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				c.call(call, test)
			}
			return true
		})
		c.variables(file)
	}
	for _, file := range pass.Files {
		c.escapes(file)
	}
	for _, root := range c.checked { // it may be mounted elsewhere
		c.escaped(c.Resolve(root))
	}
	w.take(w.own)
	for _, d := range append(others, w.own) {
		w.opened(d.Roots)
	}
	for id, n := range w.nodes {
		for _, sub := range n.Subs {
			sub = w.alias(sub)
			w.parents[sub] = append(w.parents[sub], id)
		}
	}
	for _, ids := range w.parents {
		slices.Sort(ids)
	}
	if len(w.own.Nodes)+len(w.own.Params)+len(w.own.Roots)+len(w.own.Aliases) > 0 {
		pass.ExportPackageFact(w.own)
	}
	return w, nil
}

func (w *World) take(d *Declared) {
	for _, n := range d.Nodes {
		if known := w.nodes[n.ID]; known != nil && known.Escapes {
			continue // the copy made by a package that passes it on
		}
		w.nodes[n.ID] = n
	}
	for _, p := range d.Params {
		w.params[p.ID] = p
	}
	for _, a := range d.Aliases {
		w.aliases[a.From] = a.To
	}
}

// opened records which clusters are opened.
func (w *World) opened(roots []Root) {
	for _, r := range roots {
		id := w.alias(r.ID)
		now := w.roots[id]
		now.program, now.test = now.program || !r.Test, now.test || r.Test
		w.roots[id] = now
	}
}

// Resolve returns the ID of the declaration or parameter that an expression stands for, or "" if
// that is unknown.
func (w *World) Resolve(e ast.Expr) ID { return w.resolve(e, 0) }

// maxSteps bounds how many variables are followed: they may be assigned to each other.
const maxSteps = 16

func (w *World) resolve(e ast.Expr, steps int) ID {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		v, ok := w.info.Uses[e].(*types.Var)
		if !ok {
			if v, ok = w.info.Defs[e].(*types.Var); !ok {
				return ""
			}
		}
		return w.resolveVar(v, steps)
	case *ast.SelectorExpr:
		if v, ok := w.info.Uses[e.Sel].(*types.Var); ok && !v.IsField() {
			return w.resolveVar(v, steps)
		}
	case *ast.CallExpr:
		if declares(w.info, e) {
			return w.at(e)
		}
	}
	return ""
}

func (w *World) resolveVar(v *types.Var, steps int) ID {
	if v.Pkg() == nil || v.IsField() || steps > maxSteps {
		return ""
	}
	if v.Pkg() != w.pkg {
		return varID(v)
	}
	value, index, ok := w.Assigned.Value(v)
	if !ok || index != 0 {
		return ""
	}
	return w.resolve(value, steps+1)
}

func varID(v *types.Var) ID { return ID(v.Pkg().Path() + "." + v.Name()) }

// declares reports whether a call of package nest creates a declaration or a parameter.
func declares(info *types.Info, call *ast.CallExpr) bool {
	f := code.Callee(info, call)
	if f == nil || f.Signature().Recv() != nil || len(call.Args) == 0 {
		return false
	}
	t := info.TypeOf(call)
	return t != nil && (code.DefKind(t) != "" || code.IsNest(t, "ParamDef"))
}

type collector struct {
	*World

	place   func(n node) string
	mounted map[*ast.Ident]bool    // uses of declarations that are not escapes
	subs    map[*ast.CallExpr]bool // calls of Sub that are followed
	checked []ast.Expr             // clusters that are checked, not opened
}

// call handles a call that declares or opens something.
func (c *collector) call(call *ast.CallExpr, test bool) {
	if root, fact := c.openers.opener(call); root != nil {
		c.known(root)
		if id := c.Resolve(root); id == "" {
		} else if fact.Opens {
			c.own.Roots = append(c.own.Roots, Root{id, test})
		} else {
			c.checked = append(c.checked, root)
		}
	}
	f := code.Callee(c.info, call)
	if f == nil {
		return
	}
	if !isSub(f) { // passing it to package nest is no escape, except to a Sub that is not followed
		for _, arg := range call.Args {
			if t := c.info.TypeOf(arg); t != nil && code.DefKind(t) != "" {
				c.known(arg)
			}
		}
	}
	if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		c.known(sel.X)
	}
	switch {
	case !declares(c.info, call):
	case code.IsNest(c.info.TypeOf(call), "ParamDef"):
		c.param(call)
	default:
		c.node(call)
	}
}

// known records that a use of a variable is understood.
func (c *collector) known(e ast.Expr) {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		c.mounted[e] = true
	case *ast.SelectorExpr:
		c.mounted[e.Sel] = true
	}
}

func (c *collector) node(call *ast.CallExpr) {
	n := &Node{ID: c.at(call), Kind: code.DefKind(c.info.TypeOf(call)), Place: c.place(call)}
	if v := c.info.Types[call.Args[0]].Value; v != nil && v.Kind() == constant.String {
		n.Template = constant.StringVal(v)
	} else {
		n.Dynamic = true
	}
	if call.Ellipsis.IsValid() || code.Spreads(c.info, call) {
		n.Opaque = true
	}
	for _, opt := range call.Args[1:] {
		c.option(n, opt)
	}
	c.own.Nodes = append(c.own.Nodes, n)
}

// option handles an option of a declaration.
func (c *collector) option(n *Node, opt ast.Expr) {
	call, ok := ast.Unparen(opt).(*ast.CallExpr)
	if id, isName := ast.Unparen(opt).(*ast.Ident); isName {
		if v, isVar := c.info.Uses[id].(*types.Var); isVar && v.Pkg() == c.pkg {
			if value, _, once := c.Assigned.Value(v); once {
				call, ok = ast.Unparen(value).(*ast.CallExpr)
				c.known(opt)
			}
		}
	}
	if !ok {
		if t := c.info.TypeOf(opt); t != nil && types.IsInterface(t) {
			n.Opaque = true // it could be a Sub or Params
		}
		return
	}
	f := code.Callee(c.info, call)
	switch {
	case f == nil:
		if t := c.info.TypeOf(opt); t == nil || types.IsInterface(t) {
			n.Opaque = true
		}
		return
	case f.Name() == "HashTag":
		n.Tag = true
	case isSub(f):
		c.subs[call] = true
		for _, arg := range call.Args {
			c.known(arg)
		}
		n.Subs = append(n.Subs, c.all(n, call)...)
	case f.Name() == "Params":
		n.Typed = append(n.Typed, c.all(n, call)...)
	}
}

func isSub(f *types.Func) bool { return f.Name() == "Sub" && f.Signature().Recv() == nil }

func (c *collector) all(n *Node, call *ast.CallExpr) []ID {
	var ids []ID
	for _, arg := range call.Args {
		id := c.Resolve(arg)
		if id == "" || call.Ellipsis.IsValid() {
			n.Opaque = true
			continue
		}
		ids = append(ids, id)
	}
	return ids
}

func (c *collector) param(call *ast.CallExpr) {
	name := ""
	if v := c.info.Types[call.Args[0]].Value; v != nil && v.Kind() == constant.String {
		name = constant.StringVal(v)
	}
	t := typeArgument(c.info.TypeOf(call))
	if name == "" || t == nil {
		return
	}
	_, named := types.Unalias(t).(*types.Named)
	p := &Param{ID: c.at(call), Name: name, Type: code.TypeName(t), Shown: code.Shown(t), Named: named, MaxLen: DefaultMaxLen}
	p.Class, p.Bits = Classify(t)
	for _, opt := range call.Args[1:] {
		inner, ok := ast.Unparen(opt).(*ast.CallExpr)
		if !ok {
			p.MaxLen = 0
			continue
		}
		switch f := code.Callee(c.info, inner); {
		case f == nil:
			p.MaxLen = 0
		case f.Name() == "MaxLen" && len(inner.Args) == 1:
			p.MaxLen = 0
			if v := c.info.Types[inner.Args[0]].Value; v != nil {
				if n, ok := constant.Int64Val(v); ok {
					p.MaxLen = int(n)
				}
			}
		}
	}
	c.own.Params = append(c.own.Params, p)
}

// typeArgument returns the T of a *ParamDef[T].
func typeArgument(t types.Type) types.Type {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	if n, ok := types.Unalias(t).(*types.Named); ok && n.TypeArgs().Len() == 1 {
		return n.TypeArgs().At(0)
	}
	return nil
}

// Classify returns how package nest takes parameters of a type, and for an integer its size in
// bits.
func Classify(t types.Type) (Class, int) {
	if HasText(t) {
		return Text, 0
	}
	b, ok := t.Underlying().(*types.Basic)
	if !ok {
		return Untyped, 0
	}
	bits := map[types.BasicKind]int{
		types.Int8: 8, types.Int16: 16, types.Int32: 32, types.Int64: 64, types.Int: 64,
		types.Uint8: 8, types.Uint16: 16, types.Uint32: 32, types.Uint64: 64, types.Uint: 64, types.Uintptr: 64,
	}[b.Kind()]
	switch info := b.Info(); {
	case info&types.IsString != 0:
		return String, 0
	case info&types.IsBoolean != 0:
		return Bool, 0
	case info&types.IsUnsigned != 0:
		return Uint, bits
	case info&types.IsInteger != 0:
		return Int, bits
	}
	return Untyped, 0
}

// HasText reports whether a type has methods that write and read its values as text.
func HasText(t types.Type) bool {
	if t == nil || types.IsInterface(t) {
		return false
	}
	return (has(t, "MarshalText") || has(t, "AppendText")) && has(types.NewPointer(t), "UnmarshalText")
}

func has(t types.Type, method string) bool {
	obj, _, _ := types.LookupFieldOrMethod(t, false, nil, method)
	_, ok := obj.(*types.Func)
	return ok
}

// variables assigns names to what package-level variables hold.
func (c *collector) variables(file *ast.File) {
	for _, d := range file.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			vs, ok := spec.(*ast.ValueSpec)
			if !ok || len(vs.Values) != len(vs.Names) && len(vs.Values) != 0 {
				continue
			}
			for _, name := range vs.Names { // a variable without a value is assigned in an init
				v, ok := c.info.Defs[name].(*types.Var)
				if !ok || code.DefKind(v.Type()) == "" && !code.IsNest(v.Type(), "ParamDef") {
					continue
				}
				if to := c.Resolve(name); to != "" && to != varID(v) {
					c.own.Aliases = append(c.own.Aliases, Alias{varID(v), to})
					c.aliases[varID(v)] = to
					c.name(to, v)
				}
			}
		}
	}
}

func (c *collector) name(id ID, v *types.Var) {
	shown := v.Pkg().Name() + "." + v.Name()
	for _, n := range c.own.Nodes {
		if n.ID != id {
			continue
		}
		if n.Name == "" || v.Exported() && !n.Exported {
			n.Name = shown
		}
		n.Exported = n.Exported || v.Exported()
	}
	for _, p := range c.own.Params {
		if p.ID == id && p.Var == "" {
			p.Var = shown
		}
	}
}

// escapes records the declarations that are used in a way that is not understood: passed to a
// function, put into a slice or a field, or returned.
func (c *collector) escapes(file *ast.File) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr: // a method of a declaration
			c.known(n.X)
		case *ast.ValueSpec: // an alias is followed
			for i, v := range n.Values {
				if i < len(n.Names) && len(n.Values) == len(n.Names) {
					c.known(v)
				}
			}
		case *ast.AssignStmt:
			for i, v := range n.Rhs {
				if id, ok := n.Lhs[min(i, len(n.Lhs)-1)].(*ast.Ident); ok && len(n.Rhs) == len(n.Lhs) {
					if lhs, ok := c.info.ObjectOf(id).(*types.Var); ok && (c.Assigned.Once(lhs) || id.Name == "_") {
						c.known(v)
					}
				}
			}
		case *ast.Ident:
			v, ok := c.info.Uses[n].(*types.Var)
			if d, isDef := c.info.Defs[n].(*types.Var); isDef && d.Exported() && d.Parent() == c.pkg.Scope() {
				c.loose(d) // other packages use it
			}
			if !ok || v.IsField() || c.mounted[n] {
				break
			}
			if code.DefKind(v.Type()) == "" {
				c.loose(v)
				break
			}
			if id := c.resolveVar(v, 0); id != "" {
				c.escaped(id)
			}
		case *ast.CallExpr: // created and passed on, without a variable
			f := code.Callee(c.info, n)
			if f != nil && (!isSub(f) || c.subs[n]) {
				break
			}
			root, _ := c.openers.opener(n)
			for _, arg := range n.Args {
				if inner, ok := ast.Unparen(arg).(*ast.CallExpr); ok && declares(c.info, inner) && ast.Unparen(arg) != root {
					c.escaped(c.at(inner))
				}
			}
		case *ast.ReturnStmt:
			c.literals(n.Results)
		case *ast.CompositeLit:
			c.literals(n.Elts)
		case *ast.KeyValueExpr:
			c.literals([]ast.Expr{n.Value})
		}
		return true
	})
}

// loose marks what a variable that holds a Sub mounts: the variable is used where it is not
// followed.
func (c *collector) loose(v *types.Var) {
	value, _, ok := c.Assigned.Value(v)
	if !ok {
		return
	}
	call, ok := ast.Unparen(value).(*ast.CallExpr)
	if !ok {
		return
	}
	if f := code.Callee(c.info, call); f == nil || !isSub(f) {
		return
	}
	for _, arg := range call.Args {
		if id := c.Resolve(arg); id != "" {
			c.escaped(id)
		}
	}
}

func (c *collector) literals(all []ast.Expr) {
	for _, e := range all {
		if inner, ok := ast.Unparen(e).(*ast.CallExpr); ok && declares(c.info, inner) {
			c.escaped(c.at(inner))
		}
	}
}

// escaped marks a declaration of this package. For one of another package it marks a copy, which
// replaces the original here and in the packages that import this one.
func (c *collector) escaped(id ID) {
	id = c.alias(id)
	for _, n := range c.own.Nodes {
		if n.ID == id {
			n.Escapes = true
			return
		}
	}
	if n := c.nodes[id]; n != nil && !n.Escapes && !strings.HasPrefix(string(id), c.pkg.Path()+"@") {
		twin := *n
		twin.Escapes = true
		c.own.Nodes = append(c.own.Nodes, &twin)
		c.nodes[id] = &twin
	}
}

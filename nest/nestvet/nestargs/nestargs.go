// Package nestargs checks the arguments of At, and those of a cluster's Current and Renew, against
// the declarations of all packages.
//
// The parameters that are open below a scope are a suffix of the path down to the declaration. The
// last arguments are therefore certain whatever the scope is. All arguments are certain if the
// scope is known: if the same function got it from Open, or from the At of a declared cluster. The
// analyzer reports
//
//   - a number of arguments that fits no scope;
//   - an argument of a type that its parameter does not accept;
//   - a constant that is empty, too long or out of its parameter's range;
//   - a named argument that no path to the declaration has, or that is given twice;
//   - a bare number where a function of package nest takes a duration: it counts nanoseconds.
//
// A call on a declaration that is mounted in several places is reported only if the arguments fit
// none of them. The contents of spread slices and interfaces are not checked.
package nestargs

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"math/big"
	"slices"
	"strings"
	"time"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"

	"github.com/redisimnest/redisimnest/nest/nestvet/internal/code"
	"github.com/redisimnest/redisimnest/nest/nestvet/internal/decl"
)

// Analyzer reports wrong arguments of At, Current and Renew.
var Analyzer = &analysis.Analyzer{
	Name:     "nestargs",
	Doc:      "check the arguments of At, Current and Renew against the declarations of package nest",
	URL:      "https://pkg.go.dev/github.com/redisimnest/redisimnest/nest/nestvet/nestargs",
	Requires: []*analysis.Analyzer{decl.Analyzer, inspect.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	c := &checker{pass: pass, world: pass.ResultOf[decl.Analyzer].(*decl.World)}
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	in.Preorder([]ast.Node{(*ast.CallExpr)(nil)}, func(n ast.Node) {
		call := n.(*ast.CallExpr)
		f := code.Callee(pass.TypesInfo, call)
		if f == nil {
			return
		}
		c.durations(f, call)
		before, ok := 1, false // the arguments up to the scope
		if typ, at := code.Method(f, "At"); at {
			ok = strings.HasSuffix(typ, "Def")
		} else if numbers(f) {
			before, ok = 2, true
		}
		if !ok || len(call.Args) < before || call.Ellipsis.IsValid() || code.Spreads(pass.TypesInfo, call) {
			return
		}
		if sel, ok := code.Selects(pass.TypesInfo, call); ok {
			c.at(call, sel, call.Args[before-1], call.Args[before:])
		}
	})
	return nil, nil
}

// numbers reports whether a method returns a scope of a generation, which it fills in itself.
func numbers(f *types.Func) bool {
	for _, name := range []string{"Current", "Renew"} {
		if typ, ok := code.Method(f, name); ok && typ == "ClusterDef" {
			return true
		}
	}
	return false
}

type checker struct {
	pass  *analysis.Pass
	world *decl.World
}

// problem is a mistake in a call, for one path to its declaration.
type problem struct {
	pos, end token.Pos
	text     string
	fixes    []analysis.SuggestedFix
}

func (c *checker) at(call *ast.CallExpr, sel *ast.SelectorExpr, scope ast.Expr, given []ast.Expr) {
	args := c.arguments(given)
	if c.placed(call, sel, scope, args) {
		return
	}
	for i := range args { // whatever the declaration is
		if p := c.zero(args[i], i, len(args)); p != nil {
			c.report(sel, nil, p)
			return
		}
	}
}

// placed checks a call against the places of its declaration, and reports whether it found a
// problem.
func (c *checker) placed(call *ast.CallExpr, sel *ast.SelectorExpr, of ast.Expr, args []argument) bool {
	tests := code.InTest(c.pass.Fset, call.Pos())
	scope := c.scope(of, 0)
	scope.numbers = sel.Sel.Name != "At"
	paths, misplaced := c.below(c.world.Paths(c.world.Resolve(sel.X), tests), scope)
	if misplaced != nil {
		misplaced.pos, misplaced.end = of.Pos(), of.End()
		c.report(sel, nil, misplaced)
		return true
	}
	if len(paths) == 0 {
		return false // it may be mounted there unseen
	}
	var first *problem
	var path *decl.Path
	for i := range paths {
		p := c.check(call, &paths[i], scope, args)
		if p == nil {
			return false
		}
		if first == nil || paths[i].Whole && !path.Whole {
			first, path = p, &paths[i]
		}
	}
	c.report(sel, path, first)
	return true
}

func (c *checker) report(sel *ast.SelectorExpr, path *decl.Path, p *problem) {
	op := strings.ToLower(sel.Sel.Name)
	text := op + ": "
	if path != nil {
		text = fmt.Sprintf("%s %q: ", op, path.Name())
	}
	if p.pos == token.NoPos {
		p.pos, p.end = sel.Sel.Pos(), sel.Sel.End()
	}
	code.Report(c.pass, analysis.Diagnostic{Pos: p.pos, End: p.end, Message: text + p.text, SuggestedFixes: p.fixes})
}

// standing is the position of a scope in the tree.
type standing struct {
	at decl.ID
	// top reports whether the scope is the one that Open returned for the cluster. If the cluster's
	// own prefix has parameters, that scope is above it.
	top bool
	// numbers reports whether the call fills in a generation itself, which is the last parameter.
	numbers bool
}

// open returns the parameters of a path below one of its nodes that the call has to fill.
func (c *checker) open(path *decl.Path, above int, s standing) []decl.Open {
	all := c.world.Open(*path, above)
	if s.numbers && len(all) > 0 {
		all = all[:len(all)-1]
	}
	return all
}

// scope returns the position of a scope, if the function shows it.
func (c *checker) scope(e ast.Expr, depth int) standing {
	if depth > 8 {
		return standing{}
	}
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		v, ok := c.pass.TypesInfo.Uses[e].(*types.Var)
		if !ok || v.Exported() && v.Parent() == c.pass.Pkg.Scope() {
			return standing{} // another package may assign it
		}
		value, index, ok := c.world.Assigned.Value(v)
		if !ok || index != 0 {
			return standing{}
		}
		return c.scope(value, depth+1)
	case *ast.CallExpr:
		f := code.Callee(c.pass.TypesInfo, e)
		if _, ok := code.Method(f, "At"); ok && code.IsNest(c.pass.TypesInfo.TypeOf(e), "Scope") {
			if sel, ok := code.Selects(c.pass.TypesInfo, e); ok {
				return standing{at: c.world.Resolve(sel.X)}
			}
		}
		if f != nil && numbers(f) {
			if sel, ok := code.Selects(c.pass.TypesInfo, e); ok {
				return standing{at: c.world.Resolve(sel.X)}
			}
		}
		if root := c.world.Opens(e); root != nil && c.world.ReturnsOpened(e) {
			return standing{at: c.world.Resolve(root), top: true}
		}
	}
	return standing{}
}

// below keeps the paths that pass through the scope's cluster.
func (c *checker) below(paths []decl.Path, s standing) ([]decl.Path, *problem) {
	at := c.world.Node(s.at)
	if at == nil || len(paths) == 0 {
		return paths, nil
	}
	hidden, unknown := c.hidden(at, make(map[*decl.Node]bool))
	// Something above may be mounted below the scope's cluster unseen.
	escapes := slices.ContainsFunc(paths, func(p decl.Path) bool {
		return slices.ContainsFunc(p.Nodes, func(n *decl.Node) bool { return n.Escapes })
	})
	if unknown || hidden && escapes {
		return nil, nil
	}
	kept := slices.DeleteFunc(slices.Clone(paths), func(p decl.Path) bool { return !slices.Contains(p.Nodes, at) })
	if len(kept) > 0 {
		return kept, nil
	}
	if hidden || escapes {
		return nil, nil
	}
	n := paths[0].Nodes[len(paths[0].Nodes)-1]
	return nil, &problem{text: fmt.Sprintf("not mounted: %q is not mounted below %q: the scope stands there", n.Template, at.Template)}
}

// hidden reports whether any cluster from n down has options that could not be followed, and
// whether something unknown is mounted there.
func (c *checker) hidden(n *decl.Node, seen map[*decl.Node]bool) (hidden, unknown bool) {
	seen[n] = true
	hidden = n.Opaque
	for _, id := range n.Subs {
		sub := c.world.Node(id)
		switch {
		case sub == nil:
			unknown = true
		case !seen[sub]:
			h, u := c.hidden(sub, seen)
			hidden, unknown = hidden || h, unknown || u
		}
	}
	return hidden, unknown
}

// argument is an argument of At.
type argument struct {
	expr  ast.Expr
	typ   types.Type
	value constant.Value
	named bool
	param *decl.Param // of a named argument, if it is known
	spec  ast.Expr    // what the Of of a named argument is called on
	of    ast.Expr    // the value passed to Of
}

func (c *checker) arguments(exprs []ast.Expr) []argument {
	args := make([]argument, len(exprs))
	for i, e := range exprs {
		tv := c.pass.TypesInfo.Types[e]
		args[i] = argument{expr: e, typ: tv.Type, value: tv.Value}
		if !code.IsNest(tv.Type, "Arg") {
			continue
		}
		args[i].named = true
		call, ok := ast.Unparen(e).(*ast.CallExpr)
		if !ok {
			continue
		}
		if _, ok := code.Method(code.Callee(c.pass.TypesInfo, call), "Of"); !ok || len(call.Args) != 1 {
			continue
		}
		args[i].of = call.Args[0]
		if sel, ok := code.Selects(c.pass.TypesInfo, call); ok {
			args[i].param = c.world.Param(c.world.Resolve(sel.X))
			args[i].spec = sel.X
		}
	}
	return args
}

// zero finds an argument that no parameter accepts.
func (c *checker) zero(a argument, i, n int) *problem {
	e := a.expr
	what, sentinel := "", wrongType
	typ, value := a.typ, a.value
	if a.of != nil {
		e = a.of
		typ, value = c.pass.TypesInfo.Types[a.of].Type, c.pass.TypesInfo.Types[a.of].Value
	}
	switch s, isText := stringOf(value); {
	case a.typ == types.Typ[types.UntypedNil]:
		what = "is nil"
	case isText && s == "" && !decl.HasText(typ):
		what, sentinel = "is empty", wrongValue
	case !a.named && unnamable(a.typ):
		what = "is of type " + code.Shown(a.typ) + ", which no parameter takes"
	}
	if what == "" {
		return nil
	}
	return &problem{pos: e.Pos(), end: e.End(), text: fmt.Sprintf("%s: argument %d of %d %s", sentinel, i+1, n, what)}
}

// unnamable reports whether no parameter can hold values of a type: the type has no methods, and is
// not a string, an integer or a boolean.
func unnamable(t types.Type) bool {
	if t == nil {
		return false
	}
	switch t := types.Unalias(t).(type) {
	case *types.Basic:
		return t.Info()&(types.IsFloat|types.IsComplex) != 0
	case *types.Slice, *types.Map, *types.Chan, *types.Signature:
		return true
	}
	return false
}

// check checks a call against one path.
func (c *checker) check(call *ast.CallExpr, path *decl.Path, s standing, args []argument) *problem {
	if slices.ContainsFunc(path.Nodes, func(n *decl.Node) bool { return n.Dynamic }) {
		return nil // it may have any parameters
	}
	open, p := c.count(path, s, args)
	if p != nil {
		return p
	}
	if p := c.names(path, s, args, open); p != nil {
		return p
	}
	if slices.ContainsFunc(args, func(a argument) bool { return a.named && a.param == nil }) {
		return nil // it is unknown which parameters the others fill
	}
	for i, a := range args {
		for _, o := range open {
			if !a.named || a.param.Name != o.Name {
				continue
			}
			if p := c.fitsNamed(a, i, len(args), o); p != nil {
				return p
			}
		}
	}
	rest := slices.DeleteFunc(slices.Clone(open), func(o decl.Open) bool {
		return slices.ContainsFunc(args, func(a argument) bool { return a.named && a.param.Name == o.Name })
	})
	var plain []int
	for i, a := range args {
		if !a.named {
			plain = append(plain, i)
		}
	}
	// There may be more parameters above the path, but the last ones are certain. At itself begins
	// with the first.
	var first *problem
	for len(plain) > 0 && len(rest) > 0 {
		i, o := plain[len(plain)-1], rest[len(rest)-1]
		plain, rest = plain[:len(plain)-1], rest[:len(rest)-1]
		if p := c.fits(call, args[i], i, len(args), o); p != nil {
			first = p
		}
	}
	return first
}

// count returns the parameters that are open for this number of arguments.
func (c *checker) count(path *decl.Path, s standing, args []argument) ([]decl.Open, *problem) {
	all := c.open(path, -1, s)
	if at := c.world.Node(s.at); at != nil {
		above := slices.Index(path.Nodes, at)
		if s.top && len(at.Params()) > 0 {
			above--
		}
		open := c.open(path, above, s)
		switch {
		case len(args) < len(open):
			return nil, c.missing(args, open, "")
		case len(args) > len(open):
			return nil, c.extra(path, s, args, open)
		}
		return open, nil
	}
	var possible []int
	if path.Nodes[len(path.Nodes)-1].Kind == "Cluster" && !s.numbers {
		possible = append(possible, 0) // the scope may be there already
	}
	for above := range path.Nodes {
		if n := len(c.open(path, above-1, s)); above > 0 || !path.Whole || len(path.Nodes[0].Params()) > 0 || len(path.Nodes) == 1 {
			possible = append(possible, n)
		}
	}
	slices.Sort(possible)
	possible = slices.Compact(possible)
	switch {
	case slices.Contains(possible, len(args)):
		return all[len(all)-len(args):], nil
	case len(args) < possible[0]:
		return nil, c.missing(args, all[len(all)-possible[0]:], " at the least")
	case len(args) > len(all) && !path.Whole:
		return all, nil
	case len(args) > len(all):
		return nil, c.extra(path, s, args, all)
	}
	return nil, &problem{text: fmt.Sprintf("got %s: of %s the last %s can be open", count(len(args), "argument"), names(all), or(possible))}
}

func (c *checker) missing(args []argument, open []decl.Open, least string) *problem {
	var lack []string
	plain := 0
	for _, a := range args {
		if !a.named {
			plain++
		}
	}
	for _, o := range open {
		if slices.ContainsFunc(args, func(a argument) bool { return a.named && a.param != nil && a.param.Name == o.Name }) {
			continue
		}
		if plain > 0 {
			plain--
			continue
		}
		lack = append(lack, "<"+o.Name+">")
	}
	if len(lack) == 0 {
		return nil
	}
	if slices.ContainsFunc(args, func(a argument) bool { return a.named && a.param == nil }) {
		lack = []string{count(len(open)-len(args), "argument")} // it is unknown which ones
	}
	return &problem{text: fmt.Sprintf("missing parameter: %s: open below the scope %s%s; got %s", strings.Join(lack, ", "), openList(open), least, count(len(args), "argument"))}
}

// extra returns the problem of a call with more arguments than open parameters, as package nest
// does: a named argument that no open parameter takes, or else the first plain one that has none
// left.
func (c *checker) extra(path *decl.Path, s standing, args []argument, open []decl.Open) *problem {
	if p := c.names(path, s, args, open); p != nil {
		return p
	}
	var plain []int
	for i, a := range args {
		if !a.named {
			plain = append(plain, i)
		}
	}
	at := len(open)
	if left := max(0, len(open)-(len(args)-len(plain))); left < len(plain) {
		at = plain[left]
	}
	return &problem{pos: args[at].expr.Pos(), end: args[at].expr.End(),
		text: fmt.Sprintf("unexpected parameter: argument %d of %d has no parameter left to fill: open below the scope %s", at+1, len(args), openList(open))}
}

// names checks the named arguments.
func (c *checker) names(path *decl.Path, s standing, args []argument, open []decl.Open) *problem {
	for i, a := range args {
		if !a.named || a.param == nil {
			continue
		}
		bad := func(why string) *problem {
			return &problem{pos: a.expr.Pos(), end: a.expr.End(), text: fmt.Sprintf("unexpected parameter: <%s> (argument %d of %d)%s", a.param.Name, i+1, len(args), why)}
		}
		colon := func(why string) *problem { return bad(": " + why) }
		if slices.ContainsFunc(args[:i], func(b argument) bool { return b.named && b.param != nil && b.param.Name == a.param.Name }) {
			return bad(" is given twice")
		}
		has := func(o decl.Open) bool { return o.Name == a.param.Name }
		all := c.open(path, -1, s)
		switch {
		case slices.ContainsFunc(open, has):
		case slices.ContainsFunc(all, has):
			return colon("the scope has filled it in already")
		case path.Whole && c.world.Node(s.at) != nil, path.Whole && len(open) == len(args), path.Whole && len(all) > 0:
			p := colon("no parameter of the template has this name" + didYouMean(a.param.Name, all))
			p.fixes = c.respell(a, all)
			return p
		}
	}
	return nil
}

// respell returns the fix for a misspelled name that is written in the call.
func (c *checker) respell(a argument, all []decl.Open) []analysis.SuggestedFix {
	near := nearest(a.param.Name, all)
	if near == "" {
		return nil
	}
	made, ok := ast.Unparen(a.spec).(*ast.CallExpr)
	if !ok || len(made.Args) == 0 {
		return nil
	}
	literal, ok := ast.Unparen(made.Args[0]).(*ast.BasicLit)
	if !ok {
		return nil
	}
	return []analysis.SuggestedFix{{Message: "write <" + near + ">", TextEdits: []analysis.TextEdit{
		{Pos: literal.Pos(), End: literal.End(), NewText: []byte(`"` + near + `"`)},
	}}}
}

// fitsNamed checks a named argument against the parameter that has its name.
func (c *checker) fitsNamed(a argument, i, n int, o decl.Open) *problem {
	refuse := func(sentinel, why string) *problem {
		return &problem{pos: a.expr.Pos(), end: a.expr.End(), text: fmt.Sprintf("%s: parameter <%s> (argument %d of %d) %s", sentinel, o.Name, i+1, n, why)}
	}
	p, given := o.Param, a.param
	if p == nil || p.Class == decl.Untyped || given.Class == decl.Untyped || p.ID == given.ID {
		return c.tooLong(a.of, o, refuse)
	}
	same := p.Type == given.Type
	switch {
	case p.Class == decl.Text && !same && given.Class != decl.Text:
		return refuse(wrongType, "takes "+article(p.Shown)+", not "+article(kindOf(given.Class)))
	case p.Class == decl.Text && !same:
		return refuse(wrongType, "takes "+article(p.Shown)+", not "+article(given.Shown))
	case p.Class != decl.Text && given.Named && !same:
		return refuse(wrongType, "takes "+takes(p)+", not "+article(given.Shown)+", which is another named type")
	case kindOf(p.Class) != kindOf(given.Class):
		return refuse(wrongType, "takes "+takes(p)+", not "+article(kindOf(given.Class)))
	}
	if v := c.pass.TypesInfo.Types[a.of].Value; v != nil && v.Kind() == constant.Int && p.Bits > 0 && !inRange(v, p) {
		return refuse(wrongValue, "is out of the range of "+article(p.Shown))
	}
	return c.tooLong(a.of, o, refuse)
}

// tooLong checks the length of a constant.
func (c *checker) tooLong(e ast.Expr, o decl.Open, refuse func(sentinel, why string) *problem) *problem {
	limit := decl.DefaultMaxLen
	switch {
	case o.Param != nil:
		limit = o.MaxLen
	case o.Unsure:
		return nil
	}
	tv := c.pass.TypesInfo.Types[e]
	if s, ok := stringOf(tv.Value); ok && limit > 0 && len(s) > limit && !decl.HasText(tv.Type) {
		return refuse(wrongValue, fmt.Sprintf("is %d bytes long, the limit is %d", len(s), limit))
	}
	return nil
}

// fits checks a plain argument against the parameter that it fills.
func (c *checker) fits(call *ast.CallExpr, a argument, i, n int, o decl.Open) *problem {
	refuse := func(sentinel, why string) *problem {
		return &problem{pos: a.expr.Pos(), end: a.expr.End(), text: fmt.Sprintf("%s: parameter <%s> (argument %d of %d) %s", sentinel, o.Name, i+1, n, why)}
	}
	bad := func(why string) *problem { return refuse(wrongType, why) }
	if a.typ == types.Typ[types.UntypedNil] {
		return bad("is nil")
	}
	if a.typ == nil || types.IsInterface(a.typ) || isTypeParam(a.typ) {
		return nil
	}
	shown := code.Shown(a.typ)
	if s, ok := stringOf(a.value); ok && s == "" && (o.Param == nil && !o.Unsure || o.Param != nil && o.Class == decl.String) {
		return refuse(wrongValue, "is empty")
	}
	if o.Param == nil {
		if !o.Unsure && untyped(a.typ) == decl.Untyped {
			return bad("takes a string, an integer or a boolean, not " + article(shown))
		}
		return c.tooLong(a.expr, o, refuse)
	}
	p := o.Param
	same := code.TypeName(a.typ) == p.Type
	switch p.Class {
	case decl.Text:
		if !same {
			return c.byName(call, bad("takes "+article(p.Shown)+", not "+article(shown)), a, p)
		}
		if !rebuilt(a.typ) {
			return c.byName(call, bad("takes "+article(p.Shown)+" only by name: write "+ofName(p)+".Of(value)"), a, p)
		}
		return nil
	case decl.Untyped:
		return nil
	}
	if _, named := types.Unalias(a.typ).(*types.Named); named && !same {
		return bad("takes " + takes(p) + ", not " + article(shown) + ", which is another named type")
	}
	if kindOf(untyped(a.typ)) != kindOf(p.Class) {
		return bad("takes " + takes(p) + ", not " + article(shown))
	}
	if a.value == nil {
		return nil
	}
	if s, ok := stringOf(a.value); ok && p.MaxLen > 0 && len(s) > p.MaxLen {
		return refuse(wrongValue, fmt.Sprintf("is %d bytes long, the limit is %d", len(s), p.MaxLen))
	}
	if a.value.Kind() == constant.Int && !inRange(a.value, p) {
		return refuse(wrongValue, "is out of the range of "+article(p.Shown))
	}
	return nil
}

// untyped returns how a parameter without a type takes a value: by its kind, whatever methods it
// has.
func untyped(t types.Type) decl.Class {
	class, _ := decl.Classify(types.Default(t).Underlying())
	return class
}

func isTypeParam(t types.Type) bool {
	_, ok := types.Unalias(t).(*types.TypeParam)
	return ok
}

func stringOf(v constant.Value) (string, bool) {
	if v == nil || v.Kind() != constant.String {
		return "", false
	}
	return constant.StringVal(v), true
}

func inRange(v constant.Value, p *decl.Param) bool {
	n, ok := new(big.Int).SetString(v.ExactString(), 10)
	if !ok {
		return true
	}
	if p.Class == decl.Uint {
		return n.Sign() >= 0 && n.BitLen() <= p.Bits
	}
	if n.Sign() < 0 {
		n.Not(n)
	}
	return n.BitLen() < p.Bits
}

func kindOf(c decl.Class) string {
	switch c {
	case decl.String:
		return "string"
	case decl.Int, decl.Uint:
		return "integer"
	case decl.Bool:
		return "boolean"
	}
	return ""
}

func takes(p *decl.Param) string {
	return article(p.Shown) + " or another value of " + kindOf(p.Class) + " kind"
}

// rebuilt reports whether At accepts a value of a type with MarshalText without a name: a type of
// the standard library that it knows, a scalar, or a byte array.
func rebuilt(t types.Type) bool {
	switch code.TypeName(t) {
	case "time.Time", "net/netip.Addr", "net/netip.AddrPort", "net/netip.Prefix":
		return true
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return u.Info()&(types.IsString|types.IsInteger|types.IsBoolean) != 0
	case *types.Array:
		b, ok := u.Elem().Underlying().(*types.Basic)
		return ok && b.Kind() == types.Uint8
	}
	return false
}

func ofName(p *decl.Param) string {
	if p.Var != "" {
		return p.Var
	}
	return "<its Param>"
}

// byName adds a fix that names the argument, if the parameter's variable can be written there and
// accepts the value as it is.
func (c *checker) byName(call *ast.CallExpr, p *problem, a argument, of *decl.Param) *problem {
	if code.TypeName(a.typ) != of.Type || of.Var == "" {
		return p
	}
	name := c.written(call, of)
	if name == "" {
		return p
	}
	p.fixes = []analysis.SuggestedFix{{Message: "write " + name + ".Of", TextEdits: []analysis.TextEdit{
		{Pos: a.expr.Pos(), End: a.expr.Pos(), NewText: []byte(name + ".Of(")},
		{Pos: a.expr.End(), End: a.expr.End(), NewText: []byte(")")},
	}}}
	return p
}

// written returns how to write the variable of a parameter at the call, or "".
func (c *checker) written(call *ast.CallExpr, of *decl.Param) string {
	_, name, _ := strings.Cut(of.Var, ".")
	pkg, _, _ := strings.Cut(string(of.ID), "@")
	inner := c.pass.Pkg.Scope().Innermost(call.Pos())
	if inner == nil {
		return ""
	}
	// means reports whether a name refers to this object here, not to a nearer one.
	means := func(name string, what func(types.Object) bool) bool {
		_, obj := inner.LookupParent(name, call.Pos())
		return obj != nil && what(obj)
	}
	if c.pass.Pkg.Path() == pkg {
		if means(name, func(obj types.Object) bool { return obj.Parent() == c.pass.Pkg.Scope() }) {
			return name
		}
		return ""
	}
	for _, file := range c.pass.Files {
		if file.FileStart > call.Pos() || call.Pos() >= file.FileEnd || !ast.IsExported(name) {
			continue
		}
		for _, spec := range file.Imports {
			n := c.pass.TypesInfo.PkgNameOf(spec)
			if n == nil || n.Imported().Path() != pkg || n.Name() == "." || n.Name() == "_" {
				continue
			}
			if means(n.Name(), func(obj types.Object) bool { return obj == types.Object(n) }) {
				return n.Name() + "." + name
			}
		}
	}
	return ""
}

// durations reports bare numbers where a function of package nest takes a duration.
func (c *checker) durations(f *types.Func, call *ast.CallExpr) {
	params := f.Signature().Params()
	for i, arg := range call.Args {
		lit, ok := ast.Unparen(arg).(*ast.BasicLit)
		if !ok || lit.Kind != token.INT || i >= params.Len() {
			continue
		}
		// A millisecond is the least that Redis counts; larger numbers may be intended as
		// nanoseconds.
		n, ok := constant.Int64Val(constant.MakeFromLiteral(lit.Value, lit.Kind, 0))
		if !ok || n == 0 || n >= int64(time.Millisecond) {
			continue
		}
		if t := params.At(i).Type(); types.TypeString(t, nil) != "time.Duration" {
			continue
		}
		d := analysis.Diagnostic{Pos: lit.Pos(), End: lit.End(), Message: fmt.Sprintf(
			"%s(%sns): a time.Duration counts nanoseconds: for seconds write %[2]s*time.Second", f.Name(), lit.Value)}
		if unit := c.timePackage(call); unit != "" {
			d.SuggestedFixes = []analysis.SuggestedFix{{Message: "count seconds", TextEdits: []analysis.TextEdit{
				{Pos: lit.End(), End: lit.End(), NewText: []byte(" * " + unit + ".Second")},
			}}}
		}
		code.Report(c.pass, d)
	}
}

// timePackage returns the name under which the call's file imports package time, or "".
func (c *checker) timePackage(call *ast.CallExpr) string {
	for _, file := range c.pass.Files {
		if file.FileStart > call.Pos() || call.Pos() >= file.FileEnd {
			continue
		}
		for _, spec := range file.Imports {
			n := c.pass.TypesInfo.PkgNameOf(spec)
			if n == nil || n.Imported().Path() != "time" || n.Name() == "." || n.Name() == "_" {
				continue
			}
			if inner := c.pass.Pkg.Scope().Innermost(call.Pos()); inner != nil {
				if _, obj := inner.LookupParent(n.Name(), call.Pos()); obj == types.Object(n) {
					return n.Name()
				}
			}
		}
	}
	return ""
}

// Package decl collects the declarations of a program: which templates, parameters and types they
// have, what is mounted below what, and what is opened. Each package exports its declarations as a
// fact, so that a call in one package can be checked against the declarations of another.
package decl

import (
	"go/types"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/redisimnest/redisimnest/nest/nestvet/internal/code"
)

// Analyzer collects the declarations. Its result is a [*World].
var Analyzer = &analysis.Analyzer{
	Name:       "nestdecl",
	Doc:        "collect what package nest is given to declare, for the analyzers of nestvet",
	Run:        run,
	ResultType: reflect.TypeFor[*World](),
	FactTypes:  []analysis.Fact{new(Declared), new(Opener)},
}

// ID identifies a declaration or a parameter across packages: "example.com/users.Age" for a
// variable, or the position in the source for one without a name.
type ID string

// Node is a declaration: a cluster or a key of any kind.
type Node struct {
	ID       ID
	Name     string // "users.Age", or "" if no variable holds it
	Kind     string // "Cluster", "Key", "Hash", …
	Template string
	Dynamic  bool // the template is not a constant
	Typed    []ID // the parameters that Params attaches
	Subs     []ID // what Sub mounts, in order
	Opaque   bool // there are options that could not be followed
	Escapes  bool // it may be mounted somewhere unseen
	Exported bool // other packages can read a variable that holds it
	Tag      bool // a HashTag puts braces around it
	Place    string
}

// Params returns the names of the parameters in the node's template, in order.
func (n *Node) Params() []string {
	var names []string
	for rest := n.Template; ; {
		_, after, ok := strings.Cut(rest, "<")
		if !ok {
			return names
		}
		name, tail, ok := strings.Cut(after, ">")
		if !ok {
			return names
		}
		names = append(names, strings.TrimSuffix(name, "..."))
		rest = tail
	}
}

// Class is the class of values that a parameter takes.
type Class uint8

// The classes.
const (
	Untyped Class = iota // any string, integer or boolean
	String
	Int
	Uint
	Bool
	Text // a type with MarshalText
)

// Param is what [nest.Param] declares.
type Param struct {
	ID     ID
	Var    string // "users.ID", or "" if no variable holds it
	Name   string
	Type   string // with the full path of its package
	Named  bool   // the type has a name
	Shown  string // "users.UserID", as in messages
	Class  Class
	Bits   int
	MaxLen int
}

// DefaultMaxLen is the maximum length of a parameter's value in bytes, as in package nest.
const DefaultMaxLen = 1024

// Declared is what a package declares.
type Declared struct {
	Nodes   []*Node
	Params  []*Param
	Aliases []Alias
	Roots   []Root
}

// Alias is a variable and the declaration that it was assigned. Facts hold no maps, so that their
// encoding is always the same.
type Alias struct{ From, To ID }

// Root is a cluster that is opened or checked.
type Root struct {
	ID   ID
	Test bool // in a test file
}

// AFact marks Declared as a fact of analyzers.
func (*Declared) AFact() {}

func (d *Declared) String() string { return "declares" }

// World holds the declarations of a package and of everything that it imports.
type World struct {
	Assigned code.Assignments

	info    *types.Info
	pkg     *types.Package
	own     *Declared
	nodes   map[ID]*Node
	params  map[ID]*Param
	aliases map[ID]ID
	roots   map[ID]rooted
	parents map[ID][]ID
	openers *openers
	at      func(n node) ID
}

// rooted records where a cluster is opened: only in tests, or in the program.
type rooted struct{ program, test bool }

// Node returns the declaration with this ID, or nil.
func (w *World) Node(id ID) *Node { return w.nodes[w.alias(id)] }

// Param returns the parameter with this ID, or nil.
func (w *World) Param(id ID) *Param { return w.params[w.alias(id)] }

// Own returns what the package itself declares.
func (w *World) Own() *Declared { return w.own }

// Nodes returns all declarations by their IDs.
func (w *World) Nodes() map[ID]*Node { return w.nodes }

// Opened returns the clusters that the program opens and, if tests is true, those that tests open.
func (w *World) Opened(tests bool) []ID {
	var ids []ID
	for id, r := range w.roots {
		if r.program || tests && r.test {
			ids = append(ids, id)
		}
	}
	return ids
}

func (w *World) alias(id ID) ID {
	for range 16 { // an alias of an alias; a cycle does not compile
		to, ok := w.aliases[id]
		if !ok {
			break
		}
		id = to
	}
	return id
}

// Path is one way from the top down to a declaration. The top comes first.
type Path struct {
	Nodes []*Node
	// Whole reports whether the first node is opened: nothing stands above it.
	Whole bool
}

// maxPaths bounds the number of paths that are examined for one declaration. Nothing is reported
// about a declaration with more.
const maxPaths = 256

// Paths returns the paths down to a declaration. If tests is true, they include those that only
// tests open.
func (w *World) Paths(id ID, tests bool) []Path {
	n := w.Node(id)
	if n == nil {
		return nil
	}
	var found []Path
	cut := false
	var up func(below []*Node, n *Node)
	up = func(below []*Node, n *Node) {
		if len(found) >= maxPaths || len(below) > 32 {
			cut = true
			return
		}
		if slices.Contains(below, n) {
			return // a cluster below itself: Open rejects it
		}
		nodes := append([]*Node{n}, below...)
		r, opened := w.roots[n.ID]
		opened = opened && (r.program || tests)
		if opened {
			found = append(found, Path{nodes, true})
		}
		parents := w.parents[n.ID]
		if n.Escapes || len(parents) == 0 && !opened {
			found = append(found, Path{nodes, false})
		}
		for _, p := range parents {
			up(nodes, w.nodes[p])
		}
	}
	up(nil, n)
	if cut || len(found) >= maxPaths {
		return nil
	}
	return found
}

// Name returns the name of a path: its templates, joined. If something unknown may stand above the
// path, the name starts with "…".
func (p Path) Name() string {
	var parts []string
	if !p.Whole {
		parts = append(parts, "…")
	}
	for _, n := range p.Nodes {
		switch {
		case n.Template == "":
		case n.Tag:
			parts = append(parts, "{"+n.Template+"}")
		default:
			parts = append(parts, n.Template)
		}
	}
	return strings.Join(parts, ":")
}

// Open is a parameter of a path, with its type if that is known.
type Open struct {
	Name string
	*Param
	// Unsure reports whether, if Param is nil, something unseen could define the type.
	Unsure bool
}

// open returns the parameters of the nodes from index first on.
func (w *World) open(p Path, first int) []Open {
	var open []Open
	for i, n := range p.Nodes {
		if i < first {
			continue
		}
		for _, name := range n.Params() {
			o := Open{Name: name, Unsure: !p.Whole}
			hidden := false // something unseen may define its type
			for j := i; j >= 0 && o.Param == nil && !hidden; j-- {
				hidden = p.Nodes[j].Opaque
				for _, id := range p.Nodes[j].Typed {
					if t := w.Param(id); t == nil {
						hidden = true
					} else if t.Name == name {
						o.Param = t
					}
				}
				if hidden {
					o.Param, o.Unsure = nil, true
				}
			}
			open = append(open, o)
		}
	}
	return open
}

// Open returns the parameters of a path below the node at index above, or all of them if above is
// -1.
func (w *World) Open(p Path, above int) []Open { return w.open(p, above+1) }

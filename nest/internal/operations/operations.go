// Package operations reads the operations of package nest's references from its source: the Redis
// commands that each operation sends, its effect on the key's expiry, and the server version that
// it needs. The table in the documentation is generated from it, and the behaviour suite checks
// servers against it.
//
// Commands and versions are in the doc comments, in parentheses: "(GETDEL, Redis 6.2)". The effect
// on the expiry is decided by the function that builds the command, and is stated above that
// function as a directive:
//
//	//nest:ttl starts
//	func (r Ref) write(command string, args ...string) rueidis.Completed {
//
// An operation is followed through the functions that it calls, down to those with a directive. An
// operation that builds a command without meeting a directive is an error, so that none is left
// out.
package operations

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Operation is one exported method of a reference, or of the declaration of a cluster, that takes a
// context.
type Operation struct {
	Type    string // "KeyRef"; "Ref" for operations of all references; "ClusterDef"
	Name    string // "SetIfAbsent"
	Command string // "SET NX", as in the doc comment
	Needs   string // "Redis 7.4 or Valkey 9"; "" if every supported server has it
	Effect  Effect
	Target  Effect // on another key that the operation writes; unknown if there is none
	Options bool   // it takes SetOptions, with which the caller decides about the expiry
	InBatch bool   // it has a counterpart for batches
	Scripts []Script
}

// Read reads the operations of the package in dir. Those of all references come first; the others
// follow by type and in the order of the source.
func Read(dir string) ([]Operation, error) {
	s, err := parse(dir)
	if err != nil {
		return nil, err
	}
	var ops []Operation
	var errs []error
	for _, m := range s.methods {
		op, err := s.operation(m)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %s.%s: %w", s.fset.Position(m.Pos()), receiver(m), m.Name.Name, err))
			continue
		}
		ops = append(ops, op)
	}
	for i := range ops {
		if of := s.aides[ops[i].Type]; ops[i].Name == aided[ops[i].Type] {
			for _, method := range of {
				ops[i].Scripts = append(ops[i].Scripts, s.scriptsOf(method)...)
			}
		}
	}
	if len(ops) == 0 && len(errs) == 0 {
		errs = append(errs, errors.New("no operations in "+dir))
	}
	slices.SortStableFunc(ops, func(a, b Operation) int {
		if a.Type != b.Type && (a.Type == "Ref" || b.Type == "Ref") {
			return cmp.Compare(len(a.Type), len(b.Type))
		}
		return cmp.Compare(a.Type, b.Type)
	})
	return ops, errors.Join(errs...)
}

// clusterType is the declaration whose methods are operations themselves.
const clusterType = "ClusterDef"

// source is a package, as far as it can be understood without its imports.
type source struct {
	fset    *token.FileSet
	info    types.Info
	bodies  map[types.Object]*ast.FuncDecl
	methods []*ast.FuncDecl // the operations
	twins   map[string]bool // "KeyBatch.Set"
	effects map[types.Object]Effect
	scripts map[types.Object]*Script
	aides   map[string][]types.Object // methods that belong to the operations of a type
}

func parse(dir string) (*source, error) {
	s := &source{
		fset: token.NewFileSet(),
		info: types.Info{
			Defs: make(map[*ast.Ident]types.Object), Uses: make(map[*ast.Ident]types.Object),
			Types: make(map[ast.Expr]types.TypeAndValue),
		},
		bodies:  make(map[types.Object]*ast.FuncDecl),
		twins:   make(map[string]bool),
		effects: make(map[types.Object]Effect),
		aides:   make(map[string][]types.Object),
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(s.fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil, fs.ErrNotExist
	}
	// Declarations of other packages stay unknown, and the errors from using them are ignored. All
	// that is needed is which function of this package calls which.
	conf := types.Config{Importer: emptyPackages{}, Error: func(error) {}}
	_, _ = conf.Check("nest", s.fset, files, &s.info)
	s.readScripts(files)
	for _, file := range files {
		for _, decl := range file.Decls {
			if d, ok := decl.(*ast.FuncDecl); ok && d.Body != nil {
				if err := s.add(d); err != nil {
					return nil, fmt.Errorf("%s: %w", s.fset.Position(d.Pos()), err)
				}
			}
		}
	}
	return s, nil
}

// emptyPackages imports every package as one without declarations.
type emptyPackages struct{}

func (emptyPackages) Import(at string) (*types.Package, error) {
	p := types.NewPackage(at, path.Base(at))
	p.MarkComplete()
	return p, nil
}

// add records a function.
func (s *source) add(d *ast.FuncDecl) error {
	obj := s.info.Defs[d.Name]
	s.bodies[obj] = d
	effect, ok, err := directive(d.Doc)
	if err != nil {
		return err
	}
	if ok {
		s.effects[obj] = effect
	}
	typ := receiver(d)
	switch {
	case !d.Name.IsExported():
	case strings.HasSuffix(typ, "Batch"):
		s.twins[typ+"."+d.Name.Name] = true
	case aides[typ] != "" && takesContext(d):
		s.aides[aides[typ]] = append(s.aides[aides[typ]], obj)
	case (strings.HasSuffix(typ, "Ref") || typ == clusterType) && takesContext(d):
		s.methods = append(s.methods, d)
	}
	return nil
}

// receiver returns the name of the type whose method d is, or "".
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	switch t := typ.(type) {
	case *ast.IndexExpr:
		typ = t.X
	case *ast.IndexListExpr:
		typ = t.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

func takesContext(d *ast.FuncDecl) bool {
	params := d.Type.Params.List
	return len(params) > 0 && types.ExprString(params[0].Type) == "context.Context"
}

func (s *source) operation(d *ast.FuncDecl) (Operation, error) {
	typ := receiver(d)
	batch := strings.TrimSuffix(typ, "Ref") + "Batch"
	if typ == "Ref" {
		batch = "RefBatch"
	}
	op := Operation{Type: typ, Name: d.Name.Name, InBatch: s.twins[batch+"."+d.Name.Name]}
	for _, p := range d.Type.Params.List {
		op.Options = op.Options || types.ExprString(p.Type) == "...SetOption"
	}
	var err error
	if op.Effect, op.Target, err = s.effectOf(s.info.Defs[d.Name]); err != nil {
		return op, err
	}
	if op.Effect == Free {
		op.Command = "any"
		return op, nil
	}
	op.Scripts = s.scriptsOf(s.info.Defs[d.Name])
	op.Command, op.Needs, err = described(d.Doc)
	return op, err
}

// Package operations reads out of the source of package nest what the operations of its
// references are: the Redis commands that each sends, what it does to the key's expiry, and
// the version of the server that it needs. The documentation's table is written from it, and
// the behaviour suite holds servers against it.
//
// Commands and versions stand in the doc comments, in parentheses: "(GETDEL, Redis 6.2)". What
// becomes of the expiry is decided by the function that builds the command, and stands above
// that function as a directive:
//
//	//nest:ttl starts
//	func (r Ref) write(command string, args ...string) rueidis.Completed {
//
// An operation is followed through the functions that it calls down to those that say so. One
// that comes to build a command without having met a directive is an error, so that none is
// left out.
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

// Operation is one exported method of a reference that takes a context.
type Operation struct {
	Type    string // "KeyRef"; "Ref" for what all references have
	Name    string // "SetIfAbsent"
	Command string // "SET NX", as the doc comment says it
	Needs   string // "Redis 7.4 or Valkey 9"; "" when every supported server has it
	Effect  Effect
	Target  Effect // on another key that the operation writes; unknown when there is none
	Options bool   // it takes SetOptions, with which the caller decides about the expiry
	InBatch bool   // there is a twin for batches
}

// Read reads the operations of the package in dir: those of all references first, then by type
// and in the order of the source.
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

// source is a package as far as it can be understood without those that it imports.
type source struct {
	fset    *token.FileSet
	info    types.Info
	bodies  map[types.Object]*ast.FuncDecl
	methods []*ast.FuncDecl // the operations
	twins   map[string]bool // "KeyBatch.Set"
	effects map[types.Object]Effect
}

func parse(dir string) (*source, error) {
	s := &source{
		fset:    token.NewFileSet(),
		info:    types.Info{Defs: make(map[*ast.Ident]types.Object), Uses: make(map[*ast.Ident]types.Object)},
		bodies:  make(map[types.Object]*ast.FuncDecl),
		twins:   make(map[string]bool),
		effects: make(map[types.Object]Effect),
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
	// What other packages declare stays unknown, and every use of it is an error that is of no
	// interest: all that is asked for is which function of this package calls which.
	conf := types.Config{Importer: emptyPackages{}, Error: func(error) {}}
	_, _ = conf.Check("nest", s.fset, files, &s.info)
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

// emptyPackages imports every package as one that declares nothing.
type emptyPackages struct{}

func (emptyPackages) Import(at string) (*types.Package, error) {
	p := types.NewPackage(at, path.Base(at))
	p.MarkComplete()
	return p, nil
}

// add takes a function up.
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
	case strings.HasSuffix(typ, "Ref") && takesContext(d):
		s.methods = append(s.methods, d)
	}
	return nil
}

// receiver names the type whose method d is, or "".
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
	op.Command, op.Needs, err = described(d.Doc)
	return op, err
}

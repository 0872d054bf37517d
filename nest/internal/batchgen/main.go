// Command batchgen writes the batch methods of package nest. For a method of a reference that runs
// one command, such as
//
//	func (r KeyRef[T]) Get(ctx context.Context) (T, error) { return call(ctx, r.at, r.get) }
//
// it writes a counterpart without the context, which puts the same command into a batch:
//
//	func (q KeyBatch[T]) Get() *Future[T] { r := q.ref; return add(q.b, r.at, r.get) }
//
// Two kinds of methods say with a directive what a batch does with them:
//
//	//nest:batch late   the command is built when the batch runs, because that takes its context
//	//nest:batch rest   the if statement at the beginning is for a call alone: a batch runs the rest
//
// A method that needs a directive and has none is an error.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Output is the file that batchgen writes.
const Output = "batch_operations.go"

func main() {
	dir := "."
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	text, err := Generate(dir)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, Output), text, 0o644) //nolint:gosec // a source file
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "batchgen:", err)
		os.Exit(1)
	}
}

// reference is a type whose name ends in Ref, with the methods that have a counterpart.
type reference struct {
	name    string // "KeyRef"
	params  string // "[T any]"
	args    string // "[T]"
	embeds  bool   // it embeds Ref
	methods []method
}

type method struct {
	name    string
	params  string // without the context
	results []string
	build   string // the builder of the command, as passed to call
	late    bool   // the builder takes the context; a batch has one when it is run
	ref     string // the reference, as passed to call
}

// Generate reads the package in dir and returns the source of its batch methods.
func Generate(dir string) ([]byte, error) {
	fset := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	refs := make(map[string]*reference)
	imports := make(map[string]string) // by name
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || filepath.Base(name) == Output {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil, fs.ErrNotExist
	}
	for _, file := range files {
		for _, spec := range file.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			imports[path[strings.LastIndexByte(path, '/')+1:]] = path
		}
		for _, decl := range file.Decls {
			if d, ok := decl.(*ast.GenDecl); ok {
				addTypes(fset, refs, d)
			}
		}
	}
	for _, file := range files {
		for _, decl := range file.Decls {
			if d, ok := decl.(*ast.FuncDecl); ok {
				if err := addMethod(fset, refs, d); err != nil {
					return nil, err
				}
			}
		}
	}
	return write(refs, imports)
}

func addTypes(fset *token.FileSet, refs map[string]*reference, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok || !t.Name.IsExported() || !strings.HasSuffix(t.Name.Name, "Ref") {
			continue
		}
		s, ok := t.Type.(*ast.StructType)
		if !ok {
			continue
		}
		r := &reference{name: t.Name.Name}
		for _, f := range s.Fields.List {
			r.embeds = r.embeds || len(f.Names) == 0 && source(fset, f.Type) == "Ref"
		}
		if t.TypeParams != nil {
			var params, args []string
			for _, f := range t.TypeParams.List {
				for _, n := range f.Names {
					params = append(params, n.Name+" "+source(fset, f.Type))
					args = append(args, n.Name)
				}
			}
			r.params, r.args = "["+strings.Join(params, ", ")+"]", "["+strings.Join(args, ", ")+"]"
		}
		refs[r.name] = r
	}
}

// addMethod records a method if it does nothing but run one command.
func addMethod(fset *token.FileSet, refs map[string]*reference, d *ast.FuncDecl) error {
	if d.Recv == nil || !d.Name.IsExported() || d.Body == nil || len(d.Type.Params.List) == 0 {
		return nil
	}
	recv := d.Recv.List[0]
	typ := strings.TrimPrefix(source(fset, recv.Type), "*")
	base, _, _ := strings.Cut(typ, "[")
	r := refs[base]
	if r == nil || source(fset, d.Type.Params.List[0].Type) != "context.Context" {
		return nil
	}
	run, begins := theCall(d.Body)
	if run == nil {
		return nil
	}
	late := usesContext(run.Args[2])
	for directive, needed := range map[string]bool{"late": late, "rest": begins} {
		if directed(d, directive) != needed {
			return fmt.Errorf("%s: %s.%s: the directive //nest:batch %s belongs to methods that need it, and to no others", fset.Position(d.Pos()), base, d.Name.Name, directive)
		}
	}
	if len(recv.Names) != 1 || recv.Names[0].Name != "r" {
		return fmt.Errorf("%s: the receiver of %s.%s must be named r", fset.Position(d.Pos()), base, d.Name.Name)
	}
	m := method{name: d.Name.Name, ref: source(fset, run.Args[1]), build: source(fset, run.Args[2])}
	if m.late = late; late {
		m.build = strings.Replace(m.build, "func()", "func(ctx context.Context)", 1)
	}
	var params []string
	for _, p := range d.Type.Params.List[1:] {
		for _, n := range p.Names {
			params = append(params, n.Name+" "+source(fset, p.Type))
		}
	}
	m.params = strings.Join(params, ", ")
	for _, f := range d.Type.Results.List {
		for range max(1, len(f.Names)) {
			m.results = append(m.results, source(fset, f.Type))
		}
	}
	r.methods = append(r.methods, m)
	return nil
}

// directed reports whether a method's comment has a directive.
func directed(d *ast.FuncDecl, directive string) bool {
	return d.Doc != nil && slices.ContainsFunc(d.Doc.List, func(c *ast.Comment) bool { return c.Text == "//nest:batch "+directive })
}

// theCall returns the single call of call in a body that is nothing but "return call(…)", "return
// both(call(…))" or "_, err := call(…); return err", and whether the body begins with an if
// statement.
func theCall(body *ast.BlockStmt) (run *ast.CallExpr, begins bool) {
	list := body.List
	if _, begins = list[0].(*ast.IfStmt); begins && len(list) > 1 {
		list = list[1:]
	}
	var expr ast.Expr
	switch first := list[0].(type) {
	case *ast.ReturnStmt:
		if len(list) == 1 && len(first.Results) == 1 {
			expr = first.Results[0]
		}
	case *ast.AssignStmt:
		if len(list) == 2 && len(first.Rhs) == 1 {
			expr = first.Rhs[0]
		}
	}
	outer, ok := expr.(*ast.CallExpr)
	if ok && named(outer.Fun, "both") && len(outer.Args) == 1 {
		outer, ok = outer.Args[0].(*ast.CallExpr)
	}
	if !ok || !named(outer.Fun, "call") || len(outer.Args) != 3 || !named(outer.Args[0], "ctx") {
		return nil, false
	}
	return outer, begins
}

// usesContext reports whether a builder takes the context of the call.
func usesContext(build ast.Expr) (uses bool) {
	ast.Inspect(build, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		uses = uses || ok && id.Name == "ctx"
		return true
	})
	return uses
}

func named(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

func source(fset *token.FileSet, node any) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, fset, node); err != nil {
		return ""
	}
	return b.String()
}

func write(refs map[string]*reference, imports map[string]string) ([]byte, error) {
	var body bytes.Buffer
	names := make([]string, 0, len(refs))
	for name := range refs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		r := refs[name]
		slices.SortFunc(r.methods, func(a, b method) int { return strings.Compare(a.name, b.name) })
		writeReference(&body, r)
	}
	var out bytes.Buffer
	out.WriteString("// Code generated by batchgen from the references' methods. DO NOT EDIT.\n\npackage nest\n\n")
	var used []string
	for name, path := range imports {
		if strings.Contains(body.String(), name+".") {
			used = append(used, path)
		}
	}
	slices.SortFunc(used, func(a, b string) int {
		if da, db := strings.Contains(a, "."), strings.Contains(b, "."); da != db {
			if da {
				return 1
			}
			return -1
		}
		return strings.Compare(a, b)
	})
	if len(used) > 0 {
		out.WriteString("import (\n")
		for i, path := range used {
			if i > 0 && strings.Contains(path, ".") && !strings.Contains(used[i-1], ".") {
				out.WriteString("\n")
			}
			fmt.Fprintf(&out, "\t%q\n", path)
		}
		out.WriteString(")\n\n")
	}
	out.Write(body.Bytes())
	return format.Source(out.Bytes())
}

func writeReference(w *bytes.Buffer, r *reference) {
	batch := "RefBatch" // written by hand, beside Ref
	if r.name != "Ref" {
		batch = strings.TrimSuffix(r.name, "Ref") + "Batch"
		fmt.Fprintf(w, "// %s has the operations of a [%s] for a batch.\n// They have the same names and results. Their futures are settled when [Batch.Exec] returns.\n", batch, r.name)
		fmt.Fprintf(w, "type %s%s struct {\n\tRefBatch\n\tref %s%s\n}\n\n", batch, r.params, r.name, r.args)
		fmt.Fprintf(w, "// In puts the reference into a batch.\nfunc (r %s%s) In(b *Batch) %s%s {\n\tr.at = b.takes(r.at)\n\treturn %s%s{RefBatch{b, r.Ref}, r}\n}\n\n", r.name, r.args, batch, r.args, batch, r.args)
	}
	for _, m := range r.methods {
		future, put := "*Future["+m.results[0]+"]", "add"
		switch {
		case len(m.results) == 1:
			future = "*Done"
		case len(m.results) == 3:
			future, put = "*FoundFuture["+m.results[0]+"]", "addFound"
		}
		if m.late {
			put += "Late"
		}
		fmt.Fprintf(w, "// %s is [%s.%s] in a batch.\n", m.name, r.name, m.name)
		fmt.Fprintf(w, "func (q %s%s) %s(%s) %s {\n\tr := q.ref\n\treturn %s(q.b, %s, %s)\n}\n\n", batch, r.args, m.name, m.params, future, put, m.ref, m.build)
	}
}

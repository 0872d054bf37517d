package operations

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Floor is one of the layers of a package: files whose declarations use those of the same floor and
// of the floors below it.
type Floor struct {
	Name  string
	Files []string // patterns of [path.Match], without ".go"
}

// Climb is a use of a declaration that stands on a higher floor than its user.
type Climb struct {
	Use  token.Position
	Uses string // "tree.hubs", a file and the declaration in it
	From string // the floor of the user
	To   string // the floor of the declaration
}

func (c Climb) String() string {
	return fmt.Sprintf("%s: %s is on the floor %q, above %q", c.Use, c.Uses, c.To, c.From)
}

// User returns the name of the file with the use, without ".go".
func (c Climb) User() string { return baseName(c.Use.Filename) }

var floorLine = regexp.MustCompile(`(?m)^\s+- (\w+): .*?\(((?:[\w*]+(?:,\s+)?)+)\)`)

// ReadFloors returns the floors of a package, the lowest first, from the section "Reading order" of
// its documentation. Each item of the list there is the name of a floor, a description, and the
// floor's files in parentheses.
func ReadFloors(doc string) ([]Floor, error) {
	_, list, ok := strings.Cut(doc, "\n# Reading order\n")
	if !ok {
		return nil, errors.New(`the documentation has no section "Reading order"`)
	}
	if end := strings.Index(list, "\n# "); end >= 0 {
		list = list[:end]
	}
	var floors []Floor
	for _, item := range floorLine.FindAllStringSubmatch(strings.Join(strings.Split(list, "\n    "), " "), -1) {
		floors = append(floors, Floor{item[1], strings.FieldsFunc(item[2], func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })})
	}
	if len(floors) == 0 {
		return nil, errors.New(`the section "Reading order" lists no floors`)
	}
	return floors, nil
}

// floorOf returns the index of the floor of a file. A name without a wildcard takes precedence,
// then the longest pattern.
func floorOf(floors []Floor, file string) (int, error) {
	at, best := -1, -1
	for i, f := range floors {
		for _, pattern := range f.Files {
			if ok, err := path.Match(pattern, file); err != nil {
				return 0, fmt.Errorf("floor %q: %q: %w", f.Name, pattern, err)
			} else if !ok {
				continue
			}
			weight := len(pattern)
			if !strings.Contains(pattern, "*") {
				weight += 1000
			}
			if weight == best {
				return 0, fmt.Errorf("%s.go is on two floors, %q and %q", file, floors[at].Name, f.Name)
			}
			if weight > best {
				at, best = i, weight
			}
		}
	}
	if at < 0 {
		return 0, fmt.Errorf("%s.go is on no floor: add it to the section \"Reading order\" of doc.go", file)
	}
	return at, nil
}

// Climbs returns the uses in the package in dir that run upwards, in the order of the source.
func Climbs(dir string) ([]Climb, error) {
	p, err := load(dir)
	if err != nil {
		return nil, err
	}
	floors, err := ReadFloors(p.doc)
	if err != nil {
		return nil, err
	}
	index := map[string]int{}
	for _, f := range p.files {
		name := baseName(p.fset.Position(f.Pos()).Filename)
		if index[name], err = floorOf(floors, name); err != nil {
			return nil, err
		}
	}
	var climbs []Climb
	for id, used := range p.info.Uses {
		if used.Pkg() != p.types || !used.Pos().IsValid() {
			continue
		}
		use, there := p.fset.Position(id.Pos()), baseName(p.fset.Position(used.Pos()).Filename)
		if from, to := index[baseName(use.Filename)], index[there]; to > from {
			use.Filename = filepath.Base(use.Filename)
			climbs = append(climbs, Climb{use, there + "." + used.Name(), floors[from].Name, floors[to].Name})
		}
	}
	slices.SortFunc(climbs, func(a, b Climb) int {
		return cmp.Or(cmp.Compare(a.Use.Filename, b.Use.Filename), cmp.Compare(a.Use.Offset, b.Use.Offset))
	})
	return climbs, nil
}

func baseName(file string) string { return strings.TrimSuffix(filepath.Base(file), ".go") }

// typed is a package with the types of all its expressions.
type typed struct {
	fset  *token.FileSet
	files []*ast.File
	types *types.Package
	info  types.Info
	doc   string
}

// load type-checks the package in dir, with what the go command compiled of its imports.
func load(dir string) (*typed, error) {
	list := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}\t{{.DepOnly}}\t{{range .GoFiles}}{{.}} {{end}}", ".")
	list.Dir = dir
	var failure bytes.Buffer
	list.Stderr = &failure
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, failure.Bytes())
	}
	exports, files, self := map[string]string{}, "", ""
	for line := range strings.Lines(string(out)) {
		if of := strings.Split(strings.TrimSpace(line), "\t"); len(of) >= 3 {
			exports[of[0]] = of[1]
			if of[2] == "false" {
				self, files = of[0], of[3]
			}
		}
	}
	p := &typed{fset: token.NewFileSet(), info: types.Info{Uses: make(map[*ast.Ident]types.Object)}}
	for name := range strings.FieldsSeq(files) {
		file, err := parser.ParseFile(p.fset, filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p.files = append(p.files, file)
		if file.Doc != nil {
			p.doc = file.Doc.Text()
		}
	}
	compiled := importer.ForCompiler(p.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	p.types, err = (&types.Config{Importer: compiled}).Check(self, p.fset, p.files, &p.info)
	return p, err
}

package examples_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// The snippets of the README and of the pages in docs are compiled from the pages themselves, as
// packages of this module that exist only in an overlay of one "go build":
//
//   - A snippet that is a program, with package main, is built and run.
//   - A snippet that stands in a file of this module is compiled there. Guides that follow an
//     example quote it this way.
//   - All others are fragments. Those of a page make one package, together with the page's prelude in
//     testdata/docs, which declares what the page takes for granted; that of a page without one is
//     quickstart.go. Statements become functions. Imports come from testdata/docs/imports.go.
//
// Fragments marked "go run" are run, in the order in which they stand, on whatever server the tests
// run on. A block of text that follows one of them, or a program, is what it prints.

// fence finds a fenced block: its language, its mark, its text.
var fence = regexp.MustCompile("(?ms)^```(\\w*)([^\\n]*)\n(.*?)^```$")

// snippet is a fenced block of Go.
type snippet struct {
	page   string // "docs/expiry.md"
	line   int    // of its first line
	run    bool
	text   string
	output *string // what it prints; nil if the page does not say
}

func (s snippet) String() string { return s.page + ":" + strconv.Itoa(s.line) }

func (s snippet) program() bool { return strings.HasPrefix(s.text, "package main\n") }

// snippets returns the Go of a page.
func snippets(t *testing.T, page string) []snippet {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", page))
	require.NoError(t, err)
	var all []snippet
	blocks := fence.FindAllSubmatchIndex(text, -1)
	for i, b := range blocks {
		if string(text[b[2]:b[3]]) != "go" {
			continue
		}
		s := snippet{page: page, line: 1 + bytes.Count(text[:b[6]], []byte("\n")), text: string(text[b[6]:b[7]])}
		mark := string(text[b[4]:b[5]])
		require.Contains(t, []string{"", " run"}, mark, "%s: an unknown mark", s)
		s.run = mark != "" || s.program()
		if s.run && i+1 < len(blocks) {
			next := blocks[i+1]
			between := strings.TrimSpace(string(text[b[1]:next[0]]))
			if string(text[next[2]:next[3]]) == "text" && between == "" {
				out := string(text[next[6]:next[7]])
				s.output = &out
			}
		}
		all = append(all, s)
	}
	return all
}

// pages returns the pages whose snippets are compiled.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("..", "docs", "*.md"))
	require.NoError(t, err)
	require.Greater(t, len(found), 20, "where are the pages?")
	pages := []string{"README.md"}
	for _, path := range found {
		pages = append(pages, "docs/"+filepath.Base(path))
	}
	return pages
}

// TestQuotes checks that the pages of examples quote their Go from files, which are compiled where
// they stand.
func TestQuotes(t *testing.T) {
	t.Parallel()
	quotable := sources(t)
	for _, page := range []string{"examples/shop/README.md"} {
		all := snippets(t, page)
		require.NotEmpty(t, all, page)
		for _, s := range all {
			require.True(t, quoted(s, quotable), "no file of examples holds the snippet %s:\n%s", s, s.text)
		}
	}
}

// quoted reports whether a snippet stands in a file.
func quoted(s snippet, sources []string) bool {
	return slices.ContainsFunc(sources, func(source string) bool { return strings.Contains(source, lines(s.text)) })
}

func TestSnippets(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("SKIPPED, not passed: it builds a program")
	}
	b := newBuilder(t)
	quotable := sources(t)
	for _, page := range pages(t) {
		for _, s := range snippets(t, page) {
			switch {
			case s.program() && page == "README.md":
				// TestFirstProgramOfTheReadme builds it as a reader does.
			case s.program():
				b.program(s)
			case !s.run && quoted(s, quotable):
			default:
				b.fragment(s)
			}
		}
	}
	b.finish()
	b.build()
	b.run()
}

// builder collects packages and builds them.
type builder struct {
	t       *testing.T
	imports map[string]string // how a package is called here: its path
	dir     string
	overlay map[string]string // a file's name for the compiler: where it is
	pages   []*page
	// programs are the snippets that are programs, in the order of b.dirs.
	programs []snippet
}

// page is the package of a page's fragments.
type page struct {
	name     string // "expiry"
	run      []snippet
	declared map[string]bool // by its prelude
}

// virtual is the folder of the packages, which exists only for the compiler.
const virtual = "internal/docs"

func newBuilder(t *testing.T) *builder {
	t.Helper()
	b := &builder{t: t, dir: t.TempDir(), overlay: make(map[string]string), imports: make(map[string]string)}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("testdata", "docs", "imports.go"), nil, parser.ImportsOnly)
	require.NoError(t, err)
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		name := path[strings.LastIndexByte(path, '/')+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		b.imports[name] = path
	}
	return b
}

// write adds a file to a package. The compiler reports its lines as those of origin, from line on.
func (b *builder) write(pkg, name, clause, before, origin string, line int, text, after string) {
	b.t.Helper()
	body := before + "\n//line " + origin + ":" + strconv.Itoa(line) + "\n" + text + "\n" + after
	parsed, err := parser.ParseFile(token.NewFileSet(), "", clause+"\n"+body, parser.SkipObjectResolution)
	require.NoError(b.t, err)
	used := make(map[string]bool)
	ast.Inspect(parsed, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok {
				used[x.Name] = true
			}
		}
		return true
	})
	var head strings.Builder
	head.WriteString(clause + "\n")
	if i := slices.IndexFunc(b.pages, func(p *page) bool { return p.name == pkg }); i >= 0 {
		for name := range b.pages[i].declared {
			used[name] = false // it stands for a package of the service
		}
	}
	if len(parsed.Imports) == 0 {
		for _, name := range slices.Sorted(maps.Keys(b.imports)) { // in one order, for the compiler's cache
			if used[name] {
				fmt.Fprintf(&head, "import %s %q\n", name, b.imports[name])
			}
		}
	}
	stored := filepath.Join(b.dir, strconv.Itoa(len(b.overlay))+".go")
	require.NoError(b.t, os.WriteFile(stored, []byte(head.String()+body), 0o600))
	abs, err := filepath.Abs(filepath.Join(virtual, pkg, name))
	require.NoError(b.t, err)
	b.overlay[abs] = stored
}

// program adds a snippet that is a program.
func (b *builder) program(s snippet) {
	b.t.Helper()
	pkg := "program" + strconv.Itoa(len(b.programs))
	b.programs = append(b.programs, s)
	b.write(pkg, "main.go", "package main", "", s.page, s.line, strings.TrimPrefix(s.text, "package main\n"), "")
}

// fragment adds a snippet to the package of its page.
func (b *builder) fragment(s snippet) {
	b.t.Helper()
	name := strings.TrimSuffix(filepath.Base(s.page), ".md")
	i := slices.IndexFunc(b.pages, func(p *page) bool { return p.name == name })
	if i < 0 {
		i = len(b.pages)
		prelude := filepath.Join("testdata", "docs", name+".go")
		text, err := os.ReadFile(prelude)
		if errors.Is(err, fs.ErrNotExist) {
			prelude = filepath.Join("testdata", "docs", "quickstart.go")
			text, err = os.ReadFile(prelude)
		}
		require.NoError(b.t, err)
		_, body, found := strings.Cut(string(text), "package docs\n")
		require.True(b.t, found, prelude)
		b.pages = append(b.pages, &page{name: name, declared: declared(b.t, prelude)})
		b.write(name, "prelude.go", "package docs", "", prelude, 1+strings.Count(string(text), "\n")-strings.Count(body, "\n"), body, "")
	}
	p := b.pages[i]
	file := "snippet" + strconv.Itoa(s.line) + ".go"
	if _, err := parser.ParseFile(token.NewFileSet(), "", "package docs\n"+s.text, 0); err == nil {
		require.False(b.t, s.run, "%s: declarations cannot be run", s)
		b.write(name, file, "package docs", "", s.page, s.line, s.text, "")
		return
	}
	result := "nil"
	names := defined(b.t, s)
	if slices.Contains(names, "err") {
		result = "err"
	}
	var uses strings.Builder
	for _, name := range names {
		uses.WriteString("_ = " + name + "\n")
	}
	before := "func Snippet" + strconv.Itoa(s.line) + "(ctx context.Context) error {"
	b.write(name, file, "package docs", before, s.page, s.line, s.text, uses.String()+"return "+result+"\n}\n")
	if s.run {
		p.run = append(p.run, s)
	}
}

// declared returns the names that a prelude declares.
func declared(t *testing.T, prelude string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), prelude, nil, 0)
	require.NoError(t, err)
	names := make(map[string]bool)
	for name := range file.Scope.Objects {
		names[name] = true
	}
	return names
}

// defined returns the variables that the statements of a fragment define. A page need not use them.
func defined(t *testing.T, s snippet) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), s.page, "package p\nfunc _() {\n"+s.text+"\n}", 0)
	require.NoError(t, err, "the snippet %s is neither declarations nor statements:\n%s", s, s.text)
	var names []string
	add := func(x ast.Expr) {
		if id, ok := x.(*ast.Ident); ok && id.Name != "_" && !slices.Contains(names, id.Name) {
			names = append(names, id.Name)
		}
	}
	for _, statement := range parsed.Decls[0].(*ast.FuncDecl).Body.List {
		switch statement := statement.(type) {
		case *ast.AssignStmt:
			if statement.Tok == token.DEFINE {
				for _, x := range statement.Lhs {
					add(x)
				}
			}
		case *ast.DeclStmt:
			for _, spec := range statement.Decl.(*ast.GenDecl).Specs {
				if spec, ok := spec.(*ast.ValueSpec); ok {
					for _, x := range spec.Names {
						add(x)
					}
				}
			}
		}
	}
	return names
}

// mark precedes what a fragment prints.
const mark = "\x00"

// finish adds the program that runs the fragments of all pages.
func (b *builder) finish() {
	var imports, calls strings.Builder
	imports.WriteString("import (\n\"context\"\n\"fmt\"\n\"os\"\n\"github.com/redis/rueidis\"\n")
	for i, p := range b.pages {
		if len(p.run) == 0 {
			continue
		}
		name := "p" + strconv.Itoa(i)
		fmt.Fprintf(&calls, "check(%q, %s.Start(ctx, client))\n", p.name, name)
		fmt.Fprintf(&imports, "%s %q\n", name, "github.com/redisimnest/redisimnest/examples/"+virtual+"/"+p.name)
		for _, s := range p.run {
			fmt.Fprintf(&calls, "fmt.Print(%q)\ncheck(%q, %s.Snippet%d(ctx))\n", mark, s, name, s.line)
		}
	}
	imports.WriteString(")\n")
	b.write("all", "main.go", "package main", imports.String(), "all", 1, `
func check(where string, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, where, err)
		os.Exit(1)
	}
}

func main() {
	ctx := context.Background()
	// The embedded server supports no more than this.
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{os.Args[1]}, ForceSingleClient: true, DisableCache: true, AlwaysRESP2: true,
	})
	check("client", err)
	defer client.Close()
`+calls.String()+"}", "")
}

func (b *builder) build() {
	b.t.Helper()
	file := filepath.Join(b.dir, "overlay.json")
	overlay, err := json.Marshal(map[string]any{"Replace": b.overlay})
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(file, overlay, 0o600))
	bin := filepath.Join(b.dir, "bin")
	require.NoError(b.t, os.Mkdir(bin, 0o700))
	args := []string{"build", "-overlay", file, "-o", bin, "./" + virtual + "/all"}
	for _, p := range b.pages {
		args = append(args, "./"+virtual+"/"+p.name)
	}
	for i := range b.programs {
		args = append(args, "./"+virtual+"/program"+strconv.Itoa(i))
	}
	work, err := filepath.Abs(filepath.Join("..", "go.work"))
	require.NoError(b.t, err)
	cmd := exec.CommandContext(b.t.Context(), "go", args...)
	cmd.Env = append(os.Environ(), "GOWORK="+work) // pages also show modules that no example needs
	out, err := cmd.CombinedOutput()
	require.NoError(b.t, err, "snippets do not compile:\n%s", out)
}

// run runs all that is to be run, and compares what it prints with the pages.
func (b *builder) run() {
	b.t.Helper()
	server := nesttest.Start(b.t)
	output := func(name string, args ...string) string {
		cmd := exec.CommandContext(b.t.Context(), filepath.Join(b.dir, "bin", name), args...)
		cmd.Env = append(withoutRedis(), "REDIS_URL=redis://"+server.Addr())
		var out, failure bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &failure
		require.NoError(b.t, cmd.Run(), "%s\n%s", out.String(), failure.String())
		return out.String()
	}
	outputs := strings.Split(output("all", server.Addr()), mark)[1:]
	ran := 0
	for _, p := range b.pages {
		for _, s := range p.run {
			if s.output != nil {
				require.Equal(b.t, *s.output, outputs[ran], "the snippet %s prints something else", s)
			}
			ran++
		}
	}
	require.Len(b.t, outputs, ran)
	require.Greater(b.t, ran, 10, "where are the snippets that are run?")
	for i, s := range b.programs {
		if !server.Has(b.t, nesttest.Tracking) {
			b.t.Logf("%s is not run: env's client asks for tracking, which %s lacks", s, server)
			continue
		}
		got := output("program" + strconv.Itoa(i))
		if s.output != nil {
			require.Equal(b.t, *s.output, got, "the program %s prints something else", s)
		}
	}
}

// withoutRedis returns the environment without the variables that name a server.
func withoutRedis() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "REDIS_") })
}

// lines makes texts comparable if they are indented differently.
func lines(text string) string {
	var b strings.Builder
	b.WriteByte('\n')
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

// sources returns the files of Go that are compiled here, each as lines makes it.
func sources(t *testing.T) []string {
	t.Helper()
	var sources []string
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.Name() == "testdata":
			return filepath.SkipDir
		case filepath.Ext(path) != ".go":
			return nil
		}
		source, err := os.ReadFile(path)
		sources = append(sources, lines(string(source)))
		return err
	}))
	return sources
}

// Package nestdecl finds declarations that panic when the program starts. It reports
//
//   - a constant template that is malformed: an empty segment, a character that names cannot have,
//     a parameter without its end, one parameter twice or beside another, braces around no parameter;
//   - a Was whose template is malformed, is the present one, or has other parameters;
//   - a Param of a time.Time without a Layout, and one of a malformed name.
//
// Test files are left out: they run, and some of them test what panics. Templates and options that
// are no constants and no calls of package nest are left out, too.
package nestdecl

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/types"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/tools/go/analysis"

	"github.com/redisimnest/redisimnest/nest/nestvet/internal/code"
)

// Analyzer reports declarations that panic.
var Analyzer = &analysis.Analyzer{
	Name: "nestdecl",
	Doc:  "check templates and options of declarations of package nest that panic when the program starts",
	URL:  "https://pkg.go.dev/github.com/redisimnest/redisimnest/nest/nestvet/nestdecl",
	Run:  run,
}

func run(pass *analysis.Pass) (any, error) {
	c := &checker{pass}
	for _, file := range pass.Files {
		if code.InTest(pass.Fset, file.Pos()) {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				c.call(call)
			}
			return true
		})
	}
	return nil, nil
}

type checker struct{ pass *analysis.Pass }

func (c *checker) reportf(at ast.Node, format string, args ...any) {
	code.Report(c.pass, analysis.Diagnostic{Pos: at.Pos(), End: at.End(), Message: fmt.Sprintf(format, args...)})
}

// call checks a call that declares something.
func (c *checker) call(call *ast.CallExpr) {
	f := code.Callee(c.pass.TypesInfo, call)
	if f == nil || f.Signature().Recv() != nil || len(call.Args) == 0 {
		return
	}
	text, ok := c.text(call.Args[0])
	switch kind := code.DefKind(c.pass.TypesInfo.TypeOf(call)); {
	case f.Name() == "Param":
		c.param(call, text, ok)
	case !ok:
	case kind != "":
		cluster := kind == "Cluster"
		if why := malformed(text, cluster); why != "" {
			c.reportf(call.Args[0], "the template %q %s: it panics when the program starts", text, why)
			return
		}
		c.was(call, text, cluster)
	}
}

// text returns the value of a constant string.
func (c *checker) text(e ast.Expr) (string, bool) {
	v := c.pass.TypesInfo.Types[e].Value
	if v == nil || v.Kind() != constant.String {
		return "", false
	}
	return constant.StringVal(v), true
}

// options returns the calls of package nest among the options of a call, and whether these are all
// of its options.
func (c *checker) options(call *ast.CallExpr) (calls map[string]*ast.CallExpr, all bool) {
	calls, all = map[string]*ast.CallExpr{}, !call.Ellipsis.IsValid()
	for _, arg := range call.Args[1:] {
		option, ok := ast.Unparen(arg).(*ast.CallExpr)
		if !ok {
			all = false
			continue
		}
		if f := code.Callee(c.pass.TypesInfo, option); f != nil {
			calls[f.Name()] = option
		} else {
			all = false
		}
	}
	return calls, all
}

var paramName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func (c *checker) param(call *ast.CallExpr, name string, known bool) {
	if known && !paramName.MatchString(name) {
		c.reportf(call.Args[0], "%q is no name of a parameter, which is like user_id: it panics when the program starts", name)
	}
	pointer, ok := types.Unalias(c.pass.TypesInfo.TypeOf(call)).(*types.Pointer)
	if !ok {
		return
	}
	def, ok := types.Unalias(pointer.Elem()).(*types.Named)
	if !ok || def.TypeArgs().Len() != 1 || types.TypeString(def.TypeArgs().At(0), nil) != "time.Time" {
		return
	}
	if options, all := c.options(call); all && options["Layout"] == nil {
		c.reportf(call, "a parameter of type time.Time needs a Layout, such as Layout(time.DateOnly): it panics when the program starts")
	}
}

// was checks the former template of a declaration.
func (c *checker) was(call *ast.CallExpr, present string, cluster bool) {
	options, _ := c.options(call)
	option := options["Was"]
	if option == nil || len(option.Args) == 0 {
		return
	}
	former, ok := c.text(option.Args[0])
	if !ok {
		return
	}
	switch why := malformed(former, cluster); {
	case why != "":
		c.reportf(option.Args[0], "the former template %q %s: it panics when the program starts", former, why)
	case former == present:
		c.reportf(option.Args[0], "the former template is the present one: it panics when the program starts")
	case !slices.Equal(params(former), params(present)):
		c.reportf(option.Args[0], "the former template %q has other parameters than %q: Open refuses it", former, present)
	}
}

var inTemplate = regexp.MustCompile(`<([^<>]*)>`)

// params returns the parameters of a template, sorted.
func params(template string) []string {
	var names []string
	for _, m := range inTemplate.FindAllStringSubmatch(template, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return names
}

// malformed returns what is wrong with a template, or "".
func malformed(text string, cluster bool) string {
	if text == "" {
		if cluster {
			return ""
		}
		return "is empty"
	}
	rest := inTemplate.ReplaceAllString(text, "\x00")
	if strings.ContainsAny(rest, "<>") {
		return "has a '<' without its '>', or a '>' without its '<'"
	}
	seen := map[string]bool{}
	for _, name := range params(text) {
		bare, tail := strings.CutSuffix(name, "...")
		switch {
		case !paramName.MatchString(bare):
			return fmt.Sprintf("has the parameter <%s>, whose name is not like user_id", name)
		case seen[bare]:
			return fmt.Sprintf("has the parameter <%s> twice", name)
		case tail && cluster:
			return fmt.Sprintf("has the tail <%s>, which only a key can end in", name)
		case tail && !strings.HasSuffix(text, "<"+name+">"):
			return fmt.Sprintf("has the tail <%s> before its end", name)
		}
		seen[bare] = true
	}
	switch {
	case strings.Contains(rest, "\x00\x00"):
		return "has two parameters side by side"
	case strings.Count(rest, "{") > 1 || strings.Count(rest, "{") != strings.Count(rest, "}") || strings.Index(rest, "{") > strings.Index(rest, "}"):
		return "has braces that are not one pair"
	}
	if before, after, ok := strings.Cut(rest, "{"); ok {
		inside, behind, _ := strings.Cut(after, "}")
		if !strings.Contains(inside, "\x00") {
			return "has braces around no parameter"
		}
		rest = before + inside + behind
	}
	for _, r := range rest {
		if r != 0 && (strings.ContainsRune(`*?[]\%`, r) || unicode.IsSpace(r) || unicode.IsControl(r)) {
			return fmt.Sprintf("has the character %q, which names cannot have", r)
		}
	}
	if strings.HasPrefix(rest, ":") || strings.HasSuffix(rest, ":") || strings.Contains(rest, "::") {
		return "has an empty segment"
	}
	return ""
}

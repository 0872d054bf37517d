package operations

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/constant"
	"go/format"
	"go/token"
	"go/types"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Script is a Lua script of the package, by the commands that are written out in its text. Those
// that it is given as arguments are in the doc comments of the operations.
type Script struct {
	Name   string
	Rights []string // "GET", "XGROUP|CREATE"
}

// scriptMaker is the function that makes every script.
const scriptMaker = "newScript"

// containers are the commands whose second word is part of their name.
var containers = map[string]bool{"CLIENT": true, "CLUSTER": true, "MEMORY": true, "PUBSUB": true, "XGROUP": true, "XINFO": true}

// Rights returns the commands that the doc comment names, as an ACL rule does: "SET",
// "XGROUP|CREATE".
func (o Operation) Rights() []string {
	var rights []string
	for _, name := range o.Commands() {
		if !containers[name] {
			rights = append(rights, name)
			continue
		}
		for _, m := range regexp.MustCompile(`\b`+name+` ([A-Z]+)`).FindAllStringSubmatch(o.Command, -1) {
			rights = append(rights, name+"|"+m[1])
		}
	}
	return rights
}

// OnlyWithAutoRenew reports whether the doc comment says of a command that AutoRenew brings it.
func (o Operation) OnlyWithAutoRenew(command string) bool {
	return strings.Contains(o.Command, command+" with AutoRenew")
}

// inScript finds the commands of a script.
var inScript = regexp.MustCompile(`redis\.p?call\('([A-Z_]+)'(?:, *'([A-Z]+)')?`)

// readScripts finds the variables that hold scripts.
func (s *source) readScripts(files []*ast.File) {
	s.scripts = make(map[types.Object]*Script)
	for _, file := range files {
		for _, decl := range file.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok || d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					s.addScripts(v)
				}
			}
		}
	}
}

func (s *source) addScripts(v *ast.ValueSpec) {
	for i, value := range v.Values {
		call, ok := value.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			continue
		}
		fn, ok := call.Fun.(*ast.Ident)
		text := s.info.Types[call.Args[0]].Value
		if !ok || fn.Name != scriptMaker || text == nil {
			continue
		}
		found := &Script{Name: v.Names[i].Name}
		for _, m := range inScript.FindAllStringSubmatch(constant.StringVal(text), -1) {
			name := m[1]
			if containers[name] {
				name += "|" + m[2]
			}
			found.Rights = append(found.Rights, name)
		}
		slices.Sort(found.Rights)
		found.Rights = slices.Compact(found.Rights)
		s.scripts[s.info.Defs[v.Names[i]]] = found
	}
}

// scriptsOf follows a function to the scripts that it reaches.
func (s *source) scriptsOf(from types.Object) []Script {
	seen, found := map[types.Object]bool{}, map[string]Script{}
	var follow func(obj types.Object)
	follow = func(obj types.Object) {
		if fn, ok := obj.(*types.Func); ok {
			obj = fn.Origin()
		}
		if obj == nil || seen[obj] || runners[obj.Name()] {
			return
		}
		seen[obj] = true
		if script, ok := s.scripts[obj]; ok {
			found[script.Name] = *script
			return
		}
		d := s.bodies[obj]
		if d == nil {
			return
		}
		ast.Inspect(d.Body, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				follow(s.info.Uses[id])
			}
			return true
		})
	}
	follow(from)
	return slices.SortedFunc(maps.Values(found), func(a, b Script) int { return cmp.Compare(a.Name, b.Name) })
}

// aides are types whose methods belong to the operations of a reference: to the one named in aided,
// which returns such a value.
var (
	aides = map[string]string{"Lease": "LockRef"}
	aided = map[string]string{"LockRef": "TryAcquire"}
)

// rights is one row of the table that package acl is given.
type rights struct {
	name                      string
	commands, scripts, inside []string
	renewing                  string
	effect                    Effect
}

// Go formats the table of commands for package acl: for every kind, its operations, with what each
// sends and what its scripts run.
func Go(ops []Operation, preface string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(preface)
	for len(ops) > 0 {
		typ := ops[0].Type
		kind := "nest.Kind" + strings.TrimSuffix(typ, "Ref")
		switch typ {
		case "Ref":
			kind = `""`
		case "KeyRef":
			kind = "nest.KindValue"
		case clusterType:
			kind = "nest.KindCluster"
		}
		fmt.Fprintf(&b, "\t%s: {\n", kind)
		for len(ops) > 0 && ops[0].Type == typ {
			writeRights(&b, ops[0])
			ops = ops[1:]
		}
		b.WriteString("\t},\n")
	}
	b.WriteString("}\n")
	return format.Source(b.Bytes())
}

func writeRights(b *bytes.Buffer, o Operation) {
	if o.Effect == Free {
		return
	}
	r := rights{name: o.Name, effect: o.Effect}
	for _, command := range o.Rights() {
		switch {
		case command == "EVAL": // which the scripts say
		case o.OnlyWithAutoRenew(command):
			r.renewing = command
		default:
			r.commands = append(r.commands, command)
		}
	}
	for _, script := range o.Scripts {
		r.scripts = append(r.scripts, script.Name)
		r.inside = append(r.inside, script.Rights...)
	}
	slices.Sort(r.inside)
	r.inside = slices.Compact(r.inside)
	fmt.Fprintf(b, "\t\t{name: %q", r.name)
	list := func(field string, words []string) {
		if len(words) > 0 {
			fmt.Fprintf(b, ", %s: %q", field, strings.ToLower(strings.Join(words, " ")))
		}
	}
	list("commands", r.commands)
	if r.renewing != "" {
		fmt.Fprintf(b, ", renewing: %q", strings.ToLower(r.renewing))
	}
	if len(r.scripts) > 0 {
		fmt.Fprintf(b, ", scripts: %q", strings.Join(r.scripts, " "))
	}
	list("inside", r.inside)
	if r.effect == Keeps || r.effect == Renews {
		fmt.Fprintf(b, ", effect: %s", r.effect)
	}
	b.WriteString("},\n")
}

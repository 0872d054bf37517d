package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheBatchMethodsAreUpToDate(t *testing.T) {
	dir := filepath.Join("..", "..")
	want, err := Generate(dir)
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(dir, Output))
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run go generate ./nest")
}

// alone lists the methods that take a context and have no counterpart in a batch, with the reason.
var alone = map[string]string{
	"ChannelRef.Subscribe":     "goes on until its context ends",
	"StreamRef.Consume":        "goes on until its context ends",
	"StreamRef.Follow":         "goes on until its context ends",
	"GeoRef.Iterate":           "asks several times",
	"HashRef.Iterate":          "asks several times",
	"ListRef.Iterate":          "asks several times",
	"SetRef.Iterate":           "asks several times",
	"SortedSetRef.Iterate":     "asks several times",
	"StreamRef.Range":          "asks several times",
	"StreamRef.RevRange":       "asks several times",
	"SecretRef.GetOrLoad":      "loads in between",
	"LockRef.Acquire":          "waits, and extends in the background",
	"LockRef.TryAcquire":       "extends in the background",
	"LockRef.Run":              "waits, and extends in the background",
	"LockRef.TryRun":           "extends in the background",
	"LimiterRef.Wait":          "asks until it is allowed",
	"LimiterRef.WaitN":         "asks until it is allowed",
	"KeyRef.GetOrLoad":         "loads in between",
	"CounterRef.GetOrLoad":     "loads in between",
	"RecordRef.GetOrLoad":      "loads in between",
	"HashRef.GetOrLoad":        "loads in between",
	"ListRef.GetOrLoad":        "loads in between",
	"SetRef.GetOrLoad":         "loads in between",
	"SortedSetRef.GetOrLoad":   "loads in between",
	"GeoRef.GetOrLoad":         "loads in between",
	"BitmapRef.GetOrLoad":      "loads in between",
	"KeyRef.Update":            "changes the value in between: Transact does so for several keys",
	"SecretRef.Update":         "changes the value in between",
	"SecretRef.Rotate":         "opens and seals the value in between",
	"PasswordRef.Rotate":       "opens and seals the value in between",
	"SecretRef.Rename":         "opens and seals the value in between",
	"PasswordRef.Rename":       "opens and seals the value in between",
	"SecretRef.Copy":           "opens and seals the value in between",
	"PasswordRef.Copy":         "opens and seals the value in between",
	"ListRef.WaitPopLeft":      "waits on a connection of its own",
	"ListRef.WaitPopRight":     "waits on a connection of its own",
	"ListRef.WaitPopLeftN":     "waits on a connection of its own",
	"ListRef.WaitPopRightN":    "waits on a connection of its own",
	"SortedSetRef.WaitPopMin":  "waits on a connection of its own",
	"SortedSetRef.WaitPopMax":  "waits on a connection of its own",
	"SortedSetRef.WaitPopMinN": "waits on a connection of its own",
	"SortedSetRef.WaitPopMaxN": "waits on a connection of its own",
	"StreamRef.Read":           "waits, with Block, on a connection of its own",
	"StreamRef.ReadGroup":      "waits, with Block, on a connection of its own",
	"StreamRef.ReadPending":    "waits, with Block, on a connection of its own",
	"ListRef.WaitMove":         "waits on a connection of its own",
}

// Every operation has a counterpart, or a reason to have none.
func TestEveryOperationGoesIntoABatch(t *testing.T) {
	dir := filepath.Join("..", "..")
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	fset := token.NewFileSet()
	operations, twins := make(map[string]bool), make(map[string]bool)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			d, ok := decl.(*ast.FuncDecl)
			if !ok || d.Recv == nil || !d.Name.IsExported() {
				continue
			}
			base, _, _ := strings.Cut(strings.TrimPrefix(source(fset, d.Recv.List[0].Type), "*"), "[")
			switch first := d.Type.Params.List; {
			case strings.HasSuffix(base, "Batch") && filepath.Base(name) == Output:
				twins[strings.TrimSuffix(base, "Batch")+"Ref."+d.Name.Name] = true
			case strings.HasSuffix(base, "Ref") && len(first) > 0 && source(fset, first[0].Type) == "context.Context":
				operations[base+"."+d.Name.Name] = true
			}
		}
	}
	require.Greater(t, len(operations), 100)
	for operation := range operations {
		name := operation
		if method, ok := strings.CutPrefix(operation, "Ref."); ok {
			name = "RefRef." + method
		}
		if alone[operation] == "" {
			assert.True(t, twins[name], "%s has no twin: let it do nothing but call, or say why it stands alone", operation)
		} else {
			assert.False(t, twins[name], "%s has a twin", operation)
		}
	}
	for operation := range alone {
		require.True(t, operations[operation], "%s is no operation", operation)
	}
}

// A method that does more than its call says so, and no other does.
func TestDirectives(t *testing.T) {
	generate := func(method string) (string, error) {
		dir := t.TempDir()
		source := "package nest\n\nimport \"context\"\n\ntype Ref struct{}\n\ntype KeyRef[T any] struct{ Ref }\n\n" + method
		require.NoError(t, os.WriteFile(filepath.Join(dir, "nest.go"), []byte(source), 0o600))
		text, err := Generate(dir)
		return string(text), err
	}
	const (
		late = "func (r KeyRef[T]) Set(ctx context.Context, v T) error {\n\t_, err := call(ctx, r.at, func() command[none] { return r.set(ctx, v) })\n\treturn err\n}\n"
		rest = "func (r KeyRef[T]) Move(ctx context.Context) (bool, error) {\n\tif r.secret() {\n\t\treturn r.moveSecret(ctx)\n\t}\n\treturn call(ctx, r.at, r.move)\n}\n"
		get  = "func (r KeyRef[T]) Get(ctx context.Context) (T, error) { return call(ctx, r.at, r.get) }\n"
	)
	for method, want := range map[string]string{
		"//nest:batch late\n" + late: "return addLate(q.b, r.at, func(ctx context.Context) command[none]",
		"//nest:batch rest\n" + rest: "return add(q.b, r.at, r.move)",
		get:                          "return add(q.b, r.at, r.get)",
	} {
		text, err := generate(method)
		require.NoError(t, err, method)
		require.Contains(t, text, want)
	}
	for _, method := range []string{late, rest, "//nest:batch rest\n" + late, "//nest:batch late\n" + get, "//nest:batch rest\n" + get} {
		_, err := generate(method)
		require.ErrorContains(t, err, "the directive //nest:batch", method)
	}
}

package operations

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// fixture writes a package in the style of nest, with one operation that has this body.
func fixture(t *testing.T, doc, body string) string {
	t.Helper()
	dir := t.TempDir()
	source := `package nest

import "context"

type Ref struct{}

func (r Ref) b() int { return 0 }

type KeyRef[T any] struct{ Ref }

//nest:ttl starts
func (r Ref) write(command string) int { return r.b() }

//nest:ttl renews
func (r Ref) read(command string) int { return r.b() }

func (r Ref) bare() int { return r.b() }

func through[T any](r KeyRef[T]) int { return r.write("SET") }

func usesOf(r Ref, mode int, others []Ref, other int) []Ref { return others }

func (r KeyRef[T]) merge(to []Ref) int { return len(usesOf(r.Ref, changes, to, creates)) + r.b() }

` + doc + `
func (r KeyRef[T]) Op(ctx context.Context, opts ...SetOption) (int, error) { ` + body + ` }
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nest.go"), []byte(source), 0o600))
	return dir
}

func TestReadFollowsAnOperationToItsDirective(t *testing.T) {
	for _, c := range []struct {
		doc, body string
		want      Operation
	}{
		{"// Op reads (GET).", `return r.read("GET"), nil`, Operation{Command: "GET", Effect: Renews}},
		{"// Op writes (SET NX,\n// Redis 7.4 or Valkey 9).", `return through(r), nil`, Operation{Command: "SET NX", Needs: "Redis 7.4 or Valkey 9", Effect: Starts}},
		{"// Op does both (GET) and (SET, Redis 6.2).", `f := func() int { return r.read("GET") }; return f() + r.write("SET"), nil`, Operation{Command: "GET; SET", Needs: "Redis 6.2", Effect: Starts}},
		{"// Op moves (LMOVE).", `return r.merge(nil), nil`, Operation{Command: "LMOVE", Effect: Changes, Target: Starts}},
		{"// Op reads. Commands: GET, then SET, Redis 6.2.\n//\n//nest:ttl ends", `return r.bare(), nil`, Operation{Command: "GET, then SET", Needs: "Redis 6.2", Effect: Ends}},
		{"// Op is free.\n//\n//nest:ttl free", `return r.bare(), nil`, Operation{Command: "any", Effect: Free}},
	} {
		ops, err := Read(fixture(t, c.doc, c.body))
		require.NoError(t, err, c.doc)
		c.want.Type, c.want.Name, c.want.Options = "KeyRef", "Op", true
		require.Equal(t, []Operation{c.want}, ops, c.doc)
	}
}

func TestReadRefusesWhatItCannotTell(t *testing.T) {
	for _, c := range []struct{ doc, body, want string }{
		{"// Op is not directed (GET).", `return r.bare(), nil`, "bare builds a command without a //nest:ttl directive"},
		{"// Op is directed in part (GET).", `return r.read("GET") + r.bare(), nil`, "bare builds a command without a //nest:ttl directive"},
		{"// Op does nothing (GET).", `return 0, nil`, "builds no command"},
		{"// Op names no command.", `return r.read("GET"), nil`, "names no Redis command"},
		{"", `return r.read("GET"), nil`, "no doc comment"},
		{"// Op errs (GET).\n//\n//nest:ttl sometimes", `return r.read("GET"), nil`, `names no effect: "sometimes"`},
	} {
		_, err := Read(fixture(t, c.doc, c.body))
		require.ErrorContains(t, err, c.want, c.doc)
	}
	_, err := Read(t.TempDir())
	require.Error(t, err)
}

func TestCommandsAreNamesOnly(t *testing.T) {
	for command, want := range map[string][]string{
		"SET NX":                                {"SET"},
		"ZRANGE 0 -1 WITHSCORES":                {"ZRANGE"},
		"RENAMENX or RENAME":                    {"RENAMENX", "RENAME"},
		"BITFIELD, or BITFIELD_RO where all":    {"BITFIELD", "BITFIELD_RO"},
		"XGROUP CREATE MKSTREAM":                {"XGROUP"},
		"HMGET and HDEL in one script":          {"HMGET", "HDEL"},
		"PEXPIRE NX, XX, GT or LT":              {"PEXPIRE"},
		"GET, then GET and SET KEEPTTL for one": {"GET", "SET"},
	} {
		require.Equal(t, want, Operation{Command: command}.Commands(), command)
	}
}

// A script's commands are those that are written out in its text; an operation has the scripts that
// it reaches.
func TestReadFollowsAnOperationToItsScripts(t *testing.T) {
	dir := fixture(t, "// Op writes (XGROUP CREATE, or XADD with AutoRenew).", `return r.ask() + r.write("XADD"), nil`)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "scripts.go"), []byte(`package nest

type script struct{ text string }

func newScript(text string) script { return script{text} }

const head = "local t = redis.call('TIME') "

var asking = newScript(head + `+"`return redis.pcall('XGROUP', 'CREATE', KEYS[1]) or redis.call('GET', KEYS[1]) or redis.call(ARGV[1])`"+`)

var other = newScript("redis.call('SET')")

func (r Ref) ask() int { _ = asking; return r.b2() }

//nest:ttl keeps
func (r Ref) b2() int { return r.b() }
`), 0o600))
	ops, err := Read(dir)
	require.NoError(t, err)
	require.Equal(t, []Script{{"asking", []string{"GET", "TIME", "XGROUP|CREATE"}}}, ops[0].Scripts)
	require.Equal(t, []string{"XGROUP|CREATE", "XADD"}, ops[0].Rights())
	require.True(t, ops[0].OnlyWithAutoRenew("XADD"))
	require.False(t, ops[0].OnlyWithAutoRenew("XGROUP"))

	code, err := Go(ops, "package acl\n\nvar table = map[nest.Kind][]operation{\n")
	require.NoError(t, err)
	require.Contains(t, string(code), `nest.KindValue: {
		{name: "Op", commands: "xgroup|create", renewing: "xadd", scripts: "asking", inside: "get time xgroup|create"},`)
}

func TestCommandsLeavesOutOptions(t *testing.T) {
	require.Equal(t, []string{"ZRANGE"}, Operation{Command: "ZRANGE 0 -1 WITHSCORES"}.Commands())
	require.Equal(t, []string{"SET"}, Operation{Command: "SET NX"}.Commands())
}

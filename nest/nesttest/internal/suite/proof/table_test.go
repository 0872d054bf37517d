package proof_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	source "github.com/redisimnest/redisimnest/nest/internal/operations"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// The table omits some commands: those that carry others or set the expiry beside them, those that
// begin and end a connection, those that a script reads with before it writes, and those that end
// the loads of a written key.
var machinery = []string{"unlink", "eval", "pttl", "pexpire", "exists", "get", "hget",
	"client", "hello", "ping", "discard", "unsubscribe", "punsubscribe", "sunsubscribe", "config", "info"}

// oldest are the oldest servers that the library supports. What they all have needs no version.
var oldest = map[string]string{"Redis": "7.0", "Valkey": "8.0"}

// The server that runs an operation counts the commands that the table lists for it, and no others.
// The server has not had these commands for a shorter time than the table says.
func TestTheTableNamesTheCommands(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	server.Need(t, nesttest.Configurable, nesttest.BitFields)
	s := server.Open(t, root, openOptions(t)...)
	db := database{t, server.Client(t)}
	hash := hashOf(t, s)
	versions := make(map[string]string)
	for _, cluster := range []*nest.ClusterDef{plain, renewed} {
		for _, sub := range subjects {
			p := proving{T: t, subject: sub, scope: cluster.At(s), db: db, caller: caller{hash}}
			for _, op := range operationsOf(t, sub.typ) {
				if op.Effect == source.Free {
					continue
				}
				label := cluster.Template() + "/" + sub.typ + "." + op.Name
				ref, other := p.at(p.scope, op.Name, 1), p.at(p.scope, "other."+op.Name, 1)
				if p.fill != nil {
					p.prepare(running, ref, other)
				}
				documented := op.Commands()
				expected := func(name string) bool { return slices.Contains(documented, strings.ToUpper(name)) }
				var ran []string
				var err error
				for try := 1; ; try++ {
					require.NoError(t, db.do("CONFIG", "RESETSTAT").Error())
					err = p.run(directly, op.Name, ref, other)
					ran = db.counted()
					// On a busy machine the context may end before such an operation has begun.
					if err != nil || !endless[op.Name] || try == 20 || slices.ContainsFunc(ran, expected) {
						break
					}
				}
				if err != nil {
					continue // TestEveryOperationKeepsTheDeclaredTTL checks the error
				}
				for _, name := range ran {
					if expected(name) {
						db.requireSince(label, op.Needs, name, versions)
						continue
					}
					called := op.Name == "Restore" && name == "dump" // run by the test
					assert.True(t, called || slices.Contains(machinery, name), "%s ran %s, and is said to be %q", label, name, op.Command)
				}
				assert.True(t, slices.ContainsFunc(ran, expected), "%s ran %v, and is said to be %q", label, ran, op.Command)
			}
		}
	}
}

// counted returns the names of the commands that the server has run since the counters were reset.
func (d database) counted() []string {
	d.t.Helper()
	stats, err := d.do("INFO", "commandstats").ToString()
	require.NoError(d.t, err)
	var names []string
	for line := range strings.Lines(stats) {
		if name, ok := strings.CutPrefix(line, "cmdstat_"); ok {
			name, _, _ = strings.Cut(name, ":")
			name, _, _ = strings.Cut(name, "|")
			if name == "evalsha" {
				name = "eval" // the table's name for a script, in whichever form it was sent
			}
			names = append(names, name)
		}
	}
	return names
}

// requireSince requires that the table has a version for every command that is newer than the
// oldest server, and never a version that is too old.
func (d database) requireSince(label, needs, command string, known map[string]string) {
	d.t.Helper()
	version, ok := known[command]
	if !ok {
		docs, err := d.client.Do(d.t.Context(), d.client.B().Arbitrary("COMMAND", "DOCS", command).Build()).AsMap()
		require.NoError(d.t, err)
		entry := docs[command]
		facts, err := entry.AsMap()
		require.NoError(d.t, err, command)
		about := facts["since"]
		version, err = about.ToString()
		require.NoError(d.t, err, command)
		known[command] = version
	}
	engine := d.engine()
	told := since(engine, needs)
	if told != "" || !atLeast(oldest[engine], version) {
		assert.True(d.t, atLeast(told, version), "%s runs %s, which is there since %s %s, and is said to need %q", label, command, engine, version, needs)
	}
}

// engine returns the server's make. Valkey has its own versions for what it has added.
func (d database) engine() string {
	d.t.Helper()
	info, err := d.do("INFO", "server").ToString()
	require.NoError(d.t, err)
	if strings.Contains(info, "valkey_version:") {
		return "Valkey"
	}
	return "Redis"
}

// since returns the version of the engine that "Redis 7.4 or Valkey 9" contains, or "" if there is
// none.
func since(engine, needs string) string {
	for part := range strings.SplitSeq(needs, " or ") {
		if version, ok := strings.CutPrefix(part, engine+" "); ok {
			return version
		}
	}
	return ""
}

// atLeast compares versions by their first two numbers.
func atLeast(version, least string) bool {
	var a, b [2]int
	_, _ = fmt.Sscanf(version, "%d.%d", &a[0], &a[1])
	_, _ = fmt.Sscanf(least, "%d.%d", &b[0], &b[1])
	return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) >= 0
}

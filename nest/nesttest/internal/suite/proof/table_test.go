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

// The table does not speak of commands that carry others or set the expiry beside them, of those
// that a connection begins and ends with, of what a script looks at before it writes, and of what
// ends the loads of a key that is written.
var machinery = []string{"unlink", "eval", "pttl", "pexpire", "exists", "get", "hget",
	"client", "hello", "ping", "discard", "unsubscribe", "punsubscribe", "sunsubscribe", "config", "info"}

// oldest is the oldest server that the library supports. Of what that has no version need be told.
const oldest = "7.0"

// The server that runs an operation counts the commands that the table says of it, and no others;
// and it has not known them for a shorter time than the table says.
func TestTheTableNamesTheCommands(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	server.Need(t, nesttest.Configurable, nesttest.BitFields)
	s := server.Open(t, root, openOptions(t)...)
	db := database{t, server.Client(t)}
	hash := hashOf(t, s)
	since := make(map[string]string)
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
					continue // as TestEveryOperationKeepsTheDeclaredTTL judges
				}
				for _, name := range ran {
					if expected(name) {
						db.requireSince(label, op.Needs, name, since)
						continue
					}
					called := op.Name == "Restore" && name == "dump" // by the test
					assert.True(t, called || slices.Contains(machinery, name), "%s ran %s, and is said to be %q", label, name, op.Command)
				}
				assert.True(t, slices.ContainsFunc(ran, expected), "%s ran %v, and is said to be %q", label, ran, op.Command)
			}
		}
	}
}

// counted gives the names of the commands that the server has run since it was told to forget.
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
				name = "eval" // the table calls a script so, in whichever form it was sent
			}
			names = append(names, name)
		}
	}
	return names
}

// requireSince requires that a version is told of every command that is younger than the oldest
// server, and that no version is told that is too old.
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
	told := strings.TrimPrefix(strings.Split(needs, " or ")[0], "Redis ")
	if told != "" || !atLeast(oldest, version) {
		assert.True(d.t, atLeast(told, version), "%s runs %s, which is there since %s, and is said to need %q", label, command, version, needs)
	}
}

// atLeast compares versions by their first two numbers.
func atLeast(version, least string) bool {
	var a, b [2]int
	_, _ = fmt.Sscanf(version, "%d.%d", &a[0], &a[1])
	_, _ = fmt.Sscanf(least, "%d.%d", &b[0], &b[1])
	return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) >= 0
}

package nest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/internal/operations"
)

// optional lists the operations whose version is that of an option of a command, or of what a
// script does, and not that of the command itself.
var optional = map[string]string{
	"Ref.ExpireIf":             "NX, XX, GT and LT",
	"CounterRef.Swap":          "SET with GET",
	"KeyRef.Swap":              "SET with GET",
	"SecretRef.Swap":           "SET with GET",
	"ListRef.PopLeftN":         "a count",
	"ListRef.PopRightN":        "a count",
	"SortedSetRef.Range":       "ZRANGE with BYSCORE, BYLEX and REV",
	"StreamRef.Consume":        "XPENDING with IDLE",
	"StreamRef.CreateConsumer": "XGROUP CREATECONSUMER",
}

// TestNeedsAgreesWithTheDocs: the versions in an error are those in the doc comments.
func TestNeedsAgreesWithTheDocs(t *testing.T) {
	ops, err := operations.Read(".")
	require.NoError(t, err)
	documented := map[string]bool{}
	used := map[string]bool{}
	for _, o := range ops {
		name := o.Type + "." + o.Name
		if strings.HasSuffix(o.Name, "GetOrLoad") || o.Name == "Subscribe" {
			continue // a script, and a command of a Redis Cluster
		}
		version := strings.ToLower(strings.ReplaceAll(o.Needs, " or ", ", "))
		if version != "" && !strings.Contains(version, "valkey") {
			version += ", valkey 7.2" // the first Valkey
		}
		if _, ok := optional[name]; ok {
			require.NotEmpty(t, version, name)
			used[name] = true
			continue
		}
		stated := false
		for _, command := range o.Commands() {
			switch {
			case needs[command] == "":
			case strings.Contains(o.Command, command+" with AutoRenew") || strings.Contains(o.Command, "or "+command):
				// The docs of AutoRenew and of channels say what it needs.
			default:
				assert.Equal(t, needs[command], version, "%s of %s", command, name)
				stated, documented[command] = true, true
			}
		}
		assert.Equal(t, version != "", stated, "%s needs %q, and no command of it is in the table", name, o.Needs)
	}
	assert.Len(t, used, len(optional), "an exception that no operation needs")
	for command := range needs {
		if command == "SPUBLISH" || command == "SSUBSCRIBE" {
			continue
		}
		assert.True(t, documented[command], "%s is in the table, and no operation says that it needs it", command)
	}
}

package nest

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares text with a file in testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), text)
}

func TestDescriptions(t *testing.T) {
	id := Param[int64]("user_id", Doc("the user's number"))
	token := Param[string]("token", Sensitive())
	shop := Cluster("shop", TTL(90), Doc("everything | of the shop"), Sub(
		Cluster("user:<user_id>", Params(id), HashTag(), Doc("a <customer>"), Sub(
			Key[int]("age", Default(0)),
			Key[string]("session:<token>", Params(token), TTL(24*time.Hour), AutoRenew(), Doc("a login\nof `one` browser")),
			Key[[]string]("file:<path...>", NoTTL(), Protected()),
			Key[int]("price", ReadThrough(RefreshBefore(30*time.Second), StaleFor(time.Hour), NegativeTTL(1500*time.Millisecond), LoadLease(time.Minute))),
			Hash[int]("stock", ReadThrough()),
		)),
		Cluster("", Doc("loose ends"), Sub(Key[bool]("on"))),
	))
	s := open(t, shop)
	d := s.Describe()
	golden(t, "describe.txt", d.String())
	golden(t, "describe.md", d.Markdown())
	golden(t, "describe.mmd", d.Mermaid())
	text, err := json.MarshalIndent(d, "", "\t")
	require.NoError(t, err)
	golden(t, "describe.json", string(text)+"\n")

	user := d.Nodes[0]
	require.Equal(t, []string{"user_id"}, user.Missing)
	require.Equal(t, []string{"user_id", "token"}, user.Nodes[1].Missing)

	here := shop.config.subs[0].(*ClusterDef).At(s, 42).Describe()
	require.Equal(t, "shop:{user:42}", here.Name)
	require.Empty(t, here.Missing)
	require.Equal(t, "shop:{user:42}:session:<token>", here.Nodes[1].Name)
	require.Equal(t, []string{"token"}, here.Nodes[1].Missing)

	require.Equal(t, Description{}, Scope{}.Describe())
	require.Empty(t, Description{}.String())
	require.Equal(t, "tenant:<tenant>", open(t, Cluster("tenant:<tenant>")).Describe().Name)
}

func TestADescriptionKeepsSensitiveParametersToItself(t *testing.T) {
	c := Cluster("token:<secret>", Params(secret), Sub(Key[int]("k")))
	s := open(t, Cluster("root", Sub(c)))
	require.NotContains(t, c.At(s, "hunter2").Describe().String(), "hunter2")
}

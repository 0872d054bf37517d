package nesttest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest"
)

type goldenUser struct {
	Name string `json:"name"`
	Age  int    `json:"age"`
}

// goldenRoot is a keyspace with one of each of what a lock file holds.
func goldenRoot() *nest.ClusterDef {
	id := nest.Param[int64]("id")
	return nest.Cluster("shop", nest.TTL(time.Hour), nest.Sub(
		nest.Cluster("user:{<id>}", nest.Params(id), nest.Was("u:{<id>}"), nest.Sub(
			nest.Key[goldenUser]("profile", nest.Codec(codec.Versioned(codec.Fingerprinted(codec.JSON), codec.Unversioned(codec.Auto)))),
			nest.Secret[string]("token"),
			nest.Record[goldenUser]("account"),
		)),
		nest.Counter[int64]("visits:<day>", nest.Params(nest.Param[time.Time]("day", nest.Layout(time.DateOnly))), nest.NoTTL()),
		nest.Stream[string]("events", nest.AutoRenew()),
		nest.Key[string]("file:<path...>"),
		nest.Channel[string]("news"),
	))
}

func TestGolden(t *testing.T) {
	Golden(t, goldenRoot(), "testdata/keyspace.json")
}

func TestGoldenWritesOnlyWhatIsCompatible(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "some", "keyspace.json")
	root := func(keys ...nest.Node) *nest.ClusterDef { return nest.Cluster("r", nest.Sub(keys...)) }
	one := root(nest.Key[int]("a"))
	require.ErrorContains(t, golden(one, path, false, nil), "there is no such file: run the test with -update")
	require.NoError(t, golden(one, path, true, nil))
	require.NoError(t, golden(one, path, false, nil))

	two := root(nest.Key[int]("a"), nest.Key[int]("b"))
	require.ErrorContains(t, golden(two, path, false, nil), "read as before:\n  r:b (")
	require.NoError(t, golden(two, path, true, nil))
	require.NoError(t, golden(two, path, false, nil))

	written, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, update := range []bool{false, true} {
		require.ErrorContains(t, golden(one, path, update, nil), "orphan or misread what is stored:\n  r:b\n")
		require.ErrorContains(t, golden(two, path, update, []nest.OpenOption{nest.WithPrefix("test")}), "r:a")
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(written), string(after))
	}
	require.ErrorContains(t, golden(root(nest.Key[string]("a"), nest.Key[int]("b")), path, true, []nest.OpenOption{nest.WithCodec(codec.JSON)}), "was int and is string")

	require.NoError(t, os.WriteFile(path, append([]byte("\n"), written...), 0o600))
	require.ErrorContains(t, golden(two, path, false, nil), "not formatted as -update writes it")
	require.NoError(t, golden(two, path, true, nil))
	require.NoError(t, golden(two, path, false, nil))
	require.NoError(t, os.WriteFile(path, []byte("<<<<<<< HEAD\n"), 0o600))
	require.ErrorContains(t, golden(two, path, true, nil), "line 1: a merge conflict")
	require.ErrorIs(t, golden(root(nest.Key[int]("a:<x>"), nest.Key[int]("a:<y>")), path, true, nil), nest.ErrCollision)
}

package suite_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// Scripts that a caller sends with Do stay the caller's, also by hash, alone and in batches.
func TestScriptsOfTheCaller(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := open(t)
	loaded, err := db.client.Do(ctx, db.client.B().ScriptLoad().Script("return redis.call('SET', KEYS[1], ARGV[1])").Build()).ToString()
	require.NoError(t, err)
	if nesttest.Shared(t).Kind() == nesttest.KindCluster {
		t.Log("each node has its own scripts: the loaded script is not tested")
		loaded = ""
	}
	ref := name.At(s, 1)
	for way, send := range map[string]func(words string, args ...string) error{
		"alone": func(words string, args ...string) error {
			_, err := ref.Do(ctx, words, args...)
			return err
		},
		"batch": func(words string, args ...string) error {
			b := s.Batch()
			done := ref.In(b).Do(words, args...)
			require.Equal(t, b.Exec(ctx) == nil, done.Err() == nil)
			return done.Err()
		},
		"atomic": func(words string, args ...string) error {
			b := s.Atomic()
			done := ref.In(b).Do(words, args...)
			require.Equal(t, b.Exec(ctx) == nil, done.Err() == nil)
			return done.Err()
		},
	} {
		require.Error(t, send("EVALSHA ffffffffffffffffffffffffffffffffffffffff 1"), way)
		require.Error(t, send("EVALSHA"), way)
		require.Error(t, send("EVALSHA ffffffffffffffffffffffffffffffffffffffff 5"), way)
		if loaded != "" {
			require.NoError(t, send("EVALSHA "+loaded+" 1", way), way)
			require.Equal(t, way, db.text(ref.Key()))
		}
	}
}

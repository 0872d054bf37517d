package suite_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// No server of the suite has a type of its own, so a list stands for one.
var (
	customPlain   = nest.Custom("plain:<n>", "list")
	customTimed   = nest.Custom("timed:<n>", "list", nest.TTL(time.Minute))
	customRenewed = nest.Custom("renewed:<n>", "list", nest.TTL(time.Minute), nest.AutoRenew())
	customRoot    = nest.Cluster("custom", nest.HashTag(), nest.Sub(customPlain, customTimed, customRenewed))
)

func TestKeysOfCustomTypes(t *testing.T) {
	t.Parallel()
	needsAnyCommand(t)
	ctx := t.Context()
	s := nesttest.Open(t, customRoot)
	for what, c := range map[string]struct {
		def     *nest.CustomDef
		forever bool
	}{"plain": {customPlain, true}, "timed": {customTimed, false}, "renewed": {customRenewed, false}} {
		ref := c.def.At(s, 1)
		answer, err := ref.Write(ctx, "RPUSH", "a", "b")
		require.NoError(t, err, what)
		n, err := answer.AsInt64()
		require.NoError(t, err, what)
		require.Equal(t, int64(2), n, what)
		left, err := ref.TTL(ctx)
		require.NoError(t, err, what)
		require.Equal(t, c.forever, left == nest.Forever, what)

		require.NoError(t, second(ref.Expire(ctx, time.Second)))
		answer, err = ref.Do(ctx, "LRANGE", "0", "-1")
		require.NoError(t, err, what)
		all, err := answer.AsStrSlice()
		require.NoError(t, err, what)
		require.Equal(t, []string{"a", "b"}, all)
		left, err = ref.TTL(ctx)
		require.NoError(t, err, what)
		require.Equal(t, what == "renewed", left > time.Second, what)

		b := s.Atomic()
		pushed, read := ref.In(b).Write("RPUSH", "c"), ref.In(b).Do("LLEN")
		require.NoError(t, b.Exec(ctx), what)
		answer, err = pushed.Value()
		require.NoError(t, err, what)
		n, err = answer.AsInt64()
		require.NoError(t, err, what)
		require.Equal(t, int64(3), n, what)
		require.NoError(t, read.Err())

		m, err := s.Match(ref.Key())
		require.NoError(t, err)
		require.Equal(t, c.def, m.Def())
		_, err = ref.Write(ctx, "SADD", "x")
		require.ErrorIs(t, err, nest.ErrWrongType, what)
		_, err = ref.Do(ctx, "")
		require.ErrorIs(t, err, nest.ErrArgument, what)
		_, err = ref.Write(ctx, "SUBSCRIBE")
		require.ErrorIs(t, err, nest.ErrArgument, what)
		answer, err = ref.Do(ctx, "LINDEX", "77")
		require.NoError(t, err, what)
		require.True(t, answer.IsNil(), what)
		moved, err := ref.Rename(ctx, c.def.At(s, 2))
		require.NoError(t, err)
		require.True(t, moved)
	}
	require.Contains(t, s.Describe().String(), "custom list")
	require.Equal(t, "list", customPlain.RedisType())
	n, err := s.Clear(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(3), n)
	for _, declare := range []func(){
		func() { nest.Custom("k", "") }, func() { nest.Custom("k", "a b") }, func() { nest.Custom("k", "x", nest.Default(1)) },
		func() { nest.Custom("k", "x", nest.ReadThrough()) },
	} {
		require.Panics(t, declare)
	}
}

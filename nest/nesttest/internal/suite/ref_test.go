package suite_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

func TestExistsAndDelete(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := open(t)
	ref := name.At(s, 1)

	for _, want := range []bool{false, true} {
		if want {
			db.set(ref.Key(), "x")
		}
		there, err := ref.Exists(ctx)
		require.NoError(t, err)
		require.Equal(t, want, there)
		was, err := ref.Delete(ctx)
		require.NoError(t, err)
		require.Equal(t, want, was)
		require.False(t, db.exists(ref.Key()))
	}
}

func TestTypeAndMemoryUsage(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := open(t)
	ref := name.At(s, 1)
	_, err := ref.Type(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	_, err = ref.MemoryUsage(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)

	db.set(ref.Key(), "x")
	kind, err := ref.Type(ctx)
	require.NoError(t, err)
	require.Equal(t, "string", kind)
	used, err := ref.MemoryUsage(ctx)
	require.NoError(t, err)
	require.Positive(t, used)

	require.NoError(t, db.do("DEL", ref.Key()).Error())
	require.NoError(t, db.do("RPUSH", ref.Key(), "x").Error())
	kind, err = ref.Type(ctx)
	require.NoError(t, err)
	require.Equal(t, "list", kind)
}

func TestDumpAndRestore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := open(t)
	from, to := name.At(s, 1), name.At(s, 2)
	_, err := from.Dump(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)

	require.NoError(t, from.Set(ctx, "a value", nest.ExpireIn(time.Hour)))
	dump, err := from.Dump(ctx)
	require.NoError(t, err)
	require.NoError(t, to.Restore(ctx, dump))
	require.Equal(t, "a value", db.text(to.Key()))
	about(t, declaredTTL, db.ttl(to.Key()))

	require.ErrorIs(t, to.Restore(ctx, dump), nest.ErrExists)
	require.NoError(t, to.Set(ctx, "other"))
	require.NoError(t, to.Restore(ctx, dump, nest.Replace()))
	require.Equal(t, "a value", db.text(to.Key()))
	about(t, declaredTTL, db.ttl(to.Key()))
}

func TestRestoreOfWhatIsNoDump(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Snapshots)
	s, db := open(t)
	ref := name.At(s, 1)
	err := ref.Restore(t.Context(), []byte("8675309"))
	require.Error(t, err)
	shaped(t, err)
	require.False(t, db.exists(ref.Key()))
}

// Rename and Copy, between a key without a declared TTL and one that must always have one.
func TestRenameAndCopy(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	type transfer = func(from, to nest.KeyRef[string], opts ...nest.WriteOption) (bool, error)
	for op, c := range map[string]struct {
		do    transfer
		moves bool
	}{
		"Rename": {func(from, to nest.KeyRef[string], opts ...nest.WriteOption) (bool, error) {
			return from.Rename(ctx, to, opts...)
		}, true},
		"Copy": {func(from, to nest.KeyRef[string], opts ...nest.WriteOption) (bool, error) {
			return from.Copy(ctx, to, opts...)
		}, false},
	} {
		t.Run(op, func(t *testing.T) {
			s, db := open(t)
			from, to := draft.At(s, "a"), final.At(s, "a")

			_, err := c.do(from, to)
			require.ErrorIs(t, err, nest.ErrNotFound)
			require.False(t, db.exists(to.Key()))

			require.NoError(t, from.Set(ctx, "text"))
			done, err := c.do(from, to)
			require.NoError(t, err)
			require.True(t, done)
			require.Equal(t, "text", db.text(to.Key()))
			require.Equal(t, !c.moves, db.exists(from.Key()))
			about(t, declaredTTL, db.ttl(to.Key()))

			// An existing target stays, unless it is to be replaced.
			require.NoError(t, from.Set(ctx, "newer", nest.ExpireIn(time.Hour)))
			done, err = c.do(from, to)
			require.NoError(t, err)
			require.False(t, done)
			require.Equal(t, "text", db.text(to.Key()))
			require.True(t, db.exists(from.Key()))

			done, err = c.do(from, to, nest.Replace())
			require.NoError(t, err)
			require.True(t, done)
			require.Equal(t, "newer", db.text(to.Key()))
			about(t, time.Hour, db.ttl(to.Key()))

			_, err = c.do(to, to, nest.Replace())
			require.ErrorIs(t, err, nest.ErrArgument)
			require.Equal(t, "newer", db.text(to.Key()))

			_, err = c.do(to, name.At(s))
			require.ErrorIs(t, err, nest.ErrMissingParam, "the target's own error")
			require.Equal(t, "newer", db.text(to.Key()))
		})
	}
}

func TestDo(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := open(t)
	ref := name.At(s, 1)

	answer, err := ref.Do(ctx, "APPEND", "more")
	require.NoError(t, err)
	n, err := answer.AsInt64()
	require.NoError(t, err)
	require.Equal(t, int64(4), n)
	require.Equal(t, "more", db.text(ref.Key()))

	answer, err = name.At(s, 2).Do(ctx, "GET")
	require.NoError(t, err, "an answer of nothing is no error")
	require.True(t, answer.IsNil())

	_, err = ref.Do(ctx, " ")
	require.ErrorIs(t, err, nest.ErrArgument)
}

func TestDoWithTwoWords(t *testing.T) {
	t.Parallel()
	needsAnyCommand(t)
	nesttest.Need(t, nesttest.ObjectEncoding)
	s, db := open(t)
	ref := age.At(s, 1)
	db.set(ref.Key(), "12")
	answer, err := ref.Do(t.Context(), "OBJECT ENCODING")
	require.NoError(t, err)
	encoding, err := answer.ToString()
	require.NoError(t, err)
	require.Equal(t, "int", encoding)
}

// Commands that change the connection that all operations share are not sent.
func TestDoLeavesTheConnectionAlone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, _ := open(t)
	ref := name.At(s, 1)
	for _, words := range []string{"WATCH", "watch", "MULTI", "SELECT", "HELLO 2 SETNAME", "AUTH", "RESET", "SSUBSCRIBE"} {
		_, err := ref.Do(ctx, words)
		require.ErrorIs(t, err, nest.ErrArgument, words)
	}
	// An argument that is not a number is not an error about a value that could not be decoded.
	_, err := ref.Do(ctx, "EVAL", "return 1", "1")
	require.Error(t, err)
	require.NotErrorIs(t, err, nest.ErrDecode)
}

// Sensitive parameters are masked in what the server says about a key, too.
func TestServersWordsAreMasked(t *testing.T) {
	t.Parallel()
	token := nest.Param[string]("token", nest.Sensitive())
	visits := nest.Key[string]("visit:<token>", nest.Params(token))
	var log logged
	s := nesttest.Open(t, nest.Cluster("visits", nest.Sub(visits)),
		nest.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	_, err := visits.At(s, "sesame").Do(t.Context(), "EVAL return(redis.error_reply('ERR_boo_'..KEYS[1])) 1")
	require.ErrorContains(t, err, "visit:<token>")
	for _, shown := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, errors.Unwrap(err)), log.String()} {
		require.NotContains(t, shown, "sesame")
	}
	answer, ok := errors.AsType[*rueidis.RedisError](err)
	require.True(t, ok)
	require.NotNil(t, answer)
}

func TestFuturesShowNoResults(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	b := s.Batch()
	set := name.At(s, 1).In(b).Set("sesame")
	get, lookup := name.At(s, 1).In(b).Get(), name.At(s, 1).In(b).Lookup()
	require.Equal(t, "future of get, not run", get.String())
	require.NoError(t, b.Exec(t.Context()))
	for _, f := range []any{set, get, lookup} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
			shown := fmt.Sprintf(verb, f)
			require.NotContains(t, shown, "sesame")
			require.Contains(t, shown, "done")
		}
	}
}

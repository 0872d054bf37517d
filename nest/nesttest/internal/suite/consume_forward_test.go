package suite_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// A dead letter that cannot be decoded is stored as it is.
func TestForward(t *testing.T) {
	t.Parallel()
	jobs := nest.Stream[int]("jobs")
	dead := nest.Stream[int]("dead", nest.TTL(time.Hour), nest.KeepLast(100))
	root, db := nesttest.Open(t, nest.Cluster("forwarding", nest.Sub(jobs, dead))), redis{t, nesttest.Client(t)}
	ref, letters := jobs.At(root), dead.At(root)
	fillStream(t, ref, 1)
	require.NoError(t, db.do("XADD", ref.Key(), "2-0", "z", "1", "value", "no number", "a", "\x00\xff", "z", "2").Error())
	stop := consuming(t, ref, "a", func(context.Context, nest.Delivery[int]) error { return errors.New("never") },
		nest.ClaimAfter(soon), nest.DeadLetter(1, nest.Forward(letters)))
	eventually(t, func() bool {
		n, err := letters.Len(t.Context())
		require.NoError(t, err)
		return n == 2 && pendingIn(t, ref) == 0
	})
	require.NoError(t, stop())
	list, err := db.do("XRANGE", letters.Key(), "-", "+").ToArray()
	require.NoError(t, err)
	var all [][]string
	for _, entry := range list {
		parts, err := entry.ToArray()
		require.NoError(t, err)
		fields, err := parts[1].AsStrSlice()
		require.NoError(t, err)
		all = append(all, fields)
	}
	require.ElementsMatch(t, [][]string{{"value", "1"}, {"z", "1", "value", "no number", "a", "\x00\xff", "z", "2"}}, all)
	left, err := letters.TTL(t.Context())
	require.NoError(t, err)
	require.Positive(t, left)
	require.LessOrEqual(t, left, time.Hour)

	// It is a function like any other.
	ctx := t.Context()
	require.NoError(t, nest.Forward(letters)(ctx, nest.Delivery[int]{Err: nest.ErrDecode, Fields: map[string]string{"value": "x"}}))
	require.ErrorIs(t, nest.Forward(letters)(ctx, nest.Delivery[int]{Err: nest.ErrDecode}), nest.ErrArgument)
	require.Error(t, nest.Forward(nest.StreamRef[int]{})(ctx, nest.Delivery[int]{}))
	require.Error(t, nest.Forward(nest.StreamRef[int]{})(ctx, nest.Delivery[int]{Err: nest.ErrDecode, Fields: map[string]string{"value": "x"}}))
}

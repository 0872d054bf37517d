package suite_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// The templates of these names contain a hash tag. An operation can take all names that share it.
var (
	bracedCart  = nest.Key[string]("cart:{<id>}", nest.TTL(60), nest.ReadThrough())
	bracedTotal = nest.Counter[int64]("total:{<id>}", nest.TTL(60))
	bracedLock  = nest.Lock("{<id>}:lock", nest.TTL(60))
	bracedItem  = nest.List[int]("item:<n>", nest.TTL(60))
	bracedUser  = nest.Cluster("{user:<id>}", nest.Sub(bracedItem))
	bracedRoot  = nest.Cluster("braced", nest.Sub(bracedCart, bracedTotal, bracedLock, bracedUser))
)

func TestBracesOfATemplateAreTheHashTag(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	top := nesttest.Open(t, bracedRoot)
	require.Contains(t, bracedCart.At(top, "a:{b}").Key(), ":cart:{a%3A%7Bb%7D}")

	b := top.Atomic()
	bracedCart.At(top, 42).In(b).Set("apples")
	bracedTotal.At(top, 42).In(b).Add(7)
	require.NoError(t, b.Exec(ctx))
	b = top.Atomic()
	bracedCart.At(top, 42).In(b).Set("apples")
	bracedTotal.At(top, 43).In(b).Add(7)
	require.ErrorIs(t, b.Exec(ctx), nest.ErrCrossSlot)
	_, _, err := bracedItem.At(top, 1, 1).Move(ctx, nest.Left, bracedItem.At(top, 1, 2), nest.Right)
	require.NoError(t, err)

	lease, err := bracedLock.At(top, 42).Acquire(ctx, nest.NoExtend())
	require.NoError(t, err)
	require.NoError(t, second(bracedTotal.At(top, 42).Delete(ctx)))
	got, err := bracedCart.At(top, 44).GetOrLoad(ctx, func(context.Context) (string, error) { return "pears", nil })
	require.NoError(t, err)
	require.Equal(t, "pears", got)
	require.NoError(t, second(bracedItem.At(top, 42, 1).PushRight(ctx, 1)))
	left, err := bracedItem.At(top, 42, 1).TTL(ctx)
	require.NoError(t, err)
	require.Positive(t, left)

	keys, err := top.Subkeys(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{
		bracedCart.At(top, 42).Key(), bracedCart.At(top, 44).Key(), bracedLock.At(top, 42).Key(), bracedItem.At(top, 42, 1).Key(),
	}, keys)
	for _, key := range keys {
		m, err := top.Match(key)
		require.NoError(t, err)
		require.Equal(t, key, m.Key())
	}
	n, err := bracedUser.At(top, 42).Clear(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	n, err = top.Clear(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(3), n)
	require.ErrorIs(t, lease.Extend(ctx), nest.ErrLockLost)
}

package suite_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

// Shelves are in different slots of a Redis Cluster, because there is no HashTag.
var (
	shelfValue  = nest.Key[int]("value")
	shelfCount  = nest.Counter[int]("count")
	shelfSecret = nest.Secret[string]("secret")
	shelfHash   = nest.Hash[string]("hash", nest.SecretFields())
	shelfList   = nest.List[int]("list")
	shelfTimed  = nest.List[int]("timed", nest.TTL(60))
	shelfSet    = nest.Set[int]("set")
	shelfScores = nest.SortedSet[int]("scores")
	shelfPlaces = nest.Geo[int]("places")
	shelfUnique = nest.HyperLogLog[int]("unique")
	shelfBits   = nest.Bitmap("bits")
	shelfLock   = nest.Lock("lock", nest.TTL(60))
	shelf       = nest.Cluster("shelf:<n>", nest.Sub(shelfValue, shelfCount, shelfSecret, shelfHash, shelfList, shelfTimed, shelfSet,
		shelfScores, shelfPlaces, shelfUnique, shelfBits, shelfLock))
	library = nest.Cluster("library", nest.Sub(shelf))
)

// acrossShelves are all operations that take several keys in one step, on keys of two shelves.
var acrossShelves = map[string]func(ctx context.Context, root, from, to nest.Scope) error{
	"rename": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfValue.At(from).Rename(ctx, shelfValue.At(to)))
	},
	"copy": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfCount.At(from).Copy(ctx, shelfCount.At(to)))
	},
	"rename a secret": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfSecret.At(from).Rename(ctx, shelfSecret.At(to)))
	},
	"copy secret fields": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfHash.At(from).Copy(ctx, shelfHash.At(to)))
	},
	"move an element": func(ctx context.Context, _, from, to nest.Scope) error {
		_, _, err := shelfList.At(from).Move(ctx, nest.Left, shelfList.At(to), nest.Right)
		return err
	},
	"wait and move": func(ctx context.Context, _, from, to nest.Scope) error {
		_, _, err := shelfList.At(from).WaitMove(ctx, nest.Left, shelfList.At(to), nest.Right, time.Second)
		return err
	},
	"wait and move with a TTL": func(ctx context.Context, _, from, to nest.Scope) error {
		_, _, err := shelfTimed.At(from).WaitMove(ctx, nest.Left, shelfTimed.At(to), nest.Right, time.Second)
		return err
	},
	"move a member": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfSet.At(from).Move(ctx, 1, shelfSet.At(to)))
	},
	"union of sets": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfSet.At(to).Union(ctx, shelfSet.At(from)))
	},
	"intersection of sets": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfSet.At(to).Inter(ctx, shelfSet.At(from)))
	},
	"length of an intersection of sets": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfSet.At(to).InterLen(ctx, 0, shelfSet.At(from)))
	},
	"difference of sets": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfSet.At(to).Diff(ctx, shelfSet.At(from)))
	},
	"store a union of sets": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfSet.At(to).StoreUnion(ctx, shelfSet.At(from)))
	},
	"union of sorted sets": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfScores.At(to).Union(ctx, []nest.SortedSetRef[int]{shelfScores.At(from)}))
	},
	"length of an intersection of sorted sets": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfScores.At(to).InterLen(ctx, 0, shelfScores.At(from)))
	},
	"store an intersection of sorted sets": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfScores.At(to).StoreInter(ctx, []nest.SortedSetRef[int]{shelfScores.At(from)}))
	},
	"store a range": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfScores.At(to).StoreRange(ctx, shelfScores.At(from), nest.ByRank(0, -1)))
	},
	"store a search": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfPlaces.At(to).StoreSearch(ctx, shelfPlaces.At(from), nest.Point{}, nest.Circle(1, nest.Kilometers)))
	},
	"count a union": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfUnique.At(to).CountUnion(ctx, shelfUnique.At(from)))
	},
	"merge": func(ctx context.Context, _, from, to nest.Scope) error {
		return shelfUnique.At(to).Merge(ctx, shelfUnique.At(from))
	},
	"store a conjunction": func(ctx context.Context, _, from, to nest.Scope) error {
		return second(shelfBits.At(to).StoreAnd(ctx, shelfBits.At(from)))
	},
	"in a batch": func(ctx context.Context, root, from, to nest.Scope) error {
		b := root.Batch()
		moved := shelfSet.At(from).In(b).Move(1, shelfSet.At(to))
		err := b.Exec(ctx)
		if moved.Err() == nil {
			return err
		}
		return moved.Err()
	},
	"an atomic batch": func(ctx context.Context, root, from, to nest.Scope) error {
		b := root.Atomic()
		shelfCount.At(from).In(b).Incr()
		shelfCount.At(to).In(b).Incr()
		return b.Exec(ctx)
	},
	"a transaction": func(ctx context.Context, root, from, to nest.Scope) error {
		return nest.Transact(ctx, root, func(tx *nest.Tx) error {
			n := shelfCount.At(from).In(tx.Reads()).Get()
			if err := tx.Reads().Exec(ctx); err != nil {
				return err
			}
			was, err := n.Value()
			shelfCount.At(to).In(tx.Writes()).Set(was)
			return err
		})
	},
	"references of a transaction": func(ctx context.Context, root, from, to nest.Scope) error {
		return nest.Transact(ctx, root, func(tx *nest.Tx) error {
			shelfCount.At(from).In(tx.Writes()).Incr()
			return nil
		}, shelfCount.At(from), shelfValue.At(to))
	},
	"a guard": func(ctx context.Context, root, from, to nest.Scope) error {
		lease, ok, err := shelfLock.At(from).TryAcquire(ctx)
		if !ok || err != nil {
			return err
		}
		b := lease.Guard(root.Atomic())
		shelfCount.At(to).In(b).Incr()
		err = b.Exec(ctx)
		if released := lease.Release(ctx); err == nil {
			err = released
		}
		return err
	},
}

func second[T any](_ T, err error) error { return err }

// stock stores a value in every key of a shelf.
func stock(t *testing.T, s nest.Scope) {
	t.Helper()
	ctx := t.Context()
	require.NoError(t, shelfValue.At(s).Set(ctx, 1))
	require.NoError(t, shelfCount.At(s).Set(ctx, 1))
	require.NoError(t, shelfSecret.At(s).Set(ctx, "s"))
	require.NoError(t, shelfHash.At(s).Set(ctx, "f", "v"))
	require.NoError(t, second(shelfList.At(s).PushRight(ctx, 1, 2)))
	require.NoError(t, second(shelfTimed.At(s).PushRight(ctx, 1, 2)))
	require.NoError(t, second(shelfSet.At(s).Add(ctx, 1)))
	require.NoError(t, second(shelfScores.At(s).Add(ctx, 1, 1)))
	require.NoError(t, second(shelfPlaces.At(s).Add(ctx, 1, nest.Point{})))
	require.NoError(t, second(shelfUnique.At(s).Add(ctx, 1)))
	require.NoError(t, shelfBits.At(s).Set(ctx, []byte{1}))
}

// Operations on keys of two slots succeeded on a single server and failed on a Redis Cluster. Only
// transactions were refused on both.
func TestSeveralSlotsAreRefusedEverywhere(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := nesttest.Open(t, library, nest.WithKeyring(newRing(t, secure.GenerateKey())))
	from, to := shelf.At(root, 1), shelf.At(root, 2)
	stock(t, from)
	there, err := from.Subkeys(ctx)
	require.NoError(t, err)
	for name, do := range acrossShelves {
		err := do(ctx, root, from, to)
		require.ErrorIs(t, err, nest.ErrCrossSlot, name)
		require.ErrorContains(t, err, "HashTag", name)
	}
	after, err := from.Subkeys(ctx)
	require.NoError(t, err)
	require.ElementsMatch(t, there, after)
	after, err = to.Subkeys(ctx)
	require.NoError(t, err)
	require.Empty(t, after, "nothing was sent")
}

func TestSingleServer(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	client := nesttest.Client(t)
	if client.Mode() == rueidis.ClientModeCluster {
		_, err := nest.Open(client, library, nest.SingleServer(), nest.WithKeyring(newRing(t, secure.GenerateKey())))
		require.ErrorIs(t, err, nest.ErrDeclaration)
		require.ErrorContains(t, err, "SingleServer: the client is that of a Redis Cluster")
		return
	}
	root := nesttest.Open(t, library, nest.SingleServer(), nest.WithKeyring(newRing(t, secure.GenerateKey())))
	for name, do := range acrossShelves {
		_, err := root.Clear(ctx)
		require.NoError(t, err)
		stock(t, shelf.At(root, 1))
		if err := do(ctx, root, shelf.At(root, 1), shelf.At(root, 2)); !errors.Is(err, nest.ErrUnsupported) {
			require.NoError(t, err, name)
		}
	}
}

package suite_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	txBalance = nest.Key[int]("balance:<n>", nest.Default(0))
	txName    = nest.Key[string]("name")
	txSession = nest.Key[string]("session", nest.TTL(time.Minute), nest.AutoRenew())
	txTags    = nest.Set[string]("tags:<n>", nest.TTL(time.Minute), nest.AutoRenew())
	txCached  = nest.Key[int]("cached", nest.Cached(time.Minute), nest.Default(0))
	txBank    = nest.Cluster("bank:<id>", nest.HashTag(), nest.TTL(600), nest.Sub(txBalance, txName, txSession, txTags, txCached))
	txRoot    = nest.Cluster("transact", nest.Sub(txBank))
)

// transfer moves n from one balance to another, if there is enough.
func transfer(ctx context.Context, bank nest.Scope, from, to, n int) error {
	return nest.Transact(ctx, bank, func(tx *nest.Tx) error {
		r := tx.Reads()
		a, b := txBalance.At(bank, from).In(r).Get(), txBalance.At(bank, to).In(r).Get()
		if err := r.Exec(ctx); err != nil {
			return err
		}
		have, _ := a.Value()
		other, _ := b.Value()
		if have < n {
			return errPoor
		}
		w := tx.Writes()
		txBalance.At(bank, from).In(w).Set(have - n)
		txBalance.At(bank, to).In(w).Set(other + n)
		return nil
	})
}

var errPoor = errors.New("the balance is too small")

func TestTransactWritesTogether(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bank := txBank.At(nesttest.Open(t, txRoot), 1)
	require.NoError(t, txBalance.At(bank, 1).Set(ctx, 100))
	require.NoError(t, transfer(ctx, bank, 1, 2, 30))
	for n, want := range map[int]int{1: 70, 2: 30} {
		got, err := txBalance.At(bank, n).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, want, got)
		left, err := txBalance.At(bank, n).TTL(ctx)
		require.NoError(t, err)
		require.Positive(t, left)
	}
	require.Equal(t, errPoor, transfer(ctx, bank, 1, 2, 300), "the function's error as it is")
	got, err := txBalance.At(bank, 1).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 70, got)
}

// Money moves between accounts. No reader sees a wrong sum, neither inside a transaction nor in an
// atomic batch. No function ever sees two states mixed.
func TestTransactKeepsAnInvariant(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bank := txBank.At(nesttest.Open(t, txRoot), 1)
	const accounts, each = 4, 100
	for n := range accounts {
		require.NoError(t, txBalance.At(bank, n).Set(ctx, each))
	}
	sees := nesttest.Shared(t).Kind() != nesttest.KindEmbedded // unaware of changes before EXEC
	var moved atomic.Int64
	together(6, func(g int) {
		for i := range 40 {
			if g < 4 {
				err := transfer(ctx, bank, (g+i)%accounts, (g+i+1+i%2)%accounts, 1+i%7)
				if !errors.Is(err, errPoor) && !assert.NoError(t, err) {
					return
				}
				moved.Add(1)
				continue
			}
			sum := 0
			err := nest.Transact(ctx, bank, func(tx *nest.Tx) error {
				sum = 0
				for n := range accounts { // one round trip each, so that others run in between
					f := txBalance.At(bank, n).In(tx.Reads()).Get()
					if err := tx.Reads().Exec(ctx); err != nil {
						return err
					}
					v, err := f.Value()
					if err != nil {
						return err
					}
					sum += v
				}
				if sees {
					assert.Equal(t, accounts*each, sum, "inside")
				}
				return nil
			})
			if assert.NoError(t, err) {
				assert.Equal(t, accounts*each, sum)
			}
		}
	})
	require.Positive(t, moved.Load())
	sum := 0
	for n := range accounts {
		v, err := txBalance.At(bank, n).Get(ctx)
		require.NoError(t, err)
		sum += v
	}
	require.Equal(t, accounts*each, sum)
}

func TestTransactTriesAgainWhenWhatItReadChanged(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bank := txBank.At(nesttest.Open(t, txRoot), 1)
	a, b := txBalance.At(bank, 1), txBalance.At(bank, 2)
	tries := 0
	var first *nest.Done
	err := nest.Transact(ctx, bank, func(tx *nest.Tx) error {
		tries++
		f := a.In(tx.Reads()).Get()
		if err := tx.Reads().Exec(ctx); err != nil {
			return err
		}
		v, err := f.Value()
		if err != nil {
			return err
		}
		if tries == 1 {
			assert.NoError(t, a.Set(ctx, 5))
		}
		done := b.In(tx.Writes()).Set(v * 10)
		if first == nil {
			first = done
		}
		assert.ErrorIs(t, done.Err(), nest.ErrBatch, "not there yet")
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 2, tries)
	require.ErrorIs(t, first.Err(), nest.ErrConflict, "of the attempt that lost")
	got, err := b.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 50, got)
}

// An error that the function returns because it saw two mixed states does not count: the function
// runs again.
func TestTransactDoesNotReturnAnErrorOfAMixedState(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bank := txBank.At(nesttest.Open(t, txRoot), 1)
	a, b := txBalance.At(bank, 1), txBalance.At(bank, 2) // always equal
	tries := 0
	err := nest.Transact(ctx, bank, func(tx *nest.Tx) error {
		tries++
		x := a.In(tx.Reads()).Get()
		if err := tx.Reads().Exec(ctx); err != nil {
			return err
		}
		if tries == 1 {
			both := bank.Atomic()
			a.In(both).Set(1)
			b.In(both).Set(1)
			assert.NoError(t, both.Exec(ctx))
		}
		y := b.In(tx.Reads()).Get()
		if err := tx.Reads().Exec(ctx); err != nil {
			assert.ErrorIs(t, err, nest.ErrConflict)
			assert.ErrorIs(t, y.Err(), nest.ErrConflict)
			return nil // whatever it returns
		}
		v, _ := x.Value()
		w, _ := y.Value()
		if v != w {
			return errors.New("a mixed state")
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 2, tries)
}

func TestTransactWatchesWhatItIsGiven(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bank := txBank.At(nesttest.Open(t, txRoot), 1)
	a, b := txBalance.At(bank, 1), txBalance.At(bank, 2)
	tries := 0
	err := nest.Transact(ctx, bank, func(tx *nest.Tx) error {
		tries++
		v, err := a.Get(ctx) // with an ordinary call
		if err != nil {
			return err
		}
		if tries == 1 {
			assert.NoError(t, a.Set(ctx, 5))
			return errPoor // an error about a state that is out of date
		}
		b.In(tx.Writes()).Set(v)
		return nil
	}, a)
	require.NoError(t, err)
	require.Equal(t, 2, tries)
	got, err := b.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 5, got)
}

func TestTransactGivesUp(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bank := txBank.At(nesttest.Open(t, txRoot), 1)
	a, b := txBalance.At(bank, 1), txBalance.At(bank, 2)
	tries := 0
	var last *nest.Done
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	err := nest.Transact(short, bank, func(tx *nest.Tx) error {
		tries++
		assert.NoError(t, a.Set(ctx, tries)) // outside the transaction's deadline
		last = b.In(tx.Writes()).Set(1)
		return nil
	}, a)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	shaped(t, err)
	require.Greater(t, tries, 2)
	require.Error(t, last.Err())
	exists, err := b.Exists(ctx)
	require.NoError(t, err)
	require.False(t, exists)
}

func TestTransactRefusesSlotsBeforeItSends(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	seen := &events{}
	root := nesttest.Open(t, txRoot, nest.WithObserver(seen))
	one, two := txBank.At(root, 1), txBank.At(root, 2)
	a, b := txBalance.At(one, 1), txBalance.At(two, 1)

	err := nest.Transact(ctx, root, func(*nest.Tx) error { t.Error("ran"); return nil }, a, b)
	require.ErrorIs(t, err, nest.ErrCrossSlot)

	err = nest.Transact(ctx, root, func(tx *nest.Tx) error {
		f, g := a.In(tx.Reads()).Get(), b.In(tx.Reads()).Get()
		err := tx.Reads().Exec(ctx)
		assert.ErrorIs(t, err, nest.ErrCrossSlot)
		assert.ErrorIs(t, f.Err(), nest.ErrUnsent)
		assert.ErrorIs(t, g.Err(), nest.ErrUnsent)
		return err
	})
	require.ErrorIs(t, err, nest.ErrCrossSlot)

	var done *nest.Done
	err = nest.Transact(ctx, root, func(tx *nest.Tx) error {
		a.In(tx.Reads()).Get()
		if err := tx.Reads().Exec(ctx); err != nil {
			return err
		}
		done = b.In(tx.Writes()).Set(1)
		return nil
	})
	require.ErrorIs(t, err, nest.ErrCrossSlot)
	require.ErrorIs(t, done.Err(), nest.ErrUnsent)
	keys, err := root.Subkeys(ctx)
	require.NoError(t, err)
	require.Empty(t, keys)
	require.Equal(t, []string{"transact", "transact", "transact", "keys"}, seen.ops(), "one event each")
}

func TestTransactReadsTakeNoWrites(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := nesttest.Open(t, txRoot)
	bank := txBank.At(root, 1)
	a := txBalance.At(bank, 1)
	var late *nest.Tx
	err := nest.Transact(ctx, bank, func(tx *nest.Tx) error {
		late = tx
		r := tx.Reads()
		f, g := a.In(r).Set(1), a.In(r).Get()
		assert.ErrorIs(t, r.Exec(ctx), nest.ErrBatch)
		assert.ErrorIs(t, f.Err(), nest.ErrBatch)
		assert.ErrorIs(t, g.Err(), nest.ErrUnsent)
		assert.ErrorIs(t, r.Exec(ctx), nest.ErrBatch, "twice")
		assert.ErrorIs(t, tx.Writes().Exec(ctx), nest.ErrBatch)
		return nil
	})
	require.NoError(t, err)
	a.In(late.Reads()).Get()
	require.ErrorIs(t, late.Reads().Exec(ctx), nest.ErrBatch, "after its end")
	require.ErrorIs(t, a.In(late.Writes()).Set(1).Err(), nest.ErrBatch)
	exists, err := a.Exists(ctx)
	require.NoError(t, err)
	require.False(t, exists)

	require.ErrorIs(t, nest.Transact(ctx, bank, nil), nest.ErrArgument)
	require.ErrorIs(t, nest.Transact(ctx, bank, func(*nest.Tx) error { return nil }, nil), nest.ErrArgument)
	require.ErrorIs(t, nest.Transact(ctx, bank, func(*nest.Tx) error { return nil }, nest.KeyRef[int]{}), nest.ErrNoClient)
	require.ErrorIs(t, nest.Transact(ctx, nest.Scope{}, func(*nest.Tx) error { return nil }), nest.ErrNoClient)
	other := nesttest.Open(t, txRoot)
	require.ErrorIs(t, nest.Transact(ctx, bank, func(*nest.Tx) error { return nil }, txBalance.At(txBank.At(other, 1), 1)), nest.ErrArgument)
}

// A transaction that reads a key with AutoRenew is not disturbed by the renewal, and still renews
// the key.
func TestTransactRenewsWhatItReads(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bank := txBank.At(nesttest.Open(t, txRoot), 1)
	session := txSession.At(bank)
	tags, more := txTags.At(bank, 1), txTags.At(bank, 2)
	for _, fails := range []bool{false, true} {
		require.NoError(t, session.Set(ctx, "x", nest.ExpireIn(10*time.Second)))
		for _, s := range []nest.SetRef[string]{tags, more} {
			_, err := s.Add(ctx, "a")
			require.NoError(t, err)
			_, err = s.Expire(ctx, 10*time.Second)
			require.NoError(t, err)
		}
		tries := 0
		err := nest.Transact(ctx, bank, func(tx *nest.Tx) error {
			tries++
			f := session.In(tx.Reads()).Get()
			g := tags.In(tx.Reads()).Union(more)
			if err := tx.Reads().Exec(ctx); err != nil {
				return err
			}
			v, err := f.Value()
			assert.NoError(t, err)
			assert.Equal(t, "x", v)
			assert.NoError(t, g.Err())
			if fails {
				return errPoor
			}
			return nil
		})
		if fails {
			require.Equal(t, errPoor, err)
		} else {
			require.NoError(t, err)
		}
		require.Equal(t, 1, tries)
		for _, r := range []interface {
			TTL(ctx context.Context) (time.Duration, error)
		}{session, tags, more} {
			left, err := r.TTL(ctx)
			require.NoError(t, err)
			require.InDelta(t, 60, left.Seconds(), 5)
		}
	}
}

func TestTransactIsSeenByCachedReads(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	ctx := t.Context()
	bank := txBank.At(nesttest.Open(t, txRoot), 1)
	c := txCached.At(bank)
	for i := range 200 {
		got, err := c.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, i, got)
		require.NoError(t, nest.Transact(ctx, bank, func(tx *nest.Tx) error {
			f := c.In(tx.Reads()).Get()
			if err := tx.Reads().Exec(ctx); err != nil {
				return err
			}
			n, err := f.Value()
			c.In(tx.Writes()).Set(n + 1)
			return err
		}))
	}
}

// A function that panics leaves no watched connection behind.
func TestTransactLetsPanicsThrough(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	option := nesttest.Shared(t).ClientOption()
	option.BlockingPoolSize = 1
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	root, err := nest.Open(client, txRoot, nest.WithPrefix(nesttest.Shared(t).Prefix(t)))
	require.NoError(t, err)
	bank := txBank.At(root, 1)
	for range 3 {
		var done *nest.Done
		require.PanicsWithValue(t, "oh", func() {
			_ = nest.Transact(ctx, bank, func(tx *nest.Tx) error {
				txBalance.At(bank, 1).In(tx.Reads()).Get()
				assert.NoError(t, tx.Reads().Exec(ctx))
				done = txBalance.At(bank, 1).In(tx.Writes()).Set(9)
				panic("oh")
			})
		})
		require.ErrorIs(t, done.Err(), nest.ErrBatch)
		require.NoError(t, transfer(ctx, bank, 1, 2, 0), "the only connection is free again")
	}
	tries := 0
	require.NoError(t, nest.Transact(ctx, bank, func(tx *nest.Tx) error {
		a := txBalance.At(bank, 1)
		if tries++; tries == 1 { // reads, and loses
			a.In(tx.Reads()).Get()
			assert.NoError(t, tx.Reads().Exec(ctx))
			assert.NoError(t, a.Set(ctx, 3))
		}
		a.In(tx.Writes()).Set(4)
		return nil
	}))
	require.Equal(t, 2, tries)
	require.NoError(t, transfer(ctx, bank, 1, 2, 0), "the only connection is free again")
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	err = nest.Transact(ctx, bank, func(tx *nest.Tx) error {
		txBalance.At(bank, 1).In(tx.Reads()).Get()
		if err := tx.Reads().Exec(ctx); err != nil {
			return err
		}
		return transfer(ctx, bank, 1, 2, 0) // waits for a second connection
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, transfer(t.Context(), bank, 1, 2, 0))
}

func TestTransactTellsOperationsThatFail(t *testing.T) {
	t.Parallel()
	needsAnyCommand(t)
	ctx := t.Context()
	bank := txBank.At(nesttest.Open(t, txRoot), 1)
	_, err := txName.At(bank).Do(ctx, "LPUSH", "x")
	require.NoError(t, err)
	a := txBalance.At(bank, 1)
	var wrong *nest.FoundFuture[string]
	var good *nest.Done
	err = nest.Transact(ctx, bank, func(tx *nest.Tx) error {
		f := txName.At(bank).In(tx.Reads()).Get()
		assert.ErrorIs(t, tx.Reads().Exec(ctx), nest.ErrWrongType)
		assert.ErrorIs(t, f.Err(), nest.ErrWrongType)
		wrong = txName.At(bank).In(tx.Writes()).Swap("y")
		good = a.In(tx.Writes()).Set(7)
		return nil
	})
	require.ErrorIs(t, err, nest.ErrWrongType, "the error is joined, and the other writes stand")
	require.ErrorIs(t, wrong.Err(), nest.ErrWrongType)
	require.NoError(t, good.Err())
	got, err := a.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 7, got)

	var missing *nest.Future[int]
	require.NoError(t, nest.Transact(ctx, bank, func(tx *nest.Tx) error {
		missing = a.In(tx.Writes()).Get() // without reads, this is an atomic batch
		return nil
	}))
	got, err = missing.Value()
	require.NoError(t, err)
	require.Equal(t, 7, got)

	done := a.In(nil).Set(1)
	require.ErrorIs(t, nest.Transact(ctx, bank, func(tx *nest.Tx) error {
		done = a.In(tx.Writes()).Set(8)
		return errPoor
	}), errPoor)
	require.ErrorIs(t, done.Err(), nest.ErrUnsent)

	ended, cancel := context.WithCancel(ctx)
	require.ErrorIs(t, nest.Transact(ended, bank, func(tx *nest.Tx) error {
		a.In(tx.Reads()).Get()
		if err := tx.Reads().Exec(ended); err != nil {
			return err
		}
		done = a.In(tx.Writes()).Set(8)
		cancel()
		return nil
	}), context.Canceled)
	require.ErrorIs(t, done.Err(), context.Canceled)
	got, err = a.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 7, got)
}

// A key whose TTL ends between two reads has changed, even while the server still has it because
// nobody has accessed it.
func TestTransactSeesThatAKeyHasEnded(t *testing.T) {
	t.Parallel()
	server := nesttest.Shared(t)
	if server.Kind() == nesttest.KindEmbedded {
		t.Skip("nesttest: SKIPPED, not passed: time stands still on the embedded server")
	}
	ctx := t.Context()
	bank := txBank.At(nesttest.Open(t, txRoot), 1)
	name, n := txName.At(bank), txBalance.At(bank, 1)
	read := func(tx *nest.Tx) (before, after int, there bool, err error) {
		r := tx.Reads()
		f := name.In(r).Lookup()
		if err := r.Exec(ctx); err != nil {
			return 0, 0, false, err
		}
		if _, there, err = f.Value(); err != nil {
			return 0, 0, false, err
		}
		if there {
			time.Sleep(4 * time.Millisecond)
			if err := n.Set(ctx, 2); err != nil { // runs after the key has expired
				return 0, 0, false, err
			}
		}
		r = tx.Reads()
		got := n.In(r).Get()
		if err := r.Exec(ctx); err != nil {
			return 0, 0, false, err
		}
		after, err = got.Value()
		return 1, after, there, err
	}
	for range 30 {
		require.NoError(t, n.Set(ctx, 1))
		require.NoError(t, name.Set(ctx, "x", nest.ExpireIn(3*time.Millisecond)))
		require.NoError(t, nest.Transact(ctx, bank, func(tx *nest.Tx) error {
			before, after, there, err := read(tx)
			if err == nil && there {
				require.Equal(t, before, after, "the name and the value after its expiry are not one state")
			}
			return err
		}))
	}
}

// A lease cannot guard the writes of a transaction. The writes are not applied without the guard.
func TestTransactRefusesAGuard(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := nesttest.Open(t, work)
	lease := acquired(t, job.At(s, "x"))
	defer func() { require.NoError(t, lease.Release(ctx)) }()
	for _, watched := range []bool{false, true} {
		var done *nest.Done
		var refs []nest.Reference
		if watched {
			refs = append(refs, writers.At(s))
		}
		err := nest.Transact(ctx, s, func(tx *nest.Tx) error {
			done = tally.At(s).In(tx.Writes()).Set(1)
			lease.Guard(tx.Writes())
			return nil
		}, refs...)
		require.ErrorIs(t, err, nest.ErrBatch)
		require.ErrorIs(t, done.Err(), nest.ErrUnsent)
		_, found, err := tally.At(s).Lookup(ctx)
		require.NoError(t, err)
		require.False(t, found, "written without its guard")
	}
}

package suite_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/primaries"
)

func newAcross(now, was string) *wasTree {
	return newWasTreeBelow("<id>", now, was, nest.AcrossSlots())
}

// requireAll requires that names of all kinds exist, each beginning so.
func (w *wasTree) requireAll(ctx context.Context, t *testing.T, begin string) {
	t.Helper()
	names := w.names(ctx, t)
	require.Len(t, names, 17)
	for _, name := range names {
		require.True(t, strings.HasPrefix(name, begin), name)
	}
}

func TestAcrossSlotsMovesKeysOfEveryKind(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	old, first, then := newAcross("old", ""), newAcross("old", "new"), newAcross("new", "old")
	openWas(t, old, first, then)
	old.fill(ctx, t, 1)
	for range 2 {
		then.check(ctx, t, 1)
		then.requireAll(ctx, t, "1:new:")
		then.check(ctx, t, 1)
		left, err := then.list.At(then.scope, 1).TTL(ctx)
		require.NoError(t, err)
		require.InDelta(t, time.Hour, left, float64(time.Minute))
		first.check(ctx, t, 1)
		first.requireAll(ctx, t, "1:old:")
	}
	// Writes of every kind go on with what was there.
	s := then.scope
	require.NoError(t, second(then.counter.At(s, 1).Incr(ctx)))
	require.NoError(t, second(then.hash.At(s, 1).Incr(ctx, "b", 1)))
	require.NoError(t, then.safe.At(s, 1).Set(ctx, "c", "3"))
	require.NoError(t, second(then.record.At(s, 1).Incr(ctx, "credit", 1)))
	require.NoError(t, second(then.list.At(s, 1).PushRight(ctx, 4)))
	require.NoError(t, second(then.secret.At(s, 1).Update(ctx, func(v string, _ bool) (string, error) { return v + "!", nil })))
	require.NoError(t, then.value.At(s, 1).Set(ctx, "w"))
	n, err := then.counter.At(s, 1).Get(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 8, n)
	n, err = then.hash.At(s, 1).Get(ctx, "b")
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
	all, err := then.safe.At(s, 1).All(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "1", "b": "2", "c": "3"}, all)
	account, err := then.record.At(s, 1).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, wasAccount{"Ann", 4, "tok"}, account)
	length, err := then.list.At(s, 1).Len(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 4, length)
	text, err := then.secret.At(s, 1).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, "s!", text)
	require.NotContains(t, then.names(ctx, t), "1:old:value", "a whole write takes the old name away")
	deleted, err := then.set.At(s, 1).Delete(ctx)
	require.NoError(t, err)
	require.True(t, deleted)
	require.NotContains(t, then.names(ctx, t), "1:old:set")

	// What is missing is missing.
	_, found, err := then.value.At(s, 9).Lookup(ctx)
	require.NoError(t, err)
	require.False(t, found)
	text, err = then.loaded.At(s, 9).GetOrLoad(ctx, func(context.Context) (string, error) { return "made", nil })
	require.NoError(t, err)
	require.Equal(t, "made", text)

	// Batches, transactions, waits and iterations.
	first.fill(ctx, t, 2)
	b := then.scope.Batch()
	get := then.loaded.At(s, 2).In(b).Get()
	count := then.counter.At(s, 2).In(b).Incr()
	field := then.safe.At(s, 2).In(b).Get("a")
	secret := then.secret.At(s, 2).In(b).Get()
	set := then.value.At(s, 2).In(b).Set("w")
	require.NoError(t, b.Exec(ctx))
	require.NoError(t, set.Err())
	for future, want := range map[*nest.Future[string]]string{get: "l", field: "1", secret: "s"} {
		got, err := future.Value()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	n, err = count.Value()
	require.NoError(t, err)
	require.EqualValues(t, 8, n)
	require.NoError(t, nest.Transact(ctx, s, func(tx *nest.Tx) error {
		now := then.record.At(s, 2).In(tx.Reads()).Lookup()
		if err := tx.Reads().Exec(ctx); err != nil {
			return err
		}
		a, _, err := now.Value()
		a.Credit *= 2
		then.record.At(s, 2).In(tx.Writes()).SetFields(a, "credit")
		return err
	}))
	account, err = then.record.At(s, 2).Get(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 6, account.Credit)
	item, found, err := then.list.At(s, 2).WaitPopLeft(ctx, time.Second)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, 1, item)
	var members []int
	for m, err := range then.set.At(s, 2).Iterate(ctx) {
		require.NoError(t, err)
		members = append(members, m)
	}
	require.ElementsMatch(t, []int{1, 2, 3}, members)
	many, err := nest.LoadMany(ctx, []int{2, 4}, func(id int) nest.KeyRef[string] { return then.loaded.At(s, id) },
		func(context.Context, []int) (map[int]string, error) { return map[int]string{4: "four"}, nil })
	require.NoError(t, err)
	require.Equal(t, []nest.Optional[string]{{Value: "l", Found: true}, {Value: "four", Found: true}}, many)
}

// What a process leaves that is killed between the steps: both names, holding the same. Migrate
// finishes that, and leaves alone what has become two keys.
func TestMigrateAcrossSlots(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	old, then := newAcross("old", ""), newAcross("new", "old")
	openWas(t, old, then)
	for id := range 20 {
		old.fill(ctx, t, id)
	}
	db := then.scope.Client()
	copied := func(kind string, id int) {
		from := fmt.Sprintf("%s:%d:old:%s", then.scope.Prefix(), id, kind)
		to := fmt.Sprintf("%s:%d:new:%s", then.scope.Prefix(), id, kind)
		held, err := db.Do(ctx, db.B().Dump().Key(from).Build()).ToString()
		require.NoError(t, err)
		require.NoError(t, db.Do(ctx, db.B().Restore().Key(to).Ttl(0).SerializedValue(held).Build()).Error())
	}
	if db.Mode() == rueidis.ClientModeCluster {
		copied("list", 3)
		copied("value", 3)
		require.NoError(t, second(then.list.At(then.scope, 3).PushRight(ctx, 4)))
		value, err := then.value.At(then.scope, 3).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, "v", value, "the present name counts")
	}
	dry, err := nest.Migrate(ctx, then.scope, nest.DryRun())
	require.NoError(t, err)
	require.EqualValues(t, 20*17, dry.Moved)
	report, err := nest.Migrate(ctx, then.scope)
	require.NoError(t, err)
	if db.Mode() == rueidis.ClientModeCluster {
		require.EqualValues(t, 1, report.Both, report.String())
		require.EqualValues(t, 20*17-1, report.Moved, report.String())
		require.Contains(t, report.Failures[0].Key, ":old:list")
		require.NoError(t, db.Do(ctx, db.B().Del().Key(then.scope.Prefix()+":3:old:list").Build()).Error())
		_, _, err = then.list.At(then.scope, 3).PopRight(ctx)
		require.NoError(t, err)
	} else {
		require.EqualValues(t, 20*17, report.Moved, report.String())
	}
	for id := range 20 {
		then.check(ctx, t, id)
	}
	report, err = nest.Migrate(ctx, then.scope)
	require.NoError(t, err)
	require.True(t, report.Clean(), report.String())
}

// Several writers with one present name, while their keys are carried and slots move, and while
// Migrate carries the rest: nothing is lost.
func TestCarryingWhileSlotsMove(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	id := nest.Param[int]("id")
	oldCount, oldList := nest.Counter[int64]("count"), nest.List[int]("list")
	oldRoot := nest.Cluster("r", nest.Sub(nest.Cluster("u:<id>", nest.Params(id), nest.Sub(oldCount, oldList))))
	before := server.Open(t, oldRoot)
	count, list := nest.Counter[int64]("count"), nest.List[int]("list")
	root := nest.Cluster("r", nest.Sub(nest.Cluster("user:<id>", nest.Params(id), nest.Was("u:<id>", nest.AcrossSlots()), nest.Sub(count, list))))
	prefix := nest.WithPrefix(strings.TrimSuffix(before.Prefix(), ":r"))
	now := server.Open(t, root, prefix)
	const keys, writers, rounds = 24, 4, 20
	for n := range keys {
		require.NoError(t, second(oldCount.At(before, n).Add(ctx, 1000)))
		require.NoError(t, second(oldList.At(before, n).PushRight(ctx, 1, 2, 3)))
	}
	_, err := nest.Open(server.Client(t), nest.Cluster("r", nest.Sub(nest.Key[int]("k:<id>", nest.Was("l:<id>")))))
	require.ErrorContains(t, err, "AcrossSlots")

	nodes := primaries.Patient(t, server)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range rounds {
				for n := range keys {
					if err := second(count.At(now, n).Incr(ctx)); err != nil {
						t.Error(err)
						return
					}
					if err := second(list.At(now, n).PushRight(ctx, 4)); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Go(func() {
		if _, err := nest.Migrate(ctx, now); err != nil {
			t.Error(err)
		}
	})
	slots := map[uint16]bool{}
	for n := range 2 {
		for _, name := range []string{oldCount.At(before, n).Key(), count.At(now, n).Key(), oldList.At(before, n).Key(), list.At(now, n).Key()} {
			get := now.Client().B().Get().Key(name).Build()
			if slot := get.Slot() & (1<<14 - 1); !slots[slot] {
				slots[slot] = true
				nodes.MoveKey(name, func() {})
			}
		}
	}
	wg.Wait()
	for n := range keys {
		got, err := count.At(now, n).Get(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1000+writers*rounds, got, n)
		length, err := list.At(now, n).Len(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3+writers*rounds, length, n)
	}
	report, err := nest.Migrate(ctx, now)
	require.NoError(t, err)
	require.True(t, report.Clean(), report.String())
}

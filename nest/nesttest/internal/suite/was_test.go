package suite_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

type wasAccount struct {
	Name   string `nest:"name"`
	Credit int64  `nest:"credit"`
	Token  string `nest:"token,secret"`
}

// wasTree is the keyspace of one release: every kind, under names that begin with one word and, if
// the release knows it, may still begin with another.
type wasTree struct {
	value    *nest.KeyDef[string]
	loaded   *nest.KeyDef[string]
	cached   *nest.KeyDef[string]
	counter  *nest.CounterDef[int64]
	hash     *nest.HashDef[int64]
	safe     *nest.HashDef[string]
	record   *nest.RecordDef[wasAccount]
	list     *nest.ListDef[int]
	set      *nest.SetDef[int]
	scores   *nest.SortedSetDef[int]
	stream   *nest.StreamDef[int]
	bits     *nest.BitmapDef
	unique   *nest.HyperLogLogDef[int]
	places   *nest.GeoDef[string]
	secret   *nest.SecretDef[string]
	password *nest.PasswordDef
	custom   *nest.CustomDef
	root     *nest.ClusterDef
	scope    nest.Scope
}

func newWasTree(now, was string) *wasTree { return newWasTreeBelow("{<id>}", now, was) }

// newWasTreeBelow is newWasTree with names that begin otherwise. Without braces, no two of them are
// in one slot of a Redis Cluster.
func newWasTreeBelow(lead, now, was string, across ...nest.WasOption) *wasTree {
	opts := func(kind string, more ...nest.KeyOption) []nest.KeyOption {
		if was != "" {
			more = append(more, nest.Was(lead+":"+was+":"+kind, across...))
		}
		return append(more, nest.TTL(time.Hour))
	}
	name := func(kind string) string { return lead + ":" + now + ":" + kind }
	w := &wasTree{
		value:    nest.Key[string](name("value"), opts("value")...),
		loaded:   nest.Key[string](name("loaded"), opts("loaded", nest.ReadThrough())...),
		cached:   nest.Key[string](name("cached"), opts("cached", nest.Cached(time.Minute))...),
		counter:  nest.Counter[int64](name("counter"), opts("counter")...),
		hash:     nest.Hash[int64](name("hash"), opts("hash")...),
		safe:     nest.Hash[string](name("safe"), opts("safe", nest.SecretFields())...),
		record:   nest.Record[wasAccount](name("record"), opts("record")...),
		list:     nest.List[int](name("list"), opts("list")...),
		set:      nest.Set[int](name("set"), opts("set")...),
		scores:   nest.SortedSet[int](name("scores"), opts("scores")...),
		stream:   nest.Stream[int](name("stream"), opts("stream")...),
		bits:     nest.Bitmap(name("bits"), opts("bits")...),
		unique:   nest.HyperLogLog[int](name("unique"), opts("unique")...),
		places:   nest.Geo[string](name("places"), opts("places")...),
		secret:   nest.Secret[string](name("secret"), opts("secret")...),
		password: nest.Password(name("password"), opts("password")...),
		custom:   nest.Custom(name("custom"), "list", opts("custom")...),
	}
	w.root = nest.Cluster("was", nest.Sub(w.value, w.loaded, w.cached, w.counter, w.hash, w.safe, w.record, w.list, w.set, w.scores, w.stream,
		w.bits, w.unique, w.places, w.secret, w.password, w.custom))
	return w
}

// openWas opens the trees of several releases over the same keys.
func openWas(t *testing.T, trees ...*wasTree) {
	t.Helper()
	openWasOn(t, nesttest.Shared(t), trees...)
}

func openWasOn(t *testing.T, server *nesttest.Server, trees ...*wasTree) {
	t.Helper()
	opts := []nest.OpenOption{nest.WithKeyring(newRing(t, secure.GenerateKey())), nest.WithPasswords(newPasswords(t, 16))}
	for i, w := range trees {
		if i > 0 {
			opts = append(opts[:2:2], nest.WithPrefix(strings.TrimSuffix(trees[0].scope.Prefix(), ":was")))
		}
		w.scope = server.Open(t, w.root, opts...)
	}
}

// fill writes something to every key.
func (w *wasTree) fill(ctx context.Context, t *testing.T, id int) {
	t.Helper()
	s := w.scope
	require.NoError(t, w.value.At(s, id).Set(ctx, "v"))
	require.NoError(t, w.loaded.At(s, id).Set(ctx, "l"))
	require.NoError(t, w.cached.At(s, id).Set(ctx, "c"))
	require.NoError(t, second(w.counter.At(s, id).Add(ctx, 7)))
	require.NoError(t, w.hash.At(s, id).SetMany(ctx, map[string]int64{"a": 1, "b": 2}))
	require.NoError(t, w.safe.At(s, id).SetMany(ctx, map[string]string{"a": "1", "b": "2"}))
	require.NoError(t, w.record.At(s, id).Set(ctx, wasAccount{"Ann", 3, "tok"}))
	require.NoError(t, second(w.list.At(s, id).PushRight(ctx, 1, 2, 3)))
	require.NoError(t, second(w.set.At(s, id).Add(ctx, 1, 2, 3)))
	require.NoError(t, second(w.scores.At(s, id).Incr(ctx, 1, 5)))
	require.NoError(t, second(w.stream.At(s, id).Add(ctx, 9)))
	require.NoError(t, second(w.bits.At(s, id).SetBit(ctx, 5, true)))
	require.NoError(t, second(w.unique.At(s, id).Add(ctx, 1, 2, 3)))
	require.NoError(t, second(w.places.At(s, id).Add(ctx, "here", nest.Point{Longitude: 13, Latitude: 38})))
	require.NoError(t, w.secret.At(s, id).Set(ctx, "s"))
	require.NoError(t, w.password.At(s, id).Set(ctx, "right"))
	require.NoError(t, second(w.custom.At(s, id).Write(ctx, "RPUSH", "x")))
}

// check reads every key, as fill wrote it.
func (w *wasTree) check(ctx context.Context, t *testing.T, id int) {
	t.Helper()
	s := w.scope
	equal := func(want, got any, err error) {
		t.Helper()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	v, err := w.value.At(s, id).Get(ctx)
	equal("v", v, err)
	v, err = w.loaded.At(s, id).GetOrLoad(ctx, func(context.Context) (string, error) { return "", errors.New("it is there") })
	equal("l", v, err)
	v, err = w.cached.At(s, id).Get(ctx)
	equal("c", v, err)
	n, err := w.counter.At(s, id).Get(ctx)
	equal(int64(7), n, err)
	n, err = w.hash.At(s, id).Get(ctx, "b")
	equal(int64(2), n, err)
	all, err := w.safe.At(s, id).All(ctx)
	equal(map[string]string{"a": "1", "b": "2"}, all, err)
	a, err := w.record.At(s, id).Get(ctx)
	equal(wasAccount{"Ann", 3, "tok"}, a, err)
	list, err := w.list.At(s, id).All(ctx)
	equal([]int{1, 2, 3}, list, err)
	n, err = w.set.At(s, id).Len(ctx)
	equal(int64(3), n, err)
	score, _, err := w.scores.At(s, id).Score(ctx, 1)
	equal(5.0, score, err)
	n, err = w.stream.At(s, id).Len(ctx)
	equal(int64(1), n, err)
	on, err := w.bits.At(s, id).Bit(ctx, 5)
	equal(true, on, err)
	n, err = w.unique.At(s, id).Count(ctx)
	equal(int64(3), n, err)
	_, found, err := w.places.At(s, id).Position(ctx, "here")
	equal(true, found, err)
	v, err = w.secret.At(s, id).Get(ctx)
	equal("s", v, err)
	on, err = w.password.At(s, id).Verify(ctx, "right")
	equal(true, on, err)
	answer, err := w.custom.At(s, id).Do(ctx, "LLEN")
	require.NoError(t, err)
	n, err = answer.AsInt64()
	equal(int64(1), n, err)
}

// names returns the names that exist, without the prefix of the test.
func (w *wasTree) names(ctx context.Context, t *testing.T) (names []string) {
	t.Helper()
	keys, err := w.scope.Subkeys(ctx)
	require.NoError(t, err)
	for _, key := range keys {
		names = append(names, strings.TrimPrefix(key, w.scope.Prefix()+":"))
	}
	return names
}

func TestWasMovesKeysOfEveryKind(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	old, first, then := newWasTree("old", ""), newWasTree("old", "new"), newWasTree("new", "old")
	openWas(t, old, first, then)
	old.fill(ctx, t, 1)
	for round := range 2 {
		then.check(ctx, t, 1)
		for _, name := range then.names(ctx, t) {
			require.Contains(t, name, "{1}:new:", "round %d", round)
		}
		then.check(ctx, t, 1)
		first.check(ctx, t, 1)
		for _, name := range first.names(ctx, t) {
			require.Contains(t, name, "{1}:old:", "round %d", round)
		}
	}
	require.Len(t, then.names(ctx, t), 17)
	// Whole writes take the old name away, and reads of batches move.
	for _, begin := range []func() *nest.Batch{then.scope.Batch, then.scope.Atomic} {
		first.fill(ctx, t, 2)
		b := begin()
		set := then.value.At(then.scope, 2).In(b).Set("w")
		get := then.loaded.At(then.scope, 2).In(b).Get()
		count := then.counter.At(then.scope, 2).In(b).Incr()
		secret := then.secret.At(then.scope, 2).In(b).Get()
		field := then.safe.At(then.scope, 2).In(b).Get("a")
		moved := then.list.At(then.scope, 2).In(b).Len()
		gone := then.set.At(then.scope, 2).In(b).Delete()
		require.NoError(t, b.Exec(ctx))
		require.NoError(t, set.Err())
		v, err := get.Value()
		require.NoError(t, err)
		require.Equal(t, "l", v)
		n, err := count.Value()
		require.NoError(t, err)
		require.Equal(t, int64(8), n)
		v, err = secret.Value()
		require.NoError(t, err)
		require.Equal(t, "s", v)
		v, err = field.Value()
		require.NoError(t, err)
		require.Equal(t, "1", v)
		n, err = moved.Value()
		require.NoError(t, err)
		require.Equal(t, int64(3), n)
		ok, err := gone.Value()
		require.NoError(t, err)
		require.True(t, ok)
		names := then.names(ctx, t)
		require.NotContains(t, names, "{2}:old:value")
		require.NotContains(t, names, "{2}:old:set")
		require.NotContains(t, names, "{2}:new:set")
		_, err = then.scope.Clear(ctx, nest.Only(then.value, then.loaded, then.counter, then.secret, then.safe, then.list, then.set))
		require.NoError(t, err)
	}
	// Operations of every reference.
	first.fill(ctx, t, 3)
	there, err := then.value.At(then.scope, 3).Exists(ctx)
	require.NoError(t, err)
	require.True(t, there)
	left, err := then.list.At(then.scope, 3).TTL(ctx)
	require.NoError(t, err)
	require.Positive(t, left)
	moved, err := then.hash.At(then.scope, 3).Rename(ctx, then.hash.At(then.scope, "3"), nest.Replace())
	require.ErrorIs(t, err, nest.ErrArgument)
	require.False(t, moved)
	var members []int
	for m, err := range then.set.At(then.scope, 3).Iterate(ctx) {
		require.NoError(t, err)
		members = append(members, m)
	}
	require.ElementsMatch(t, []int{1, 2, 3}, members)
	item, found, err := then.list.At(then.scope, 3).WaitPopLeft(ctx, time.Second)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, 1, item)
	deleted, err := then.stream.At(then.scope, 3).Delete(ctx)
	require.NoError(t, err)
	require.True(t, deleted)
	many, err := nest.LoadMany(ctx, []int{3, 4}, func(id int) nest.KeyRef[string] { return then.loaded.At(then.scope, id) },
		func(_ context.Context, ids []int) (map[int]string, error) {
			require.Equal(t, []int{4}, ids)
			return map[int]string{4: "four"}, nil
		})
	require.NoError(t, err)
	require.Equal(t, []nest.Optional[string]{{Value: "l", Found: true}, {Value: "four", Found: true}}, many)
	require.NoError(t, second(then.secret.At(then.scope, 3).Update(ctx, func(s string, _ bool) (string, error) { return s + "!", nil })))
	v, err := first.secret.At(first.scope, 3).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, "s!", v)
}

// Two releases run side by side, each with its own name for every key. Nothing that either writes
// is lost, and no key has two names.
func TestTwoReleasesSideBySide(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	first, then := newWasTree("old", "new"), newWasTree("new", "old")
	openWas(t, first, then)
	const id, each, workers = 1, 60, 3
	require.NoError(t, first.value.At(first.scope, id).Set(ctx, "0"))
	require.NoError(t, first.cached.At(first.scope, id).Set(ctx, "0"))
	require.NoError(t, first.secret.At(first.scope, id).Set(ctx, "0"))
	require.NoError(t, first.safe.At(first.scope, id).Set(ctx, "n", "0"))
	var wg sync.WaitGroup
	var missed atomic.Int64
	for _, w := range []*wasTree{first, then} {
		for worker := range workers {
			wg.Go(func() {
				s := w.scope
				for i := range each {
					member := worker*1000 + i
					if w == then {
						member += 100_000
					}
					var errs []error
					add := func(err error) { errs = append(errs, err) }
					add(second(w.counter.At(s, id).Incr(ctx)))
					add(second(w.hash.At(s, id).Incr(ctx, "n", 1)))
					add(second(w.record.At(s, id).Incr(ctx, "credit", 1)))
					add(second(w.list.At(s, id).PushRight(ctx, member)))
					add(second(w.set.At(s, id).Add(ctx, member)))
					add(second(w.scores.At(s, id).Incr(ctx, 1, 1)))
					add(second(w.stream.At(s, id).Add(ctx, member)))
					add(second(w.bits.At(s, id).SetBit(ctx, int64(member), true)))
					add(second(w.custom.At(s, id).Write(ctx, "RPUSH", "x")))
					add(second(w.unique.At(s, id).Add(ctx, member)))
					add(second(w.places.At(s, id).Add(ctx, fmt.Sprint(member), nest.Point{Longitude: 13, Latitude: 38})))
					add(second(w.cached.At(s, id).Update(ctx, plusOne)))
					add(w.safe.At(s, id).Set(ctx, fmt.Sprint(member%7), "1"))
					if i%10 == 0 {
						add(w.password.At(s, id).Set(ctx, "right"))
					}
					right, err := w.password.At(s, id).Verify(ctx, "right")
					add(err)
					loaded, err := w.loaded.At(s, id).GetOrLoad(ctx, func(context.Context) (string, error) { return "loaded", nil })
					add(err)
					if !right || loaded != "loaded" {
						missed.Add(1)
					}
					add(second(w.value.At(s, id).Update(ctx, plusOne)))
					add(second(w.secret.At(s, id).Update(ctx, plusOne)))
					b := s.Atomic()
					w.counter.At(s, id).In(b).Incr()
					w.hash.At(s, id).In(b).Incr("n", 1)
					add(b.Exec(ctx))
					add(nest.Transact(ctx, s, func(tx *nest.Tx) error {
						n := w.record.At(s, id).In(tx.Reads()).Lookup()
						if err := tx.Reads().Exec(ctx); err != nil {
							return err
						}
						a, _, err := n.Value()
						a.Name += "x"
						w.record.At(s, id).In(tx.Writes()).SetFields(a, "name")
						return err
					}))
					for _, ref := range []nest.KeyRef[string]{w.value.At(s, id)} {
						if _, found, err := ref.Lookup(ctx); err == nil && !found {
							missed.Add(1)
						}
					}
					if _, found, err := w.secret.At(s, id).Lookup(ctx); err == nil && !found {
						missed.Add(1)
					}
					if all, err := w.safe.At(s, id).All(ctx); err == nil && len(all) == 0 {
						missed.Add(1)
					}
					if err := errors.Join(errs...); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	require.Zero(t, missed.Load(), "what exists was not found")
	s := then.scope
	total := int64(2 * workers * each)
	n, err := then.counter.At(s, id).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 2*total, n)
	n, err = then.hash.At(s, id).Get(ctx, "n")
	require.NoError(t, err)
	require.Equal(t, 2*total, n)
	account, err := then.record.At(s, id).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, total, account.Credit)
	require.Len(t, account.Name, int(total))
	for what, length := range map[string]func(context.Context) (int64, error){
		"list": then.list.At(s, id).Len, "set": then.set.At(s, id).Len, "stream": then.stream.At(s, id).Len, "bits": then.bits.At(s, id).Count,
	} {
		n, err := length(ctx)
		require.NoError(t, err)
		require.Equal(t, total, n, what)
	}
	score, _, err := then.scores.At(s, id).Score(ctx, 1)
	require.NoError(t, err)
	require.InDelta(t, total, score, 0)
	unique, err := then.unique.At(s, id).Count(ctx)
	require.NoError(t, err)
	require.InEpsilon(t, total, unique, 0.05)
	places, err := then.places.At(s, id).Len(ctx)
	require.NoError(t, err)
	require.Equal(t, total, places)
	for _, get := range []func(context.Context) (string, error){then.value.At(s, id).Get, then.cached.At(s, id).Get, then.secret.At(s, id).Get} {
		text, err := get(ctx)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(total), text)
	}
	alive := map[string]bool{}
	for _, name := range then.names(ctx, t) {
		kind := name[strings.LastIndexByte(name, ':')+1:]
		require.False(t, alive[kind], "%s has two names", kind)
		alive[kind] = true
	}
	require.Len(t, alive, 17)
}

func plusOne(text string, _ bool) (string, error) {
	var n int
	_, err := fmt.Sscan(text, &n)
	return fmt.Sprint(n + 1), err
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	old, then := newWasTree("old", ""), newWasTree("new", "old")
	openWas(t, old, then)
	for id := range 20 {
		old.fill(ctx, t, id)
	}
	then.fill(ctx, t, 100)
	old.fill(ctx, t, 100)
	dry, err := nest.Migrate(ctx, then.scope, nest.DryRun())
	require.NoError(t, err)
	require.EqualValues(t, 21*17, dry.Moved)
	require.True(t, dry.Whole)
	n, err := then.scope.Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 22*17, n)

	part, err := nest.Migrate(ctx, then.scope, nest.Only(then.secret, then.value))
	require.NoError(t, err)
	require.EqualValues(t, 40, part.Moved)
	var told nest.WalkProgress
	report, err := nest.Migrate(ctx, then.scope, nest.Progress(func(p nest.WalkProgress) { told = p }))
	require.NoError(t, err)
	require.EqualValues(t, 20*15, report.Moved, report.String())
	require.EqualValues(t, 17, report.Both, report.String())
	require.Equal(t, report.Found, report.Moved+report.Both+report.Gone+report.Failed)
	require.EqualValues(t, 20, report.By[then.list.At(then.scope, 1).Key()[:len(then.scope.Prefix())]+":{<id>}:new:list"])
	require.Equal(t, report.Moved, told.Done)
	require.False(t, report.Clean())
	require.Len(t, report.Failures, 17)
	require.ErrorIs(t, report.Failures[0].Err, nest.ErrExists)
	for id := range 20 {
		then.check(ctx, t, id)
	}
	_, err = old.scope.Clear(ctx, nest.Only(old.root))
	require.NoError(t, err)
	report, err = nest.Migrate(ctx, then.scope)
	require.NoError(t, err)
	require.True(t, report.Clean(), report.String())
	_, err = nest.Migrate(ctx, old.scope)
	require.ErrorIs(t, err, nest.ErrArgument)
}

// A cluster that was renamed: what is below its old prefix is below the scope.
func TestWalksKnowFormerPrefixes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	id := nest.Param[int64]("id")
	oldAge, age := nest.Key[int]("age"), nest.Key[int]("age")
	oldUser := nest.Cluster("u:{<id>}", nest.Params(id), nest.Sub(oldAge))
	user := nest.Cluster("user:{<id>}", nest.Params(id), nest.Was("u:{<id>}"), nest.Sub(age))
	before := nesttest.Open(t, nest.Cluster("r", nest.Sub(oldUser)))
	now := nesttest.Open(t, nest.Cluster("r", nest.Sub(user)), nest.WithPrefix(strings.TrimSuffix(before.Prefix(), ":r")))
	for n := range 50 {
		require.NoError(t, oldAge.At(before, n).Set(ctx, n))
	}
	require.NoError(t, age.At(now, 42).Set(ctx, 42))
	require.NoError(t, age.At(now, 421).Set(ctx, 421))
	db := redis{t, nesttest.Client(t)}
	db.set(before.Prefix()+":u:{4}:undeclared", "x")
	u := user.At(now, 4)
	keys, err := u.Subkeys(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{before.Prefix() + ":u:{4}:age", before.Prefix() + ":u:{4}:undeclared"}, keys)
	for m, err := range u.Keys(ctx, nest.Only(age)) {
		require.NoError(t, err)
		require.True(t, m.Former())
		require.Equal(t, age, m.Def())
	}
	n, err := now.Count(ctx, nest.Where(id.Of(4)))
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	n, err = now.Count(ctx, nest.Where(id.Of(42)))
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	n, err = now.Clear(ctx, nest.Where(id.Of(5)))
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	n, err = u.Clear(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	n, err = now.Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 49, n)
	got, err := age.At(now, 7).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 7, got)
	report, err := nest.Migrate(ctx, now)
	require.NoError(t, err)
	require.EqualValues(t, 46, report.Moved)
	n, err = now.Clear(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 49, n)
	_, err = nest.Open(nesttest.Client(t), nest.Cluster("r", nest.Sub(nest.Key[int]("k:<x>", nest.Was("l:<x>")))))
	if nesttest.Client(t).Mode() == "cluster" {
		require.ErrorContains(t, err, "in another slot")
	} else {
		require.NoError(t, err)
	}
}

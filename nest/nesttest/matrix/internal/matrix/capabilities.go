package matrix

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/acl"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

type person struct {
	Name string
	Age  int
}

var (
	value   = nest.Key[string]("value")
	count   = nest.Counter[int64]("count")
	hash    = nest.Hash[int]("hash")
	ending  = nest.Hash[int]("ending")
	record  = nest.Record[person]("record")
	list    = nest.List[int]("list")
	set     = nest.Set[int]("set")
	ranks   = nest.SortedSet[int]("ranks")
	stream  = nest.Stream[int]("stream")
	bits    = nest.Bitmap("bits")
	guests  = nest.HyperLogLog[int]("guests")
	places  = nest.Geo[string]("places")
	lock    = nest.Lock("lock")
	limiter = nest.Limiter("limiter", nest.Rate(10, time.Minute))
	channel = nest.Channel[int]("channel")
	cached  = nest.Key[int]("cached", nest.Cached(time.Minute))
	local   = nest.Key[int]("local", nest.Cached(time.Minute, nest.LocalFor(time.Minute)))
	root    = nest.Cluster("root", nest.HashTag(), nest.TTL(time.Hour), nest.Sub(value, count, hash, ending, record, list, set, ranks,
		stream, bits, guests, places, lock, limiter, channel, cached, local))
)

// subject is what a capability is tried on.
type subject struct {
	server *nesttest.Server
	client rueidis.Client
	scope  nest.Scope
	prefix string
	hits   *atomic.Int64 // reads that came from memory
}

// capability is a row of the table.
type capability struct {
	name string
	try  func(t testing.TB, ctx context.Context, s subject)
}

var capabilities = []capability{
	{"values, counters, TTLs", func(t testing.TB, ctx context.Context, s subject) {
		require.NoError(t, value.At(s.scope).Set(ctx, "x"))
		v, err := value.At(s.scope).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, "x", v)
		n, err := count.At(s.scope).Incr(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		left, err := s.client.Do(ctx, s.client.B().Pttl().Key(count.At(s.scope).Key()).Build()).AsInt64()
		require.NoError(t, err)
		require.Positive(t, left)
	}},
	{"hashes, records", func(t testing.TB, ctx context.Context, s subject) {
		require.NoError(t, hash.At(s.scope).Set(ctx, "a", 1))
		v, err := hash.At(s.scope).Get(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, 1, v)
		require.NoError(t, record.At(s.scope).Set(ctx, person{"Ali", 7}))
		p, err := record.At(s.scope).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, person{"Ali", 7}, p)
	}},
	{"lists, sets, sorted sets, streams", func(t testing.TB, ctx context.Context, s subject) {
		_, err := list.At(s.scope).PushRight(ctx, 1, 2)
		require.NoError(t, err)
		_, err = set.At(s.scope).Add(ctx, 1)
		require.NoError(t, err)
		_, err = ranks.At(s.scope).Add(ctx, 1, 2)
		require.NoError(t, err)
		_, err = stream.At(s.scope).Add(ctx, 1)
		require.NoError(t, err)
		all, err := list.At(s.scope).Range(ctx, 0, -1)
		require.NoError(t, err)
		require.Equal(t, []int{1, 2}, all)
		entries, err := stream.At(s.scope).Entries(ctx, "-", "+", 10)
		require.NoError(t, err)
		require.Len(t, entries, 1)
	}},
	{"bitmaps, HyperLogLogs, places", func(t testing.TB, ctx context.Context, s subject) {
		_, err := bits.At(s.scope).SetBit(ctx, 7, true)
		require.NoError(t, err)
		_, err = guests.At(s.scope).Add(ctx, 1, 2)
		require.NoError(t, err)
		n, err := guests.At(s.scope).Count(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(2), n)
		_, err = places.At(s.scope).Add(ctx, "here", nest.Point{Longitude: 1, Latitude: 2})
		require.NoError(t, err)
		_, found, err := places.At(s.scope).Position(ctx, "here")
		require.NoError(t, err)
		require.True(t, found)
	}},
	{"batches, atomic batches", func(t testing.TB, ctx context.Context, s subject) {
		for _, b := range []*nest.Batch{s.scope.Batch(), s.scope.Atomic()} {
			value.At(s.scope).In(b).Set("y")
			got := value.At(s.scope).In(b).Get()
			require.NoError(t, b.Exec(ctx))
			v, err := got.Value()
			require.NoError(t, err)
			require.Equal(t, "y", v)
		}
	}},
	{"transactions", func(t testing.TB, ctx context.Context, s subject) {
		require.NoError(t, nest.Transact(ctx, s.scope, func(tx *nest.Tx) error {
			b := tx.Reads()
			_, v := value.At(s.scope).In(b).Get(), value.At(s.scope)
			if err := b.Exec(ctx); err != nil && !errors.Is(err, nest.ErrNotFound) {
				return err
			}
			v.In(tx.Writes()).Set("z")
			return nil
		}))
		v, err := value.At(s.scope).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, "z", v)
	}},
	{"locks, limiters, Update", func(t testing.TB, ctx context.Context, s subject) {
		lease, ok, err := lock.At(s.scope).TryAcquire(ctx)
		require.NoError(t, err)
		require.True(t, ok)
		require.NoError(t, lease.Release(ctx))
		d, err := limiter.At(s.scope).Allow(ctx)
		require.NoError(t, err)
		require.True(t, d.Allowed)
		v, err := value.At(s.scope).Update(ctx, func(v string, _ bool) (string, error) { return v + "!", nil })
		require.NoError(t, err)
		require.NotEmpty(t, v)
	}},
	{"loads (GetOrLoad)", func(t testing.TB, ctx context.Context, s subject) {
		_, err := value.At(s.scope).Delete(ctx)
		require.NoError(t, err)
		for range 2 {
			v, err := value.At(s.scope).GetOrLoad(ctx, func(context.Context) (string, error) { return "loaded", nil })
			require.NoError(t, err)
			require.Equal(t, "loaded", v)
		}
		v, err := value.At(s.scope).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, "loaded", v)
	}},
	{"pops that wait", func(t testing.TB, ctx context.Context, s subject) {
		time.AfterFunc(50*time.Millisecond, func() { _, _ = list.At(s.scope).PushRight(ctx, 3) })
		_, err := list.At(s.scope).Delete(ctx)
		require.NoError(t, err)
		v, ok, err := list.At(s.scope).WaitPopLeft(ctx, 10*time.Second)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, 3, v)
	}},
	{"channels", func(t testing.TB, ctx context.Context, s subject) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			for ctx.Err() == nil {
				_, _ = channel.At(s.scope).Publish(ctx, 1)
				time.Sleep(10 * time.Millisecond)
			}
		}()
		for v, err := range channel.At(s.scope).Subscribe(ctx) {
			require.NoError(t, err)
			require.Equal(t, 1, v)
			return
		}
	}},
	{"walks: Keys, Clear", func(t testing.TB, ctx context.Context, s subject) {
		require.NoError(t, value.At(s.scope).Set(ctx, "x"))
		n, err := s.scope.Count(ctx)
		require.NoError(t, err)
		require.Positive(t, n)
		_, err = s.scope.Clear(ctx)
		require.NoError(t, err)
		n, err = s.scope.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
	}},
	{"TTLs of fields", func(t testing.TB, ctx context.Context, s subject) {
		require.NoError(t, ending.At(s.scope).Set(ctx, "a", 1))
		_, err := ending.At(s.scope).ExpireFields(ctx, time.Minute, "a")
		may(t, err)
	}},
	{"reads that set the TTL of fields (HGETEX)", func(t testing.TB, ctx context.Context, s subject) {
		require.NoError(t, ending.At(s.scope).Set(ctx, "a", 1))
		_, err := ending.At(s.scope).GetAndExpire(ctx, time.Minute, "a")
		may(t, err)
	}},
	{"reads from the client's memory (Cached)", func(t testing.TB, ctx context.Context, s subject) { memory(ctx, t, s, cached) }},
	{"reads from memory without tracking (LocalFor)", func(t testing.TB, ctx context.Context, s subject) { memory(ctx, t, s, local) }},
	{"users with rights of their own (package acl)", func(t testing.TB, ctx context.Context, s subject) {
		s.server.Need(t, nesttest.ACL)
		rules, err := acl.Rules(s.scope, acl.ReadWrite, acl.On(ctx, s.client))
		require.NoError(t, err)
		client := s.server.ClientOf(t, rules)
		scope, err := nest.Open(client, root, nest.WithPrefix(s.prefix))
		require.NoError(t, err)
		require.NoError(t, value.At(scope).Set(ctx, "x"))
		require.ErrorContains(t, client.Do(ctx, client.B().Flushall().Build()).Error(), "NOPERM")
	}},
}

// may skips what the server does not have.
func may(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, nest.ErrUnsupported) {
		t.Skipf("the server lacks it")
	}
	require.NoError(t, err)
}

// memory writes a value and reads it until it comes from memory.
func memory(ctx context.Context, t testing.TB, s subject, key *nest.KeyDef[int]) {
	t.Helper()
	require.NoError(t, key.At(s.scope).Set(ctx, 1))
	s.hits.Store(0)
	for range 5 {
		v, err := key.At(s.scope).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, 1, v)
	}
	if s.hits.Load() == 0 {
		t.Skipf("the client cannot track")
	}
	require.NoError(t, key.At(s.scope).Set(ctx, 2))
	v, err := key.At(s.scope).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 2, v, "its own write")
}

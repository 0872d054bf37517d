package suite_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

func openStream[T any](t *testing.T, opts ...nest.KeyOption) (nest.StreamRef[T], redis) {
	t.Helper()
	def := nest.Stream[T]("stream", opts...)
	return def.At(nesttest.Open(t, nest.Cluster("streams", nest.Sub(def)))), redis{t, nesttest.Client(t)}
}

// fillStream adds 1 to n under the IDs 1-0 to n-0.
func fillStream(t *testing.T, ref nest.StreamRef[int], n int) {
	t.Helper()
	for i := 1; i <= n; i++ {
		_, err := ref.Add(t.Context(), i, nest.WithID(strconv.Itoa(i)+"-0"))
		require.NoError(t, err)
	}
}

func streamed(from, to int) []nest.Entry[int] {
	var es []nest.Entry[int]
	for i := from; i <= to; i++ {
		es = append(es, nest.Entry[int]{ID: strconv.Itoa(i) + "-0", Value: i})
	}
	return es
}

func TestStreamAdd(t *testing.T) {
	t.Parallel()
	ctx := t.Context()

	t.Run("the ID is the time", func(t *testing.T) {
		ref, _ := openStream[int](t)
		before := time.Now().Add(-time.Minute)
		id, err := ref.Add(ctx, 7)
		require.NoError(t, err)
		got, found, err := ref.Lookup(ctx, id)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, 7, got)
		at := nest.Entry[int]{ID: id}.Time()
		require.WithinRange(t, at, before, time.Now().Add(time.Minute))
	})
	t.Run("the ID is given", func(t *testing.T) {
		ref, _ := openStream[int](t)
		id, err := ref.Add(ctx, 1, nest.WithID("5-1"))
		require.NoError(t, err)
		require.Equal(t, "5-1", id)
		_, err = ref.Add(ctx, 2, nest.WithID("5-1"))
		require.ErrorIs(t, err, nest.ErrArgument)
		for _, bad := range []string{"", "x", "5-", "-5", "0-0", "0", "00-000", "$", "5-1-1", "5-*-*"} {
			_, err = ref.Add(ctx, 2, nest.WithID(bad))
			require.ErrorIs(t, err, nest.ErrArgument, bad)
		}
		n, err := ref.Len(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
	t.Run("only to an existing stream", func(t *testing.T) {
		ref, db := openStream[int](t)
		id, err := ref.Add(ctx, 1, nest.IfExists())
		require.ErrorIs(t, err, nest.ErrNotFound)
		require.Empty(t, id)
		require.False(t, db.exists(ref.Key()))
	})
	t.Run("in one field", func(t *testing.T) {
		ref, db := openStream[point](t, nest.EntryField("p"))
		_, err := ref.Add(ctx, point{1, 2}, nest.WithID("1-0"))
		require.NoError(t, err)
		raw, err := db.do("XRANGE", ref.Key(), "-", "+").AsXRange()
		require.NoError(t, err)
		require.Equal(t, map[string]string{"p": `{"X":1,"Y":2}`}, raw[0].FieldValues)
		require.NoError(t, db.do("XADD", ref.Key(), "2-0", "trace", "abc", "p", `{"X":3,"Y":4}`).Error())
		got, found, err := ref.Lookup(ctx, "2-0")
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, point{3, 4}, got, "other fields do not matter")
		require.NoError(t, db.do("XADD", ref.Key(), "3-0", "trace", "abc").Error())
		_, _, err = ref.Lookup(ctx, "3-0")
		require.ErrorIs(t, err, nest.ErrDecode)
		require.ErrorContains(t, err, `entry 3-0: `)
	})
	t.Run("a field for each of the struct", func(t *testing.T) {
		ref, db := openStream[person](t, nest.EntryPerField())
		id, err := ref.Add(ctx, someone())
		require.NoError(t, err)
		got, _, err := ref.Lookup(ctx, id)
		require.NoError(t, err)
		require.Equal(t, someone(), got)
		require.NoError(t, db.do("XADD", ref.Key(), "*", "name", "Ali", "e_mail", "old", "email", "newer").Error())
		last, err := ref.RevEntries(ctx, "", "", 1)
		require.NoError(t, err)
		mail := "newer"
		require.Equal(t, person{Name: "Ali", Plan: "free", Mail: &mail}, last[0].Value)

		type optional struct {
			A *int `nest:"a"`
		}
		none, _ := openStream[optional](t, nest.EntryPerField())
		_, err = none.Add(ctx, optional{})
		require.ErrorIs(t, err, nest.ErrEncode, "an entry without a field is none")
	})
}

func TestStreamTrim(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ref, _ := openStream[int](t, nest.KeepLast(5))
	fillStream(t, ref, 8)
	all, err := ref.Entries(ctx, "", "", 100)
	require.NoError(t, err)
	require.Equal(t, streamed(4, 8), all, "every Add trims as declared")
	_, err = ref.Add(ctx, 9, nest.WithID("9-0"), nest.KeepFrom("7-0"))
	require.NoError(t, err)
	all, err = ref.Entries(ctx, "", "", 100)
	require.NoError(t, err)
	require.Equal(t, streamed(7, 9), all, "an option of Add takes precedence")

	n, err := ref.Trim(ctx, nest.KeepLast(2))
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	_, err = ref.Trim(ctx, nest.KeepFrom("8-0").Approx().Limit(10))
	require.NoError(t, err)
	for _, bad := range []nest.TrimOption{{}, nest.KeepLast(-1), nest.KeepFrom("x"), nest.KeepLast(1).Limit(0)} {
		_, err = ref.Trim(ctx, bad)
		require.ErrorIs(t, err, nest.ErrArgument)
	}

	n, err = ref.DeleteEntries(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = ref.DeleteEntries(ctx, "8-0", "99-0")
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	_, err = ref.DeleteEntries(ctx, "8-0", "x")
	require.ErrorIs(t, err, nest.ErrArgument)
	_, found, err := ref.Lookup(ctx, "8-0")
	require.NoError(t, err)
	require.False(t, found)
}

func TestStreamRanges(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ref, db := openStream[int](t)
	for _, err := range ref.Range(ctx, "", "") {
		require.NoError(t, err)
		t.Fatal("the stream must be empty")
	}
	fillStream(t, ref, 10)
	collect := func(seq func(func(nest.Entry[int], error) bool)) (got []nest.Entry[int]) {
		for e, err := range seq {
			require.NoError(t, err)
			got = append(got, e)
		}
		return got
	}
	reversed := func(es []nest.Entry[int]) (r []nest.Entry[int]) {
		for i := range es {
			r = append(r, es[len(es)-1-i])
		}
		return r
	}
	// Page sizes that divide the number of entries and sizes that do not.
	for _, size := range []int{1, 3, 5, 10, 1000} {
		require.Equal(t, streamed(1, 10), collect(ref.Range(ctx, "", "", nest.ScanCount(size))), size)
		require.Equal(t, reversed(streamed(1, 10)), collect(ref.RevRange(ctx, "-", "+", nest.ScanCount(size))), size)
		require.Equal(t, streamed(3, 7), collect(ref.Range(ctx, "3-0", "7", nest.ScanCount(size))), size)
		require.Equal(t, reversed(streamed(3, 7)), collect(ref.RevRange(ctx, "3", "7-0", nest.ScanCount(size))), size)
	}
	for _, err := range ref.Range(ctx, "", "", nest.ScanCount(2)) {
		require.NoError(t, err)
		break
	}
	seq := ref.Range(ctx, "", "", nest.ScanCount(4))
	once := collect(seq)
	require.Equal(t, once, collect(seq), "a sequence can be ranged over again")

	some, err := ref.Entries(ctx, "2-0", "", 3)
	require.NoError(t, err)
	require.Equal(t, streamed(2, 4), some)
	some, err = ref.RevEntries(ctx, "", "9-0", 2)
	require.NoError(t, err)
	require.Equal(t, reversed(streamed(8, 9)), some)
	some, err = ref.Entries(ctx, "", "", 0)
	require.NoError(t, err)
	require.Empty(t, some)
	_, err = ref.Entries(ctx, "", "", -1)
	require.ErrorIs(t, err, nest.ErrArgument)
	_, err = ref.Entries(ctx, "x", "", 1)
	require.ErrorIs(t, err, nest.ErrArgument)
	_, _, err = ref.Lookup(ctx, "-")
	require.ErrorIs(t, err, nest.ErrArgument)

	require.NoError(t, db.do("XADD", ref.Key(), "11-0", "value", "secret-content").Error())
	seen := 0
	for _, err := range ref.Range(ctx, "9-0", "", nest.ScanCount(1)) {
		if seen++; seen < 3 {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, nest.ErrDecode)
		require.ErrorContains(t, err, "entry 11-0")
		require.NotContains(t, err.Error(), "secret-content")
	}
	require.Equal(t, 3, seen, "an error ends the stream")

	list, db := openStream[int](t)
	require.NoError(t, db.do("RPUSH", list.Key(), "x").Error())
	_, err = list.Entries(ctx, "", "", 1)
	require.ErrorIs(t, err, nest.ErrWrongType)
	_, err = list.Add(ctx, 1)
	require.ErrorIs(t, err, nest.ErrWrongType)
	_, err = list.CreateGroup(ctx, "g", "")
	require.ErrorIs(t, err, nest.ErrWrongType)
}

func TestStreamRead(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ref, _ := openStream[int](t)
	got, err := ref.Read(ctx, "")
	require.NoError(t, err)
	require.Empty(t, got)
	began := time.Now()
	got, err = ref.Read(ctx, nest.NewEntries, nest.Block(50*time.Millisecond))
	require.NoError(t, err)
	require.Empty(t, got)
	require.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)

	fillStream(t, ref, 3)
	got, err = ref.Read(ctx, "1-0")
	require.NoError(t, err)
	require.Equal(t, streamed(2, 3), got)
	got, err = ref.Read(ctx, "", nest.Count(1))
	require.NoError(t, err)
	require.Equal(t, streamed(1, 1), got)
	for _, bad := range []nest.ReadOption{nest.Count(0), nest.Block(0)} {
		_, err = ref.Read(ctx, "", bad)
		require.ErrorIs(t, err, nest.ErrArgument)
	}
	_, err = ref.Read(ctx, "x")
	require.ErrorIs(t, err, nest.ErrArgument)

	// A blocking read neither outlives its context nor delays anything else.
	waiting, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	go func() {
		_, err := ref.Read(waiting, nest.NewEntries, nest.Block(time.Hour))
		ended <- err
	}()
	time.Sleep(20 * time.Millisecond)
	n, err := ref.Len(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}

func TestStreamFollow(t *testing.T) {
	t.Parallel()
	for _, after := range []string{"", nest.NewEntries} {
		t.Run("after "+after, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			ref, _ := openStream[int](t)
			fillStream(t, ref, 2)
			want := streamed(1, 5)
			if after == nest.NewEntries {
				want = streamed(3, 5)
			}
			following := make(chan []nest.Entry[int])
			go func() {
				var got []nest.Entry[int]
				for e, err := range ref.Follow(ctx, after, nest.Count(1)) {
					if err != nil {
						t.Error(err)
						break
					}
					if got = append(got, e); len(got) == len(want) {
						break
					}
				}
				following <- got
			}()
			time.Sleep(50 * time.Millisecond)
			for i := 3; i <= 5; i++ {
				_, err := ref.Add(ctx, i, nest.WithID(fmt.Sprint(i, "-0")))
				require.NoError(t, err)
			}
			require.Equal(t, want, <-following)
		})
	}
	t.Run("until the context ends", func(t *testing.T) {
		ref, _ := openStream[int](t)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		for e, err := range ref.Follow(ctx, "") {
			t.Error("there must be neither an entry nor an error", e, err)
		}
	})
}

func TestStreamGroups(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ref, db := openStream[int](t)

	_, err := ref.ReadGroup(ctx, "g", "a")
	require.ErrorIs(t, err, nest.ErrNotFound)
	_, err = ref.Info(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	made, err := ref.CreateGroup(ctx, "g", "")
	require.NoError(t, err)
	require.True(t, made)
	made, err = ref.CreateGroup(ctx, "g", nest.NewEntries)
	require.NoError(t, err)
	require.False(t, made)
	fillStream(t, ref, 6)

	got, err := ref.ReadGroup(ctx, "g", "a", nest.Count(4))
	require.NoError(t, err)
	require.Equal(t, streamed(1, 4), got)
	got, err = ref.ReadGroup(ctx, "g", "b", nest.Block(time.Second))
	require.NoError(t, err)
	require.Equal(t, streamed(5, 6), got)
	n, err := ref.Ack(ctx, "g", "1-0", "1-0", "99-0")
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	n, err = ref.Ack(ctx, "g")
	require.NoError(t, err)
	require.Zero(t, n)
	got, err = ref.ReadPending(ctx, "g", "a", "")
	require.NoError(t, err)
	require.Equal(t, streamed(2, 4), got)
	got, err = ref.ReadPending(ctx, "g", "a", "2-0")
	require.NoError(t, err)
	require.Equal(t, streamed(3, 4), got)

	summary, err := ref.PendingSummary(ctx, "g")
	require.NoError(t, err)
	require.Equal(t, nest.PendingSummary{Count: 5, FirstID: "2-0", LastID: "6-0", Consumers: map[string]int64{"a": 3, "b": 2}}, summary)
	pending, err := ref.Pending(ctx, "g", nest.PendingQuery{Consumer: "a", From: "3-0", Limit: 1})
	require.NoError(t, err)
	require.Len(t, pending, 1)
	require.Equal(t, "3-0", pending[0].ID)
	require.Equal(t, "a", pending[0].Consumer)
	require.GreaterOrEqual(t, pending[0].Deliveries, int64(2))
	pending, err = ref.Pending(ctx, "g", nest.PendingQuery{Idle: time.Hour})
	require.NoError(t, err)
	require.Empty(t, pending)

	got, err = ref.Claim(ctx, "g", "b", 0, "2-0", "99-0")
	require.NoError(t, err)
	require.Equal(t, streamed(2, 2), got)
	if nesttest.Shared(t).Kind() != nesttest.KindEmbedded { // its XCLAIM ignores the idle time
		got, err = ref.Claim(ctx, "g", "b", time.Hour, "3-0")
		require.NoError(t, err)
		require.Empty(t, got)
	}
	got, err = ref.Claim(ctx, "g", "b", 0)
	require.NoError(t, err)
	require.Empty(t, got)
	claimed, err := ref.AutoClaim(ctx, "g", "c", 0, "", 2)
	require.NoError(t, err)
	require.Equal(t, streamed(2, 3), claimed.Entries)
	require.Equal(t, "4-0", claimed.Next)
	claimed, err = ref.AutoClaim(ctx, "g", "c", 0, claimed.Next, 10)
	require.NoError(t, err)
	require.Equal(t, streamed(4, 6), claimed.Entries)
	require.Equal(t, "0-0", claimed.Next)

	consumers, err := ref.Consumers(ctx, "g")
	require.NoError(t, err)
	require.Len(t, consumers, 3)
	require.Equal(t, "c", consumers[2].Name)
	require.EqualValues(t, 5, consumers[2].Pending)
	groups, err := ref.Groups(ctx)
	require.NoError(t, err)
	require.Len(t, groups, 1)
	require.Equal(t, "g", groups[0].Name)
	require.EqualValues(t, 3, groups[0].Consumers)
	require.EqualValues(t, 5, groups[0].Pending)
	require.Equal(t, "6-0", groups[0].LastID)
	info, err := ref.Info(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 6, info.Len)

	n, err = ref.DeleteConsumer(ctx, "g", "c")
	require.NoError(t, err)
	require.EqualValues(t, 5, n)
	made, err = ref.CreateConsumer(ctx, "g", "d")
	require.NoError(t, err)
	require.True(t, made)
	gone, err := ref.DestroyGroup(ctx, "g")
	require.NoError(t, err)
	require.True(t, gone)
	gone, err = ref.DestroyGroup(ctx, "g")
	require.NoError(t, err)
	require.False(t, gone)
	_, err = ref.PendingSummary(ctx, "g")
	require.ErrorIs(t, err, nest.ErrNotFound)
	_, err = ref.Consumers(ctx, "g")
	require.ErrorIs(t, err, nest.ErrNotFound)
	require.True(t, db.exists(ref.Key()))

	for _, err := range []error{
		errOf(ref.CreateGroup(ctx, "", "")), errOf(ref.CreateGroup(ctx, "g", "x")), errOf(ref.ReadGroup(ctx, "g", "")),
		errOf(ref.ReadPending(ctx, "g", "c", "$")), errOf(ref.Ack(ctx, "", "1-0")), errOf(ref.Ack(ctx, "g", "x")),
		errOf(ref.Claim(ctx, "g", "c", -1, "1-0")), errOf(ref.AutoClaim(ctx, "g", "c", 0, "x", 1)),
		errOf(ref.AutoClaim(ctx, "g", "c", 0, "", 0)), errOf(ref.Pending(ctx, "g", nest.PendingQuery{Limit: -1})),
		errOf(ref.DestroyGroup(ctx, "")), errOf(ref.DeleteConsumer(ctx, "g", "")), ref.SetGroupID(ctx, "g", "x"),
	} {
		require.ErrorIs(t, err, nest.ErrArgument)
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestStreamSetGroupID(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Snapshots) // the embedded server has no XGROUP SETID
	ctx := t.Context()
	ref, _ := openStream[int](t)
	fillStream(t, ref, 3)
	_, err := ref.CreateGroup(ctx, "g", nest.NewEntries)
	require.NoError(t, err)
	require.NoError(t, ref.SetGroupID(ctx, "g", "1-0"))
	got, err := ref.ReadGroup(ctx, "g", "a", nest.NoAck())
	require.NoError(t, err)
	require.Equal(t, streamed(2, 3), got)
	summary, err := ref.PendingSummary(ctx, "g")
	require.NoError(t, err)
	require.Zero(t, summary.Count)
	require.ErrorIs(t, ref.SetGroupID(ctx, "none", ""), nest.ErrNotFound)
	info, err := ref.Info(ctx)
	require.NoError(t, err)
	require.Equal(t, nest.StreamInfo{Len: 3, Added: 3, Groups: 1, FirstID: "1-0", LastID: "3-0", DeletedID: "0-0"}, info)
}

func TestStreamTTL(t *testing.T) {
	t.Parallel()
	type use = func(ctx context.Context, ref nest.StreamRef[int]) error
	for name, row := range map[string]struct {
		run     use
		creates bool
	}{
		"add":           {func(ctx context.Context, r nest.StreamRef[int]) error { return errOf(r.Add(ctx, 1)) }, true},
		"add trimming":  {func(ctx context.Context, r nest.StreamRef[int]) error { return errOf(r.Add(ctx, 1, nest.KeepLast(3))) }, true},
		"create group":  {func(ctx context.Context, r nest.StreamRef[int]) error { return errOf(r.CreateGroup(ctx, "new", "")) }, true},
		"trim":          {func(ctx context.Context, r nest.StreamRef[int]) error { return errOf(r.Trim(ctx, nest.KeepLast(1))) }, false},
		"delete":        {func(ctx context.Context, r nest.StreamRef[int]) error { return errOf(r.DeleteEntries(ctx, "1-0")) }, false},
		"destroy group": {func(ctx context.Context, r nest.StreamRef[int]) error { return errOf(r.DestroyGroup(ctx, "g")) }, false},
		"create consumer": {func(ctx context.Context, r nest.StreamRef[int]) error { return errOf(r.CreateConsumer(ctx, "g", "c")) },
			false},
		"delete consumer": {func(ctx context.Context, r nest.StreamRef[int]) error { return errOf(r.DeleteConsumer(ctx, "g", "c")) },
			false},
		"read":       {func(ctx context.Context, r nest.StreamRef[int]) error { return errOf(r.Read(ctx, "")) }, false},
		"read group": {func(ctx context.Context, r nest.StreamRef[int]) error { return errOf(r.ReadGroup(ctx, "g", "c")) }, false},
		"ack":        {func(ctx context.Context, r nest.StreamRef[int]) error { return errOf(r.Ack(ctx, "g", "1-0")) }, false},
		"claim": {func(ctx context.Context, r nest.StreamRef[int]) error {
			return errOf(r.Claim(ctx, "g", "c", 0, "1-0"))
		}, false},
		"auto claim": {func(ctx context.Context, r nest.StreamRef[int]) error {
			return errOf(r.AutoClaim(ctx, "g", "c", 0, "", 5))
		}, false},
		"entries": {func(ctx context.Context, r nest.StreamRef[int]) error { return errOf(r.Entries(ctx, "", "", 5)) }, false},
		"len":     {func(ctx context.Context, r nest.StreamRef[int]) error { return errOf(r.Len(ctx)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, renew := range []bool{false, true} {
				ref, db := openStream[int](t, nest.TTL(declaredTTL), nest.AutoRenew(renew))
				if row.creates {
					require.NoError(t, row.run(t.Context(), ref))
					about(t, declaredTTL, db.ttl(ref.Key()))
					require.NoError(t, db.do("DEL", ref.Key()).Error())
				}
				fillStream(t, ref, 4)
				require.NoError(t, errOf(ref.CreateGroup(t.Context(), "g", "")))
				require.NoError(t, errOf(ref.ReadGroup(t.Context(), "g", "b", nest.Count(2))))
				require.NoError(t, db.do("PEXPIRE", ref.Key(), "20000").Error())
				require.NoError(t, row.run(t.Context(), ref))
				want := 20 * time.Second
				if renew {
					want = declaredTTL
				}
				got := db.ttl(ref.Key())
				require.LessOrEqual(t, got, want)
				require.Greater(t, got, want-10*time.Second)
			}
		})
	}
}

func TestStreamMoves(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	from, to := nest.Stream[int]("from"), nest.Stream[int]("to", nest.TTL(declaredTTL))
	s := nesttest.Open(t, nest.Cluster("pair", nest.HashTag(), nest.Sub(from, to)))
	fillStream(t, from.At(s), 2)
	done, err := from.At(s).Copy(ctx, to.At(s))
	require.NoError(t, err)
	require.True(t, done)
	left, err := to.At(s).TTL(ctx)
	require.NoError(t, err)
	about(t, declaredTTL, left)
	done, err = from.At(s).Rename(ctx, to.At(s), nest.Replace())
	require.NoError(t, err)
	require.True(t, done)
	got, err := to.At(s).Entries(ctx, "", "", 10)
	require.NoError(t, err)
	require.Equal(t, streamed(1, 2), got)
}

func TestStreamSetLastID(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	events := nest.Stream[string]("events")
	ref := events.At(nesttest.Open(t, nest.Cluster("logs", nest.Sub(events))))

	err := ref.SetLastID(ctx, "9-9")
	if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
		require.ErrorIs(t, err, nest.ErrUnsupported)
		return
	}
	require.ErrorIs(t, err, nest.ErrNotFound)
	_, err = ref.Add(ctx, "a", nest.WithID("5-5"))
	require.NoError(t, err)
	require.ErrorIs(t, ref.SetLastID(ctx, "5-4"), nest.ErrArgument)
	require.ErrorIs(t, ref.SetLastID(ctx, "$"), nest.ErrArgument)
	require.NoError(t, ref.SetLastID(ctx, "9-9"))
	_, err = ref.Add(ctx, "b", nest.WithID("9-9"))
	require.ErrorIs(t, err, nest.ErrArgument)
	_, err = ref.Add(ctx, "b", nest.WithID("9-10"))
	require.NoError(t, err)
}

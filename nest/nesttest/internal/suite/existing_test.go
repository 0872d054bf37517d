package suite_test

import (
	"context"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

type visitedPage struct {
	Page  string  `nest:"page"`
	Count int64   `nest:"count,was=n"`
	Score float64 `nest:"score,omitzero"`
}

// One write that creates no key, on each kind that has such writes.
var (
	visitFields  = nest.Hash[int64]("fields")
	visitTimed   = nest.Hash[int64]("timed", nest.TTL(60))
	visitRenewed = nest.Hash[int64]("renewed", nest.TTL(60), nest.AutoRenew())
	visitRecord  = nest.Record[visitedPage]("record")
	visitExpires = nest.Record[visitedPage]("expires", nest.TTL(60))
	visitCount   = nest.Counter[int64]("count")
	visitSmall   = nest.Counter[uint8]("small", nest.TTL(60))
	visitFloat   = nest.Counter[float64]("float", nest.TTL(60), nest.AutoRenew())
	visitLog     = nest.Stream[int]("log")
	visitTimeLog = nest.Stream[int]("timelog", nest.TTL(60))
	visitRoot    = nest.Cluster("visits", nest.HashTag(), nest.Sub(visitFields, visitTimed, visitRenewed, visitRecord, visitExpires,
		visitCount, visitSmall, visitFloat, visitLog, visitTimeLog))
)

func visitWrites(s nest.Scope, more ...nest.FieldOption) map[string]func(ctx context.Context) error {
	field := slices.Concat(more, []nest.FieldOption{nest.IfExists()})
	writes := map[string]func(ctx context.Context) error{
		"update fields": func(ctx context.Context) error {
			return visitRecord.At(s).UpdateFields(ctx, visitedPage{Page: "x"}, "page")
		},
		"update and remove": func(ctx context.Context) error {
			return visitRecord.At(s).UpdateFields(ctx, visitedPage{Page: "x"}, "page", "score")
		},
		"update with a TTL": func(ctx context.Context) error {
			return visitExpires.At(s).UpdateFields(ctx, visitedPage{Page: "x"}, "page")
		},
		"update, remove with a TTL": func(ctx context.Context) error {
			return visitExpires.At(s).UpdateFields(ctx, visitedPage{}, "count", "score")
		},
		"incr a record": func(ctx context.Context) error { return second(visitRecord.At(s).Incr(ctx, "count", 1, field...)) },
		"incr a record's float": func(ctx context.Context) error {
			return second(visitExpires.At(s).IncrFloat(ctx, "score", 1, field...))
		},
		"counter incr":      func(ctx context.Context) error { return second(visitCount.At(s).Incr(ctx, nest.IfExists())) },
		"counter decr":      func(ctx context.Context) error { return second(visitCount.At(s).Decr(ctx, nest.IfExists())) },
		"counter add":       func(ctx context.Context) error { return second(visitSmall.At(s).Add(ctx, 3, nest.IfExists())) },
		"counter sub":       func(ctx context.Context) error { return second(visitSmall.At(s).Sub(ctx, 1, nest.IfExists())) },
		"counter of floats": func(ctx context.Context) error { return second(visitFloat.At(s).Add(ctx, 0.5, nest.IfExists())) },
		"entry":             func(ctx context.Context) error { return second(visitLog.At(s).Add(ctx, 1, nest.IfExists())) },
		"entry with a TTL":  func(ctx context.Context) error { return second(visitTimeLog.At(s).Add(ctx, 1, nest.IfExists())) },
	}
	for name, def := range map[string]*nest.HashDef[int64]{"": visitFields, " with a TTL": visitTimed, " renewed": visitRenewed} {
		h := def.At(s)
		writes["set"+name] = func(ctx context.Context) error { return h.Set(ctx, "a", 1, field...) }
		writes["set many"+name] = func(ctx context.Context) error { return h.SetMany(ctx, map[string]int64{"a": 1, "b": 2}, field...) }
		writes["set very many"+name] = func(ctx context.Context) error {
			many := map[string]int64{}
			for i := range int64(5000) {
				many[strconv.FormatInt(i, 10)] = i
			}
			return h.SetMany(ctx, many, field...)
		}
		writes["set if absent"+name] = func(ctx context.Context) error { return second(h.SetIfAbsent(ctx, "c", 1, field...)) }
		writes["incr"+name] = func(ctx context.Context) error { return second(h.Incr(ctx, "a", 1, field...)) }
		writes["decr"+name] = func(ctx context.Context) error { return second(h.Decr(ctx, "a", 1, field...)) }
	}
	return writes
}

func fillVisits(t *testing.T, s nest.Scope) {
	t.Helper()
	ctx := t.Context()
	require.NoError(t, visitRecord.At(s).Set(ctx, visitedPage{Page: "a", Score: 1}))
	require.NoError(t, visitExpires.At(s).Set(ctx, visitedPage{Page: "a", Score: 1}))
	for _, h := range []*nest.HashDef[int64]{visitFields, visitTimed, visitRenewed} {
		require.NoError(t, h.At(s).Set(ctx, "z", 1))
	}
	require.NoError(t, visitCount.At(s).Set(ctx, 1))
	require.NoError(t, visitSmall.At(s).Set(ctx, 1))
	require.NoError(t, visitFloat.At(s).Set(ctx, 1))
	for _, l := range []*nest.StreamDef[int]{visitLog, visitTimeLog} {
		require.NoError(t, second(l.At(s).Add(ctx, 1)))
	}
}

// A session that was deleted came back with one field.
func TestWritesToWhatExistsOnly(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for what, opts := range map[string][]nest.FieldOption{"plain": nil, "fields with a TTL": {nest.FieldTTL(time.Minute)}} {
		t.Run(what, func(t *testing.T) {
			s := nesttest.Open(t, visitRoot)
			if opts != nil {
				nesttest.Need(t, nesttest.HashFieldTTL)
			}
			for name, write := range visitWrites(s, opts...) {
				err := write(ctx)
				require.ErrorIs(t, err, nest.ErrNotFound, name)
				keys, err := s.Subkeys(ctx)
				require.NoError(t, err)
				require.Empty(t, keys, name)
			}
			for name, write := range visitWrites(s, opts...) {
				_, err := s.Clear(ctx)
				require.NoError(t, err)
				fillVisits(t, s)
				require.NoError(t, write(ctx), name)
				for _, ref := range []nest.Ref{visitTimed.At(s).Ref, visitRenewed.At(s).Ref, visitExpires.At(s).Ref,
					visitSmall.At(s).Ref, visitFloat.At(s).Ref, visitTimeLog.At(s).Ref} {
					left, err := ref.TTL(ctx)
					require.NoError(t, err, name)
					require.Positive(t, left, name)
				}
			}
			n, err := visitFields.At(s).Len(ctx)
			require.NoError(t, err)
			require.Positive(t, n)
		})
	}
}

func TestWritesToWhatExistsInBatches(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := nesttest.Open(t, visitRoot)
	for _, begin := range []func() *nest.Batch{s.Batch, s.Atomic} {
		_, err := s.Clear(ctx)
		require.NoError(t, err)
		require.NoError(t, visitCount.At(s).Set(ctx, 1))
		b := begin()
		field := visitTimed.At(s).In(b).Set("a", 1, nest.IfExists())
		count := visitCount.At(s).In(b).Add(2, nest.IfExists())
		entry := visitLog.At(s).In(b).Add(1, nest.IfExists())
		record := visitRecord.At(s).In(b).UpdateFields(visitedPage{Page: "b"}, "page")
		none := visitRecord.At(s).In(b).UpdateFields(visitedPage{Page: "b"})
		require.NoError(t, b.Exec(ctx))
		require.ErrorIs(t, field.Err(), nest.ErrNotFound)
		require.ErrorIs(t, entry.Err(), nest.ErrNotFound)
		require.ErrorIs(t, record.Err(), nest.ErrNotFound)
		require.NoError(t, none.Err())
		n, err := count.Value()
		require.NoError(t, err)
		require.Equal(t, int64(3), n)
	}
	_, err := visitCount.At(s).Add(ctx, math.MaxInt64, nest.IfExists())
	require.ErrorIs(t, err, nest.ErrOverflow)
	_, err = visitCount.At(s).Add(ctx, 1, nil) //nest:ignore it is refused
	require.ErrorIs(t, err, nest.ErrArgument)
	require.ErrorIs(t, visitRecord.At(s).UpdateFields(ctx, visitedPage{}, "pag"), nest.ErrArgument)
}

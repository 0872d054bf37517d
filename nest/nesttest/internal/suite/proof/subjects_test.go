package proof_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	source "github.com/redisimnest/redisimnest/nest/internal/operations"
)

// The keyspace of the proof has a key of each kind for every operation, each declared with a TTL.
// The keys are named after the operation that is run on them, and are in one slot.
const params = ":<op>:<n>"

type record struct {
	X string  `nest:"x"`
	N int64   `nest:"n"`
	F float64 `nest:"f"`
}

var (
	value    = nest.Key[string]("value"+params, nest.Default("default"))
	counter  = nest.Counter[int64]("counter"+params, nest.Default(7))
	secret   = nest.Secret[string]("secret" + params)
	password = nest.Password("password" + params)
	hash     = nest.Hash[int64]("hash"+params, nest.Default(7))
	rec      = nest.Record[record]("record"+params, nest.Default(record{X: "default"}))
	list     = nest.List[string]("list"+params, nest.Default([]string{"default"}))
	set      = nest.Set[string]("set"+params, nest.Default([]string{"default"}))
	sorted   = nest.SortedSet[string]("sorted"+params, nest.Default([]nest.Scored[string]{{Member: "default", Score: 1}}))
	stream   = nest.Stream[string]("stream" + params)
	bitmap   = nest.Bitmap("bitmap"+params, nest.Default([]byte("default")))
	distinct = nest.HyperLogLog[string]("hyperloglog"+params, nest.Default(7))
	geo      = nest.Geo[string]("geo"+params, nest.Default([]nest.Place[string]{{Member: "default", Point: point}}))
	channel  = nest.Channel[string]("channel" + params)

	defs = nest.Sub(value, counter, secret, password, hash, rec, list,
		set, sorted, stream, bitmap, distinct, geo, channel)
	plain   = nest.Cluster("plain", nest.HashTag(), nest.TTL(declaredTTL), defs)
	renewed = nest.Cluster("renewed", nest.HashTag(), nest.TTL(declaredTTL), nest.AutoRenew(), defs)
	root    = nest.Cluster("proof", nest.Sub(plain, renewed))

	point = nest.Point{Longitude: 13.361389, Latitude: 38.115556}
)

const declaredTTL = 120 * time.Second

// keyRef is what the references of all kinds have in common.
type keyRef interface {
	Key() string
	Delete(ctx context.Context) (bool, error)
	Dump(ctx context.Context) ([]byte, error)
}

// subject is a kind of reference, and how to make some of them.
type subject struct {
	typ string // "KeyRef"
	at  func(s nest.Scope, op string, n int) keyRef
	// fill stores something that every operation finds. It is nil for a kind without keys.
	fill func(ctx context.Context, ref keyRef) error
}

func subjectOf[R keyRef](typ string, at func(nest.Scope, ...any) R, fill func(ctx context.Context, r R) error) subject {
	s := subject{typ: typ, at: func(s nest.Scope, op string, n int) keyRef { return at(s, op, n) }}
	if fill != nil {
		s.fill = func(ctx context.Context, ref keyRef) error { return fill(ctx, ref.(R)) }
	}
	return s
}

var subjects = []subject{
	subjectOf("KeyRef", value.At, func(ctx context.Context, r nest.KeyRef[string]) error { return r.Set(ctx, "x") }),
	subjectOf("CounterRef", counter.At, func(ctx context.Context, r nest.CounterRef[int64]) error { return r.Set(ctx, 1) }),
	subjectOf("SecretRef", secret.At, func(ctx context.Context, r nest.SecretRef[string]) error { return r.Set(ctx, "x") }),
	subjectOf("PasswordRef", password.At, func(ctx context.Context, r nest.PasswordRef) error { return r.Set(ctx, "x") }),
	subjectOf("HashRef", hash.At, func(ctx context.Context, r nest.HashRef[int64]) error {
		return r.SetMany(ctx, map[string]int64{"x": 1, "y": 2, "z": 3})
	}),
	subjectOf("RecordRef", rec.At, func(ctx context.Context, r nest.RecordRef[record]) error {
		return r.Set(ctx, record{"x", 1, 1.5})
	}),
	subjectOf("ListRef", list.At, func(ctx context.Context, r nest.ListRef[string]) error {
		_, err := r.PushRight(ctx, "x", "y", "z")
		return err
	}),
	subjectOf("SetRef", set.At, func(ctx context.Context, r nest.SetRef[string]) error {
		_, err := r.Add(ctx, "x", "y", "z")
		return err
	}),
	subjectOf("SortedSetRef", sorted.At, func(ctx context.Context, r nest.SortedSetRef[string]) error {
		_, err := r.AddMany(ctx, []nest.Scored[string]{{Member: "x", Score: 1}, {Member: "y", Score: 2}, {Member: "z", Score: 3}})
		return err
	}),
	subjectOf("StreamRef", stream.At, fillProofStream),
	subjectOf("BitmapRef", bitmap.At, func(ctx context.Context, r nest.BitmapRef) error { return r.Set(ctx, []byte("xyz")) }),
	subjectOf("HyperLogLogRef", distinct.At, func(ctx context.Context, r nest.HyperLogLogRef[string]) error {
		_, err := r.Add(ctx, "y", "z")
		return err
	}),
	subjectOf("GeoRef", geo.At, func(ctx context.Context, r nest.GeoRef[string]) error {
		_, err := r.AddMany(ctx, []nest.Place[string]{{Member: "x", Point: point}, {Member: "y", Point: point}, {Member: "z", Point: point}})
		return err
	}),
	subjectOf("ChannelRef", channel.At, nil),
}

// fillProofStream adds three entries, the first of which is pending for x in group x.
func fillProofStream(ctx context.Context, r nest.StreamRef[string]) error {
	for _, id := range []string{"1-0", "2-0", "3-0"} {
		if _, err := r.Add(ctx, "x", nest.WithID(id)); err != nil {
			return err
		}
	}
	if _, err := r.CreateGroup(ctx, "x", ""); err != nil {
		return err
	}
	entries, err := r.ReadGroup(ctx, "x", "x", nest.Count(1))
	if err == nil && len(entries) != 1 {
		err = errors.New("the group returned no entry")
	}
	return err
}

// declaredOperations are the operations that the sources of package nest declare, by type.
var declaredOperations = sync.OnceValues(func() (map[string][]source.Operation, error) {
	ops, err := source.Read("../../../..")
	byType := make(map[string][]source.Operation)
	for _, op := range ops {
		byType[op.Type] = append(byType[op.Type], op)
	}
	return byType, err
})

// operationsOf returns the operations of a type of reference, including those of every kind.
func operationsOf(t testing.TB, typ string) []source.Operation {
	t.Helper()
	byType, err := declaredOperations()
	require.NoError(t, err)
	return append(append([]source.Operation(nil), byType["Ref"]...), byType[typ]...)
}

// requireExpiries requires that every key below the scope has an expiry, except the keys of
// operations that may leave one without. It returns the number of keys.
func requireExpiries(t *testing.T, client rueidis.Client, s nest.Scope, exempt func(op string) bool) (keys int) {
	t.Helper()
	db := database{t, client}
	for m, err := range s.Keys(t.Context(), nest.ScanCount(1000)) {
		require.NoError(t, err)
		keys++
		op, declared := m.Param("op")
		require.True(t, declared || strings.HasSuffix(m.Key(), "%load"), "%s is no declared key and no lock of a load", m.Key())
		if !declared || exempt == nil || !exempt(op) {
			require.NotEqual(t, none, db.ttl(m.Key()), "%s has no expiry", m.Key())
		}
	}
	return keys
}

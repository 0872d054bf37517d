package bench

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

// guarded is the same tree on the same client, with WithTimeout and WithBreaker.
func (f *ratios) guarded(tb testing.TB) nest.Scope {
	tb.Helper()
	prefix := f.prefix[:len(f.prefix)-len(":root:user:")]
	root, err := nest.Open(f.client, ratioTree, nest.WithPrefix(prefix), nest.WithOneConnection(),
		nest.WithTimeout(2*time.Second), nest.WithBreaker(5, time.Second))
	require.NoError(tb, err)
	return root
}

type valueKey struct{}

// contexts are the kinds of contexts that matter to WithTimeout.
func contexts(tb testing.TB) map[string]context.Context {
	tb.Helper()
	endless := context.WithValue(context.Background(), valueKey{}, "of no matter")
	canceled, cancel := context.WithCancel(context.Background())
	tb.Cleanup(cancel)
	near, cancel := context.WithTimeout(context.Background(), 1900*time.Millisecond)
	tb.Cleanup(cancel)
	far, cancel := context.WithTimeout(context.Background(), time.Hour)
	tb.Cleanup(cancel)
	return map[string]context.Context{"endless": endless, "canceled": canceled, "near": near, "far": far}
}

// BenchmarkAwayRatio reports what WithTimeout and WithBreaker cost a Get, with contexts of several
// kinds and from several goroutines. The unit x is the time with them for each second without.
func BenchmarkAwayRatio(b *testing.B) {
	f := newRatios(b, true)
	root := f.guarded(b)
	for name := range contexts(b) {
		for _, goroutines := range []int{1, 16, 256} {
			b.Run(fmt.Sprintf("%s-%d", name, goroutines), func(b *testing.B) {
				if name == "near" {
					b.Skip("its deadline would pass") // it is what endless is
				}
				ctx := contexts(b)[name]
				byTurns(b, goroutines, max(4000/goroutines, 100),
					func(context.Context) error { return same(ratioNote.At(root, f.user).Get(ctx)) },
					func(context.Context) error { return same(ratioNote.At(f.root, f.user).Get(ctx)) })
			})
		}
	}
	b.Run("cached", func(b *testing.B) {
		byTurns(b, 1, 20_000,
			func(ctx context.Context) error { return same(ratioCached.At(root, f.user).Get(ctx)) }, f.nestHit)
	})
	b.Run("GetOrLoad-far", func(b *testing.B) {
		ctx := contexts(b)["far"]
		byTurns(b, 16, 250,
			func(context.Context) error { return same(ratioNote.At(f.root, f.user).GetOrLoad(ctx, neverLoad)) },
			func(context.Context) error { return same(ratioNote.At(f.root, f.user).Get(ctx)) })
	})
}

// TestAwayAllocations checks that WithTimeout and WithBreaker allocate nothing, except where the
// context can be cancelled and has no deadline that is near enough.
func TestAwayAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates on its own")
	}
	f := newRatios(t, true)
	root := f.guarded(t)
	for name, ctx := range contexts(t) {
		more := map[string]float64{"canceled": 2, "far": 2}[name]
		var err error
		get := func() { err = errors.Join(err, same(ratioNote.At(root, f.user).Get(ctx))) }
		get()
		require.LessOrEqual(t, testing.AllocsPerRun(500, get), 2+more, name)
		hit := func() { err = errors.Join(err, same(ratioCached.At(root, f.user).Get(ctx))) }
		hit()
		require.LessOrEqual(t, testing.AllocsPerRun(500, hit), 2.0, name)
		require.NoError(t, err)
	}
}

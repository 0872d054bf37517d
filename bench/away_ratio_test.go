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

// BenchmarkRatioAway reports what WithTimeout and WithBreaker cost a Get, with contexts of several
// kinds and from several goroutines. A context with a near deadline is left out: the deadline would
// pass meanwhile, and TestAwayAllocations shows that it costs what an endless one does.
func BenchmarkRatioAway(b *testing.B) {
	f := newRatios(b, true)
	root := f.guarded(b)
	for name := range contexts(b) {
		for _, goroutines := range []int{1, 16, 256} {
			if name == "near" {
				continue
			}
			b.Run(fmt.Sprintf("Get with %s, %d/without", name, goroutines), func(b *testing.B) {
				ctx := contexts(b)[name]
				in := func(s nest.Scope) func(n int) {
					return inCrowd(b, goroutines, func(context.Context, int) error { return same(ratioNote.At(s, f.user).Get(ctx)) })
				}
				ratio(b, in(root), in(f.root), max(4096, 100*goroutines))
			})
		}
	}
	b.Run("cached/without", func(b *testing.B) {
		hit := func(ctx context.Context) error { return same(ratioCached.At(root, f.user).Get(ctx)) }
		ratio(b, inLine(b.Context(), b, hit), inLine(b.Context(), b, f.nestHit), 20_000)
	})
	b.Run("GetOrLoad with far, 16/nest's Get", func(b *testing.B) {
		ctx := contexts(b)["far"]
		ratio(b,
			inCrowd(b, 16, func(context.Context, int) error { return same(ratioNote.At(f.root, f.user).GetOrLoad(ctx, neverLoad)) }),
			inCrowd(b, 16, func(context.Context, int) error { return same(ratioNote.At(f.root, f.user).Get(ctx)) }), 4096)
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

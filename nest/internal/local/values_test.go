package local_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/internal/local"
)

func TestValuesLastAsLongAsTheirReaderSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		vs := local.NewValues[int](1 << 20)
		r := vs.Begin("a")
		time.Sleep(10 * time.Millisecond) // the answer is as old as the question
		r.Keep("GET", 1, 8)
		get := func(form string, d time.Duration) int {
			v, ok := vs.Get("a", form, d)
			if !ok {
				return -1
			}
			return v
		}
		require.Equal(t, 1, get("GET", 11*time.Millisecond))
		require.Equal(t, -1, get("GET", 10*time.Millisecond))
		require.Equal(t, -1, get("STRLEN", time.Second))
		time.Sleep(time.Second)
		require.Equal(t, -1, get("GET", time.Second))
		require.Equal(t, 1, get("GET", time.Hour), "it is kept for those who take older ones")
		vs.Begin("a").Keep("STRLEN", 2, 8)
		require.Equal(t, 2, get("STRLEN", time.Second))
		require.Equal(t, 1, get("GET", time.Hour))
		vs.Drop("a")
		require.Equal(t, -1, get("GET", time.Hour))
		require.Equal(t, -1, get("STRLEN", time.Hour))
		require.Zero(t, vs.Size())
	})
}

func TestValuesAreNoOlderThanTheLastDrop(t *testing.T) {
	t.Parallel()
	vs := local.NewValues[int](1 << 20)
	for name, forget := range map[string]func(){"drop": func() { vs.Drop("a") }, "clear": vs.Clear} {
		before := vs.Begin("a")
		other := vs.Begin("b")
		forget()
		after := vs.Begin("a")
		before.Keep("GET", 1, 8)
		_, ok := vs.Get("a", "GET", time.Hour)
		require.False(t, ok, name)
		after.Keep("GET", 2, 8)
		v, ok := vs.Get("a", "GET", time.Hour)
		require.True(t, ok, name)
		require.Equal(t, 2, v, name)
		other.Keep("GET", 3, 8)
		_, ok = vs.Get("b", "GET", time.Hour)
		require.Equal(t, name == "drop", ok, name)
		vs.Clear()
	}
}

// Of two reads that overlap, the one that began later counts.
func TestValuesKeepTheLaterRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		vs := local.NewValues[int](1 << 20)
		earlier := vs.Begin("a")
		time.Sleep(time.Millisecond)
		later := vs.Begin("a")
		later.Keep("GET", 2, 8)
		earlier.Keep("GET", 1, 8)
		v, ok := vs.Get("a", "GET", time.Hour)
		require.True(t, ok)
		require.Equal(t, 2, v)
		vs.Begin("a").End()
		_, ok = vs.Get("a", "GET", time.Hour)
		require.True(t, ok, "a read without an answer changes nothing")
	})
}

func TestValuesAreBounded(t *testing.T) {
	t.Parallel()
	const size = 64 << 10
	vs := local.NewValues[string](size)
	for i := range 1000 {
		vs.Begin(fmt.Sprint(i)).Keep("GET", "x", 100)
		if i >= 10 { // one that is always used stays
			_, ok := vs.Get("0", "GET", time.Hour)
			require.True(t, ok, i)
		}
		require.LessOrEqual(t, vs.Size(), size)
	}
	require.Greater(t, vs.Size(), size/2)
	_, ok := vs.Get("999", "GET", time.Hour)
	require.True(t, ok)
	_, ok = vs.Get("1", "GET", time.Hour)
	require.False(t, ok)
	vs.Begin("large").Keep("GET", "x", size)
	_, ok = vs.Get("large", "GET", time.Hour)
	require.False(t, ok)
	require.Zero(t, vs.Size(), "it has taken the place of all others")
	for i := range 10_000 { // of one key
		vs.Begin("hash").Keep(fmt.Sprint("HGET ", i), "x", 100)
		require.LessOrEqual(t, vs.Size(), size)
	}
}

// One goroutine for each key writes it and drops it; others read. A read that begins after the drop
// never sees what the key held before.
func TestValuesUnderConcurrency(t *testing.T) {
	t.Parallel()
	const keys, readers, rounds = 4, 4, 3000
	vs := local.NewValues[int64](2 << 20)
	var server, returned [keys]atomic.Int64
	var stop atomic.Bool
	var writing, reading sync.WaitGroup
	var wrong, hits atomic.Int64
	for k := range keys {
		key := fmt.Sprint(k)
		writing.Go(func() {
			// The readers may begin late: there is something to write until they have met values.
			for n := int64(1); n <= rounds || hits.Load() < 100 && n < 1000*rounds; n++ {
				server[k].Store(n)
				vs.Drop(key)
				returned[k].Store(n)
			}
		})
	}
	for range readers {
		reading.Go(func() {
			for !stop.Load() {
				k := rand.IntN(keys)
				key := fmt.Sprint(k)
				least := returned[k].Load()
				v, ok := vs.Get(key, "GET", time.Hour)
				if ok {
					hits.Add(1)
				} else {
					r := vs.Begin(key)
					v = server[k].Load()
					r.Keep("GET", v, 8)
				}
				if v < least {
					wrong.Add(1)
				}
			}
		})
	}
	writing.Wait()
	for k := range keys {
		vs.Begin(fmt.Sprint(k)).End()
	}
	stop.Store(true)
	reading.Wait()
	require.Zero(t, wrong.Load())
	require.Positive(t, hits.Load())
}

// FuzzValues holds Values against a simple model of them: a map, and a version for each key that
// counts its drops.
func FuzzValues(f *testing.F) {
	f.Add([]byte{0, 1, 16, 2, 32, 3, 64, 4, 80, 5})
	f.Add([]byte(strings.Repeat("\x01\x11\x21\x31\x41\x51", 20)))
	f.Fuzz(func(t *testing.T, steps []byte) {
		const size = 4 << 10
		vs := local.NewValues[int](size)
		type place struct{ key, form string }
		model := map[place]int{}
		version := map[string]int{}
		type open struct {
			r       local.Reading[int]
			key     string
			version int
		}
		var under []open
		forget := func(key string) {
			version[key]++
			for p := range model {
				if p.key == key {
					delete(model, p)
				}
			}
		}
		for n, b := range steps {
			key, form := string('a'+rune(b&3)), string('A'+rune(b>>2&1))
			switch b >> 4 & 7 {
			case 0, 1:
				under = append(under, open{vs.Begin(key), key, version[key]})
			case 2, 3, 4:
				if len(under) == 0 {
					continue
				}
				i := n % len(under)
				o := under[i]
				under = append(under[:i], under[i+1:]...)
				if b>>4&7 == 4 {
					o.r.End()
					continue
				}
				o.r.Keep(form, n, int(b)*4)
				if o.version == version[o.key] {
					model[place{o.key, form}] = n
				}
			case 5:
				vs.Drop(key)
				forget(key)
			case 6:
				vs.Clear()
				for _, k := range []string{"a", "b", "c", "d"} {
					forget(k)
				}
			}
			if got := vs.Size(); got > size || got < 0 {
				t.Fatalf("%d bytes of %d", got, size)
			}
			for _, k := range []string{"a", "b", "c", "d"} {
				for _, fm := range []string{"A", "B"} {
					v, ok := vs.Get(k, fm, time.Hour)
					want, there := model[place{k, fm}]
					// What has made room for others is missing; an earlier read may give way to a
					// later one.
					if ok && !there {
						t.Fatalf("step %d: %s of %s is %d, and was dropped", n, fm, k, v)
					}
					if ok && v > want {
						t.Fatalf("step %d: %s of %s is %d, not %d", n, fm, k, v, want)
					}
				}
			}
		}
		for _, o := range under {
			o.r.End()
		}
		vs.Clear()
		if vs.Size() != 0 {
			t.Fatalf("%d bytes are left", vs.Size())
		}
	})
}

//nest:ignore what calls say that cannot be sent is tested here

package suite_test

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/acl"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/primaries"
)

var (
	genShop    = nest.Param[string]("shop")
	genSecret  = nest.Param[string]("token", nest.Sensitive())
	genNumber  = nest.Param[int64]("gen")
	genItem    = nest.Key[string]("item:<id>")
	genPage    = nest.Hash[string]("page", nest.TTL(time.Minute))
	genCatalog = nest.Cluster("catalog:<gen>", nest.Generation("gen"), nest.TTL(time.Hour), nest.Sub(genItem, genPage))
	genStock   = nest.Key[int]("stock")
	genStocks  = nest.Cluster("stocks:<place>-<gen>:x", nest.Params(genNumber), nest.Generation("gen"), nest.TTL(time.Hour), nest.Sub(genStock))
	genKept    = nest.Key[string]("kept")
	genTenant  = nest.Cluster("shop:<shop>", nest.Params(genShop), nest.Sub(genStocks, genKept))
	genHidden  = nest.Cluster("login:<token>:<gen>", nest.Params(genSecret), nest.Generation("gen"), nest.TTL(time.Hour), nest.Sub(nest.Key[int]("n")))
	genRoot    = nest.Cluster("gen", nest.Sub(genCatalog, genTenant, genHidden))
)

// generationOf returns the number of a scope's generation.
func generationOf(t *testing.T, s nest.Scope, of nest.Node) int64 {
	t.Helper()
	require.NoError(t, s.Err())
	_, rest, ok := strings.Cut(s.Prefix(), strings.SplitN(of.Template(), ":", 2)[0]+":")
	require.True(t, ok, s.Prefix())
	rest = strings.TrimSuffix(rest, ":x")
	n, err := strconv.ParseInt(rest[strings.LastIndexAny(rest, ":-")+1:], 10, 64)
	require.NoError(t, err)
	return n
}

func TestGenerations(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	log := &events{}
	root := nesttest.Open(t, genRoot, nest.WithObserver(log))
	before := time.Now().Add(-time.Minute).UnixMilli()
	first, err := genCatalog.Current(ctx, root)
	require.NoError(t, err)
	require.Equal(t, root.Prefix()+":catalog:"+strconv.FormatInt(generationOf(t, first, genCatalog), 10), first.Prefix())
	require.Greater(t, generationOf(t, first, genCatalog), before, "the server's time in milliseconds")
	require.NoError(t, genItem.At(first, 7).Set(ctx, "old"))
	again, err := genCatalog.Current(ctx, root)
	require.NoError(t, err)
	require.Equal(t, first.Prefix(), again.Prefix())

	second, err := genCatalog.Renew(ctx, root)
	require.NoError(t, err)
	require.Greater(t, generationOf(t, second, genCatalog), generationOf(t, first, genCatalog))
	again, err = genCatalog.Current(ctx, root)
	require.NoError(t, err)
	require.Equal(t, second.Prefix(), again.Prefix())
	_, err = genItem.At(again, 7).Get(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	require.NoError(t, genItem.At(again, 7).Set(ctx, "new"))
	value, err := genItem.At(genCatalog.At(root, generationOf(t, first, genCatalog)), 7).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, "old", value, "an old generation is a scope like any other")

	require.Equal(t, []string{"current", "set", "current", "renew", "current", "get", "set", "get"}, log.ops())
	for _, e := range log.all[:1] {
		require.Equal(t, "gen:catalog:<gen>", strings.TrimPrefix(e.Template, strings.TrimSuffix(root.Prefix(), "gen")))
		require.Equal(t, beside(root.Prefix()+":catalog", "gen"), e.Key)
	}

	for m, err := range root.Keys(ctx) {
		require.NoError(t, err)
		current, err := m.Current(ctx)
		require.NoError(t, err)
		require.Equal(t, strings.HasPrefix(m.Key(), second.Prefix()+":"), current, m.Key())
	}
	n, err := first.Clear(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	again, err = genCatalog.Current(ctx, root)
	require.NoError(t, err)
	require.Equal(t, second.Prefix(), again.Prefix(), "the number stands beside the generations")
}

// A number never comes back, whatever becomes of the key that holds it.
func TestALostGenerationNeverComesBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for what, lose := range map[string]func(do func(words ...string), key string, numbers []int64){
		"deleted":           func(do func(...string), key string, _ []int64) { do("DEL", key) },
		"expired":           func(do func(...string), key string, _ []int64) { do("PEXPIRE", key, "0") },
		"set back by one":   func(do func(...string), key string, n []int64) { do("SET", key, strconv.FormatInt(n[len(n)-2], 10)) },
		"set to the first":  func(do func(...string), key string, n []int64) { do("SET", key, strconv.FormatInt(n[0], 10)) },
		"set to one":        func(do func(...string), key string, _ []int64) { do("SET", key, "1") },
		"no number":         func(do func(...string), key string, _ []int64) { do("SET", key, "hello") },
		"negative":          func(do func(...string), key string, _ []int64) { do("SET", key, "-5") },
		"too great":         func(do func(...string), key string, _ []int64) { do("SET", key, "99999999999999999999") },
		"ahead and deleted": func(do func(...string), key string, _ []int64) { do("DEL", key) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for _, of := range []struct {
				cluster *nest.ClusterDef
				args    []any
			}{{genCatalog, nil}, {genStocks, []any{"acme", "north"}}} {
				root := nesttest.Open(t, genRoot)
				base := root.Prefix() + ":catalog"
				if len(of.args) > 0 {
					base = root.Prefix() + ":shop:acme:stocks:north-"
				}
				client := nesttest.Client(t)
				do := func(words ...string) {
					require.NoError(t, client.Do(ctx, client.B().Arbitrary(words[0]).Keys(words[1]).Args(words[2:]...).Build()).Error())
				}
				s, err := of.cluster.Current(ctx, root, of.args...)
				require.NoError(t, err)
				numbers := []int64{generationOf(t, s, of.cluster)}
				if what == "ahead and deleted" { // of the clock: then only this client knows
					do("SET", beside(base, "gen"), strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10))
				}
				for range 3 {
					s, err = of.cluster.Renew(ctx, root, of.args...)
					require.NoError(t, err)
					numbers = append(numbers, generationOf(t, s, of.cluster))
				}
				require.True(t, slices.IsSorted(numbers))
				lose(do, beside(base, "gen"), numbers)
				require.Eventually(t, func() bool { // once the server's message has come
					s, err = of.cluster.Current(ctx, root, of.args...)
					require.NoError(t, err)
					n := generationOf(t, s, of.cluster)
					require.GreaterOrEqual(t, n, numbers[3], "an old generation is back")
					return n > numbers[3]
				}, 5*time.Second, time.Millisecond)
				s, err = of.cluster.Renew(ctx, root, of.args...)
				require.NoError(t, err)
				require.Greater(t, generationOf(t, s, of.cluster), numbers[3])
			}
		})
	}
}

// No Current of a client returns an older generation once its Renew has returned, and none goes
// back, while others renew too.
func TestOwnGenerationsAreNeverOld(t *testing.T) {
	t.Parallel()
	prefix := nest.WithPrefix(nesttest.Shared(t).Prefix(t))
	neverOld(t, func() nest.Scope { return nesttest.Open(t, genRoot, prefix) }, 300)
}

// neverOld renews and asks on two clients, from several goroutines of each.
func neverOld(t *testing.T, open func() nest.Scope, times int) {
	t.Helper()
	ctx := t.Context()
	var failed, old atomic.Int64
	clients := []nest.Scope{open(), open()}
	var newest [2]atomic.Int64 // what a Renew of the client has returned
	for _, of := range []struct {
		cluster *nest.ClusterDef
		args    []any
	}{{genCatalog, nil}, {genStocks, []any{"acme", "north"}}} {
		newest[0].Store(0)
		newest[1].Store(0)
		together(8, func(g int) {
			root, mine := clients[g%2], &newest[g%2]
			last := int64(0)
			for i := range times {
				least := max(mine.Load(), last)
				ask := of.cluster.Current
				if renews := g < 2 && i%3 == 0; renews {
					ask = of.cluster.Renew
				}
				s, err := ask(ctx, root, of.args...)
				if err != nil {
					failed.Add(1)
					continue
				}
				text := strings.TrimSuffix(s.Prefix(), ":x")
				n, err := strconv.ParseInt(text[strings.LastIndexAny(text, ":-")+1:], 10, 64)
				if err != nil {
					failed.Add(1)
				}
				if n < least {
					old.Add(1)
				}
				last = n
				if g < 2 && i%3 == 0 {
					for before := mine.Load(); before < n && !mine.CompareAndSwap(before, n); before = mine.Load() {
						continue
					}
				}
			}
		})
	}
	require.Zero(t, failed.Load())
	require.Zero(t, old.Load(), "old generations")
}

// Another client learns of a new generation by the server's message.
func TestOtherClientsLearnOfAGeneration(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	prefix := nest.WithPrefix(nesttest.Shared(t).Prefix(t))
	one, other := nesttest.Open(t, genRoot, prefix), nesttest.Open(t, genRoot, prefix)
	var s, seen nest.Scope
	var err error
	for range 20 {
		seen, err = genCatalog.Current(ctx, other)
		require.NoError(t, err)
		s, err = genCatalog.Renew(ctx, one)
		require.NoError(t, err)
		require.NotEqual(t, seen.Prefix(), s.Prefix())
		require.Eventually(t, func() bool {
			seen, err = genCatalog.Current(ctx, other)
			require.NoError(t, err)
			return seen.Prefix() == s.Prefix()
		}, 5*time.Second, time.Millisecond)
	}
}

// While nothing changes, Current is served from the client's memory, for a minute at most.
func TestCurrentStaysLocal(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	ctx := t.Context()
	server := nesttest.Start(t)
	client := server.Client(t)
	log := &events{}
	root, err := nest.Open(client, genRoot, nest.WithObserver(log))
	require.NoError(t, err)
	_, err = genCatalog.Current(ctx, root)
	require.NoError(t, err)
	for range 100 {
		_, err = genCatalog.Current(ctx, root)
		require.NoError(t, err)
	}
	hits := 0
	for _, e := range log.all {
		if e.CacheHit {
			hits++
		}
	}
	require.GreaterOrEqual(t, hits, 99)
	info, err := client.Do(ctx, client.B().Info().Section("commandstats").Build()).ToString()
	require.NoError(t, err)
	require.Contains(t, info, "cmdstat_get:calls=3,", "one is of the script, one before and one after it")
	answer := client.DoCache(ctx, client.B().Get().Key(beside("gen:catalog", "gen")).Cache(), time.Hour)
	require.True(t, answer.IsCacheHit())
	require.LessOrEqual(t, answer.CacheTTL(), int64(60))
}

// When the connection was dead and is lost, the next Current asks the server.
func TestCurrentOnADeadConnection(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	ctx := t.Context()
	server := nesttest.Start(t)
	one := server.Open(t, genRoot, nest.WithPrefix("p"))
	relay := nesttest.NewRelay(t, server.Addr())
	option := server.ClientOption()
	option.InitAddress, option.ForceSingleClient, option.PipelineMultiplex = []string{relay.Addr()}, true, -1
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	other, err := nest.Open(client, genRoot, nest.WithPrefix("p"))
	require.NoError(t, err)
	first, err := genCatalog.Current(ctx, other)
	require.NoError(t, err)
	_, err = genCatalog.Current(ctx, other)
	require.NoError(t, err)

	relay.LoseAnswers() // the server's message is lost, and the connection with it
	second, err := genCatalog.Renew(ctx, one)
	require.NoError(t, err)
	require.NotEqual(t, first.Prefix(), second.Prefix())
	require.Eventually(t, func() bool {
		seen, err := genCatalog.Current(ctx, other)
		return err == nil && seen.Prefix() == second.Prefix()
	}, 10*time.Second, time.Millisecond)
	seen, err := genCatalog.Current(ctx, other)
	require.NoError(t, err)
	require.Equal(t, second.Prefix(), seen.Prefix())

	relay.Mute()
	_, err = genCatalog.Renew(ctx, one)
	require.NoError(t, err)
	seen, err = genCatalog.Current(ctx, other)
	require.NoError(t, err)
	require.Equal(t, second.Prefix(), seen.Prefix(), "it cannot know yet")
	ending, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err = genCatalog.Renew(ending, other)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// The first ones that ask agree on one generation.
func TestTheFirstGenerationIsBegunOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	prefix := nest.WithPrefix(nesttest.Shared(t).Prefix(t))
	clients := []nest.Scope{nesttest.Open(t, genRoot, prefix), nesttest.Open(t, genRoot, prefix)}
	for i := range 20 {
		var got [8]string
		together(len(got), func(g int) {
			s, err := genStocks.Current(ctx, clients[g%2], "acme", i)
			assert.NoError(t, err)
			got[g] = s.Prefix()
		})
		require.Len(t, slices.Compact(got[:]), 1, got)
	}
}

func TestGenerationsOfTenants(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := nesttest.Open(t, genRoot)
	north, err := genStocks.Current(ctx, root, "a:b", "north")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(north.Prefix(), root.Prefix()+":shop:a%3Ab:stocks:north-"), north.Prefix())
	require.True(t, strings.HasSuffix(north.Prefix(), ":x"))
	require.NoError(t, genStock.At(north).Set(ctx, 5))
	south, err := genStocks.Current(ctx, genTenant.At(root, "a:b"), "south")
	require.NoError(t, err)
	_, err = genStocks.Renew(ctx, root, genShop.Of("a:b"), "south")
	require.NoError(t, err)
	again, err := genStocks.Current(ctx, genTenant.At(root, "a:b"), "north")
	require.NoError(t, err)
	require.Equal(t, north.Prefix(), again.Prefix(), "each has its own")
	again, err = genStocks.Current(ctx, root, "a:b", "south")
	require.NoError(t, err)
	require.NotEqual(t, south.Prefix(), again.Prefix())

	m, err := root.Match(genStock.At(north).Key())
	require.NoError(t, err)
	number, err := genNumber.From(m)
	require.NoError(t, err)
	current, err := m.Current(ctx)
	require.NoError(t, err)
	require.True(t, current)
	m, err = root.Match(genStock.At(root, "a:b", "north", number-1).Key())
	require.NoError(t, err)
	current, err = m.Current(ctx)
	require.NoError(t, err)
	require.False(t, current)
	m, err = root.Match(genStock.At(root, "a:b", "west", number).Key())
	require.NoError(t, err)
	current, err = m.Current(ctx)
	require.NoError(t, err)
	require.False(t, current, "nobody has begun one there")
	n, err := root.Count(ctx, nest.Companions(), nest.Only(genStocks))
	require.NoError(t, err)
	require.EqualValues(t, 3, n, "a key and two numbers: Match.Current has begun none")
	m, err = root.Match(genKept.At(root, "a:b").Key())
	require.NoError(t, err)
	current, err = m.Current(ctx)
	require.NoError(t, err)
	require.True(t, current, "it is below no generation")
	m, _ = root.Match(root.Prefix() + ":nobody's")
	_, err = m.Current(ctx)
	require.ErrorIs(t, err, nest.ErrNoMatch)
}

// Clear deletes the numbers of what it deletes, and the next generation is a new one.
func TestClearTakesNumbersOfGenerations(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := nesttest.Open(t, genRoot)
	fill := func(shop string) nest.Scope {
		s, err := genStocks.Renew(ctx, root, shop, "north")
		require.NoError(t, err)
		require.NoError(t, genStock.At(s).Set(ctx, 1))
		require.NoError(t, genKept.At(root, shop).Set(ctx, "x"))
		return s
	}
	numbers := func(opts ...nest.ScanOption) (found []string) {
		for m, err := range root.Keys(ctx, append(opts, nest.Companions())...) {
			require.NoError(t, err)
			if of, role, ok := m.Companion(); ok {
				require.Equal(t, "gen", role)
				require.Equal(t, nest.Node(genStocks), of.Def())
				found = append(found, strings.TrimPrefix(of.Key(), root.Prefix()+":"))
			}
		}
		slices.Sort(found)
		return found
	}
	acme, other := fill("acme"), fill("b")
	require.Equal(t, []string{"shop:acme:stocks:north-", "shop:b:stocks:north-"}, numbers())
	require.Equal(t, []string{"shop:acme:stocks:north-"}, numbers(nest.Where(genShop.Of("acme"))))
	require.Equal(t, []string{"shop:acme:stocks:north-", "shop:b:stocks:north-"}, numbers(nest.Only(genStocks)))
	require.Empty(t, numbers(nest.Only(genStock)))
	require.Empty(t, numbers(nest.Where(genNumber.Of(generationOf(t, acme, genStocks)))), "a number is of no generation")
	n, err := root.Clear(ctx, nest.Where(genShop.Of("acme")), nest.DryRun())
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	require.Len(t, numbers(), 2)
	n, err = root.Clear(ctx, nest.Where(genShop.Of("acme")))
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	require.Equal(t, []string{"shop:b:stocks:north-"}, numbers())
	now, err := genStocks.Current(ctx, root, "acme", "north")
	require.NoError(t, err)
	require.Greater(t, generationOf(t, now, genStocks), generationOf(t, acme, genStocks))

	for range 300 {
		before := generationOf(t, now, genStocks)
		_, err = root.Clear(ctx)
		require.NoError(t, err)
		now, err = genStocks.Current(ctx, root, "acme", "north")
		require.NoError(t, err)
		require.Greater(t, generationOf(t, now, genStocks), before)
	}
	now, err = genStocks.Current(ctx, root, "b", "north")
	require.NoError(t, err)
	require.Greater(t, generationOf(t, now, genStocks), generationOf(t, other, genStocks))
}

func TestGenerationErrors(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	log := &events{}
	root := nesttest.Open(t, genRoot, nest.WithObserver(log))
	s, err := genCatalog.Current(ctx, root)
	require.NoError(t, err)
	foreign := nest.Cluster("foreign:<gen>", nest.Generation("gen"), nest.TTL(1))
	named, err := nest.Open(nil, genRoot, nest.NamesOnly())
	require.NoError(t, err)
	calls := 1
	for what, c := range map[string]struct {
		do   func(of func(context.Context, nest.Scope, ...any) (nest.Scope, error)) (nest.Scope, error)
		of   *nest.ClusterDef
		want error
		text string
	}{
		"no generation": {of: genTenant, want: nest.ErrArgument, text: "declares no Generation"},
		"below it":      {of: genCatalog, want: nest.ErrArgument, text: "has filled in <gen> already"},
		"missing":       {of: genStocks, want: nest.ErrMissingParam, text: "<place>"},
		"too many":      {of: genCatalog, want: nest.ErrExtraParam},
		"of no kind":    {of: genStocks, want: nest.ErrParamType},
		"not mounted":   {of: foreign, want: nest.ErrNotMounted},
		"nil":           {of: nil, want: nest.ErrNotMounted},
		"nil context":   {of: genCatalog, want: nest.ErrArgument, text: "context"},
		"zero scope":    {of: genCatalog, want: nest.ErrNoClient},
		"names only":    {of: genCatalog, want: nest.ErrNoClient},
		"bad scope":     {of: genStocks, want: nest.ErrMissingParam},
	} {
		for op, do := range map[string]func(context.Context, nest.Scope, ...any) (nest.Scope, error){"current": c.of.Current, "renew": c.of.Renew} {
			at, with, args := ctx, root, []any(nil)
			switch what {
			case "below it":
				with = s
			case "missing":
				args = []any{"acme"}
			case "too many":
				args = []any{5}
			case "of no kind":
				args = []any{"acme", struct{}{}}
			case "nil context":
				at = nil
			case "zero scope":
				with = nest.Scope{}
			case "names only":
				with = named
			case "bad scope":
				with = genTenant.At(root)
			}
			got, err := do(at, with, args...)
			require.ErrorIs(t, err, c.want, what)
			require.ErrorContains(t, err, c.text, what)
			require.ErrorIs(t, got.Err(), c.want, "%s %s", op, what)
			if what != "zero scope" && what != "names only" {
				calls++
			}
		}
	}
	require.Len(t, log.all, calls, "observers are told of all")

	hidden, err := genHidden.Current(ctx, root, "hush")
	require.NoError(t, err)
	require.Contains(t, hidden.Prefix(), "hush")
	require.NotContains(t, hidden.String(), "hush")
	client := nesttest.Client(t)
	key := beside(root.Prefix()+":login:hush", "gen")
	require.NoError(t, client.Do(ctx, client.B().Del().Key(key).Build()).Error())
	require.NoError(t, client.Do(ctx, client.B().Lpush().Key(key).Element("x").Build()).Error())
	_, err = genHidden.Renew(ctx, root, "hush")
	require.ErrorIs(t, err, nest.ErrWrongType)
	require.NotContains(t, err.Error(), "hush")
	for m, err := range root.Keys(ctx, nest.Companions()) {
		require.NoError(t, err)
		require.NotContains(t, m.String(), "hush")
	}
	for _, e := range log.all {
		require.NotContains(t, e.Key, "hush")
	}
	require.NoError(t, client.Do(ctx, client.B().Del().Key(key).Build()).Error())
	require.NoError(t, client.Do(ctx, client.B().Set().Key(key).Value("9007199254740991").Build()).Error())
	_, err = genHidden.Renew(ctx, root, "hush")
	require.ErrorIs(t, err, nest.ErrOverflow)
}

func TestGenerationDeclarations(t *testing.T) {
	t.Parallel()
	key := nest.Key[int]("k")
	for what, declare := range map[string]func(){
		"is given twice":                          func() { nest.Cluster("a:<g>", nest.Generation("g"), nest.Generation("g")) },
		"give the name of a parameter":            func() { nest.Cluster("a:<g>", nest.Generation("<g>")) },
		"the last parameter of the prefix has to": func() { nest.Cluster("a:<g>:<x>", nest.Generation("g")) },
		"has to be <g>":                           func() { nest.Cluster("", nest.Generation("g")) },
		"has to begin with a name":                func() { nest.Cluster("<g>", nest.Generation("g")) },
		"cannot be in a hash tag":                 func() { nest.Cluster("a:<g>", nest.Generation("g"), nest.HashTag()) },
		"put HashTag, or the braces":              func() { nest.Cluster("{a:<x>:<g>}", nest.Generation("g")) },
	} {
		require.Contains(t, panicking(declare), what)
	}
	require.Empty(t, panicking(func() { nest.Cluster("{a:<x>}:<g>", nest.Generation("g")) }))

	check := func(opts ...nest.ClusterOption) error {
		return nest.Check(nest.Cluster("r", nest.Sub(nest.Cluster("a:<g>", append(opts, nest.Generation("g"))...))))
	}
	hour := nest.TTL(time.Hour)
	require.NoError(t, check(hour, nest.Sub(key, nest.Channel[int]("news"), nest.Lock("l"), nest.Limiter("m", nest.Rate(1, time.Minute)))))
	require.NoError(t, check(hour, nest.Sub(key), nest.Params(nest.Param[int64]("g"))))
	for what, err := range map[string]error{
		"has no TTL":                            check(nest.Sub(key)),
		`"r:a:<g>:k": invalid declaration: `:    check(nest.Sub(key)),
		"below the generation of \"r:a:<g>\"":   check(hour, nest.Sub(nest.Key[int]("k", nest.NoTTL()))),
		"a generation is an int64":              check(hour, nest.Sub(key), nest.Params(nest.Param[string]("g"))),
		"as int: a generation":                  check(hour, nest.Sub(key), nest.Params(nest.Param[int]("g"))),
		"take Validate and MaxLen away":         check(hour, nest.Sub(key), nest.Params(nest.Param[int64]("g", nest.MaxLen(5)))),
		"there can be one on a path":            check(hour, nest.Sub(nest.Cluster("b:<h>", nest.Generation("h"), nest.Sub(key)))),
		"has to have <g> as its last parameter": nest.Check(nest.Cluster("r", nest.Sub(nest.Cluster("a:<x>:<g>", hour, nest.Generation("g"), nest.Was("b:<g>:<x>"), nest.Sub(key))))),
	} {
		require.ErrorIs(t, err, nest.ErrDeclaration, what)
		require.ErrorContains(t, err, strings.TrimSuffix(what, "invalid declaration: "))
	}

	d, err := nest.Open(nil, genRoot, nest.NamesOnly())
	require.NoError(t, err)
	require.Equal(t, "gen", d.Describe().Nodes[0].Generation)
	require.Contains(t, d.Describe().String(), "catalog:<gen>  [ttl 1h, generation gen]")
	words, err := nest.TrackingOptions(genRoot)
	require.NoError(t, err)
	require.Equal(t, []string{"PREFIX", "gen:catalog", "PREFIX", "gen:login:", "PREFIX", "gen:shop:", "BCAST"}, words)
}

// panicking returns what declare panics with.
func panicking(declare func()) (text string) {
	defer func() { text, _ = recover().(string) }()
	declare()
	return ""
}

// In broadcasting mode the message of a Renew, or of a Clear, comes after its answer.
func TestGenerationsInBroadcast(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	server := nesttest.Shared(t)
	prefix := nest.WithPrefix(server.Prefix(t))
	words, err := nest.TrackingOptions(genRoot, prefix)
	require.NoError(t, err)
	open := func() nest.Scope {
		option := server.ClientOption()
		option.ClientTrackingOptions = words
		client, err := rueidis.NewClient(option)
		require.NoError(t, err)
		t.Cleanup(client.Close)
		root, err := nest.Open(client, genRoot, prefix, nest.WithBroadcast())
		require.NoError(t, err)
		return root
	}
	neverOld(t, open, 100)
	ctx, root := t.Context(), open()
	s, err := genCatalog.Current(ctx, root)
	require.NoError(t, err)
	for range 100 {
		before := generationOf(t, s, genCatalog)
		_, err = root.Clear(ctx)
		require.NoError(t, err)
		s, err = genCatalog.Current(ctx, root)
		require.NoError(t, err)
		require.Greater(t, generationOf(t, s, genCatalog), before)
	}
}

// What another tree on the same client has renewed is seen, too.
func TestGenerationsOfAnotherTreeOnTheClient(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Shared(t)
	option := server.ClientOption()
	option.PipelineMultiplex = -1
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	prefix := nest.WithPrefix(server.Prefix(t))
	one, err := nest.Open(client, genRoot, prefix)
	require.NoError(t, err)
	other, err := nest.Open(client, genRoot, prefix)
	require.NoError(t, err)
	for range 2000 {
		_, err := genCatalog.Current(ctx, other)
		require.NoError(t, err)
		s, err := genCatalog.Renew(ctx, one)
		require.NoError(t, err)
		now, err := genCatalog.Current(ctx, other)
		require.NoError(t, err)
		require.Equal(t, s.Prefix(), now.Prefix())
	}
}

func TestGenerationsWhileSlotsMove(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	root := server.Open(t, genRoot)
	nodes := primaries.Of(t, server)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for i := range 6 {
		place := "place" + strconv.Itoa(i)
		_, err := genStocks.Current(ctx, root, "acme", place)
		require.NoError(t, err)
		renew := func() {
			s, err := genStocks.Renew(ctx, root, "acme", place)
			require.NoError(t, err)
			for range 100 {
				now, err := genStocks.Current(ctx, root, "acme", place)
				require.NoError(t, err)
				require.Equal(t, s.Prefix(), now.Prefix())
			}
		}
		key := beside(root.Prefix()+":shop:acme:stocks:"+place+"-", "gen")
		if i%2 == 0 {
			nodes.MoveKey(key, renew)
		} else {
			nodes.MoveKey(key, func() {})
			renew()
		}
	}
}

// A cluster that is renamed takes the number of its generation along.
func TestGenerationsOfRenamedClusters(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	item := nest.Key[string]("item")
	opts := []nest.ClusterOption{nest.Generation("gen"), nest.TTL(time.Hour), nest.Sub(item)}
	oldest := nest.Cluster("cat:<id>:<gen>", opts...)
	present := nest.Cluster("catalog:<id>:<gen>", append(opts, nest.Was("cat:<id>:<gen>"))...)
	coming := nest.Cluster("cat:<id>:<gen>", append(opts, nest.Was("catalog:<id>:<gen>"))...)
	tree := func(c *nest.ClusterDef) *nest.ClusterDef { return nest.Cluster("r", nest.HashTag(), nest.Sub(c)) }
	prefix := nest.WithPrefix(nesttest.Shared(t).Prefix(t))
	first := nesttest.Open(t, tree(oldest), prefix)
	s, err := oldest.Renew(ctx, first, 7)
	require.NoError(t, err)
	require.NoError(t, item.At(s).Set(ctx, "x"))
	number := func(s nest.Scope) string { return s.Prefix()[strings.LastIndexByte(s.Prefix(), ':')+1:] }

	one, other := nesttest.Open(t, tree(present), prefix), nesttest.Open(t, tree(coming), prefix)
	now, err := present.Current(ctx, one, 7)
	require.NoError(t, err)
	require.Equal(t, number(s), number(now))
	require.Contains(t, now.Prefix(), ":catalog:7:")
	m, err := one.Match(item.At(s).Key())
	require.NoError(t, err)
	require.True(t, m.Former())
	current, err := m.Current(ctx)
	require.NoError(t, err)
	require.True(t, current)
	text, err := item.At(now).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, "x", text)
	for range 10 { // two releases side by side
		a, err := present.Renew(ctx, one, 7)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			b, err := coming.Current(ctx, other, 7)
			require.NoError(t, err)
			return number(a) == number(b)
		}, 5*time.Second, time.Millisecond)
		b, err := coming.Renew(ctx, other, 7)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			a, err = present.Current(ctx, one, 7)
			require.NoError(t, err)
			return number(a) == number(b)
		}, 5*time.Second, time.Millisecond)
	}
}

// A user with the rules of a scope asks for generations, and begins them if it may write.
func TestUsersOfGenerations(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Shared(t)
	server.Need(t, nesttest.ACL)
	prefix := nest.WithPrefix(server.Prefix(t))
	owner := nesttest.Open(t, genRoot, prefix)
	names, err := nest.Open(nil, genRoot, nest.NamesOnly(), prefix)
	require.NoError(t, err)
	as := func(mode acl.Mode, opts ...acl.Option) nest.Scope {
		rules, err := acl.Rules(names, mode, append(opts, acl.On(ctx, server.Client(t)))...)
		require.NoError(t, err)
		s, err := nest.Open(server.ClientOf(t, rules), genRoot, prefix)
		require.NoError(t, err)
		return s
	}
	for what, opts := range map[string][]acl.Option{"all": nil, "only": {acl.Only(genCatalog, genStocks)}} {
		writer, reader := as(acl.ReadWrite, opts...), as(acl.ReadOnly, opts...)
		_, err := genStocks.Current(ctx, reader, "acme", what)
		require.ErrorContains(t, err, "NOPERM", "nobody has begun one")
		s, err := genStocks.Current(ctx, writer, "acme", what)
		require.NoError(t, err)
		require.NoError(t, genStock.At(s).Set(ctx, 1))
		require.Eventually(t, func() bool { // once the server's message has come
			now, err := genStocks.Current(ctx, reader, "acme", what)
			return err == nil && now.Prefix() == s.Prefix()
		}, 5*time.Second, time.Millisecond)
		_, err = genStocks.Renew(ctx, writer, "acme", what)
		require.NoError(t, err)
		_, err = genStocks.Renew(ctx, reader, "acme", what)
		require.ErrorContains(t, err, "NOPERM")
		s, err = genCatalog.Renew(ctx, writer)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			now, err := genCatalog.Current(ctx, reader)
			return err == nil && now.Prefix() == s.Prefix()
		}, 5*time.Second, time.Millisecond)
	}
	_, err = genHidden.Current(ctx, as(acl.ReadWrite, acl.Only(genCatalog)), "x")
	require.ErrorContains(t, err, "NOPERM")
	refused, err := acl.Refused(owner, acl.ReadOnly)
	require.NoError(t, err)
	said := map[string]bool{}
	for _, r := range refused {
		said[r.Template+" "+strings.Join(r.Operations, " ")] = true
	}
	require.Contains(t, slices.Collect(maps.Keys(said)), owner.Prefix()+":catalog:<gen> Current")
}

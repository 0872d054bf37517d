package auditing_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/audit"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// interfering is a client that does something to the commands that are sent together.
type interfering struct {
	rueidis.Client
	with func(ctx context.Context, client rueidis.Client, cmds []rueidis.Completed)
}

func (c *interfering) DoMulti(ctx context.Context, cmds ...rueidis.Completed) []rueidis.RedisResult {
	c.with(ctx, c.Client, cmds)
	return c.Client.DoMulti(ctx, cmds...)
}

func (c *interfering) Nodes() map[string]rueidis.Client {
	nodes := maps.Clone(c.Client.Nodes())
	for addr, node := range nodes {
		nodes[addr] = &interfering{node, c.with}
	}
	return nodes
}

// loading makes a server answer the questions of an audit as one does that is loading its data.
type loading struct {
	after, times atomic.Int64 // questions that are answered before that, and that are not
}

func (l *loading) answer(_ context.Context, client rueidis.Client, cmds []rueidis.Completed) {
	for i, cmd := range cmds {
		words := cmd.Commands()
		if words[0] != "MEMORY" && words[0] != "EXISTS" {
			continue
		}
		if l.after.Add(-1) < 0 && l.times.Add(-1) >= 0 {
			cmds[i] = client.B().Arbitrary("EVAL", "return redis.error_reply('LOADING it is loading')", "1").Keys(words[len(words)-1]).Build()
		}
	}
}

// A question that the server cannot answer now is asked again. If there is no answer for longer,
// the audit says that it has not come to its end, and one that goes on finds all that was missing.
func TestAServerThatIsLoading(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, server *nesttest.Server) {
		if server.Kind() == nesttest.KindEmbedded {
			t.Skip("nesttest: SKIPPED, not passed: the embedded server's scripts make other errors")
		}
		plain := openCrowd(t, server)
		db := plain.Client()
		for n := range 200 { // whose keys do not exist
			key := plain.Prefix() + ":gone:" + strconv.Itoa(n)
			require.NoError(t, db.Do(t.Context(), db.B().Set().Key(key+"%token{"+key+"}").Value("1").Build()).Error())
		}
		opts := []audit.Option{audit.SampleMemory(audit.All), audit.Walk(nest.ScanCount(50))}
		whole, err := audit.Run(t.Context(), plain, opts...)
		require.NoError(t, err)
		numbers := func(r *audit.Report) map[string]int64 {
			found := map[string]int64{"keys": r.Total.Keys, "measured": r.Total.Sampled, "bytes": r.Total.Bytes, "companions": r.Companions.Keys}
			for _, f := range r.Findings {
				found[string(f.Kind)+" "+f.Template] = f.Keys
			}
			return found
		}
		require.EqualValues(t, 2300, whole.Total.Keys)
		require.EqualValues(t, 200, numbers(whole)["orphan gone:<n>"]+numbers(whole)["orphan "+plain.Prefix()+":gone:<n>"])

		var l loading
		s, err := nest.Open(&interfering{db, l.answer}, crowd, nest.WithPrefix(parent(plain.Prefix())))
		require.NoError(t, err)
		require.Equal(t, plain.Prefix(), s.Prefix())
		l.times.Store(1)
		r, err := audit.Run(t.Context(), s, opts...)
		require.NoError(t, err, "one answer")
		require.Negative(t, l.times.Load())
		require.Equal(t, numbers(whole), numbers(r))

		l.after.Store(700)
		l.times.Store(1 << 40)
		r, err = audit.Run(t.Context(), s, opts...)
		require.ErrorIs(t, err, nest.ErrAway)
		require.NotErrorIs(t, err, nest.ErrOutcomeUnknown)
		require.ErrorContains(t, err, "LOADING")
		require.False(t, r.Complete)
		require.ErrorIs(t, r.Err(audit.Orphan), audit.ErrUnchecked)
		require.Equal(t, r.Total.Keys, r.Total.Sampled, "a step whose questions have no answer does not count")

		l.times.Store(0)
		r, err = audit.Run(t.Context(), s, append(slices.Clone(opts), audit.Continue(throughJSON(t, r)))...)
		require.NoError(t, err)
		require.Equal(t, numbers(whole), numbers(r))
	})
}

// parent returns the prefix of what stands around the crowd.
func parent(prefix string) string { return prefix[:len(prefix)-len(":crowd")] }

// Names that nothing declares and that are gone when the audit looks at them are no finding, nor
// are they names that a filter leaves out.
func TestNamesThatVanish(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, server *nesttest.Server) {
		plain := openCrowd(t, server)
		db := plain.Client()
		var strays []string
		for m, err := range plain.Keys(t.Context(), nest.Undeclared()) {
			require.NoError(t, err)
			strays = append(strays, m.Key())
		}
		require.Len(t, strays, 100)
		s, err := nest.Open(&interfering{db, func(ctx context.Context, _ rueidis.Client, cmds []rueidis.Completed) {
			for _, cmd := range cmds {
				if words := cmd.Commands(); slices.Contains(strays, words[len(words)-1]) {
					for _, stray := range strays {
						_ = db.Do(ctx, db.B().Del().Key(stray).Build()).Error()
					}
					return
				}
			}
		}}, crowd, nest.WithPrefix(parent(plain.Prefix())))
		require.NoError(t, err)
		filtered, err := audit.Run(t.Context(), plain, audit.Walk(nest.Only(crowd)))
		require.NoError(t, err)
		require.EqualValues(t, 100, filtered.Uncounted)
		require.Error(t, filtered.Err(audit.Undeclared))

		r, err := audit.Run(t.Context(), s)
		require.NoError(t, err)
		require.EqualValues(t, 2000, r.Total.Keys)
		require.Empty(t, r.Undeclared)
		require.Zero(t, r.Uncounted)
		require.NoError(t, r.Err(audit.Undeclared))
	})
}

// A server that takes no more connections does not answer PING at all. It is not a fast one.
func TestAServerWithoutAnswersToPing(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	server.Need(t, nesttest.Configurable)
	s := server.Open(t, crowd)
	for n := range 300 {
		require.NoError(t, item.At(s, n).Set(t.Context(), n))
	}
	db := server.Client(t)
	require.NoError(t, db.Do(t.Context(), db.B().Ping().Build()).Error())
	list, err := db.Do(t.Context(), db.B().ClientList().Build()).ToString()
	require.NoError(t, err)
	clients := 0
	for _, c := range list {
		if c == '\n' {
			clients++
		}
	}
	limit := db.B().Arbitrary("CONFIG", "SET", "maxclients", strconv.Itoa(clients)).Build()
	require.NoError(t, db.Do(t.Context(), limit).Error())
	r, err := audit.Run(t.Context(), s, audit.MaxAddedLatency(50*time.Millisecond), audit.SampleMemory(0))
	require.NoError(t, err)
	require.EqualValues(t, 300, r.Total.Keys)
	require.Greater(t, r.Latency.Loaded, r.Latency.Ceiling)
	require.Less(t, r.Latency.Rate, 1000.0, fmt.Sprint(r.Latency))
}

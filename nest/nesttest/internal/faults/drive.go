package faults

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/primaries"
)

// Each writer has a slot of its own, and in it a key of every kind.
var (
	list    = nest.List[int64]("list")
	set     = nest.Set[int64]("set")
	ranks   = nest.SortedSet[int64]("ranks")
	fields  = nest.Hash[int64]("fields")
	stream  = nest.Stream[int64]("stream")
	left    = nest.List[int64]("left")
	right   = nest.List[int64]("right")
	one     = nest.List[int64]("one")
	two     = nest.List[int64]("two")
	gate    = nest.Lock("gate", nest.TTL(time.Hour))
	pace    = nest.Limiter("pace", nest.Rate(paceRate, time.Second), nest.Burst(paceBurst))
	quota   = nest.Limiter("quota", nest.Rate(quotaLimit, quotaWindow), nest.FixedWindow())
	count   = nest.Counter[int64]("count", nest.Default(0))
	kept    = nest.Key[int64]("kept", nest.Default(-1), nest.Cached(time.Minute))
	updated = nest.Key[int64]("updated", nest.Default(0))
	loaded  = nest.Key[int64]("loaded:<n>")
	news    = nest.Channel[string]("news")
	work    = nest.Stream[int64]("work")
	writer  = nest.Cluster("writer:<w>", nest.HashTag(), nest.Sub(list, set, ranks, fields, stream, left, right, one, two, gate, pace, quota, count, kept, updated, loaded, news, work))
	root    = nest.Cluster("faults", nest.TTL(time.Hour), nest.Sub(writer))
)

const (
	writers  = 4
	deadline = time.Second
	// slack is what a busy machine may take longer than a deadline.
	slack = 2 * time.Second
)

// outcome is how a write ended.
type outcome uint8

const (
	acknowledged outcome = iota
	unknown              // it may have been executed
	denied               // it was not executed, the error says
)

func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return acknowledged
	case errors.Is(err, nest.ErrAway) && !errors.Is(err, nest.ErrOutcomeUnknown):
		return denied
	}
	return unknown
}

// trial is one run of a fault.
type trial struct {
	report *Report
	mu     sync.Mutex // of the report
	scope  nest.Scope
	stop   chan struct{}
	wrote  [writers]written
	inside atomic.Int64 // how many have the lock of the first writer

	passed      passed
	consumers   consumers
	subscribers []*subscriber
}

// written is what a writer has done.
type written struct {
	members [len(kinds)]map[int64]outcome // by kind
	pairs   map[int64]outcome             // of atomic batches
	wholes  map[int64]outcome             // of transactions
	n       [2][3]int64                   // how many increments and updates ended in which way

	tasks     map[int64]outcome // in the stream of the first writer
	messages  map[int64]outcome
	lastSent  int64        // the last message that was acknowledged
	published atomic.Int64 // the last message that was begun
}

// kind is a kind of key to which members are added, each once.
type kind struct {
	name string
	add  func(ctx context.Context, s nest.Scope, n int64) error
	all  func(ctx context.Context, s nest.Scope) ([]int64, error)
}

var kinds = [...]kind{
	{"list", func(ctx context.Context, s nest.Scope, n int64) error {
		_, err := list.At(s).PushRight(ctx, n)
		return err
	}, func(ctx context.Context, s nest.Scope) ([]int64, error) { return list.At(s).Range(ctx, 0, -1) }},
	{"set", func(ctx context.Context, s nest.Scope, n int64) error {
		_, err := set.At(s).Add(ctx, n)
		return err
	}, func(ctx context.Context, s nest.Scope) ([]int64, error) { return set.At(s).Members(ctx) }},
	{"sorted set", func(ctx context.Context, s nest.Scope, n int64) error {
		_, err := ranks.At(s).Add(ctx, n, float64(n))
		return err
	}, func(ctx context.Context, s nest.Scope) ([]int64, error) {
		scored, err := ranks.At(s).All(ctx)
		all := make([]int64, len(scored))
		for i, m := range scored {
			all[i] = m.Member
		}
		return all, err
	}},
	{"hash", func(ctx context.Context, s nest.Scope, n int64) error {
		return fields.At(s).Set(ctx, itoa(n), n)
	}, func(ctx context.Context, s nest.Scope) ([]int64, error) {
		values, err := fields.At(s).All(ctx)
		var all []int64
		for _, n := range values {
			all = append(all, n)
		}
		return all, err
	}},
	{"stream", func(ctx context.Context, s nest.Scope, n int64) error {
		_, err := stream.At(s).Add(ctx, n)
		return err
	}, func(ctx context.Context, s nest.Scope) ([]int64, error) {
		entries, err := stream.At(s).Entries(ctx, "-", "+", 1_000_000)
		all := make([]int64, len(entries))
		for i, e := range entries {
			all[i] = e.Value
		}
		return all, err
	}},
}

// Run drives a keyspace while the fault is there for about d, and reports what became of it.
func Run(t testing.TB, f Fault, d time.Duration) Report {
	t.Helper()
	r := Report{Fault: f.Name, Keeps: f.Keeps}
	e := &environment{t: t, server: f.start(t)}
	if e.server.Kind() == nesttest.KindCluster {
		e.primaries = primaries.Of(t, e.server)
	}
	goroutines := ours()
	var err error
	e.admin, err = rueidis.NewClient(e.server.ClientOption())
	require.NoError(t, err)
	t.Cleanup(e.admin.Close)
	if len(e.server.Nodes()) == 1 {
		e.relay = nesttest.NewRelay(t, e.server.Addr())
	}
	prefix := e.server.Prefix(t)
	stop, scope := open(t, e, prefix)
	stopOther, reading := open(t, e, prefix)
	tr := &trial{report: &r, scope: scope, stop: make(chan struct{})}
	tr.consumers.handled = make(map[int64]int64)
	tr.passed.quota = make(map[time.Time]int64)
	e.key = kept.At(scope, 0).Key()
	var all, consuming, subscribed sync.WaitGroup
	listening, hangUp := context.WithCancel(context.Background())
	defer hangUp()
	working, goHome := context.WithCancel(context.Background())
	defer goHome()
	tr.receive(listening, t, &subscribed, scope, reading)
	consuming.Go(func() { tr.consumers.consume(working, writer.At(scope, 0), "first", f) })
	consuming.Go(func() { tr.consumers.consume(working, writer.At(reading, 0), "second", f) })
	for w := range writers {
		all.Go(func() { tr.write(w, f) })
	}
	all.Go(func() { tr.read(reading) })
	time.Sleep(d / 4)
	tr.passed.begin()
	f.inject(e, d)
	time.Sleep(d / 4)
	require.Eventually(t, func() bool { return tr.healed() == nil }, 30*time.Second, 10*time.Millisecond, "it works again")
	tr.hear()
	close(tr.stop)
	all.Wait()
	tr.hearLast()
	hangUp()
	subscribed.Wait()
	tr.heard()
	tr.handleAll(t, f, func() {
		goHome()
		consuming.Wait()
	})
	tr.judge(t)
	tr.endings(t, e.admin, prefix)
	stop()
	stopOther()
	await(func() bool {
		r.Connections = connected(t, e)
		return r.Connections == 0
	})
	e.admin.Close()
	// What a call leaves to the background comes back now and then until it is done, so that the
	// last look counts.
	var now []string
	await(func() bool {
		now = ours()
		return len(now) <= len(goroutines)
	})
	if len(now) > len(goroutines) {
		r.Goroutines, r.GoroutineDump = len(now)-len(goroutines), strings.Join(now, "\n\n")
	}
	return r
}

// open makes a client as package env does, and opens the tree on it. It returns what closes the
// client, too, and nothing beside it: the dialer closes what is left only when the test ends, so
// that it can be counted before.
func open(t testing.TB, e *environment, prefix string) (stop func(), _ nest.Scope) {
	t.Helper()
	option := e.server.ClientOption()
	option.Dialer = net.Dialer{Timeout: 5 * time.Second, KeepAlive: 300 * time.Millisecond}
	option.ConnWriteTimeout = time.Second
	option.ClientName = clientName
	if e.relay != nil {
		option.InitAddress, option.ForceSingleClient = []string{e.relay.Addr()}, true
	}
	d := &dialer{}
	option.DialCtxFn = d.dial
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	stop = sync.OnceFunc(client.Close)
	t.Cleanup(func() {
		stop()
		d.close()
	})
	scope, err := nest.Open(client, root, nest.WithPrefix(prefix), nest.WithTimeout(2*time.Second), nest.WithBreaker(5, 200*time.Millisecond))
	require.NoError(t, err)
	return stop, scope
}

// dialer keeps the connections that it has made, so that none outlives the test.
type dialer struct {
	mu    sync.Mutex
	conns []net.Conn
	shut  bool
}

func (d *dialer) dial(ctx context.Context, addr string, by *net.Dialer, _ *tls.Config) (net.Conn, error) {
	conn, err := by.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	d.conns = append(d.conns, conn)
	return conn, nil
}

func (d *dialer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = true
	for _, conn := range d.conns {
		_ = conn.Close()
	}
}

// write writes until it is stopped.
func (tr *trial) write(w int, f Fault) {
	done := &tr.wrote[w]
	for i := range done.members {
		done.members[i] = make(map[int64]outcome)
	}
	done.pairs, done.wholes = make(map[int64]outcome), make(map[int64]outcome)
	done.tasks, done.messages, done.lastSent = make(map[int64]outcome), make(map[int64]outcome), -1
	s := writer.At(tr.scope, w)
	for n := int64(0); ; n++ {
		select {
		case <-tr.stop:
			return
		default:
		}
		for i := range kinds {
			done.members[i][n] = outcomeOf(tr.timed(func(ctx context.Context) error { return kinds[i].add(ctx, s, n) }))
		}
		done.n[0][outcomeOf(tr.timed(func(ctx context.Context) error { _, err := count.At(s).Incr(ctx); return err }))]++
		done.n[1][outcomeOf(tr.timed(func(ctx context.Context) error {
			_, err := updated.At(s).Update(ctx, func(v int64, _ bool) (int64, error) { return v + 1, nil })
			return err
		}))]++
		done.pairs[n] = outcomeOf(tr.timed(func(ctx context.Context) error {
			b := s.Atomic()
			left.At(s).In(b).PushRight(n)
			right.At(s).In(b).PushRight(n)
			return b.Exec(ctx)
		}))
		done.wholes[n] = outcomeOf(tr.timed(func(ctx context.Context) error {
			return nest.Transact(ctx, s, func(tx *nest.Tx) error {
				one.At(s).In(tx.Writes()).PushRight(n)
				two.At(s).In(tx.Writes()).PushRight(n)
				return nil
			}, one.At(s), two.At(s))
		}))
		task := n*writers + int64(w)
		done.tasks[task] = outcomeOf(tr.timed(func(ctx context.Context) error {
			_, err := work.At(tr.scope, 0).Add(ctx, task)
			return err
		}))
		done.published.Store(n)
		done.messages[n] = outcomeOf(tr.timed(func(ctx context.Context) error {
			_, err := news.At(s).Publish(ctx, message(w, n))
			return err
		}))
		if done.messages[n] == acknowledged {
			done.lastSent = n
		}
		tr.exclude()
		tr.pass(tr.scope)
		tr.seeOwn(s, n)
		err := tr.timed(func(ctx context.Context) error {
			_, err := loaded.At(s, n).GetOrLoad(ctx, func(context.Context) (int64, error) {
				time.Sleep(time.Millisecond)
				return n, nil
			})
			return err
		})
		tr.mu.Lock()
		tr.report.Loads++
		if err != nil && !f.Refuses {
			tr.report.Unloaded++
			tr.report.Why = "a load: " + err.Error()
		}
		tr.mu.Unlock()
		time.Sleep(2 * time.Millisecond)
	}
}

// exclude holds a lock that all writers want, if it is free.
func (tr *trial) exclude() {
	_ = tr.timed(func(ctx context.Context) error {
		_, err := gate.At(tr.scope, 0).TryRun(ctx, func(context.Context, *nest.Lease) error {
			if tr.inside.Add(1) > 1 {
				tr.mu.Lock()
				tr.report.Together++
				tr.mu.Unlock()
			}
			time.Sleep(time.Millisecond)
			tr.inside.Add(-1)
			tr.mu.Lock()
			tr.report.Held++
			tr.mu.Unlock()
			return nil
		})
		return err
	})
}

// seeOwn writes a cached value and reads it back.
func (tr *trial) seeOwn(s nest.Scope, n int64) {
	r := kept.At(s)
	if tr.timed(func(ctx context.Context) error { return r.Set(ctx, n) }) != nil {
		return
	}
	var got int64
	err := tr.timed(func(ctx context.Context) (err error) { got, err = r.Get(ctx); return err })
	if err == nil && got != n {
		tr.mu.Lock()
		tr.report.Stale++
		tr.mu.Unlock()
	}
}

// timed gives a call its deadline, and measures it.
func (tr *trial) timed(call func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	start := time.Now()
	err := call(ctx)
	took := time.Since(start)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.report.Longest = max(tr.report.Longest, took)
	if took > deadline+slack {
		tr.report.Late++
	}
	return err
}

// read looks at the counter of a writer, as another process, and asks the limiters that the writers
// ask.
func (tr *trial) read(s nest.Scope) {
	var last int64
	for {
		select {
		case <-tr.stop:
			return
		case <-time.After(2 * time.Millisecond):
		}
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		n, err := count.At(s, 0).Get(ctx)
		cancel()
		tr.mu.Lock()
		switch {
		case err != nil:
			tr.report.ReadErrors++
		default:
			tr.report.Reads++
			if n < last {
				tr.report.WentBack++
			}
			last = n
		}
		tr.mu.Unlock()
		tr.pass(s)
	}
}

// healed reports whether every writer's slot can be written.
func (tr *trial) healed() error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	for w := range writers {
		if err := loaded.At(tr.scope, w, -1).Set(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// judge compares what is there with what was done.
func (tr *trial) judge(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tr.passed.judge(tr.report)
	for w := range writers {
		s, done := writer.At(tr.scope, w), &tr.wrote[w]
		for i, k := range kinds {
			all, err := k.all(ctx, s)
			require.NoError(t, err, k.name)
			tr.members(all, done.members[i])
		}
		tr.wholly(ctx, t, left.At(s), right.At(s), done.pairs)
		tr.wholly(ctx, t, one.At(s), two.At(s), done.wholes)
		c, err := count.At(s).Get(ctx)
		require.NoError(t, err)
		tr.number(c, done.n[0])
		u, err := updated.At(s).Get(ctx)
		require.NoError(t, err)
		tr.number(u, done.n[1])
	}
}

// wholly judges what was added to two lists at once.
func (tr *trial) wholly(ctx context.Context, t testing.TB, a, b nest.ListRef[int64], done map[int64]outcome) {
	t.Helper()
	inA, err := a.Range(ctx, 0, -1)
	require.NoError(t, err)
	inB, err := b.Range(ctx, 0, -1)
	require.NoError(t, err)
	tr.members(inA, done)
	more := make(map[int64]int)
	for _, n := range inA {
		more[n]++
	}
	for _, n := range inB {
		more[n]--
	}
	for _, n := range more {
		if n != 0 {
			tr.report.Torn++
		}
	}
}

// members judges what was added to a key.
func (tr *trial) members(all []int64, done map[int64]outcome) {
	r, times := tr.report, make(map[int64]int64)
	for _, n := range all {
		times[n]++
	}
	for n, how := range done {
		there := times[n]
		if there > 1 {
			r.Twice += there - 1
		}
		switch {
		case how == acknowledged && there > 0:
			r.AckThere++
		case how == acknowledged:
			r.AckLost++
		case there > 0:
			r.FailThere++
			if how == denied {
				r.Denied++
			}
		default:
			r.FailGone++
		}
	}
}

// number judges a number to which 1 was added each time.
func (tr *trial) number(n int64, done [3]int64) {
	r, acked := tr.report, done[acknowledged]
	r.AckThere += min(n, acked)
	r.AckLost += max(acked-n, 0)
	more := max(n-acked, 0)
	r.FailThere += min(more, done[unknown])
	r.FailGone += done[unknown] + done[denied] - min(more, done[unknown])
	r.Twice += max(more-done[unknown], 0)
}

// endings looks for keys without a TTL.
func (tr *trial) endings(t testing.TB, admin rueidis.Client, prefix string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	keys := tr.scope.Keys(ctx)
	seen := 0
	for m, err := range keys {
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(m.Key(), prefix))
		left, err := admin.Do(ctx, admin.B().Pttl().Key(m.Key()).Build()).AsInt64()
		require.NoError(t, err)
		if left == -1 {
			tr.report.Ended++
		}
		if seen++; seen == 2000 {
			return
		}
	}
}

// ours returns the goroutines that package nest runs in or has started. Those of the client alone
// are not among them: now and then it leaves two behind when it is closed.
func ours() []string {
	buf := make([]byte, 4<<20)
	var found []string
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "redisimnest/nest.") && !strings.Contains(stack, "faults.ours") {
			found = append(found, stack)
		}
	}
	return found
}

// clientName is the name of the connections of what is tried.
const clientName = "faults"

// connected returns how many connections of what is tried the servers have.
func connected(t testing.TB, e *environment) int {
	t.Helper()
	total := 0
	for addr, node := range e.admin.Nodes() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		clients, err := node.Do(ctx, node.B().Arbitrary("CLIENT", "LIST").Build()).ToString()
		cancel()
		if err != nil {
			t.Logf("clients of %s: %v", addr, err)
			continue
		}
		total += strings.Count(clients, " name="+clientName+" ")
	}
	return total
}

// await waits until something holds, for a few seconds at most.
func await(holds func() bool) {
	for began := time.Now(); !holds() && time.Since(began) < 5*time.Second; {
		time.Sleep(20 * time.Millisecond)
	}
}

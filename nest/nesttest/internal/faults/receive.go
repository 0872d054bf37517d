package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

const (
	// group consumes the stream of tasks of all writers.
	group = "group"
	// claimAfter is how long an entry stays with a consumer that does not acknowledge it.
	claimAfter = 300 * time.Millisecond
	// comeback bounds how long it takes after a fault until subscriptions receive again, and until
	// consumers have handled everything.
	comeback = 15 * time.Second
)

// errOnPurpose is what a handler returns at times.
var errOnPurpose = errors.New("not this time")

// consumers are a group of two consumers, each of a process of its own, and what they have handled.
type consumers struct {
	mu      sync.Mutex
	handled map[int64]int64 // how many times an entry was handled
	ended   error           // why one of them has ended by itself
}

// consume handles entries until the context ends.
func (c *consumers) consume(ctx context.Context, s nest.Scope, name string, f Fault) {
	handle := func(_ context.Context, d nest.Delivery[int64]) error {
		time.Sleep(time.Millisecond)
		if d.Attempt == 1 && d.Value%50 == 49 {
			return errOnPurpose
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.handled[d.Value]++
		return nil
	}
	for ctx.Err() == nil {
		err := work.At(s).Consume(ctx, group, name, handle, nest.ClaimAfter(claimAfter))
		switch {
		case ctx.Err() != nil && err == nil:
		case f.Refuses && err != nil: // a refusal ends it, as Consume says
			time.Sleep(10 * time.Millisecond)
		default:
			c.mu.Lock()
			c.ended = fmt.Errorf("consumer %s: %w", name, errors.Join(errors.New("has ended"), err))
			c.mu.Unlock()
			return
		}
	}
}

// missing returns how many of the entries were never handled.
func (c *consumers) missing(entries map[int64]bool) (n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for v := range entries {
		if c.handled[v] == 0 {
			n++
		}
	}
	return n
}

// handleAll waits until the consumers have handled the entries of the stream, and ends them.
func (tr *trial) handleAll(t testing.TB, f Fault, stop func()) {
	t.Helper()
	tasks, c, r := work.At(tr.scope, 0), &tr.consumers, tr.report
	done := make(map[int64]outcome)
	for w := range writers {
		maps.Copy(done, tr.wrote[w].tasks)
	}
	acked := make(map[int64]bool)
	for n, how := range done {
		if how == acknowledged {
			acked[n] = true
		}
	}
	r.Tasks = int64(len(acked))
	var there []int64
	ctx, cancel := context.WithTimeout(context.Background(), 2*comeback)
	defer cancel()
	var why error
	look := func() bool {
		due := make(map[int64]bool)
		entries, err := tasks.Entries(ctx, "-", "+", 1_000_000)
		if why = err; err != nil {
			return false
		}
		there = there[:0]
		for _, e := range entries {
			due[e.Value] = true
			there = append(there, e.Value)
		}
		pending, err := tasks.PendingSummary(ctx, group)
		if why = err; err != nil {
			return false
		}
		r.Unhandled, r.Pending, r.TasksLost = c.missing(due), pending.Count, c.missing(acked)
		return r.Unhandled+r.Pending == 0 && (r.TasksLost == 0 || !f.Keeps)
	}
	for began := time.Now(); !look() && time.Since(began) < comeback; {
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	look()
	require.NoError(t, why, "what the consumers have left")
	tr.members(there, done)
	c.mu.Lock()
	defer c.mu.Unlock()
	for n, times := range c.handled {
		if _, ok := done[n]; !ok {
			r.Foreign++
		}
		r.Handled++
		r.Again += times - 1
	}
	if c.ended != nil {
		r.Why = c.ended.Error()
	}
}

// subscriber is a subscription to a writer's channel.
type subscriber struct {
	writer int
	stood  chan struct{} // closed when it is established

	mu      sync.Mutex
	heard   map[int64]int64 // how many times a message arrived
	last    int64           // the highest
	foreign int64           // messages that this channel's writer did not publish
	gaps    int64
	ended   error
}

// message is the n-th of a writer.
func message(w int, n int64) string {
	return strconv.Itoa(w) + " " + itoa(n) + strings.Repeat(" "+itoa(n*n), 3)
}

// subscribe receives messages until the context ends.
func (b *subscriber) subscribe(ctx context.Context, s nest.Scope) {
	opened := sync.OnceFunc(func() { close(b.stood) })
	for text, err := range news.At(s).Subscribe(ctx, nest.Buffer(1<<16), nest.OnSubscribed(opened)) {
		b.mu.Lock()
		var w int
		var n int64
		switch {
		case errors.Is(err, nest.ErrGap):
			b.gaps++
		case err != nil && !errors.Is(err, nest.ErrDecode):
			b.ended = err
		default:
			if _, scanned := fmt.Sscan(text, &w, &n); err != nil || scanned != nil || w != b.writer || text != message(w, n) {
				b.foreign++
				break
			}
			b.heard[n]++
			b.last = max(b.last, n)
		}
		b.mu.Unlock()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if ctx.Err() == nil {
		b.ended = errors.Join(errors.New("has ended"), b.ended)
	}
}

// hears reports whether the n-th message or a later one has arrived.
func (b *subscriber) hears(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last >= n
}

// receive starts subscriptions of both processes to every writer's channel, and waits for them.
func (tr *trial) receive(ctx context.Context, t testing.TB, all *sync.WaitGroup, scopes ...nest.Scope) {
	t.Helper()
	for _, scope := range scopes {
		for w := range writers {
			b := &subscriber{writer: w, stood: make(chan struct{}), heard: make(map[int64]int64), last: -1}
			tr.subscribers = append(tr.subscribers, b)
			all.Go(func() { b.subscribe(ctx, writer.At(scope, w)) })
		}
	}
	for _, b := range tr.subscribers {
		select {
		case <-b.stood:
		case <-time.After(comeback):
			require.Fail(t, "a subscription was not established")
		}
	}
}

// hear waits until every subscription receives what is published from now on, and counts those that
// do not.
func (tr *trial) hear() {
	began := time.Now()
	var from [writers]int64
	for w := range writers {
		from[w] = tr.wrote[w].published.Load() + 1
	}
	deaf := int64(len(tr.subscribers))
	for deaf > 0 && time.Since(began) < comeback {
		time.Sleep(time.Millisecond)
		deaf = 0
		for _, b := range tr.subscribers {
			if !b.hears(from[b.writer]) {
				deaf++
			}
		}
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.report.Deaf, tr.report.HeardAfter = deaf, time.Since(began)
}

// hearLast waits until the last messages have arrived, as far as they were not lost.
func (tr *trial) hearLast() {
	await(func() bool {
		for _, b := range tr.subscribers {
			if !b.hears(tr.wrote[b.writer].lastSent) {
				return false
			}
		}
		return true
	})
}

// heard judges what has arrived. The subscriptions have ended.
func (tr *trial) heard() {
	r := tr.report
	for _, b := range tr.subscribers {
		sent := tr.wrote[b.writer].messages
		var missed int64
		for n, how := range sent {
			if how == acknowledged && b.heard[n] == 0 {
				missed++
			}
		}
		for n, times := range b.heard {
			if _, ok := sent[n]; !ok {
				b.foreign++
			}
			r.Heard++
			r.Repeated += times - 1
		}
		r.Missed += missed
		r.Foreign += b.foreign
		if missed > 0 && b.gaps == 0 {
			r.Untold++
		}
		if b.ended != nil {
			r.Why = "a subscription " + b.ended.Error()
		}
	}
}

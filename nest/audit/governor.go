package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

const (
	// governedStep is how many names a step of a governed walk looks at. Its keys are inspected
	// together, so it also is the longest piece of work that others may have to wait for.
	governedStep = 100
	// stepCost is what a step of the scan costs, in keys that are inspected.
	stepCost = 20

	pingEvery   = 2 * time.Millisecond
	window      = 200 * time.Millisecond
	settling    = 50 * time.Millisecond
	quiet       = 250 * time.Millisecond // of a measurement without work, after settling
	measureAll  = 10 * time.Second       // from one measurement without work to the next one
	firstRate   = 1000.0                 // keys per second
	slowestRate = 100.0
)

// governor keeps the work of an audit to a pace at which the servers still answer others soon. It
// measures the time of PINGs, and for that it stops the work now and then.
type governor struct {
	ceiling time.Duration
	probes  []*probe

	mu      sync.Mutex
	gate    chan struct{} // closed when the work may go on; nil if it may
	rate    float64       // keys per second
	next    time.Time     // when what was done so far is due
	limited bool          // the work had to wait, in this window

	baselines, loadeds []time.Duration
	recent             []time.Duration // what the last windows with work have added
}

// probe measures one server.
type probe struct {
	client rueidis.Client

	mu       sync.Mutex
	samples  []time.Duration
	baseline time.Duration
}

// govern starts a governor. stop ends it.
func govern(ctx context.Context, client rueidis.Client, ceiling time.Duration) (_ *governor, stop func(), _ error) {
	g := &governor{ceiling: ceiling, rate: firstRate, gate: make(chan struct{})}
	var failed error
	for addr, node := range client.Nodes() {
		replica, err := isReplica(ctx, node)
		switch {
		case err != nil: // a node that is away keeps nobody waiting, and the walk finds out if it matters
			failed = fmt.Errorf("ask %s whether it is a primary (INFO): %w", addr, err)
		case !replica:
			g.probes = append(g.probes, &probe{client: node})
		}
	}
	if len(g.probes) == 0 && failed != nil {
		return nil, nil, failed
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, p := range g.probes {
		wg.Go(func() { p.run(ctx) })
	}
	wg.Go(func() { g.run(ctx) })
	return g, func() {
		cancel()
		wg.Wait()
		if len(g.loadeds) == 0 {
			g.judge() // the work took no whole window
		}
	}, nil
}

// isReplica reports whether the server follows another one. One that does not say is taken for a
// primary.
func isReplica(ctx context.Context, node rueidis.Client) (bool, error) {
	info, err := node.Do(ctx, node.B().Info().Section("replication").Build()).ToString()
	if _, refused := rueidis.IsRedisErr(err); refused {
		return false, nil
	}
	return strings.Contains(info, "role:slave"), err
}

// run measures until the context ends, on a connection of its own: on another one, a PING would
// wait for the work that was sent before it.
func (p *probe) run(ctx context.Context) {
	for ctx.Err() == nil {
		conn, giveBack := p.client.Dedicate()
		for ctx.Err() == nil {
			start := time.Now()
			err := conn.Do(ctx, conn.B().Ping().Build()).Error()
			took := time.Since(start)
			if ctx.Err() != nil {
				break
			}
			p.add(took)
			if _, answered := rueidis.IsRedisErr(err); err != nil && !answered {
				break
			}
			pause(ctx, pingEvery-took)
		}
		giveBack()
		pause(ctx, pingEvery)
	}
}

// add adds a measurement. One that took long stands for those that would have been made meanwhile.
func (p *probe) add(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for ; took > 0; took -= pingEvery {
		p.samples = append(p.samples, took)
	}
}

// take returns the 90th percentile of the measurements since the last call, or 0 if there are none.
func (p *probe) take() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := percentile(p.samples, 0.9)
	p.samples = p.samples[:0]
	return t
}

func percentile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	return list[min(len(list)-1, int(q*float64(len(list))))]
}

// pause waits. It ends early when the context ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// run decides about the pace until the context ends.
func (g *governor) run(ctx context.Context) {
	for ctx.Err() == nil {
		g.measureQuiet(ctx)
		for end := time.Now().Add(measureAll); time.Now().Before(end) && ctx.Err() == nil; {
			pause(ctx, window)
			g.judge()
		}
		g.close()
	}
	g.open()
}

// close stops the work.
func (g *governor) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gate == nil {
		g.gate = make(chan struct{})
	}
}

// open lets the work go on.
func (g *governor) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gate != nil {
		close(g.gate)
		g.gate = nil
	}
	g.limited = false
}

// measureQuiet measures while there is no work.
func (g *governor) measureQuiet(ctx context.Context) {
	pause(ctx, settling)
	for _, p := range g.probes {
		p.take()
	}
	pause(ctx, quiet)
	worst := time.Duration(0)
	for _, p := range g.probes {
		p.baseline = p.take()
		worst = max(worst, p.baseline)
	}
	if ctx.Err() != nil {
		return
	}
	g.mu.Lock()
	g.baselines = append(g.baselines, worst)
	g.mu.Unlock()
	g.open()
}

// judge changes the pace after a window with work.
func (g *governor) judge() {
	added, loaded := time.Duration(0), time.Duration(0)
	for _, p := range g.probes {
		t := p.take()
		added, loaded = max(added, t-p.baseline), max(loaded, t)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.loadeds = append(g.loadeds, loaded)
	// The median of three windows, since others make the server slow for a moment as well.
	g.recent = append(g.recent, added)
	g.recent = g.recent[max(0, len(g.recent)-3):]
	switch added := percentile(g.recent, 0.5); {
	case added > g.ceiling:
		g.rate = max(slowestRate, g.rate*max(0.6, min(0.9, float64(g.ceiling)/float64(added))))
		g.recent = g.recent[:0] // they are about the former pace
	case g.limited && added < g.ceiling/2:
		g.rate *= 1.3
	case g.limited && added < g.ceiling*4/5:
		g.rate *= 1.1
	}
	g.limited = false
}

// wait waits until more work is due.
func (g *governor) wait(ctx context.Context, keys int) error {
	if g == nil {
		return nil
	}
	for {
		g.mu.Lock()
		gate := g.gate
		if gate == nil {
			break
		}
		g.mu.Unlock()
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	now := time.Now()
	if g.next.Before(now) {
		g.next = now
	}
	g.next = g.next.Add(time.Duration(float64(keys) / g.rate * float64(time.Second)))
	left := g.next.Sub(now)
	if left > time.Millisecond {
		g.limited = true
	}
	g.mu.Unlock()
	if left > time.Millisecond {
		pause(ctx, left)
	}
	return ctx.Err()
}

// latency returns what was measured.
func (g *governor) latency() *Latency {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return &Latency{
		Ceiling: g.ceiling, Baseline: percentile(g.baselines, 0.5), Loaded: percentile(g.loadeds, 0.5), Windows: len(g.loadeds), Rate: g.rate,
	}
}

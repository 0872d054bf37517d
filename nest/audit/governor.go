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

	reconnect = 100 * time.Millisecond // between two tries to connect for PING
	lookLimit = time.Second            // of the wait for a server to say what it is
)

// governor keeps the work of an audit to a pace at which the servers still answer others soon. It
// measures the time of PINGs, and for that it stops the work now and then.
type governor struct {
	ceiling time.Duration
	client  rueidis.Client
	probes  map[string]*probe // by the client's name of the server; for the goroutine that decides
	running sync.WaitGroup    // the probes

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
	stop   context.CancelFunc

	mu       sync.Mutex
	samples  []time.Duration
	asked    time.Time // when the PING was due that has no answer yet, or zero
	taken    time.Time // when the samples were taken last
	baseline time.Duration
}

// govern starts a governor. stop ends it.
func govern(ctx context.Context, client rueidis.Client, ceiling time.Duration) (_ *governor, stop func(), _ error) {
	g := &governor{ceiling: ceiling, client: client, probes: make(map[string]*probe), rate: firstRate, gate: make(chan struct{})}
	ctx, cancel := context.WithCancel(ctx)
	if err := g.look(ctx); err != nil {
		cancel()
		return nil, nil, err
	}
	g.running.Go(func() { g.run(ctx) })
	return g, func() {
		cancel()
		g.running.Wait()
		if len(g.loadeds) == 0 {
			g.judge() // the work took no whole window
		}
	}, nil
}

// look measures from now on the servers that are primaries now. A node that does not say what it is
// keeps nobody waiting, and the walk finds out if it matters. If none says so, those that were
// known stay: they are not fast because they do not answer. look returns an error if there are
// none.
func (g *governor) look(ctx context.Context) error {
	found := make(map[string]rueidis.Client)
	var failed error
	for addr, node := range g.client.Nodes() {
		replica, err := isReplica(ctx, node)
		switch {
		case err != nil:
			failed = fmt.Errorf("ask %s whether it is a primary (INFO): %w", addr, err)
		case !replica:
			found[addr] = node
		}
	}
	if len(found) == 0 {
		if len(g.probes) == 0 {
			return failed
		}
		return nil
	}
	for addr, p := range g.probes {
		if found[addr] == nil {
			p.stop()
			delete(g.probes, addr)
		}
	}
	for addr, node := range found {
		if g.probes[addr] == nil {
			of, stop := context.WithCancel(ctx)
			p := &probe{client: node, stop: stop, taken: time.Now()}
			g.probes[addr] = p
			g.running.Go(func() { p.run(of) })
		}
	}
	return nil
}

// isReplica reports whether the server follows another one. One that does not say is taken for a
// primary.
func isReplica(ctx context.Context, node rueidis.Client) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
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
			p.ask(time.Now())
			err := conn.Do(ctx, conn.B().Ping().Build()).Error()
			if ctx.Err() != nil {
				break
			}
			if err != nil && !denied(err) {
				break
			}
			took := p.answer(time.Now())
			pause(ctx, pingEvery-took)
		}
		giveBack()
		pause(ctx, reconnect)
	}
}

// denied reports whether a server has answered a PING, and the user may not send it.
func denied(err error) bool {
	answer, ok := rueidis.IsRedisErr(err)
	return ok && strings.HasPrefix(answer.Error(), "NOPERM")
}

// ask notes that a PING is due. One that could not be sent, or was lost, is due since then.
func (p *probe) ask(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked.IsZero() {
		p.asked = now
	}
}

// answer notes the answer, and returns how long it took.
func (p *probe) answer(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	took := now.Sub(p.asked)
	p.add(took, now)
	p.asked = time.Time{}
	return took
}

// add adds a measurement. One that took long stands for those that would have been made meanwhile,
// since the samples were taken last.
func (p *probe) add(took time.Duration, now time.Time) {
	for since := min(took, max(pingEvery, now.Sub(p.taken))); since > 0; since -= pingEvery {
		p.samples = append(p.samples, took)
	}
}

// take returns the 90th percentile of the measurements since the last call, or 0 if there are none,
// and whether there was an answer. A PING without one has taken as long as it is due.
func (p *probe) take(now time.Time) (t time.Duration, answered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	answered = len(p.samples) > 0
	if !p.asked.IsZero() {
		if waits := now.Sub(p.asked); waits > pingEvery {
			p.add(waits, now)
		}
	}
	t = percentile(p.samples, 0.9)
	p.samples, p.taken = p.samples[:0], now
	return t, answered
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
	_ = g.look(ctx)
	pause(ctx, settling)
	for _, p := range g.probes {
		p.take(time.Now())
	}
	pause(ctx, quiet)
	worst := time.Duration(0)
	for _, p := range g.probes {
		// What a server takes that does not answer without work either is no measure.
		if t, answered := p.take(time.Now()); answered {
			p.baseline = t
		}
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
		t, _ := p.take(time.Now())
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

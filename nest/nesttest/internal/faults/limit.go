package faults

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// What the limiters let through: so much that a fault meets them while they do, and so little that
// they refuse, too.
const (
	paceRate, paceBurst = 100, 10 // a second, and at once
	quotaLimit          = 20
	quotaWindow         = 200 * time.Millisecond
)

// passed is what limiters that all ask have let through, by the server's clock.
type passed struct {
	mu      sync.Mutex
	pace    []time.Time
	quota   map[time.Time]int64 // by the end of the window
	refused int64
	before  int64 // answers when the fault began
}

// pass asks the limiters.
func (tr *trial) pass(scope nest.Scope) {
	s, p := writer.At(scope, 0), &tr.passed
	ask := func(l nest.LimiterRef, allowed func(d nest.Decision)) {
		var d nest.Decision
		err := tr.timed(func(ctx context.Context) (err error) {
			d, err = l.Allow(ctx)
			return err
		})
		p.mu.Lock()
		defer p.mu.Unlock()
		switch {
		case err != nil:
		case d.Allowed:
			allowed(d)
		default:
			p.refused++
		}
	}
	ask(pace.At(s), func(d nest.Decision) { p.pace = append(p.pace, d.ResetAt.Add(-d.ResetAfter)) })
	ask(quota.At(s), func(d nest.Decision) { p.quota[d.ResetAt]++ })
}

// answers counts what the limiters have said.
func (p *passed) answers() int64 {
	n := int64(len(p.pace)) + p.refused
	for _, passed := range p.quota {
		n += passed
	}
	return n
}

// begin notes that the fault begins.
func (p *passed) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before = p.answers()
}

// judge reports what was let through, and how much of it beyond the limits.
func (p *passed) judge(r *Report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.Passed, r.Refused, r.Limited = int64(len(p.pace)), p.refused, p.answers()-p.before
	for _, n := range p.quota {
		r.Passed += n
	}
	r.Over = overRate(p.pace, paceRate, paceBurst) + overWindow(p.quota, quotaLimit, quotaWindow)
}

// overRate returns by how many events a limiter has exceeded the burst and what came back since, in
// the time in which it did so most.
func overRate(events []time.Time, perSecond, burst int64) (over int64) {
	slices.SortFunc(events, time.Time.Compare)
	// From event i to event j there are j-i+1. Beside them, all that count is what i adds at least.
	second := int64(time.Second)
	var least int64
	for j, at := range events {
		room := int64(j)*second - perSecond*int64(at.Sub(events[0]))
		least = min(least, room)
		beyond := room - least + second - burst*second
		over = max(over, (beyond+second-1)/second)
	}
	return over
}

// overWindow returns how many events a limiter has let through beyond the limit of their window,
// and in windows that began before the last one had ended.
func overWindow(windows map[time.Time]int64, limit int64, period time.Duration) (over int64) {
	ends := make([]time.Time, 0, len(windows))
	for end := range windows {
		ends = append(ends, end)
	}
	slices.SortFunc(ends, time.Time.Compare)
	for i, end := range ends {
		n := windows[end]
		if i > 0 && end.Sub(ends[i-1]) < period {
			over += n
			continue
		}
		over += max(n-limit, 0)
	}
	return over
}

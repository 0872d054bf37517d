package nest

import (
	"context"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/behind"
	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// guardedClient is a client that bounds each exchange with a server ([WithTimeout]) and sends
// nothing to a server that has failed too often ([WithBreaker]). A tree that is opened with neither
// uses the client itself.
type guardedClient struct {
	rueidis.Client
	*watchman
	server *server // of the client of a single node; nil: the slot says
}

// guarded returns the client with the guard that the options of the tree ask for.
func guarded(client rueidis.Client, t *tree) rueidis.Client {
	o := &t.options
	if o.timeout == 0 && o.breaker.failures == 0 {
		return client
	}
	w := &watchman{client: client, timeout: o.timeout, breaker: o.breaker, behind: t.behind}
	w.clustered = client.Mode() == rueidis.ClientModeCluster
	return &guardedClient{Client: client, watchman: w}
}

// unguarded returns the client that was given to Open.
func unguarded(client rueidis.Client) rueidis.Client {
	if g := guardOf(client); g != nil {
		return g.Client
	}
	if m, ok := client.(meteredClient); ok {
		return m.Client
	}
	return client
}

// guardOf returns the guard of a tree's client, or nil if it has none.
func guardOf(client rueidis.Client) *guardedClient {
	if m, ok := client.(meteredClient); ok {
		client = m.Client
	}
	g, _ := client.(*guardedClient)
	return g
}

// Nodes returns the clients of the nodes, each guarded.
func (g *guardedClient) Nodes() map[string]rueidis.Client {
	nodes := g.Client.Nodes()
	for addr, node := range nodes {
		s := &g.only
		if g.clustered {
			s = g.named(addr)
		}
		nodes[addr] = &guardedClient{node, g.watchman, s}
	}
	return nodes
}

// Dedicate returns a connection of its own, guarded. Commands that wait on the server are not
// bounded.
func (g *guardedClient) Dedicate() (rueidis.DedicatedClient, func()) {
	conn, release := g.Client.Dedicate()
	return &guardedLine{conn, g}, release
}

// Dedicated is Dedicate for the time of a function.
func (g *guardedClient) Dedicated(do func(rueidis.DedicatedClient) error) error {
	return g.Client.Dedicated(func(conn rueidis.DedicatedClient) error { return do(&guardedLine{conn, g}) })
}

type guardedLine struct {
	rueidis.DedicatedClient
	guard *guardedClient
}

// commander is what a client and a dedicated connection have in common.
type commander interface {
	Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult
	DoMulti(ctx context.Context, multi ...rueidis.Completed) []rueidis.RedisResult
}

// context returns the context of an exchange with the server that has a slot, and reports whether
// it is to be released. A caller that has made such a context itself has bounded it.
func (g *guardedClient) context(ctx context.Context, slot uint16) (e *exchangeContext, mine bool) {
	if e, ok := ctx.(*exchangeContext); ok {
		return e, false
	}
	e = newExchange(ctx, g.timeout, byTimeout, g.Client, slot)
	e.slices, e.behind = &g.slices, g.behind
	return e, true
}

func (g *guardedClient) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	return g.do(ctx, g.Client, cmd)
}

func (l *guardedLine) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	return l.guard.do(ctx, l.DedicatedClient, cmd)
}

func (g *guardedClient) do(ctx context.Context, to commander, cmd rueidis.Completed) rueidis.RedisResult {
	if cmd.IsBlock() {
		return to.Do(ctx, cmd)
	}
	slot, tries := cmd.Slot(), false
	if g.troubled.Load() {
		var broken error
		if tries, broken = g.admit(g.of(slot)); broken != nil {
			return rueidis.NewErrorResult(broken)
		}
	}
	e, mine := g.context(ctx, slot)
	var result rueidis.RedisResult
	if g.suspects.Load() {
		result = doBeside(e, to, cmd)
	} else {
		result = to.Do(e, cmd)
	}
	if err := result.NonRedisError(); err != nil || e.doubts.Load() || g.noted.Load() {
		result = g.conclude(e, slot, tries, result)
	}
	if mine {
		e.release()
	}
	return result
}

func (g *guardedClient) DoCache(ctx context.Context, cmd rueidis.Cacheable, ttl time.Duration) rueidis.RedisResult {
	slot, tries := cmd.Slot(), false
	if g.troubled.Load() {
		var broken error
		if tries, broken = g.admit(g.of(slot)); broken != nil {
			return rueidis.NewErrorResult(broken)
		}
	}
	e, mine := g.context(ctx, slot)
	var result rueidis.RedisResult
	if g.suspects.Load() {
		result = cacheBeside(e, g.Client, cmd, ttl)
	} else {
		result = g.Client.DoCache(e, cmd, ttl)
	}
	if err := result.NonRedisError(); err != nil || e.doubts.Load() || g.noted.Load() {
		result = g.conclude(e, slot, tries, result)
	}
	if mine {
		e.release()
	}
	return result
}

// doBeside runs an exchange in a goroutine of its own, for servers that are suspect. While one of a
// client's callers connects, the client lets the others wait without an eye on their contexts.
func doBeside(e *exchangeContext, to commander, cmd rueidis.Completed) rueidis.RedisResult {
	return beside(e, func() rueidis.RedisResult { return to.Do(e, cmd) }, rueidis.NewErrorResult)
}

func cacheBeside(e *exchangeContext, client rueidis.Client, cmd rueidis.Cacheable, ttl time.Duration) rueidis.RedisResult {
	return beside(e, func() rueidis.RedisResult { return client.DoCache(e, cmd, ttl) }, rueidis.NewErrorResult)
}

// beside runs do in a goroutine, and waits for it as long as the context lives.
func beside[R any](e *exchangeContext, do func() R, failed func(error) R) R {
	ended := e.Done()
	if ended == nil {
		return do()
	}
	e.kept.Store(true)
	done := make(chan R, 1)
	go func() { done <- do() }()
	select {
	case r := <-done:
		return r
	case <-ended:
	}
	select {
	case r := <-done:
		return r
	default:
		e.behind.Go(behind.Command, func() { <-done })
		return failed(e.Err())
	}
}

func (g *guardedClient) DoMulti(ctx context.Context, multi ...rueidis.Completed) []rueidis.RedisResult {
	return g.doMulti(ctx, g.Client, multi)
}

func (l *guardedLine) DoMulti(ctx context.Context, multi ...rueidis.Completed) []rueidis.RedisResult {
	return l.guard.doMulti(ctx, l.DedicatedClient, multi)
}

func (g *guardedClient) doMulti(ctx context.Context, to commander, multi []rueidis.Completed) []rueidis.RedisResult {
	for i := range multi {
		if multi[i].IsBlock() {
			return to.DoMulti(ctx, multi...)
		}
	}
	e, mine := g.context(ctx, firstSlot(multi))
	var results []rueidis.RedisResult
	if g.watchful() {
		results = multiBeside(g, e, to, multi)
	} else {
		results = to.DoMulti(e, multi...)
		if failedAny(results) || e.doubts.Load() || g.noted.Load() {
			concludeAll(g, e, nil, multi, completedSlot, results)
		}
	}
	if mine {
		e.release()
	}
	return results
}

// DoMultiCache is DoMulti for what the client may answer from its memory.
func (g *guardedClient) DoMultiCache(ctx context.Context, multi ...rueidis.CacheableTTL) []rueidis.RedisResult {
	if len(multi) == 0 {
		return nil
	}
	e, mine := g.context(ctx, cacheableSlot(&multi[0]))
	var results []rueidis.RedisResult
	if g.watchful() {
		results = multiCacheBeside(g, e, multi)
	} else {
		results = g.Client.DoMultiCache(e, multi...)
		if failedAny(results) || e.doubts.Load() || g.noted.Load() {
			concludeAll(g, e, nil, multi, cacheableSlot, results)
		}
	}
	if mine {
		e.release()
	}
	return results
}

func completedSlot(cmd *rueidis.Completed) uint16    { return cmd.Slot() }
func cacheableSlot(cmd *rueidis.CacheableTTL) uint16 { return cmd.Cmd.Slot() }

// firstSlot returns the slot of the first command that has one.
func firstSlot(multi []rueidis.Completed) uint16 {
	for i := range multi {
		if slot := multi[i].Slot(); slot < hashslot.Count {
			return slot
		}
	}
	return hashslot.Count
}

func failedAny(results []rueidis.RedisResult) bool {
	for i := range results {
		if results[i].NonRedisError() != nil {
			return true
		}
	}
	return false
}

func multiBeside(g *guardedClient, e *exchangeContext, to commander, multi []rueidis.Completed) []rueidis.RedisResult {
	return partly(g, e, multi, completedSlot, func(part []rueidis.Completed) []rueidis.RedisResult { return to.DoMulti(e, part...) })
}

func multiCacheBeside(g *guardedClient, e *exchangeContext, multi []rueidis.CacheableTTL) []rueidis.RedisResult {
	return partly(g, e, multi, cacheableSlot, func(part []rueidis.CacheableTTL) []rueidis.RedisResult { return g.Client.DoMultiCache(e, part...) })
}

// partly sends those commands whose servers are to be asked.
func partly[C any](g *guardedClient, e *exchangeContext, multi []C, slotOf func(*C) uint16, send func([]C) []rueidis.RedisResult) []rueidis.RedisResult {
	results := make([]rueidis.RedisResult, len(multi))
	broken := make(map[*server]error)
	var tries []*server
	var part []C
	var sent []int
	var all error // why nothing is sent
	for i := range multi {
		s := g.of(slotOf(&multi[i]))
		if _, known := broken[s]; !known {
			first, err := g.admit(s)
			if first {
				tries = append(tries, s)
			}
			broken[s] = err
		}
		if err := broken[s]; err != nil {
			results[i] = rueidis.NewErrorResult(err)
			all = err
			continue
		}
		part, sent = append(part, multi[i]), append(sent, i)
	}
	if all != nil && g.clustered && g.server == nil {
		for i := range multi {
			if slotOf(&multi[i]) >= hashslot.Count {
				// It belongs together, as a transaction does.
				for _, n := range sent {
					results[n] = rueidis.NewErrorResult(all)
				}
				for _, s := range tries {
					s.tried()
				}
				return results
			}
		}
	}
	if len(part) == 0 {
		return results
	}
	answers := beside(e, func() []rueidis.RedisResult { return send(part) }, func(err error) []rueidis.RedisResult { return failedAll(len(part), err) })
	concludeAll(g, e, tries, part, slotOf, answers)
	for n, i := range sent {
		results[i] = answers[n]
	}
	return results
}

// conclude notes how an exchange ended, and returns its result.
func (g *guardedClient) conclude(e *exchangeContext, slot uint16, tries bool, result rueidis.RedisResult) rueidis.RedisResult {
	s := g.of(slot)
	if tries {
		defer s.tried()
	}
	err := result.Error()
	if result.NonRedisError() == nil && !e.refusing() {
		if !result.IsCacheHit() {
			g.answered(s)
		}
		return result
	}
	return rueidis.NewErrorResult(g.explain(s, e, err, true))
}

// concludeAll is conclude for commands that were sent together.
func concludeAll[C any](g *guardedClient, e *exchangeContext, tries []*server, multi []C, slotOf func(*C) uint16, results []rueidis.RedisResult) {
	counted := make(map[*server]bool, 1) // whether it failed
	for i := range results {
		s := g.of(slotOf(&multi[i]))
		if results[i].NonRedisError() == nil && !e.refusing() {
			if !results[i].IsCacheHit() {
				counted[s] = counted[s] || false
			}
			continue
		}
		err := g.explain(s, e, results[i].Error(), !counted[s])
		counted[s] = true
		results[i] = rueidis.NewErrorResult(err)
	}
	for s, failed := range counted {
		if !failed {
			g.answered(s)
		}
	}
	for _, s := range tries {
		s.tried()
	}
}

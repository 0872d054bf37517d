package nest

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"

	"github.com/redis/rueidis"
)

// Clear deletes every key below the scope and returns how many it deleted, also when it returns an
// error (SCAN and UNLINK). It deletes user:42:* and never user:421:*, and leaves alone the keys of
// declarations outside the scope. In a cluster without a prefix of its own, it deletes the declared
// keys and nothing else. Keys that are written meanwhile may remain. What this package stores
// beside keys is deleted too: running loads store nothing, no key is remembered as missing any
// more, locks are released, and a [Generation] below the scope begins again, with a number that
// none has had.
//
// A scope that is [Protected], or contains something that is, needs [Force], and so does a scope
// whose prefix is empty. Without Force the error wraps [ErrProtected].
//
// The keys are deleted in chunks as the scan finds them, on all primaries at the same time and in
// constant memory; Clear is not atomic. Keys that move within a Redis Cluster meanwhile are found
// in their new place, see [Scope.Keys]; if some could not be found, Clear returns an error. It
// needs the same permissions as Keys.
func (s Scope) Clear(ctx context.Context, opts ...ClearOption) (deleted int64, err error) {
	if err := s.admit(ctx, "clear"); err != nil {
		return 0, err
	}
	err = s.observed(ctx, "clear", func(ctx context.Context) error {
		deleted, err = s.clear(ctx, opts)
		return err
	})
	return deleted, err
}

func (s Scope) clear(ctx context.Context, opts []ClearOption) (int64, error) {
	o := s.at.tree.options.scan
	err := eachOption(opts, func(opt ClearOption) error { return opt.applyClear(&o) })
	o.companions = true
	var w *walking
	if err == nil {
		w, err = s.walking("clear", o)
	}
	if err != nil {
		return 0, s.fail("clear", err)
	}
	if !o.force && !o.dryRun {
		if err := w.checkForce(); err != nil {
			return 0, err
		}
	}
	var deleted atomic.Int64
	w.deletes = !o.dryRun
	w.blind = w.filter == nil && o.progress == nil && !s.at.shares && s.at.formers == nil && s.owns(nil)
	if w.deletes {
		w.done = func() (int64, int64) { return deleted.Load(), 0 }
	}
	if err := w.clearLoads(ctx); err != nil {
		return 0, s.fail("clear", err)
	}
	err = w.each(ctx, func(ctx context.Context, p walkPage) error {
		n, err := w.clearPage(ctx, p)
		deleted.Add(n)
		return err
	})
	if err == nil && w.deletes && (s.at.tree.caches || len(s.at.tree.generations) > 0) && s.at.tree.options.broadcast {
		// A server sends its broadcasts once it has answered everything that it read together with
		// the last fences.
		for _, h := range w.last.holders {
			err = cmp.Or(err, h.client.Do(ctx, h.client.B().Ping().Build()).Error())
		}
	}
	if w.deletes {
		s.at.tree.forgetAll()
	}
	w.finish(err)
	if err != nil {
		err = s.fail("clear", err)
	}
	if o.dryRun {
		return w.now.Matched, err
	}
	return deleted.Load(), err
}

func (w *walking) checkForce() error {
	s := w.scope
	switch {
	case w.filter != nil:
		for _, t := range w.filter.targets {
			if t != nil && t.m.settings.protected {
				return s.fail("clear", because(ErrProtected, `"`+t.m.name.Text+`" is declared Protected: Force clears it all the same`))
			}
		}
	case s.at.guarded:
		return s.fail("clear", because(ErrProtected, "something here is declared Protected: Force clears it all the same"))
	case s.prefix == "":
		return s.fail("clear", because(ErrProtected, "the scope has no prefix: Force clears all the keys that it declares"))
	}
	return nil
}

// clearLoads ends the running loads of keys below the scope. It comes first: a load that still
// stores its value then does so before the scan for keys begins, and the scan finds the key.
func (w *walking) clearLoads(ctx context.Context) error {
	s := w.scope
	if w.options.dryRun || !slices.ContainsFunc(s.below(), func(m *mounted) bool {
		return m.loads.Load() && (w.filter == nil || w.filter.of(m) != nil)
	}) {
		return nil
	}
	o := w.options
	o.progress, o.resume = nil, ""
	loads, err := s.walking("clear", o)
	if err != nil {
		return err
	}
	if loads.pattern != "" {
		loads.pattern += "%" + loadRole + "*"
	}
	// Numbers of generations are deleted where fences follow.
	loads.direct = slices.DeleteFunc(loads.direct, func(t *target) bool { return t.m.def.isCluster() })
	return loads.each(ctx, func(ctx context.Context, p walkPage) error {
		_, companions := loads.doomed(p)
		for _, answer := range s.send(ctx, p.server.client, s.unlinks(p.server.client, companions, o.chunk)) {
			if err := answer.Error(); err != nil {
				return err
			}
		}
		return nil
	})
}

// doomed returns the names that Clear deletes: the keys, which it counts, and what this package
// stores beside keys.
func (w *walking) doomed(p walkPage) (keys []sighting, companions []string) {
	keys = w.sight(p)
	kept := keys[:0]
	for _, found := range keys {
		switch {
		case found.verdict == undeclared:
			kept = append(kept, found)
		case w.filter == nil && !w.scope.owns(found.m):
		case found.verdict == takenCompanion:
			companions = append(companions, found.name)
		default:
			kept = append(kept, found)
		}
	}
	return kept, companions
}

// clearPage deletes what one step of the scan found, while the next step is on its way.
func (w *walking) clearPage(ctx context.Context, p walkPage) (deleted int64, failed error) {
	s, node := w.scope, p.server.client
	seen, companions := w.doomed(p)
	defer func() {
		if failed == nil {
			w.count(p, seen)
		}
	}()
	if w.options.dryRun {
		return 0, nil
	}
	keys := make([]string, 0, len(seen))
	for _, found := range seen {
		if found.verdict != undeclared {
			keys = append(keys, found.name)
		}
	}
	cmds := s.unlinks(node, companions, w.options.chunk)
	beside := len(cmds)
	cmds = append(cmds, s.unlinks(node, keys, w.options.chunk)...)
	n := len(cmds)
	cmds = append(cmds, s.fences(node, s.cached(keys, companions))...)
	answers := s.send(ctx, node, cmds)
	for i, answer := range answers[:n] {
		gone, err := answeredInt(answer.ToMessage())
		if i >= beside {
			deleted += gone
		}
		failed = cmp.Or(failed, err)
	}
	return deleted, failed
}

// send sends deletions. On a Redis Cluster they go through the tree's client, which follows slots
// that have moved; otherwise they go to the server that was scanned.
func (s Scope) send(ctx context.Context, node rueidis.Client, cmds []rueidis.Completed) []rueidis.RedisResult {
	if client := s.at.tree.client; client.Mode() == rueidis.ClientModeCluster {
		node = client
	}
	var answers []rueidis.RedisResult
	for part := range slices.Chunk(cmds, maxPipeline) {
		answers = append(answers, node.DoMulti(ctx, part...)...)
	}
	return answers
}

// unlinks builds the commands that delete names. On a Redis Cluster each command deletes one key,
// since a command cannot span two slots.
func (s Scope) unlinks(node rueidis.Client, names []string, chunk int) []rueidis.Completed {
	b := node.B()
	if client := s.at.tree.client; client.Mode() == rueidis.ClientModeCluster {
		b, chunk = client.B(), 1
	}
	cmds := make([]rueidis.Completed, 0, len(names)/chunk+2)
	for part := range slices.Chunk(names, chunk) {
		cmds = append(cmds, b.Unlink().Key(part...).Build())
	}
	return cmds
}

// cached returns those of the deleted names that the client may remember.
func (s Scope) cached(keys, companions []string) []string {
	var names []string
	if s.at.tree.caches {
		names = keys
	}
	if len(s.at.tree.generations) == 0 {
		return names
	}
	for _, name := range companions {
		if _, role, _ := companionOf(name); role == generationRole {
			names = append(slices.Clip(names), name)
		}
	}
	return names
}

// fences builds the commands that end a round of deletions if keys are cached: one for the server
// or, on a Redis Cluster, one for each key, since each may be on a different server.
func (s Scope) fences(node rueidis.Client, names []string) []rueidis.Completed {
	client := s.at.tree.client
	if client.Mode() != rueidis.ClientModeCluster {
		client, names = node, names[max(0, len(names)-1):]
	}
	cmds := make([]rueidis.Completed, len(names))
	for i, name := range names {
		cmds[i] = client.B().Arbitrary("EXISTS").Keys(name).Build()
	}
	return cmds
}

// owns reports whether Clear without a filter may delete the keys of a place at or below the scope,
// or, for nil, a name that nothing declares.
func (s Scope) owns(m *mounted) bool {
	groups := s.at.def != nil && s.at.def.template.Text == "" && s.at.first > 0
	return m != nil || !groups && s.prefix != ""
}

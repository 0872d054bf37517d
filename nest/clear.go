package nest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

type forceOption struct{}

func (forceOption) applyClear(o *scanOptions) { o.force = true }

// Force lets [Scope.Clear] delete what is [Protected], and what a scope without a prefix holds.
func Force() ClearOption { return forceOption{} }

// Clear deletes every key below the scope and tells how many it deleted, also when it ends with
// an error (SCAN and UNLINK). It takes user:42:* and never user:421:*, and leaves alone what a
// declaration outside of the scope claims. A cluster without a prefix of its own deletes what is
// declared in it and nothing else. Keys that are written meanwhile may stay. What this package keeps
// beside keys goes too: loads that are running store nothing, nothing is noted as missing any more,
// and locks are free.
//
// A scope that is [Protected], or holds something that is, and a scope whose prefix is empty
// need [Force]: the error wraps [ErrProtected].
//
// The keys are deleted in chunks as the scan finds them, in flat memory; Clear is not atomic.
func (s Scope) Clear(ctx context.Context, opts ...ClearOption) (int64, error) {
	if err := s.ready(ctx, "clear"); err != nil {
		return 0, err
	}
	start := time.Now()
	deleted, err := s.clear(ctx, opts)
	s.observe(ctx, "clear", start, err)
	return deleted, err
}

func (s Scope) clear(ctx context.Context, opts []ClearOption) (int64, error) {
	o := s.at.tree.options.scan
	for _, opt := range opts {
		if opt == nil {
			return 0, s.fail("clear", because(ErrArgument, errNilOption.Error()))
		}
		opt.applyClear(&o)
	}
	if !o.force {
		if err := s.checkForce(); err != nil {
			return 0, err
		}
	}
	nodes, err := s.at.tree.primaries(ctx)
	if err != nil {
		return 0, s.fail("clear", err)
	}
	var deleted int64
	for _, node := range nodes {
		if err := s.clearCompanions(ctx, node, o); err != nil {
			return deleted, s.fail("clear", err)
		}
		n, err := s.clearNode(ctx, node, o)
		if deleted += n; err != nil {
			return deleted, s.fail("clear", err)
		}
	}
	return deleted, nil
}

func (s Scope) checkForce() error {
	switch {
	case s.at.guarded:
		return s.fail("clear", because(ErrProtected, "something here is declared Protected: Force clears it all the same"))
	case s.prefix == "":
		return s.fail("clear", because(ErrProtected, "the scope has no prefix: Force clears all the keys that it declares"))
	}
	return nil
}

// clearCompanions deletes what stands beside keys below the scope without being below it itself,
// because no [HashTag] begins both. It goes first, so that no load stores what it loaded before.
func (s Scope) clearCompanions(ctx context.Context, node rueidis.Client, o scanOptions) error {
	mounts := s.at.tree.mounts
	below := mounts[max(0, s.at.first):min(len(mounts), s.at.last+1)]
	if s.at.hashTag || !slices.ContainsFunc(below, func(m *mounted) bool {
		return !m.hashTag && m.def != nil && (m.def.kind == KindLock || m.loads.Load())
	}) {
		return nil
	}
	lead := "{" + s.lead()
	pattern := escapeGlob(lead) + "*"
	for cursor := uint64(0); ; {
		page, err := scanned(node.Do(ctx, node.B().Scan().Cursor(cursor).Match(pattern).Count(int64(o.count)).Build()).ToMessage())
		if err != nil {
			return err
		}
		doomed := slices.DeleteFunc(page.Elements, func(name string) bool {
			key, ok := companionOf(name)
			return !ok || !strings.HasPrefix(name, lead) || !s.owns(key)
		})
		for _, answer := range s.send(ctx, node, s.unlinks(node, doomed, o.chunk), false) {
			if err := answer.Error(); err != nil {
				return err
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}

// clearNode clears what one server holds. What a page of the scan found is deleted in the same
// round trip that asks for the next page.
func (s Scope) clearNode(ctx context.Context, node rueidis.Client, o scanOptions) (int64, error) {
	var deleted int64
	var doomed []string
	for cursor, more := uint64(0), true; more || len(doomed) > 0; {
		cmds := s.unlinks(node, doomed, o.chunk)
		n := len(cmds)
		if s.at.tree.caches {
			cmds = append(cmds, s.fences(node, doomed)...)
		}
		if more {
			cmds = append(cmds, s.scan(node, cursor, o.count))
		}
		answers := s.send(ctx, node, cmds, more)
		doomed = doomed[:0]
		var failed error
		for _, answer := range answers[:n] {
			gone, err := answeredInt(answer.ToMessage())
			deleted += gone
			failed = cmp.Or(failed, err)
		}
		if failed != nil {
			return deleted, failed
		}
		if more {
			page, err := scanned(answers[len(answers)-1].ToMessage())
			if err != nil {
				return deleted, err
			}
			cursor, more = page.Cursor, page.Cursor != 0
			doomed = slices.DeleteFunc(s.filter(page.Elements), func(name string) bool { return !s.owns(name) })
		}
	}
	if s.at.tree.caches && s.at.tree.options.broadcast {
		// Broadcasts go out once the server has answered what it read with the last fences.
		return deleted, node.Do(ctx, node.B().Ping().Build()).Error()
	}
	return deleted, nil
}

// send sends deletions and, with scan, the command that scans node as the last one. On a Redis
// Cluster the deletions go through the client that follows a slot to where it has moved.
func (s Scope) send(ctx context.Context, node rueidis.Client, cmds []rueidis.Completed, scan bool) []rueidis.RedisResult {
	client := s.at.tree.client
	var answers []rueidis.RedisResult
	if client.Mode() != rueidis.ClientModeCluster {
		for part := range slices.Chunk(cmds, maxPipeline) {
			answers = append(answers, node.DoMulti(ctx, part...)...)
		}
		return answers
	}
	deletions := len(cmds)
	if scan {
		deletions--
	}
	for part := range slices.Chunk(cmds[:deletions], maxPipeline) {
		answers = append(answers, client.DoMulti(ctx, part...)...)
	}
	if scan {
		answers = append(answers, node.Do(ctx, cmds[deletions]))
	}
	return answers
}

// unlinks makes the commands that delete names. On a Redis Cluster one command deletes one key,
// since a command cannot reach two slots.
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

// fences makes the commands that end a round of deletions where keys are cached: one for the
// server, or one for each key of a Redis Cluster, since each may live on a server of its own.
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

// owns tells whether Clear may delete a name below the scope's prefix.
func (s Scope) owns(name string) bool {
	groups := s.at.def != nil && s.at.def.template.text == "" && s.at.first > 0
	if !groups && !s.at.shares && s.prefix != "" {
		return true
	}
	m := s.at.tree.index.find(name)
	if m == nil {
		return !groups && s.prefix != ""
	}
	return s.at.holds(m)
}

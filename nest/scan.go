package nest

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/redis/rueidis"
)

// Keys streams the names that exist below the scope, declared or not (SCAN). Each comes with its
// declaration; for a name that nothing declares, [Match.Def] returns nil. Keys leaves out the names
// that a declaration outside of the scope claims, and those that this package keeps beside keys,
// unless [Companions] is given. [Where], [Only] and [Undeclared] restrict it to some keys. The
// order is that of the servers. An error ends the stream.
//
// Every name that exists from the beginning to the end of the scan is in the stream. The names come
// from all primaries at the same time, even if the client reads from replicas. Keys asks the
// servers who they are when the walk begins and when it ends (INFO, and CLUSTER NODES on a Redis
// Cluster). Slots that moved meanwhile, and servers that were restarted or replaced, are walked
// through again. A name may come twice then, as it may while a server resizes its table. Keys waits
// for slots that are still moving from one node of a Redis Cluster to another, and for slots that
// no node has. It waits as long as the context lasts, but at most 10 seconds. The error then names
// the slots.
//
// A user without the right to run CLUSTER NODES gets an error that wraps [ErrUnsupported]. If the
// user may not run INFO, Keys walks through the server on one connection. When that connection is
// lost, the walk through a single server ends with an error.
func (s Scope) Keys(ctx context.Context, opts ...ScanOption) iter.Seq2[Match, error] {
	return func(yield func(Match, error) bool) {
		if err := s.admit(ctx, "keys"); err != nil {
			yield(Match{}, err)
			return
		}
		err := s.observed(ctx, "keys", func(ctx context.Context) error { return s.keys(ctx, opts, yield) })
		if err != nil {
			yield(Match{}, err)
		}
	}
}

// keys passes the names below the scope to yield until yield returns false.
func (s Scope) keys(ctx context.Context, opts []ScanOption, yield func(Match, error) bool) error {
	o, err := s.at.tree.scanOptions(opts)
	var w *walking
	if err == nil {
		w, err = s.walking("keys", o)
	}
	if err != nil {
		return s.fail("keys", err)
	}
	err = w.inTurn(ctx, func(p walkPage) error {
		seen := w.sight(p)
		for i, found := range seen {
			if found.verdict != undeclared && !yield(w.matched(found), nil) {
				w.count(p, seen[:i+1])
				return errStopped
			}
		}
		w.count(p, seen)
		return nil
	})
	if w.finish(err); err != nil && !errors.Is(err, errStopped) {
		return s.fail("keys", err)
	}
	return nil
}

// errStopped ends a walk whose caller has left the loop.
var errStopped = errors.New("stopped")

// matched returns what Keys yields for a name.
func (w *walking) matched(found sighting) Match {
	m := Match{key: found.name, above: w.scope.at}
	switch {
	case found.verdict == taken:
		return Match{key: found.name, at: found.m}
	case found.m != nil:
		m.above = found.m // the key that it serves
	default:
		m.above = w.scope.concealing(found.name, w.secretive)
	}
	return m
}

// Count returns how many keys exist below the scope, declared or not (SCAN): the number of names
// that [Scope.Keys] yields with the same options. Keys of a Redis Cluster that are walked through
// again, because their slot moved, count once. While a server resizes its table, a few keys may
// count twice. With an error, Count returns what it has counted so far.
//
// Count does not order the servers to count. It needs as long as Keys, and the same permissions.
func (s Scope) Count(ctx context.Context, opts ...ScanOption) (n int64, err error) {
	if err := s.admit(ctx, "count"); err != nil {
		return 0, err
	}
	err = s.observed(ctx, "count", func(ctx context.Context) error {
		n, err = s.count(ctx, opts)
		return err
	})
	return n, err
}

func (s Scope) count(ctx context.Context, opts []ScanOption) (int64, error) {
	o, err := s.at.tree.scanOptions(opts)
	var w *walking
	if err == nil {
		w, err = s.walking("count", o)
	}
	if err != nil {
		return 0, s.fail("count", err)
	}
	err = w.each(ctx, func(_ context.Context, p walkPage) error {
		w.count(p, w.sight(p))
		return nil
	})
	w.finish(err)
	if err != nil {
		err = s.fail("count", err)
	}
	return w.now.Matched, err
}

// scanOptions returns the options of a walk that only reads.
func (t *tree) scanOptions(opts []ScanOption) (walkOptions, error) {
	o := t.options.scan
	return o, eachOption(opts, func(opt ScanOption) error { return opt.applyScan(&o) })
}

// Subkeys returns the names that exist below the scope, declared or not, sorted and without
// duplicates (SCAN). It holds all of them in memory. [Scope.Keys] streams them, and its
// documentation says which names are certain to be among them.
func (s Scope) Subkeys(ctx context.Context, opts ...ScanOption) ([]string, error) {
	var names []string
	for m, err := range s.Keys(ctx, opts...) {
		if err != nil {
			return nil, err
		}
		names = append(names, m.key)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// scanned reads a page of SCAN.
func scanned(a rueidis.RedisMessage, err error) (page rueidis.ScanEntry, _ error) {
	if err != nil {
		return page, err
	}
	if page, err = a.AsScanEntry(); err != nil {
		return rueidis.ScanEntry{}, errAnswer
	}
	return page, nil
}

// lead returns what every name below the scope begins with.
func (s Scope) lead() string {
	if s.prefix != "" {
		return s.prefix + ":"
	}
	if first := s.at.tree.mounts[0]; s.at.def == nil && len(first.name.Pieces) > 0 {
		return first.name.Pieces[0].Literal
	}
	return ""
}

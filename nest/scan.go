package nest

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// The defaults of [ScanCount] and [DeleteChunk].
const (
	DefaultScanCount   = 1000
	DefaultDeleteChunk = 500
)

// ScanOption is an option of [Scope.Keys] and [Scope.Subkeys].
type ScanOption interface {
	applyScan(o *scanOptions)
}

// ClearOption is an option of [Scope.Clear].
type ClearOption interface {
	applyClear(o *scanOptions)
}

type scanOptions struct {
	count int
	chunk int
	force bool
}

// ScanCountOption is the result of [ScanCount]. It is a [ScanOption], a [ClearOption] and an
// [OpenOption].
type ScanCountOption int

// ScanCount sets how many names the server looks at in one step of a scan (the COUNT of SCAN).
// More is faster in all, and keeps the server from other work for longer at a time. The default
// is [DefaultScanCount], or what [Open] was given. Anything below 1 stands for the default.
func ScanCount(n int) ScanCountOption { return ScanCountOption(n) }

func (n ScanCountOption) applyScan(o *scanOptions) {
	if n >= 1 {
		o.count = int(n)
	}
}
func (n ScanCountOption) applyClear(o *scanOptions) { n.applyScan(o) }
func (n ScanCountOption) applyOpen(o *openOptions) error {
	if n < 1 {
		return fmt.Errorf("ScanCount(%d): at least 1", int(n))
	}
	n.applyScan(&o.scan)
	return nil
}

// DeleteChunkOption is the result of [DeleteChunk]. It is a [ClearOption] and an [OpenOption].
type DeleteChunkOption int

// DeleteChunk sets how many keys [Scope.Clear] deletes with one command. The default is
// [DefaultDeleteChunk], or what [Open] was given. Anything below 1 stands for the default.
func DeleteChunk(n int) DeleteChunkOption { return DeleteChunkOption(n) }

func (n DeleteChunkOption) applyClear(o *scanOptions) {
	if n >= 1 {
		o.chunk = int(n)
	}
}
func (n DeleteChunkOption) applyOpen(o *openOptions) error {
	if n < 1 {
		return fmt.Errorf("DeleteChunk(%d): at least 1", int(n))
	}
	n.applyClear(&o.scan)
	return nil
}

// Keys streams the names that exist below the scope, declared or not, each with its declaration, of
// which a name that nothing declares has none: [Match.Def] is nil (SCAN). Names that a declaration
// outside of the scope claims are left out, and so is what this package keeps beside keys. The order is the
// server's; a name that is written or deleted meanwhile may be missing, and a name may come
// twice while the server resizes its table. An error ends the stream.
func (s Scope) Keys(ctx context.Context, opts ...ScanOption) iter.Seq2[Match, error] {
	return func(yield func(Match, error) bool) {
		if err := s.ready(ctx, "keys"); err != nil {
			yield(Match{}, err)
			return
		}
		start := time.Now()
		err := s.keys(ctx, opts, yield)
		s.observe(ctx, "keys", start, err)
		if err != nil {
			yield(Match{}, err)
		}
	}
}

// keys hands the names below the scope to yield until that has enough.
func (s Scope) keys(ctx context.Context, opts []ScanOption, yield func(Match, error) bool) error {
	o := s.at.tree.options.scan
	for _, opt := range opts {
		if opt == nil {
			return s.fail("keys", because(ErrArgument, errNilOption.Error()))
		}
		opt.applyScan(&o)
	}
	nodes, err := s.at.tree.primaries(ctx)
	if err != nil {
		return s.fail("keys", err)
	}
	for _, node := range nodes {
		for names, err := range s.pages(ctx, node, o.count) {
			if err != nil {
				return s.fail("keys", err)
			}
			for _, name := range names {
				m := s.at.tree.index.find(name)
				if m != nil && !s.at.holds(m) {
					continue
				}
				found := Match{key: name, at: m}
				if m == nil {
					if _, ok := companionOf(name); ok {
						continue
					}
					found.above = s.at
				}
				if !yield(found, nil) {
					return nil
				}
			}
		}
	}
	return nil
}

// Subkeys gives the names that exist below the scope, declared or not, sorted and each once
// (SCAN). It holds them all in memory; [Scope.Keys] streams them.
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

// pages scans one server for the names below the scope.
func (s Scope) pages(ctx context.Context, node rueidis.Client, count int) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for cursor := uint64(0); ; {
			page, err := scanned(node.Do(ctx, s.scan(node, cursor, count)).ToMessage())
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(s.filter(page.Elements), nil) || page.Cursor == 0 {
				return
			}
			cursor = page.Cursor
		}
	}
}

func (s Scope) scan(node rueidis.Client, cursor uint64, count int) rueidis.Completed {
	return node.B().Scan().Cursor(cursor).Match(escapeGlob(s.lead()) + "*").Count(int64(count)).Build()
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

// lead is what every name below the scope begins with.
func (s Scope) lead() string {
	if s.prefix != "" {
		return s.prefix + ":"
	}
	if first := s.at.tree.mounts[0]; s.at.def == nil && len(first.pieces) > 0 {
		return first.pieces[0].literal
	}
	return ""
}

// filter keeps the names that are below the scope, whatever the server made of the pattern.
func (s Scope) filter(names []string) []string {
	lead := s.lead()
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, lead) })
}

// escapeGlob makes a pattern of SCAN that matches s and nothing else.
func escapeGlob(s string) string {
	if !strings.ContainsAny(s, `*?[]\`) {
		return s
	}
	b := make([]byte, 0, len(s)+8)
	for i := range len(s) {
		if strings.IndexByte(`*?[]\`, s[i]) >= 0 {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return string(b)
}

// server is a server that holds keys of its own, and the name by which the client knows it.
type server struct {
	addr   string
	client rueidis.Client
}

// primaries gives a client for every server that holds keys of its own.
func (t *tree) primaries(ctx context.Context) ([]rueidis.Client, error) {
	servers, err := t.servers(ctx)
	clients := make([]rueidis.Client, len(servers))
	for i, s := range servers {
		clients[i] = s.client
	}
	return clients, err
}

// servers gives every server that holds keys of its own, in the order of their names. A Redis
// Cluster's list of nodes holds the replicas too, and a scan through it sees one node only.
func (t *tree) servers(ctx context.Context) ([]server, error) {
	if t.client.Mode() != rueidis.ClientModeCluster {
		return []server{{"", t.client}}, nil
	}
	var primaries []server
	nodes := t.client.Nodes()
	for _, addr := range slices.Sorted(maps.Keys(nodes)) {
		node := nodes[addr]
		role, err := node.Do(ctx, node.B().Role().Build()).ToArray()
		if err != nil {
			return nil, err
		}
		if len(role) == 0 {
			continue
		}
		if name, err := role[0].ToString(); err == nil && name == "master" {
			primaries = append(primaries, server{addr, node})
		}
	}
	return primaries, nil
}

// fail makes the error of an operation on the scope.
func (s Scope) fail(op string, err error) error {
	return &Error{Op: op, Template: s.at.template, Key: s.redactedPrefix(), Err: serverError(err)}
}

// redactedPrefix is the prefix with its sensitive parameters replaced by their templates.
func (s Scope) redactedPrefix() string { return s.at.redact(s.prefix) }

package nest

import (
	"slices"
	"strings"
)

// TrackingOptions returns rueidis' ClientTrackingOptions for client-side caching in broadcasting
// mode (CLIENT TRACKING … BCAST, Redis 6.0). They name the prefixes of the keys that are [Cached]
// in the tree, opened with opts, and of the numbers of [Generation]s. The prefix of a key ends at
// its first parameter. No prefix begins with another one, since Redis would refuse that. The result
// is nil, which stands for the usual mode, when there is neither.
//
//	option.ClientTrackingOptions, err = nest.TrackingOptions(Root)
//	client, err := rueidis.NewClient(option)
//	root, err := nest.Open(client, Root, nest.WithBroadcast())
//
// In the usual mode the server remembers which keys each client has read, in a table of limited
// size (tracking-table-max-keys), and tells the client of changes to those. In broadcasting mode it
// remembers nothing, and tells every client of every change below the prefixes, even to keys that
// the client has never read. This takes less memory in the server and more messages to the clients.
// It suits keys that are read often and written seldom. Package env does all this where
// REDIS_CACHE_BROADCAST is set.
//
// The errors are those of [Check].
func TrackingOptions(root *ClusterDef, opts ...OpenOption) ([]string, error) {
	t, err := newTree(root, opts)
	if err != nil {
		return nil, err
	}
	var prefixes []string
	for _, m := range t.mounts {
		if m.def.bind != nil && m.settings.cached > 0 {
			prefixes = append(prefixes, m.literalPrefix())
		}
		if m.generation != nil {
			prefixes = append(prefixes, m.generation.number.literalPrefix())
		}
	}
	if len(prefixes) == 0 {
		return nil, nil
	}
	slices.Sort(prefixes)
	if prefixes[0] == "" {
		return []string{"BCAST"}, nil // all keys
	}
	last, words := "", []string(nil)
	for _, p := range prefixes {
		if last == "" || !strings.HasPrefix(p, last) {
			words = append(words, "PREFIX", p)
			last = p
		}
	}
	return append(words, "BCAST"), nil
}

// literalPrefix returns what all names of a key begin with.
func (m *mounted) literalPrefix() string {
	if len(m.name.Pieces) > 0 {
		return m.name.Pieces[0].Literal
	}
	return m.name.End
}

// WithBroadcast says that the client was made with the [TrackingOptions] of this tree. The server
// then tells it of every change below their prefixes, in broadcasts. This matters to a tree only
// after its own writes to keys that are [Cached]. The server sends a broadcast after it has
// answered everything that it has read. So the command that waits for the broadcast is sent after
// the write's answer, in a round trip of its own. Without this option such a client can read a
// value that it has just overwritten.
func WithBroadcast() OpenOption {
	return openOption(func(o *openOptions) error {
		o.broadcast = true
		return nil
	})
}

// WithoutTracking says that the client cannot track what it reads: its DisableCache is set, as a
// server or a proxy that refuses CLIENT TRACKING needs it, or one that knows only RESP2. Keys that
// are [Cached] are then served from this process's memory for as long as [LocalFor] says, and read
// from the server each time if it is not declared. Without this option the first read finds that
// out, and may ask the server once. Package env gives it where REDIS_CLIENT_CACHE is off, or where
// a URL says so.
func WithoutTracking() OpenOption {
	return openOption(func(o *openOptions) error {
		o.untracked = true
		return nil
	})
}

// trackingLogger is an observer that logs which keys are read from where when the client cannot
// track. It is an interface so that a program without WithLogger does not have package slog.
type trackingLogger interface {
	cannotTrack(fromServer, fromMemory int)
}

// cannotTrack notes that the client does not track what it reads, and says so in the log, once.
func (t *tree) cannotTrack() {
	if t.untracked.Swap(true) || !t.caches {
		return
	}
	var remembered, read int
	for _, m := range t.mounts {
		switch {
		case m.def.isCluster() || m.settings.cached == 0:
		case m.settings.local > 0:
			remembered++
		default:
			read++
		}
	}
	for _, o := range t.options.observers {
		if l, ok := o.(trackingLogger); ok {
			l.cannotTrack(read, remembered)
		}
	}
}

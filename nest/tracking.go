package nest

import (
	"slices"
	"strings"
)

// TrackingOptions gives rueidis' ClientTrackingOptions for client-side caching in broadcasting
// mode (CLIENT TRACKING … BCAST, Redis 6.0): the prefixes below which the tree, opened with opts,
// has keys that are [Cached], up to their first parameter. None of them begins with another one,
// which Redis would refuse. It is nil, which stands for the usual mode, when no key is Cached.
//
//	option.ClientTrackingOptions, err = nest.TrackingOptions(Root)
//	client, err := rueidis.NewClient(option)
//	root, err := nest.Open(client, Root, nest.WithBroadcast())
//
// In the usual mode the server remembers for each client which keys it has read, in a table of
// limited size (tracking-table-max-keys), and tells it of those. In broadcasting mode it remembers
// nothing, and tells every client of every change below the prefixes, also of keys that it has
// never read: less memory in the server, more messages to the clients. It suits keys that are
// read often and written seldom. Package env does all this where REDIS_CACHE_BROADCAST is set.
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

// literalPrefix is what all names of a key have in common at their beginning.
func (m *mounted) literalPrefix() string {
	if len(m.pieces) > 0 {
		return m.pieces[0].literal
	}
	return m.end
}

// WithBroadcast says that the client was made with the [TrackingOptions] of this tree: the
// server tells it of every change below their prefixes, in broadcasts. The only difference for
// a tree is after its own writes to keys that are [Cached]. A broadcast goes out once the server
// has answered all that it has read, so what waits for it is sent after the write's answer, in a
// round trip of its own. Without this option such a client can read what it has just overwritten.
func WithBroadcast() OpenOption {
	return openOption(func(o *openOptions) error {
		o.broadcast = true
		return nil
	})
}

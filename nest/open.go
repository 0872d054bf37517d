package nest

import "github.com/redis/rueidis"

// Open binds a tree to a client, checks it, and returns the scope that stands at its root or, if
// the root's own prefix has parameters, just above it. Nothing is sent. One tree can be opened many
// times.
//
// The error joins every problem of the tree, each an [*Error] that wraps [ErrDeclaration]: keys
// that can have the same name, parameters that appear twice on a path or that no template has,
// defaults that the codec cannot write.
//
// The proof that no two keys can have the same name takes a parameter of a string kind, or of a
// type with a text form, for any text. It does not know which texts the type really has, what a
// [Validate] refuses, or what a [MaxLen] excludes. So order:<id> of a UUID beside order:<paid> of a
// bool is refused, although no name belongs to both; the error then says so. A literal of its own
// for one of them keeps them apart.
//
// If the client has a dialer of its own, whose connections return errors of package context, they
// have to wrap them: the client lets one call connect for others, so a bare one of those is taken
// for the end of another call's context, and the command is sent again.
func Open(client rueidis.Client, root *ClusterDef, opts ...OpenOption) (Scope, error) {
	t, err := newTree(root, opts)
	if err != nil {
		return Scope{err: asError(err)}, err
	}
	if client == nil && !t.options.namesOnly {
		err := &Error{Op: "open", Template: root.template.Text, Err: because(ErrNoClient, "the client is nil (NamesOnly opens a tree without one)")}
		return Scope{err: err}, err
	}
	if client != nil && t.options.singleServer && client.Mode() == rueidis.ClientModeCluster {
		err := &Error{Op: "open", Template: root.template.Text, Err: because(ErrDeclaration, "SingleServer: the client is that of a Redis Cluster, where slots matter")}
		return Scope{err: err}, err
	}
	if client != nil {
		t.bare = bare(client)
		t.whereabouts.watch(client, t)
		client = metered(guarded(client, t), &t.options)
	}
	t.client = client
	slotless := client != nil && t.options.oneConnection && client.Mode() != rueidis.ClientModeCluster
	for _, m := range t.mounts {
		m.direct = client != nil && !t.observed()
		m.slotless = slotless
	}
	if err := t.settleFormers(); err != nil {
		return Scope{err: asError(err)}, err
	}
	if client != nil && t.options.untracked {
		t.cannotTrack()
	}
	at := t.top
	if first := t.mounts[0]; len(first.name.Pieces) == 0 {
		at = first
	}
	return Scope{at: at, prefix: at.name.End}, nil
}

// Check reports everything that [Open] would refuse, without a client. What Open needs for some
// declarations, it needs too: [WithKeyring] for secrets and [WithPasswords] for passwords, unless
// [NamesOnly] is given, with which all the rest is checked.
func Check(root *ClusterDef, opts ...OpenOption) error {
	_, err := newTree(root, opts)
	return err
}

package main

import (
	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest"
)

// Profile is what the service knows about a user.
type Profile struct {
	Name  string `json:"name"`
	Saves int    `json:"saves"`
}

// keyspace is what one release declares.
type keyspace struct {
	profile *nest.KeyDef[Profile]
	visits  *nest.CounterDef[int64]
	cart    *nest.ListDef[string]
	root    *nest.ClusterDef
}

var id = nest.Param[int64]("id")

func declare(profile *nest.KeyDef[Profile], visits *nest.CounterDef[int64], cart *nest.ListDef[string]) *keyspace {
	root := nest.Cluster("migration", nest.Sub(profile, visits, cart))
	return &keyspace{profile, visits, cart, root}
}

// asItWas is release 0: the names as they have grown.
func asItWas() *keyspace {
	return declare(
		nest.Key[Profile]("usr:<id>", nest.Params(id)),
		nest.Counter[int64]("visits-<id>", nest.Params(id)),
		nest.List[string]("<id>:cart", nest.Params(id)),
	)
}

// The profile gets a fingerprint of its type, so that a field that is renamed later is noticed.
var (
	upcoming = codec.Versioned(codec.Upcoming(codec.Fingerprinted(codec.JSON)), codec.Unversioned(codec.Auto))
	printed  = codec.Versioned(codec.Fingerprinted(codec.JSON), codec.Unversioned(codec.Auto))
)

// knowing is release 1: still the old names and form, but it knows the coming ones.
func knowing() *keyspace {
	return declare(
		nest.Key[Profile]("usr:<id>", nest.Params(id), nest.Was("user:<id>:profile"), nest.Codec(upcoming)),
		nest.Counter[int64]("visits-<id>", nest.Params(id), nest.Was("user:<id>:visits")),
		nest.List[string]("<id>:cart", nest.Params(id), nest.Was("user:<id>:cart")),
	)
}

// renamed is release 2: the new names and form, and it knows the old ones.
func renamed() *keyspace {
	return declare(
		nest.Key[Profile]("user:<id>:profile", nest.Params(id), nest.Was("usr:<id>"), nest.Codec(printed)),
		nest.Counter[int64]("user:<id>:visits", nest.Params(id), nest.Was("visits-<id>")),
		nest.List[string]("user:<id>:cart", nest.Params(id), nest.Was("<id>:cart")),
	)
}

// done is release 4: the new names only.
func done() *keyspace {
	return declare(
		nest.Key[Profile]("user:<id>:profile", nest.Params(id), nest.Codec(printed)),
		nest.Counter[int64]("user:<id>:visits", nest.Params(id)),
		nest.List[string]("user:<id>:cart", nest.Params(id)),
	)
}

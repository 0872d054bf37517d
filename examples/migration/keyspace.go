package main

import (
	"context"

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
	token   token
	root    *nest.ClusterDef
}

// token is a user's token for the service. It is never written again, and becomes a secret.
type token struct {
	plain  *nest.KeyDef[string] // or nil
	secret *nest.SecretDef[string]
}

func (t token) node() nest.Node {
	if t.plain != nil {
		return t.plain
	}
	return t.secret
}

func (t token) get(ctx context.Context, root nest.Scope, user int) (string, error) {
	if t.plain != nil {
		return t.plain.At(root, user).Get(ctx)
	}
	return t.secret.At(root, user).Get(ctx)
}

// plain is the token as it was.
func plain() token {
	return token{plain: nest.Key[string]("token:<id>", nest.Params(id))}
}

// sealing is the token while Rotate seals what is there.
func sealing() token {
	return token{secret: nest.Secret[string]("token:<id>", nest.Params(id), nest.AcceptPlain())}
}

// sealed is the token at the end.
func sealed() token {
	return token{secret: nest.Secret[string]("token:<id>", nest.Params(id))}
}

var id = nest.Param[int64]("id")

func declare(profile *nest.KeyDef[Profile], visits *nest.CounterDef[int64], cart *nest.ListDef[string], t token) *keyspace {
	root := nest.Cluster("migration", nest.Sub(profile, visits, cart, t.node()))
	return &keyspace{profile, visits, cart, t, root}
}

// asItWas is release 0: the names as they have grown, and tokens that anyone can read.
func asItWas() *keyspace {
	return declare(
		nest.Key[Profile]("usr:<id>", nest.Params(id)),
		nest.Counter[int64]("visits-<id>", nest.Params(id)),
		nest.List[string]("<id>:cart", nest.Params(id)),
		plain(),
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
		plain(),
	)
}

// renamed is release 2: the new names and form, and it knows the old ones. Tokens are secrets, and
// may still be plain.
func renamed() *keyspace {
	return declare(
		nest.Key[Profile]("user:<id>:profile", nest.Params(id), nest.Was("usr:<id>"), nest.Codec(printed)),
		nest.Counter[int64]("user:<id>:visits", nest.Params(id), nest.Was("visits-<id>")),
		nest.List[string]("user:<id>:cart", nest.Params(id), nest.Was("<id>:cart")),
		sealing(),
	)
}

// done is release 4: the new names only, and sealed tokens.
func done() *keyspace {
	return declare(
		nest.Key[Profile]("user:<id>:profile", nest.Params(id), nest.Codec(printed)),
		nest.Counter[int64]("user:<id>:visits", nest.Params(id)),
		nest.List[string]("user:<id>:cart", nest.Params(id)),
		sealed(),
	)
}

// Package right is right: nothing in it is reported.
package right

import (
	"context"

	. "github.com/redisimnest/redisimnest/nest"

	"opener"
	"users"
)

type (
	Number  = int64
	Count   int64
	Alias   = Count
	Written string // has a text that cannot be read back: treated as a string
	Text    string // has a text even if it is empty
	Any     interface{ ~string | ~int }
)

func (Written) MarshalText() ([]byte, error) { return nil, nil }
func (Text) MarshalText() ([]byte, error)    { return []byte("-"), nil }
func (*Text) UnmarshalText([]byte) error     { return nil }

var (
	number  = Param[Number]("number")
	alias   = Param[Alias]("alias")
	written = Param[Written]("written")
	text    = Param[Text]("text")

	Numbers  = Key[int]("n:<number>", Params(number))
	Aliases  = Key[int]("a:<alias>", Params(alias))
	Writtens = Key[int]("w:<written>", Params(written))
	Texts    = Key[int]("t:<text>", Params(text))
	Plain    = Key[int]("p:<plain>")
	Hidden   = Key[int]("h:<number>", typed())
	Age      = Key[int]("age")
	Numbered = Key[int]("numbered:<day>")

	Tenants = Cluster("tenant:<tenant>", Sub(Age, Numbers, Aliases, Writtens, Texts, Plain))
	Root    = Cluster("root", Params(number), Sub(Tenants, Hidden))
	Twice   = Cluster("twice", Sub(Cluster("one:<x>", Sub(shared))), mounted())
	shared  = Key[int]("shared")
	Late    *KeyDef[int]
)

func init() { Late = Key[int]("late:<id>") }

func typed() KeyOption           { return Params(Param[string]("number")) }
func mounted() ClusterOption     { return Sub(shared) }
func several() (Scope, string)   { return Scope{}, "acme" }
func template() (string, Option) { return "x", Params(number) }

func types[T Any](s Scope, c Count, a Alias, n Number, t T) {
	Aliases.At(s, c)
	Aliases.At(s, a)
	Numbers.At(s, n)
	Numbers.At(s, int64(7))
	Numbers.At(s, t)
	Writtens.At(s, "plain")
	Texts.At(s, Text(""))
	Texts.At(s, text.Of(""))
	Hidden.At(s, "typed by an option that is not followed")
	Late.At(s, 7)
	(*KeyDef[int]).At(Plain, s, "x")
	at := Plain.At
	at(s, 1)
}

// A parameter holds whatever the caller passed, even if it is assigned later.
func assigned(s Scope, tenant string, k *KeyDef[int], root *ClusterDef) {
	Age.At(s, "acme")
	if tenant != "" {
		s = Tenants.At(s, tenant)
	}
	Age.At(s)
	Age.At(s, "acme")
	if k == nil {
		k = Age
	}
	k.At(s, 1, 2, 3)
}

func named() (s Scope) {
	if root, err := Open(nil, Root); err == nil {
		s = Tenants.At(root, "acme")
	}
	Plain.At(s, "acme", 1)
	return s
}

var Current Scope // another package assigns it too

func open() { Current, _ = Open(nil, Root) }

func current() { Plain.At(Current, 7) }

// A scope is already at its own cluster.
func again(u Scope) {
	t := Tenants.At(u, "acme")
	Tenants.At(t)
	Tenants.At(u)
	Age.At(several())
	Key[int](template())
}

func opened(ctx context.Context) {
	tenant, err := opener.OpenTenant(Root, Tenants, "acme")
	if err != nil {
		return
	}
	Age.At(tenant)
	Plain.At(tenant, 7)
}

var checked = opener.Checked(users.Cluster)

// One place of shared is unseen.
func hidden() {
	twice, _ := Open(nil, Twice)
	shared.At(twice)
	shared.At(twice, 1)
}

func dynamic(prefix string) {
	root, _ := Open(nil, Cluster(prefix, Sub(Numbered)))
	Numbered.At(root, "whatever the prefix has", Param[int]("x").Of(1), 7)
	tree := Cluster(prefix, Sub(Numbered))
	at, _ := Open(nil, tree)
	Numbered.At(at, "whatever the prefix has", 7)
}

func late(s Scope) { Late.At(s, 7) }

func durations(ctx context.Context, s Scope) {
	Age.At(s, 1).Expire(ctx, 5_000_000_000)
	Age.At(s, 1).Expire(ctx, 0x0)
}
